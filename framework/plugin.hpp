#pragma once

// What the author of a plugin includes: this header and nothing else; there is nothing to link. A node is a
// class of plain functions, and WEIR_PLUGIN names it:
//
//   class Brighter {                                                  // a transform: pixels in, pixels out
//    public:
//     explicit Brighter(const Parameters& parameters) : by_(parameters.number("by")) {}
//     Raster describe(std::span<const Raster> inputs) { ... }         // what leaves, from what comes in
//     void compute(std::span<const Pixels> inputs, const Target& out) const { ... }
//   };
//   WEIR_PLUGIN("brighter", "1.0", "MIT", transform<Brighter>({.name = "brighter", .help = ..., .bytes =
//   ...}))
//
// Every function may throw: Usage where parameters or inputs do not fit, any std::exception else. What is
// const is called from many threads at once. Build it as a shared module (CMake: add_library(... MODULE),
// weir::plugin), and try it with `weir plugin-check`. Below, [, const Host&] is a last argument that a
// function takes if it wants to.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plugin.h"
#include "plugin_types.hpp"

namespace weir::plugin {

// From and to C -------------------------------------------------------------------------------------------------------

// Hidden: tables of two plugins whose classes have the same name must not become one.
#pragma GCC visibility push(hidden)
namespace detail {

template <class Body>
weir_status guarded(const weir_host* host, Body&& body) noexcept {
  try {
    body();
    return WEIR_OK;
  } catch (const Usage& error) {
    host->say(host, error.what());
    return WEIR_USAGE;
  } catch (const std::bad_alloc&) {
    host->say(host, "out of memory");
    return WEIR_NO_MEMORY;
  } catch (const std::exception& error) {
    host->say(host, error.what());
    return WEIR_FAILED;
  } catch (...) {
    host->say(host, "an exception without a name");
    return WEIR_FAILED;
  }
}

/// Bytes out of a function that may throw; too many for any budget where it does.
template <class Body>
std::uint64_t counted(Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    return std::numeric_limits<std::uint64_t>::max();
  }
}

template <class Byte>
BasicPixels<Byte> pixels_of(const weir_pixels& raw) {
  return {reinterpret_cast<Byte*>(raw.data), raw.window,
          static_cast<SampleType>(raw.type), raw.samples,
          std::size_t{raw.row_stride},       std::size_t{raw.pixel_stride},
          std::size_t{raw.sample_stride}};
}

inline Raster raster_of(const weir_raster& raw) {
  const auto numbers = [](const weir_numbers& n) { return std::vector<double>(n.data, n.data + n.count); };
  Raster raster{raw.height, raw.width, raw.samples, static_cast<SampleType>(raw.type)};
  if (raw.nodata != nullptr) raster.nodata = raw.nodata;
  raster.photometric = raw.photometric;
  raster.pixel_scale = numbers(raw.pixel_scale);
  raster.tiepoints = numbers(raw.tiepoints);
  raster.transformation = numbers(raw.transformation);
  raster.key_doubles = numbers(raw.key_doubles);
  raster.key_directory.assign(raw.key_directory, raw.key_directory + raw.key_directory_count);
  if (raw.key_ascii != nullptr) raster.key_ascii = raw.key_ascii;
  return raster;
}

/// `raster` outlives what is filled in.
inline void fill(weir_raster& raw, const Raster& raster) {
  const auto numbers = [](const std::vector<double>& n) { return weir_numbers{n.data(), n.size()}; };
  raw.type = static_cast<std::uint32_t>(raster.type);
  raw.height = raster.height;
  raw.width = raster.width;
  raw.samples = raster.samples;
  raw.photometric = raster.photometric;
  raw.nodata = raster.nodata ? raster.nodata->c_str() : nullptr;
  raw.pixel_scale = numbers(raster.pixel_scale);
  raw.tiepoints = numbers(raster.tiepoints);
  raw.transformation = numbers(raster.transformation);
  raw.key_doubles = numbers(raster.key_doubles);
  raw.key_directory = raster.key_directory.data();
  raw.key_directory_count = raster.key_directory.size();
  raw.key_ascii = raster.key_ascii.empty() ? nullptr : raster.key_ascii.c_str();
}

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::uint64_t count) {
  return {reinterpret_cast<const std::byte*>(data), std::size_t{count}};
}
inline std::span<std::byte> bytes_of(std::uint8_t* data, std::uint64_t count) {
  return {reinterpret_cast<std::byte*>(data), std::size_t{count}};
}

/// A node and what it has said of itself, which the host may look at until the next call.
template <class N>
struct Holder {
  N node;
  Raster said = {};

  static N& of(void* self) { return static_cast<Holder*>(self)->node; }
  static const N& of(const void* self) { return static_cast<const Holder*>(self)->node; }

  static weir_status create(const weir_host* host, const weir_value* values, std::uint32_t count,
                            void** self) {
    return guarded(host, [&] { *self = new Holder{N(Parameters({values, count}))}; });
  }
  static void destroy(void* self) { delete static_cast<Holder*>(self); }
};

template <class K>
struct Kernel : Holder<K> {
  static weir_status describe(void* self, const weir_host* host, const weir_raster* const* inputs,
                              std::uint32_t count, weir_raster* out, std::uint64_t* halo) {
    return guarded(host, [&] {
      std::vector<Raster> rasters;
      for (std::uint32_t i = 0; i < count; ++i) rasters.push_back(raster_of(*inputs[i]));
      auto* holder = static_cast<Holder<K>*>(self);
      holder->said = holder->node.describe(std::span<const Raster>(rasters));
      fill(*out, holder->said);
      if constexpr (requires { holder->node.halo(); }) *halo = holder->node.halo();
    });
  }
  static std::uint64_t scratch_bytes(const void* self, std::uint64_t pixels) {
    if constexpr (requires(const K& k) { k.scratch_bytes(pixels); })
      return counted([&] { return Holder<K>::of(self).scratch_bytes(pixels); });
    else
      return 0;
  }
  static weir_status compute(const void* self, const weir_host* host, const weir_pixels* inputs,
                             std::uint32_t count, const weir_pixels* out) {
    return guarded(host, [&] {
      std::array<Pixels, WEIR_MOST_INPUTS> views;
      for (std::uint32_t i = 0; i < count; ++i) views[i] = pixels_of<const std::byte>(inputs[i]);
      const std::span<const Pixels> all(views.data(), count);
      const K& kernel = Holder<K>::of(self);
      const Target target = pixels_of<std::byte>(*out);
      if constexpr (requires { kernel.compute(all, target, Host(host)); })
        kernel.compute(all, target, Host(host));
      else
        kernel.compute(all, target);
    });
  }
  static constexpr weir_kernel table{sizeof(weir_kernel), 0,      Kernel::create, Kernel::destroy, describe,
                                     scratch_bytes,       compute};
};

template <class S>
struct Source : Holder<S> {
  static constexpr bool fetches = requires(const S& s, Window w, std::span<std::byte> b) { s.fetch(w, b); };

  static weir_status describe(void* self, const weir_host* host, weir_source_plan* plan) {
    return guarded(host, [&] {
      auto* holder = static_cast<Holder<S>*>(self);
      SourcePlan said = holder->node.describe();
      holder->said = std::move(said.raster);
      fill(*plan->raster, holder->said);
      plan->chunk_height = said.chunk_height;
      plan->chunk_width = said.chunk_width;
      plan->fetch_bytes = said.fetch_bytes;
      plan->scratch_bytes = said.scratch_bytes;
      plan->standing_bytes = said.standing_bytes;
    });
  }
  static weir_status fetch(const void* self, const weir_host* host, const weir_window* chunk,
                           std::uint8_t* stored, std::uint64_t capacity, std::uint64_t* used) {
    return guarded(host, [&] {
      if constexpr (fetches) *used = Holder<S>::of(self).fetch(*chunk, bytes_of(stored, capacity));
    });
  }
  static weir_status read(const void* self, const weir_host* host, const std::uint8_t* stored,
                          std::uint64_t stored_bytes, const weir_pixels* out) {
    return guarded(host, [&] {
      const S& source = Holder<S>::of(self);
      const Target target = pixels_of<std::byte>(*out);
      const auto from = bytes_of(stored, stored_bytes);
      if constexpr (requires { source.read(from, target, Host(host)); })
        source.read(from, target, Host(host));
      else if constexpr (requires { source.read(from, target); })
        source.read(from, target);
      else if constexpr (requires { source.read(target, Host(host)); })
        source.read(target, Host(host));
      else
        source.read(target);
    });
  }
  static constexpr weir_source table{
      sizeof(weir_source), 0, Source::create, Source::destroy, describe, fetches ? fetch : nullptr, read};
};

template <class C>
struct Codec : Holder<C> {
  static weir_status describe(void* self, const weir_host* host, weir_codec_plan* plan) {
    return guarded(host, [&] {
      const CodecPlan said = Holder<C>::of(self).describe();
      plan->tiff_compression = said.tiff_compression;
      plan->has_levels = said.levels ? 1 : 0;
      const Levels levels = said.levels.value_or(Levels{});
      plan->least_level = levels.least;
      plan->most_level = levels.most;
      plan->default_level = levels.usual;
    });
  }
  static std::uint64_t max_encoded_bytes(const void* self, std::uint64_t raw) {
    return counted([&] { return Holder<C>::of(self).max_encoded_bytes(raw); });
  }
  static std::uint64_t encoder_scratch_bytes(const void* self, std::uint64_t raw) {
    if constexpr (requires(const C& c) { c.encoder_scratch_bytes(raw); })
      return counted([&] { return Holder<C>::of(self).encoder_scratch_bytes(raw); });
    else
      return 0;
  }
  static std::uint64_t decoder_scratch_bytes(const void* self) {
    if constexpr (requires(const C& c) { c.decoder_scratch_bytes(); })
      return counted([&] { return Holder<C>::of(self).decoder_scratch_bytes(); });
    else
      return 0;
  }
  static weir_status encode(const void* self, const weir_host* host, std::int32_t level,
                            const std::uint8_t* raw, std::uint64_t raw_bytes, std::uint8_t* out,
                            std::uint64_t capacity, std::uint64_t* used) {
    return guarded(host, [&] {
      const C& codec = Holder<C>::of(self);
      const auto from = bytes_of(raw, raw_bytes);
      const auto to = bytes_of(out, capacity);
      if constexpr (requires { codec.encode(from, to, level, Host(host)); })
        *used = codec.encode(from, to, level, Host(host));
      else if constexpr (requires { codec.encode(from, to, Host(host)); })
        *used = codec.encode(from, to, Host(host));
      else if constexpr (requires { codec.encode(from, to, level); })
        *used = codec.encode(from, to, level);
      else
        *used = codec.encode(from, to);
    });
  }
  static weir_status decode(const void* self, const weir_host* host, const std::uint8_t* encoded,
                            std::uint64_t encoded_bytes, std::uint8_t* out, std::uint64_t capacity,
                            std::uint64_t* used) {
    return guarded(host, [&] {
      const C& codec = Holder<C>::of(self);
      const auto from = bytes_of(encoded, encoded_bytes);
      const auto to = bytes_of(out, capacity);
      if constexpr (requires { codec.decode(from, to, Host(host)); })
        *used = codec.decode(from, to, Host(host));
      else
        *used = codec.decode(from, to);
    });
  }
  static constexpr weir_codec table{sizeof(weir_codec),
                                    0,
                                    Codec::create,
                                    Codec::destroy,
                                    describe,
                                    max_encoded_bytes,
                                    encoder_scratch_bytes,
                                    decoder_scratch_bytes,
                                    encode,
                                    decode};
};

template <class S>
struct Sink : Holder<S> {
  static std::uint64_t scratch_bytes(const void* self) {
    if constexpr (requires(const S& s) { s.scratch_bytes(); })
      return counted([&] { return Holder<S>::of(self).scratch_bytes(); });
    else
      return 0;
  }
  static weir_status open(void* self, const weir_host* host, const weir_raster* raster) {
    return guarded(host, [&] { Holder<S>::of(self).open(raster_of(*raster)); });
  }
  static weir_status write(void* self, const weir_host* host, const weir_pixels* tile) {
    return guarded(host, [&] {
      S& sink = Holder<S>::of(self);
      const Pixels pixels = pixels_of<const std::byte>(*tile);
      if constexpr (requires { sink.write(pixels, Host(host)); })
        sink.write(pixels, Host(host));
      else
        sink.write(pixels);
    });
  }
  static weir_status close(void* self, const weir_host* host) {
    return guarded(host, [&] { Holder<S>::of(self).close(); });
  }
  static constexpr weir_sink table{sizeof(weir_sink), 0,    Sink::create, Sink::destroy,
                                   scratch_bytes,     open, write,        close};
};

}  // namespace detail
#pragma GCC visibility pop

// Nodes ---------------------------------------------------------------------------------------------------------------

struct Node {
  About about;
  std::uint32_t kind = 0;
  const void* functions = nullptr;
};

/// K(const Parameters&); Raster describe(std::span<const Raster> inputs): the raster that leaves, of the
/// inputs' size; void compute(std::span<const Pixels> inputs, const Target& out[, const Host&]) const, each
/// input's window being out's; where it takes scratch: std::uint64_t scratch_bytes(std::uint64_t pixels)
/// const, for windows of at most so many pixels.
template <class K>
Node transform(About about) {
  return {std::move(about), WEIR_TRANSFORM, &detail::Kernel<K>::table};
}
/// The same with std::uint64_t halo() const: pixels needed around each pixel. Each input's window is out's
/// grown by it and clipped to the raster.
template <class K>
Node stencil(About about) {
  return {std::move(about), WEIR_STENCIL, &detail::Kernel<K>::table};
}
/// S(const Parameters&); SourcePlan describe(); void read(const Target& out[, const Host&]) const. Where it
/// waits for stored bytes: std::size_t fetch(const Window& chunk, std::span<std::byte> stored) const, the
/// bytes used, and read(std::span<const std::byte> stored, const Target& out[, const Host&]) const.
template <class S>
Node source(About about) {
  about.inputs.clear();
  return {std::move(about), WEIR_SOURCE, &detail::Source<S>::table};
}
/// C(const Parameters&), of which a codec has none; CodecPlan describe() const;
/// std::uint64_t max_encoded_bytes(std::uint64_t raw) const;
/// std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out[, int level][, const Host&]) const;
/// std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out[, const Host&]) const: the bytes
/// made. decode makes as many as there is room and data for; the data may be broken in any way. Where it takes
/// scratch: encoder_scratch_bytes(raw) and decoder_scratch_bytes() const.
template <class C>
Node codec(About about) {
  about.inputs.clear();
  return {std::move(about), WEIR_CODEC, &detail::Codec<C>::table};
}
/// S(const Parameters&); void open(const Raster&); void write(const Pixels& tile[, const Host&]), tile after
/// tile in raster order; void close(): only then is the work done. Where it takes scratch in write:
/// scratch_bytes() const.
template <class S>
Node sink(About about) {
  about.inputs.resize(1);
  return {std::move(about), WEIR_SINK, &detail::Sink<S>::table};
}

/// The descriptor of a plugin, and all that it points to.
class __attribute__((visibility("hidden"))) Library {
 public:
  Library(const char* name, const char* version, const char* licence, std::vector<Node> nodes)
      : nodes_(std::move(nodes)) {
    for (const Node& node : nodes_) add(node);
    for (const weir_node& node : c_nodes_) node_pointers_.push_back(&node);
    descriptor_ = {sizeof descriptor_,
                   WEIR_PLUGIN_MAGIC,
                   WEIR_PLUGIN_ABI_MAJOR,
                   WEIR_PLUGIN_ABI_MINOR,
                   name,
                   version,
                   licence,
                   static_cast<std::uint32_t>(nodes_.size()),
                   0,
                   node_pointers_.data()};
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  const weir_plugin_descriptor* descriptor() const { return &descriptor_; }

 private:
  template <class T>
  static const T* const* pointers_to(std::deque<T>& all, std::size_t from,
                                     std::deque<std::vector<const T*>>& kept) {
    kept.emplace_back();
    for (std::size_t i = from; i < all.size(); ++i) kept.back().push_back(&all[i]);
    return kept.back().data();
  }
  void add(const Node& node) {
    const About& about = node.about;
    const std::size_t first_parameter = c_parameters_.size(), first_input = c_inputs_.size();
    for (const Parameter& p : about.parameters) {
      choices_.emplace_back();
      for (const std::string& choice : p.choices) choices_.back().push_back(choice.c_str());
      c_parameters_.push_back(
          {sizeof(weir_parameter), static_cast<std::uint32_t>(p.type), p.name.c_str(), p.help.c_str(),
           p.default_value ? p.default_value->c_str() : nullptr, p.unit.c_str(),
           (p.is_required ? std::uint32_t{WEIR_REQUIRED} : 0U) |
               (p.least ? std::uint32_t{WEIR_HAS_LEAST} : 0U) | (p.most ? std::uint32_t{WEIR_HAS_MOST} : 0U),
           static_cast<std::uint32_t>(p.choices.size()), choices_.back().data(), p.least.value_or(0),
           p.most.value_or(0)});
    }
    for (const Input& input : about.inputs)
      c_inputs_.push_back({sizeof(weir_input), 0, input.name.c_str(), input.help.c_str()});
    c_nodes_.push_back({sizeof(weir_node), node.kind, about.name.c_str(), about.help.c_str(),
                        about.bytes.c_str(), static_cast<std::uint32_t>(about.parameters.size()),
                        static_cast<std::uint32_t>(about.inputs.size()),
                        pointers_to(c_parameters_, first_parameter, parameter_pointers_),
                        pointers_to(c_inputs_, first_input, input_pointers_), node.functions});
  }

  const std::vector<Node> nodes_;  // the texts
  // Deques: what is pointed to stays where it is.
  std::deque<std::vector<const char*>> choices_;
  std::deque<weir_parameter> c_parameters_;
  std::deque<weir_input> c_inputs_;
  std::deque<std::vector<const weir_parameter*>> parameter_pointers_;
  std::deque<std::vector<const weir_input*>> input_pointers_;
  std::deque<weir_node> c_nodes_;
  std::vector<const weir_node*> node_pointers_;
  weir_plugin_descriptor descriptor_{};
};

}  // namespace weir::plugin

/// Once in a plugin: WEIR_PLUGIN(name, version, licence as SPDX says it, node...).
#define WEIR_PLUGIN(name, version, licence, ...)                                         \
  WEIR_PLUGIN_NOTE(name, version);                                                       \
  extern "C" const weir_plugin_descriptor* weir_plugin(void) {                           \
    try {                                                                                \
      static const weir::plugin::Library library(name, version, licence, {__VA_ARGS__}); \
      return library.descriptor();                                                       \
    } catch (...) {                                                                      \
      return nullptr;                                                                    \
    }                                                                                    \
  }                                                                                      \
  static_assert(true, "a semicolon follows")
