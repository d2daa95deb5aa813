#include "pipelines/command/plugin_trial.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "framework/build_info.hpp"
#include "framework/context.hpp"
#include "nodes/plugins/plugin_nodes.hpp"
#include "pipelines/command/trial_support.hpp"

namespace weir::command {
namespace {

class Trial {
 public:
  Trial(const PluginNode& node, const std::map<std::string, std::string>& given, const std::string& path,
        const TrialReport& report)
      : node_(node), given_(given), path_(path), report_(report) {}

  void run() {
    check("refuses wrong parameters", [&] { wrong_parameters(); });
    if (!make_parameters()) return;
    switch (kind_of(node_)) {
      case PluginKind::source:
        return source();
      case PluginKind::transform:
      case PluginKind::stencil:
        return kernel();
      case PluginKind::codec:
        return codec();
      case PluginKind::sink:
        return sink();
    }
  }

 private:
  /// False where it failed.
  bool check(const std::string& name, const std::function<void()>& body) {
    report_.begin(name);
    try {
      body();
    } catch (const Failed& failed) {
      report_.not_ok(name, failed.reason);
      return false;
    } catch (const std::exception& error) {
      report_.not_ok(name, error.what());
      return false;
    }
    report_.ok(name);
    return true;
  }

  // ---- parameters

  /// Something that reads as the type, for parameters that must be given.
  std::string guess(const Parameter& parameter) const {
    const double least = std::isfinite(parameter.least) ? parameter.least : std::min(1.0, parameter.most);
    switch (parameter.type) {
      case ParameterType::flag:
        return "false";
      case ParameterType::integer:
      case ParameterType::bytes:
      case ParameterType::size:
        return fmt::format("{}", static_cast<std::int64_t>(std::max(least, 1.0)));
      case ParameterType::number:
        return fmt::format("{}", least);
      case ParameterType::choice:
        return parameter.choices.front();
      case ParameterType::text:
        return path_;
    }
    return "";
  }

  std::map<std::string, std::string> texts() const {
    std::map<std::string, std::string> texts = given_;
    for (const Parameter& parameter : node_.parameters)
      if (parameter.is_required && !texts.contains(parameter.name)) texts[parameter.name] = guess(parameter);
    return texts;
  }

  void make(const Parameters& parameters) const {
    switch (kind_of(node_)) {
      case PluginKind::source:
        make_plugin_source(node_, parameters);
        return;
      case PluginKind::transform:
      case PluginKind::stencil:
        make_plugin_kernel(node_, parameters);
        return;
      case PluginKind::codec:
        make_plugin_codec(node_, parameters);
        return;
      case PluginKind::sink:
        make_plugin_sink(node_, parameters);
        return;
    }
  }

  bool make_parameters() {
    const bool is_guessed = texts().size() > given_.size();
    report_.begin("is made");
    try {
      parameters_ = Parameters(node_.parameters, texts());
      make(parameters_);
      report_.ok("is made");
      return true;
    } catch (const Error& error) {
      if (is_guessed && error.kind() == ErrorKind::usage)
        report_.skip("is made", fmt::format("{}; give it parameters with --set {}.NAME=VALUE", error.reason(),
                                            node_.name));
      else
        report_.not_ok("is made", error.what());
    }
    return false;
  }

  void refused(std::map<std::string, std::string> texts, const std::string& what) const {
    try {
      make(Parameters(node_.parameters, texts));
    } catch (const Error&) {
      return;
    }
    throw Failed{what + " is taken"};
  }
  /// A value inside the schema: the node may refuse it, with a reason.
  void taken_or_refused(const std::string& name, const std::string& value) const {
    std::map<std::string, std::string> changed = texts();
    changed[name] = value;
    try {
      make(Parameters(node_.parameters, changed));
    } catch (const Error& error) {
      require(error.kind() == ErrorKind::usage && !error.reason().empty(),
              fmt::format("{} = {} fails other than by a reason: {}", name, value, error.what()));
    }
  }

  void wrong_parameters() const {
    const auto with = [&](const std::string& name, const std::string& value) {
      std::map<std::string, std::string> changed = texts();
      changed[name] = value;
      return changed;
    };
    refused(with("no_such_parameter", "1"), "a parameter that it does not have");
    for (const Parameter& parameter : node_.parameters) {
      const std::string& name = parameter.name;
      if (parameter.is_required) {
        std::map<std::string, std::string> missing = texts();
        missing.erase(name);
        refused(missing, fmt::format("no {}, which is required,", name));
      }
      if (parameter.type == ParameterType::text) {
        taken_or_refused(name, "");
        taken_or_refused(name, std::string(5000, 'x'));
        continue;
      }
      refused(with(name, "neither"), fmt::format("'neither' as {}", name));
      if (parameter.type == ParameterType::flag) {
        taken_or_refused(name, "true");
        taken_or_refused(name, "false");
      }
      for (const std::string& choice : parameter.choices) taken_or_refused(name, choice);
      const bool is_number = parameter.type == ParameterType::number;
      for (const auto& [limit, step] : {std::pair{parameter.least, -1.0}, std::pair{parameter.most, 1.0}}) {
        if (!std::isfinite(limit) || std::abs(limit) > 1e15) continue;
        taken_or_refused(name, fmt::format("{}", is_number ? limit : std::max(limit, 1.0)));
        refused(with(name, fmt::format("{}", limit + step)),
                fmt::format("{} as {}, out of its range,", limit + step, name));
      }
    }
  }

  // ---- transforms and stencils

  struct Kernel {
    std::unique_ptr<TileKernel> kernel;
    RasterInfo out;
    std::vector<Canvas> inputs;
  };

  Kernel make_kernel(SampleType type, std::uint64_t rows = height, std::uint64_t cols = width,
                     std::uint32_t samples = 1) const {
    Kernel made;
    std::vector<RasterInfo> infos;
    for (std::size_t i = 0; i < node_.inputs.size(); ++i) {
      made.inputs.push_back(made_canvas(rows, cols, type, samples, i + 1));
      infos.push_back(info_of(made.inputs.back()));
    }
    made.kernel = make_plugin_kernel(node_, parameters_);
    made.out = made.kernel->describe(infos);
    return made;
  }

  /// Computes a window into a canvas of its own, which is copied to its place in `whole`.
  static void compute(const Kernel& made, const Window& window, std::byte fill, TileKernel::Local* local,
                      Canvas& whole) {
    const std::uint64_t halo = made.kernel->halo(), rows = made.out.height, cols = made.out.width;
    Window around;
    around.row = window.row - std::min(window.row, halo);
    around.col = window.col - std::min(window.col, halo);
    around.height = std::min(rows, window.row_end() + halo) - around.row;
    around.width = std::min(cols, window.col_end() + halo) - around.col;
    std::vector<PixelView> views;
    for (const Canvas& input : made.inputs) views.push_back(input.part(around));
    Canvas out(window, made.out.type, made.out.samples, fill);
    made.kernel->compute(views, out.target(), local, Context());
    require(out.has_guards(), "it writes outside of the pixels that it was given");
    const PixelTarget to = whole.target();
    for (std::uint64_t row = 0; row < window.height; ++row)
      std::memcpy(to.at(window.row + row, window.col), out.view().at(row, 0),
                  window.width * made.out.pixel_bytes());
  }

  static Bytes computed(const Kernel& made, std::uint64_t step, std::byte fill, const Scratch& scratch) {
    Canvas whole({0, 0, made.out.height, made.out.width}, made.out.type, made.out.samples, std::byte{0});
    made.kernel->local_bytes(std::min(step, made.out.height) * std::min(step, made.out.width));
    const auto local = made.kernel->make_local(scratch);
    for (const Window& window : windows_of(made.out.height, made.out.width, step))
      compute(made, window, fill, local.get(), whole);
    return whole.bytes;
  }

  void kernel() {
    std::optional<SampleType> taken;
    std::string reasons;
    const bool takes_any = check("takes a raster", [&] {
      for (const SampleType type :
           {SampleType::float32, SampleType::uint8, SampleType::uint16, SampleType::int16, SampleType::int8,
            SampleType::uint32, SampleType::int32, SampleType::uint64, SampleType::int64,
            SampleType::float64})
        try {
          make_kernel(type);
          if (!taken) taken = type;
          computed(make_kernel(type), width, std::byte{0}, CountedScratch().scratch());
          make_kernel(type, 1, 1);
          computed(make_kernel(type, 1, 1), width, std::byte{0}, CountedScratch().scratch());
          computed(make_kernel(type, height, width, 3), width, std::byte{0}, CountedScratch().scratch());
        } catch (const Error& error) {
          if (error.kind() != ErrorKind::usage) throw;
          reasons = error.what();
        }
      require(taken.has_value(), "it takes no sample type: " + reasons);
    });
    if (!takes_any) return;
    const Kernel made = make_kernel(*taken);
    const std::vector<Canvas> inputs = made.inputs;
    Bytes expected;
    if (!check("writes every pixel, and the same ones again", [&] {
          expected = computed(made, width, std::byte{0x00}, CountedScratch().scratch());
          for (std::size_t i = 0; i < inputs.size(); ++i)
            require(inputs[i].bytes == made.inputs[i].bytes, "it writes to its input");
          require(expected == computed(made, width, std::byte{0xff}, CountedScratch().scratch()),
                  "two runs differ: it leaves pixels as they were, or looks at what was there");
        }))
      return;
    check("gives the same pixels for any windows", [&] {
      for (const std::uint64_t step : {window_step, std::uint64_t{37}, std::uint64_t{1}})
        require(expected == computed(made, step, std::byte{0}, CountedScratch().scratch()),
                fmt::format("windows of {} x {} pixels give other pixels than the whole raster", step, step));
    });
    check("gives the same pixels from many threads", [&] {
      const CountedScratch counted;
      const Bytes alone = computed(made, window_step, std::byte{0}, counted.scratch());
      for (int round = 0; round < 10; ++round)
        on_threads([&](unsigned) {
          require(alone == computed(made, window_step, std::byte{0}, counted.scratch()),
                  "four threads at once give other pixels than one");
        });
    });
    check("survives failing allocations", [&] {
      const Bytes whole = computed(made, 37, std::byte{0}, CountedScratch().scratch());
      with_failing_allocations([&](const Scratch& scratch) {
        require(whole == computed(made, 37, std::byte{0}, scratch),
                "an allocation failed, and it gives other pixels without an error");
      });
      require(whole == computed(made, 37, std::byte{0}, CountedScratch().scratch()),
              "after a failed allocation it gives other pixels");
    });
    memory([&] {
      constexpr std::uint64_t side = 1024;
      const Kernel large = make_kernel(*taken, side, side);
      Canvas out({0, 0, side, side}, large.out.type, large.out.samples, std::byte{1});
      const std::uint64_t declared = large.kernel->local_bytes(side * side);
      std::vector<PixelView> views;
      for (const Canvas& input : large.inputs) views.push_back(input.view());
      require_measured(declared, [&] {
        const CountedScratch counted;
        const auto local = large.kernel->make_local(counted.scratch());
        large.kernel->compute(views, out.target(), local.get(), Context());
      });
    });
  }

  void memory(const std::function<void()>& body) {
    if (build_info::sanitizers.empty())
      check("takes no more memory than it declares", body);
    else
      report_.skip("takes no more memory than it declares", "a sanitizer's own memory hides it");
  }

  // ---- sources

  static Bytes pixels(const ChunkSource& source, ChunkIndex chunk, ChunkSource::Local* local) {
    const Context context;
    Buffer stored;
    if (source.fetch_bytes() > 0) stored = source.fetch(chunk, context);
    const Block block = source.decode(chunk, std::move(stored), local, context);
    return {block.data.data(), block.data.data() + block.data.size()};
  }
  /// The first chunks, and the last.
  static std::vector<ChunkIndex> some_chunks(const ChunkGrid& grid) {
    std::vector<ChunkIndex> chunks;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(grid.count(), 12); ++i)
      chunks.push_back({i / grid.cols.count(), i % grid.cols.count()});
    chunks.push_back({grid.rows.count() - 1, grid.cols.count() - 1});
    return chunks;
  }

  void source() {
    const std::shared_ptr<const ChunkSource> source = make_plugin_source(node_, parameters_);
    const std::vector<ChunkIndex> chunks = some_chunks(source->grid());
    std::vector<Bytes> expected;
    const auto all = [&](const Scratch& scratch) {
      const auto local = source->make_local(scratch);
      std::vector<Bytes> read;
      for (const ChunkIndex chunk : chunks) read.push_back(pixels(*source, chunk, local.get()));
      return read;
    };
    if (!check("gives the same pixels again", [&] {
          expected = all(CountedScratch().scratch());
          require(expected == all(CountedScratch().scratch()), "two reads of the same chunks differ");
        }))
      return;
    check("gives the same pixels from many threads", [&] {
      const CountedScratch counted;
      on_threads([&](unsigned) {
        require(expected == all(counted.scratch()), "four threads at once give other pixels than one");
      });
    });
    check("survives failing allocations", [&] {
      with_failing_allocations([&](const Scratch& scratch) {
        require(expected == all(scratch), "an allocation failed, and it gives other pixels without an error");
      });
    });
    memory([&] {
      std::uint64_t largest = source->fetch_bytes() + source->block_bytes();
      require_measured(source->local_bytes() + 2 * largest, [&] {
        const CountedScratch counted;
        pixels(*source, chunks.front(), source->make_local(counted.scratch()).get());
      });
    });
  }

  // ---- codecs

  static Bytes encoded(const CustomCodec& codec, std::optional<int> level, const Bytes& raw,
                       const Scratch& scratch) {
    const std::uint64_t bound = codec.max_encoded_bytes(raw.size());
    Bytes out(bound + guard_bytes, guard);
    const auto encoder = codec.make_encoder(level, raw.size(), scratch);
    const std::size_t used = encoder->encode(raw, std::span(out).first(bound));
    require(
        std::all_of(out.begin() + static_cast<std::ptrdiff_t>(bound), out.end(),
                    [](std::byte b) { return b == guard; }),
        fmt::format("for {} bytes it writes beyond the {} that it declares as its most", raw.size(), bound));
    out.resize(used);
    return out;
  }
  static Bytes decoded(const CustomCodec& codec, const Bytes& bytes, std::size_t room,
                       const Scratch& scratch) {
    Bytes out(room + guard_bytes, guard);
    const std::size_t filled = codec.make_decoder(scratch)->decode(bytes, std::span(out).first(room));
    require(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(room), out.end(),
                        [](std::byte b) { return b == guard; }),
            "it decodes to memory outside of what it was given");
    out.resize(filled);
    return out;
  }
  static std::vector<Bytes> samples() {
    std::vector<Bytes> all;
    for (const std::size_t size :
         {0UL, 1UL, 2UL, 3UL, 127UL, 128UL, 129UL, 130UL, 255UL, 256UL, 257UL, 1000UL, 65536UL, 100'003UL}) {
      all.push_back(noise(size, size));
      all.emplace_back(size);
      Bytes ramp(size), runs = noise(size, 3);
      for (std::size_t i = 0; i < size; ++i) {
        ramp[i] = static_cast<std::byte>(i / 3);
        runs[i] = runs[i - i % (1 + i / 50 % 7)];
      }
      all.push_back(ramp);
      all.push_back(runs);
    }
    return all;
  }

  void codec() {
    const std::shared_ptr<const CustomCodec> codec = make_plugin_codec(node_, parameters_);
    std::vector<std::optional<int>> levels{std::nullopt};
    if (const auto range = codec->levels()) levels = {std::nullopt, range->first, range->second};
    const std::vector<Bytes> all = samples();
    if (!check("gives back what it encodes", [&] {
          for (const auto& level : levels)
            for (const Bytes& raw : all) {
              const Bytes made = encoded(*codec, level, raw, CountedScratch().scratch());
              require(decoded(*codec, made, raw.size(), CountedScratch().scratch()) == raw,
                      fmt::format("{} bytes come back as others", raw.size()));
              const std::size_t less = raw.size() / 2;
              const Bytes part = decoded(*codec, made, less, CountedScratch().scratch());
              require(part == Bytes(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(less)),
                      fmt::format("the first {} of {} bytes come back as others", less, raw.size()));
            }
        }))
      return;
    check("encodes alike, whatever came before", [&] {
      const CountedScratch counted;
      std::uint64_t largest = 0;
      for (const Bytes& raw : all) largest = std::max<std::uint64_t>(largest, raw.size());
      const auto encoder = codec->make_encoder(std::nullopt, largest, counted.scratch());
      for (int round = 0; round < 2; ++round)
        for (const Bytes& raw : all) {
          Bytes out(codec->max_encoded_bytes(raw.size()));
          out.resize(encoder->encode(raw, out));
          require(out == encoded(*codec, std::nullopt, raw, CountedScratch().scratch()),
                  fmt::format("{} bytes are encoded otherwise after other ones", raw.size()));
        }
    });
    check("survives broken data", [&] {
      const auto tried = [&](const Bytes& broken, std::size_t room) {
        try {
          decoded(*codec, broken, room, CountedScratch().scratch());
        } catch (const Error& error) {
          require(!error.reason().empty(), "it refuses broken data without a reason");
        }
      };
      for (const Bytes& raw : all) {
        const Bytes made = encoded(*codec, std::nullopt, raw, CountedScratch().scratch());
        for (std::size_t cut = 0; cut < made.size(); cut += 1 + made.size() / 40)
          tried(Bytes(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(cut)), raw.size());
        for (std::size_t at = 0; at < made.size(); at += 1 + made.size() / 40) {
          Bytes broken = made;
          broken[at] ^= std::byte{0x81};
          tried(broken, raw.size());
        }
        tried(raw, 2 * raw.size() + 100);
      }
    });
    check("works on many threads at once", [&] {
      const CountedScratch counted;
      on_threads([&](unsigned thread) {
        for (std::size_t i = thread; i < all.size(); ++i)
          require(decoded(*codec, encoded(*codec, std::nullopt, all[i], counted.scratch()), all[i].size(),
                          counted.scratch()) == all[i],
                  "four threads at once give back other bytes");
      });
    });
    check("survives failing allocations", [&] {
      with_failing_allocations([&](const Scratch& scratch) {
        const Bytes& raw = all.back();
        require(decoded(*codec, encoded(*codec, std::nullopt, raw, scratch), raw.size(), scratch) == raw,
                "an allocation failed, and it gives other bytes without an error");
      });
    });
    memory([&] {
      const Bytes raw = noise(4 << 20, 1);
      Bytes out(codec->max_encoded_bytes(raw.size()), guard), back(raw.size(), guard);
      require_measured(codec->encoder_scratch_bytes(raw.size()) + codec->decoder_scratch_bytes(), [&] {
        const CountedScratch counted;
        const std::size_t used =
            codec->make_encoder(std::nullopt, raw.size(), counted.scratch())->encode(raw, out);
        codec->make_decoder(counted.scratch())->decode(std::span(out).first(used), back);
      });
    });
  }

  // ---- sinks

  void write_all(const std::shared_ptr<BufferPool>& pool) const {
    const auto sink = make_plugin_sink(node_, parameters_);
    const Canvas canvas = made_canvas(height, width, SampleType::uint16, 1, 1);
    const Context context(pool, nullptr, 0, 0, {});
    sink->open(info_of(canvas));
    for (const Window& window : windows_of(height, width, window_step))
      sink->write(canvas.part(window), context);
    sink->close();
  }

  void sink() {
    if (!check("takes a raster", [&] { write_all(CountedScratch().pool); })) return;
    check("can be abandoned", [&] {
      make_plugin_sink(node_, parameters_);
      const auto sink = make_plugin_sink(node_, parameters_);
      const Canvas canvas = made_canvas(height, width, SampleType::uint16, 1, 1);
      sink->open(info_of(canvas));
      sink->write(canvas.part({0, 0, window_step, window_step}), Context());
    });
    check("survives failing allocations", [&] {
      for (std::uint64_t k = 1; k < 1000; ++k) {
        const CountedScratch counted(k);
        try {
          write_all(counted.pool);
        } catch (const Error&) {
          continue;
        }
        if (counted.allocations < k) return;
      }
    });
  }

  const PluginNode& node_;
  const std::map<std::string, std::string>& given_;
  const std::string& path_;
  const TrialReport& report_;
  Parameters parameters_;
};

}  // namespace

void try_plugin_node(const PluginNode& node, const std::map<std::string, std::string>& given,
                     const std::string& path, const TrialReport& report) {
  // Fixed, or the C library would raise it with the first large block, and keep freed ones for the next.
  ::mallopt(M_MMAP_THRESHOLD, 64 * 1024);
  Trial(node, given, path, report).run();
}

}  // namespace weir::command
