#pragma once

// Part of plugin.hpp: what the author of a plugin works with.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin.h"

namespace weir::plugin {

/// Parameters or inputs that do not fit; the message says why.
struct Usage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class SampleType : std::uint32_t {
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  uint64,
  int64,
  float32,
  float64
};

/// Calls `function` with a value-initialised sample of the C++ type that `type` stands for.
template <class Function>
decltype(auto) with_sample_type(SampleType type, Function&& function) {
  switch (type) {
    case SampleType::uint8:
      return function(std::uint8_t{});
    case SampleType::int8:
      return function(std::int8_t{});
    case SampleType::uint16:
      return function(std::uint16_t{});
    case SampleType::int16:
      return function(std::int16_t{});
    case SampleType::uint32:
      return function(std::uint32_t{});
    case SampleType::int32:
      return function(std::int32_t{});
    case SampleType::uint64:
      return function(std::uint64_t{});
    case SampleType::int64:
      return function(std::int64_t{});
    case SampleType::float32:
      return function(float{});
    case SampleType::float64:
      return function(double{});
  }
  throw Usage("the sample type is not known");
}

using Window = weir_window;

/// Pixels of a window that somebody else holds; see weir_pixels. Rows and columns count from the window's
/// corner.
template <class Byte>
struct BasicPixels {
  Byte* data = nullptr;
  Window window{};
  SampleType type = SampleType::uint8;
  std::uint32_t samples = 1;
  std::size_t row_stride = 0, pixel_stride = 0, sample_stride = 0;

  Byte* at(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) const {
    return data + row * row_stride + col * pixel_stride + sample * sample_stride;
  }
  /// T is the C++ type of `type`.
  template <class T>
  T get(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) const {
    T value;
    std::memcpy(&value, at(row, col, sample), sizeof value);
    return value;
  }
  template <class T>
  void set(std::uint64_t row, std::uint64_t col, T value, std::uint32_t sample = 0) const {
    std::memcpy(at(row, col, sample), &value, sizeof value);
  }
  /// A sample of any type as a number.
  double number(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) const {
    return with_sample_type(type, [&](auto zero) {
      return static_cast<double>(this->template get<decltype(zero)>(row, col, sample));
    });
  }
};
using Pixels = BasicPixels<const std::byte>;
using Target = BasicPixels<std::byte>;

/// Everything about a raster but its pixels; see weir_raster.
struct Raster {
  std::uint64_t height = 0, width = 0;
  std::uint32_t samples = 1;
  SampleType type = SampleType::uint8;
  std::optional<std::string> nodata = {};  ///< a number or "nan"
  std::uint32_t photometric = 1;
  std::vector<double> pixel_scale = {}, tiepoints = {}, transformation = {}, key_doubles = {};
  std::vector<std::uint16_t> key_directory = {};
  std::string key_ascii = {};

  /// NaN where there is none.
  double nodata_number() const {
    return nodata ? std::strtod(nodata->c_str(), nullptr) : std::numeric_limits<double>::quiet_NaN();
  }
  /// Of the same size and place, with other values.
  Raster with(SampleType new_type, std::optional<std::string> new_nodata) const {
    Raster other = *this;
    other.type = new_type;
    other.nodata = std::move(new_nodata);
    return other;
  }
};

/// Memory of the host, given back when it goes.
class Scratch {
 public:
  Scratch(const weir_host* host, std::size_t bytes)
      : host_(host), data_(host->allocate(host, bytes)), bytes_(bytes) {
    if (data_ == nullptr) throw std::bad_alloc();
  }
  ~Scratch() { host_->release(host_, data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T = std::byte>
  std::span<T> as() const {
    return {static_cast<T*>(data_), bytes_ / sizeof(T)};
  }

 private:
  const weir_host* host_;
  void* data_;
  std::size_t bytes_;
};
/// What a block of scratch counts, for scratch_bytes.
constexpr std::uint64_t block_bytes(std::uint64_t bytes) {
  return WEIR_BLOCK_BYTES(bytes);
}

/// What the host gives during a call; not to be kept.
class Host {
 public:
  explicit Host(const weir_host* host) : host_(host) {}
  /// Whether the run was cancelled; for bodies that take seconds.
  bool is_stopped() const { return host_->stopped(host_) != 0; }
  /// Throws std::bad_alloc beyond what scratch_bytes declared.
  Scratch scratch(std::size_t bytes) const { return {host_, bytes}; }
  /// The C interface, for what this class leaves out (weir_host::local).
  const weir_host* c() const { return host_; }

 private:
  const weir_host* host_;
};

/// The checked parameters of a node, defaults filled in; valid while its constructor runs.
class Parameters {
 public:
  explicit Parameters(std::span<const weir_value> values) : values_(values) {}
  bool has(std::string_view name) const { return at(name).is_set != 0; }
  bool flag(std::string_view name) const { return at(name, WEIR_FLAG).integer != 0; }
  std::int64_t integer(std::string_view name) const { return at(name, WEIR_INTEGER).integer; }
  double number(std::string_view name) const { return at(name, WEIR_NUMBER).number; }
  std::string text(std::string_view name) const { return at(name, WEIR_TEXT, WEIR_CHOICE).text; }
  std::uint64_t bytes(std::string_view name) const {
    return static_cast<std::uint64_t>(at(name, WEIR_BYTES).integer);
  }
  /// Height and width.
  std::pair<std::uint64_t, std::uint64_t> size(std::string_view name) const {
    const weir_value& value = at(name, WEIR_SIZE);
    return {value.height, value.width};
  }

 private:
  const weir_value& at(std::string_view name) const {
    for (const weir_value& value : values_)
      if (name == value.name) return value;
    throw std::logic_error("the node asks for parameter " + std::string(name) + ", which it did not declare");
  }
  const weir_value& at(std::string_view name, std::uint32_t type, std::uint32_t or_type = 0) const {
    const weir_value& value = at(name);
    if (value.is_set == 0 || (value.type != type && value.type != or_type))
      throw std::logic_error("the node asks for parameter " + std::string(name) +
                             ", which has no such value");
    return value;
  }
  std::span<const weir_value> values_;
};

// What is declared ----------------------------------------------------------------------------------------------------

enum class Type : std::uint32_t { flag = WEIR_FLAG, integer, number, text, choice, bytes, size };

struct Parameter {
  std::string name;  ///< snake_case
  Type type = Type::text;
  std::string help;  ///< one sentence without its period
  std::optional<std::string> default_value = {};
  bool is_required = false;
  std::string unit = {};
  std::optional<double> least = {}, most = {};  ///< inclusive
  std::vector<std::string> choices = {};
};

struct Input {
  std::string name, help;
};

struct About {
  std::string name;   ///< snake_case, no other node's
  std::string help;   ///< one sentence without its period
  std::string bytes;  ///< the memory that it takes, in words
  std::vector<Parameter> parameters = {};
  std::vector<Input> inputs = {{"input", "the raster"}};  ///< of transforms and stencils
};

struct SourcePlan {
  Raster raster;
  std::uint64_t chunk_height = 0, chunk_width = 0;
  std::uint64_t fetch_bytes = 0;     ///< most stored bytes of one chunk; 0: fetch is never called
  std::uint64_t scratch_bytes = 0;   ///< per thread
  std::uint64_t standing_bytes = 0;  ///< what the object itself keeps
};

struct Levels {
  int least = 0, most = 0, usual = 0;
};

struct CodecPlan {
  std::uint16_t tiff_compression = 0;  ///< TIFF's Compression tag, from 32768 on
  std::optional<Levels> levels = {};
};

}  // namespace weir::plugin
