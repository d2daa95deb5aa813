#include "nodes/plugins/plugin_nodes.hpp"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <optional>
#include <utility>

#include "framework/plugin.h"
#include "nodes/plugins/plugin_call.hpp"
#include "nodes/plugins/plugin_raster.hpp"
#include "nodes/raster/chunk_grid.hpp"

namespace weir {
namespace {

// Terrain windows of several kilometres fit; beyond, sums of rows could overflow.
constexpr std::uint64_t largest_halo = 65535;
// What kernel_node_type joins.
constexpr std::size_t most_kernel_inputs = 4;

/// The functions of a node, which check_plugin_node has looked at.
template <class T>
T functions_of(const PluginNode& node) {
  return sized_struct<T>(node.functions, sizeof(T), "the functions of node " + node.name);
}

std::uint64_t bytes_from(std::uint64_t (*function)(const void*), const PluginObject& object,
                         std::string_view what) {
  return function == nullptr ? 0 : declared_bytes(object.node(), what, function(object.self()));
}

class PluginKernel : public TileKernel {
 public:
  PluginKernel(const PluginNode& node, const Parameters& parameters)
      : functions_(functions_of<weir_kernel>(node)),
        object_(node, functions_.create, functions_.destroy, parameters) {}

  RasterInfo describe(std::span<const RasterInfo> inputs) override {
    std::vector<weir_raster> rasters;
    for (const RasterInfo& info : inputs) rasters.push_back(c_raster(info));
    std::vector<const weir_raster*> pointers;
    for (const weir_raster& raster : rasters) pointers.push_back(&raster);
    weir_raster out = rasters.front();
    const PluginNode& node = object_.node();
    PluginCall(node, nullptr)("use", [&](const weir_host* host) {
      return functions_.describe(object_.self(), host, pointers.data(),
                                 static_cast<std::uint32_t>(pointers.size()), &out, &halo_);
    });
    if (out.height != inputs[0].height || out.width != inputs[0].width)
      throw plugin_error(
          node, "use",
          fmt::format("it makes {} x {} pixels of {} x {} (height x width), where a {} keeps the size",
                      out.height, out.width, inputs[0].height, inputs[0].width, name_of(kind_of(node))),
          ErrorKind::usage);
    if (halo_ > (kind_of(node) == PluginKind::transform ? 0 : largest_halo))
      throw plugin_error(
          node, "use",
          fmt::format("it wants {} pixels around each pixel, where a {} has at most {}", halo_,
                      name_of(kind_of(node)), kind_of(node) == PluginKind::transform ? 0 : largest_halo),
          ErrorKind::usage);
    RasterInfo info = raster_from_c(node, out);
    info.georeferencing = inputs[0].georeferencing;
    return info;
  }

  std::uint64_t halo() const override { return halo_; }

  std::uint64_t local_bytes(std::uint64_t pixels) const override {
    const std::uint64_t bytes = scratch_bytes(pixels);
    // What the run was planned with is what each call may take.
    for (std::uint64_t known = planned_; bytes > known && !planned_.compare_exchange_weak(known, bytes);) {
    }
    return bytes;
  }

  std::unique_ptr<Local> make_local(const Scratch& scratch) const override {
    return std::make_unique<Memory>(scratch);
  }

  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
               const Context& context) const override {
    std::optional<Memory> outside;  // where nobody keeps one per thread
    PluginMemory& memory =
        (local != nullptr ? static_cast<Memory&>(*local) : outside.emplace(context.scratch())).memory;
    const std::uint64_t planned = planned_;
    memory.set_limit(planned > 0 ? planned : scratch_bytes(out.window.height * out.window.width));
    std::array<weir_pixels, WEIR_MOST_INPUTS> views{};
    for (std::size_t i = 0; i < inputs.size(); ++i) views[i] = c_pixels(inputs[i]);
    const weir_pixels target = c_pixels(out);
    PluginCall(object_.node(), &memory, context.stop())("compute", [&](const weir_host* host) {
      return functions_.compute(object_.self(), host, views.data(), static_cast<std::uint32_t>(inputs.size()),
                                &target);
    });
  }

 private:
  struct Memory : Local {
    explicit Memory(const Scratch& scratch) : memory(scratch) {}
    PluginMemory memory;
  };

  std::uint64_t scratch_bytes(std::uint64_t pixels) const {
    if (functions_.scratch_bytes == nullptr) return 0;
    return declared_bytes(object_.node(), "bytes of scratch memory",
                          functions_.scratch_bytes(object_.self(), pixels));
  }

  weir_kernel functions_;
  PluginObject object_;
  std::uint64_t halo_ = 0;
  mutable std::atomic<std::uint64_t> planned_{0};
};

class PluginSource : public ChunkSource {
 public:
  PluginSource(const PluginNode& node, const Parameters& parameters)
      : functions_(functions_of<weir_source>(node)),
        object_(node, functions_.create, functions_.destroy, parameters) {
    RasterInfo nothing;
    nothing.height = nothing.width = 1;
    weir_raster raster = c_raster(nothing);
    weir_source_plan plan{};
    plan.size = sizeof plan;
    plan.raster = &raster;
    PluginCall(node, nullptr)(
        "use", [&](const weir_host* host) { return functions_.describe(object_.self(), host, &plan); });
    info_ = raster_from_c(node, raster);
    grid_ = even_chunks(info_, plan.chunk_height, plan.chunk_width);
    stored_bytes_ = declared_bytes(node, "stored bytes of a chunk", plan.fetch_bytes);
    scratch_bytes_ = declared_bytes(node, "bytes of scratch memory", plan.scratch_bytes);
    standing_bytes_ = declared_bytes(node, "standing bytes", plan.standing_bytes);
    if ((stored_bytes_ > 0) != (functions_.fetch != nullptr))
      throw plugin_error(node, "use",
                         stored_bytes_ > 0 ? "it declares stored bytes and has no function that fetches them"
                                           : "it has a function that fetches stored bytes and declares none",
                         ErrorKind::usage);
  }

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return grid_; }
  std::uint64_t fetch_bytes() const override {
    return stored_bytes_ == 0 ? 0 : BufferPool::charge(stored_bytes_);
  }
  std::uint64_t local_bytes() const override { return scratch_bytes_; }
  std::uint64_t standing_bytes() const override { return standing_bytes_; }
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override {
    return std::make_unique<Memory>(scratch);
  }

  Buffer fetch(ChunkIndex chunk, const Context& context) const override {
    const Window window = grid_.window(chunk);
    const weir_window raw{window.row, window.col, window.height, window.width};
    Buffer stored = context.buffer(stored_bytes_);
    std::uint64_t used = 0;
    PluginCall(object_.node(), nullptr, context.stop())("fetch from", [&](const weir_host* host) {
      return functions_.fetch(object_.self(), host, &raw, reinterpret_cast<std::uint8_t*>(stored.data()),
                              stored.size(), &used);
    });
    if (used > stored.size())
      throw plugin_error(object_.node(), "fetch from",
                         fmt::format("it says that it wrote {} bytes where {} fit", used, stored.size()));
    stored.resize(used);
    return stored;
  }

  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override {
    const Window window = grid_.window(chunk);
    Block block = interleaved_block(window, info_.type, info_.samples,
                                    context.buffer(window.height * window.width * info_.pixel_bytes()));
    std::optional<Memory> outside;
    PluginMemory& memory =
        (local != nullptr ? static_cast<Memory&>(*local) : outside.emplace(context.scratch())).memory;
    memory.set_limit(scratch_bytes_);
    const weir_pixels target =
        c_pixels(PixelTarget{block.data.data(), window, info_.type, info_.samples, block.row_stride,
                             block.pixel_stride, block.sample_stride});
    PluginCall(object_.node(), &memory, context.stop())("read from", [&](const weir_host* host) {
      return functions_.read(object_.self(), host, reinterpret_cast<const std::uint8_t*>(stored.data()),
                             stored.size(), &target);
    });
    return block;
  }

 private:
  struct Memory : Local {
    explicit Memory(const Scratch& scratch) : memory(scratch) {}
    PluginMemory memory;
  };

  weir_source functions_;
  PluginObject object_;
  RasterInfo info_;
  ChunkGrid grid_;
  std::uint64_t stored_bytes_ = 0, scratch_bytes_ = 0, standing_bytes_ = 0;
};

class PluginSink : public TileSink {
 public:
  PluginSink(const PluginNode& node, const Parameters& parameters)
      : functions_(functions_of<weir_sink>(node)),
        object_(node, functions_.create, functions_.destroy, parameters) {}

  std::uint64_t standing_bytes() const override {
    return bytes_from(functions_.scratch_bytes, object_, "bytes of scratch memory");
  }
  void open(const RasterInfo& info) override {
    const weir_raster raster = c_raster(info);
    PluginCall(object_.node(), nullptr)(
        "open", [&](const weir_host* host) { return functions_.open(object_.self(), host, &raster); });
  }
  void write(const PixelView& tile, const Context& context) override {
    if (!memory_) {
      memory_.emplace(context.scratch());
      memory_->set_limit(standing_bytes());
    }
    const weir_pixels pixels = c_pixels(tile);
    PluginCall(object_.node(), &*memory_, context.stop())(
        "write to", [&](const weir_host* host) { return functions_.write(object_.self(), host, &pixels); });
  }
  void close() override {
    PluginCall(object_.node(), nullptr)(
        "close", [&](const weir_host* host) { return functions_.close(object_.self(), host); });
    memory_.reset();
  }

 private:
  weir_sink functions_;
  std::optional<PluginMemory> memory_;  // goes after the object that may look at it
  PluginObject object_;
};

void require(const PluginNode& node, bool has_all, std::string_view functions) {
  if (!has_all)
    throw Error::usage("use", "a descriptor",
                       fmt::format("node {} lacks one of its functions (a null pointer); a {} has {}",
                                   node.name, name_of(kind_of(node)), functions));
}

}  // namespace

PluginKind kind_of(const PluginNode& node) {
  switch (node.kind) {
    case WEIR_SOURCE:
      return PluginKind::source;
    case WEIR_TRANSFORM:
      return PluginKind::transform;
    case WEIR_STENCIL:
      return PluginKind::stencil;
    case WEIR_CODEC:
      return PluginKind::codec;
    case WEIR_SINK:
      return PluginKind::sink;
    default:
      throw Error::usage("use", "a descriptor",
                         fmt::format("node {} is of kind {}, which is none", node.name, node.kind));
  }
}

std::string_view name_of(PluginKind kind) {
  switch (kind) {
    case PluginKind::source:
      return "source";
    case PluginKind::transform:
      return "transform";
    case PluginKind::stencil:
      return "stencil";
    case PluginKind::codec:
      return "codec";
    case PluginKind::sink:
      return "sink";
  }
  return "node";
}

void check_plugin_node(const PluginNode& node) {
  std::size_t least_inputs = 0, most_inputs = 0;
  switch (kind_of(node)) {
    case PluginKind::source: {
      const auto f = functions_of<weir_source>(node);
      require(node, f.create && f.destroy && f.describe && f.read, "create, destroy, describe and read");
      break;
    }
    case PluginKind::transform:
    case PluginKind::stencil: {
      const auto f = functions_of<weir_kernel>(node);
      require(node, f.create && f.destroy && f.describe && f.compute,
              "create, destroy, describe and compute");
      least_inputs = 1;
      most_inputs = most_kernel_inputs;
      break;
    }
    case PluginKind::codec: {
      const auto f = functions_of<weir_codec>(node);
      require(node, f.create && f.destroy && f.describe && f.max_encoded_bytes && f.encode && f.decode,
              "create, destroy, describe, max_encoded_bytes, encode and decode");
      // A file does not say with which parameters its tiles were encoded.
      if (!node.parameters.empty())
        throw Error::usage(
            "use", "a descriptor",
            fmt::format("codec {} has parameters, where it may have levels alone: what it writes must be "
                        "read without them",
                        node.name));
      break;
    }
    case PluginKind::sink: {
      const auto f = functions_of<weir_sink>(node);
      require(node, f.create && f.destroy && f.open && f.write && f.close,
              "create, destroy, open, write and close");
      least_inputs = most_inputs = 1;
      break;
    }
  }
  if (node.inputs.size() < least_inputs || node.inputs.size() > most_inputs)
    throw Error::usage(
        "use", "a descriptor",
        fmt::format("node {} has {} inputs, where a {} has {}", node.name, node.inputs.size(),
                    name_of(kind_of(node)),
                    least_inputs == most_inputs ? fmt::format("{}", most_inputs)
                                                : fmt::format("{} to {}", least_inputs, most_inputs)));
}

std::shared_ptr<const ChunkSource> make_plugin_source(const PluginNode& node, const Parameters& parameters) {
  return std::make_shared<const PluginSource>(node, parameters);
}
std::unique_ptr<TileKernel> make_plugin_kernel(const PluginNode& node, const Parameters& parameters) {
  return std::make_unique<PluginKernel>(node, parameters);
}
std::unique_ptr<TileSink> make_plugin_sink(const PluginNode& node, const Parameters& parameters) {
  return std::make_unique<PluginSink>(node, parameters);
}
bool plugin_source_fetches(const PluginNode& node) {
  return functions_of<weir_source>(node).fetch != nullptr;
}

}  // namespace weir
