// Nodes of graph files that read, cut, compute and write rasters, put together by hand: what is described,
// what is planned together, and what comes out at any budget.
#include "nodes/raster/raster_nodes.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "framework/recording.hpp"
#include "nodes/raster/array_source.hpp"
#include "nodes/raster/focal_mean.hpp"
#include "nodes/raster/normalized_difference.hpp"
#include "nodes/raster/slope.hpp"
#include "pipelines/node_types.hpp"
#include "pipelines/write_geotiff.hpp"
#include "tests/pipeline_support.hpp"

using namespace weir;
using namespace weir::pipeline_test;

namespace {

struct Step {
  std::string name, type;
  std::map<std::string, std::string> parameters = {};
  std::vector<std::string> inputs = {};
};

/// The steps in the order of their edges, as a graph.
class Made {
 public:
  Made(const Registry& registry, const std::vector<Step>& steps, GraphOptions options,
       bool overwrite = true) {
    options = resolved(options);
    setup.limits = options;
    setup.overwrite = overwrite;
    graph = std::make_unique<Graph>(options);
    std::map<std::string, std::size_t> places;
    std::vector<std::vector<std::size_t>> inputs;
    std::vector<std::shared_ptr<EdgeInfo>> edges;
    for (const Step& step : steps) {
      const NodeType& type = registry.at(step.type);
      nodes.push_back(type.make(step.name, Parameters(type.parameters, step.parameters), setup));
      inputs.emplace_back();
      std::vector<std::shared_ptr<EdgeInfo>> in;
      for (const std::string& input : step.inputs) {
        inputs.back().push_back(places.at(input));
        in.push_back(edges[places.at(input)]);
      }
      places[step.name] = edges.size();
      edges.push_back(nodes.back()->describe(in));
    }
    std::vector<AnyOutput> outputs;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      std::vector<AnyOutput> in;
      for (const std::size_t input : inputs[i]) in.push_back(outputs[input]);
      outputs.push_back(nodes[i]->add_to(*graph, in));
    }
  }
  RunReport run() {
    RunReport report = graph->run();
    for (const auto& node : nodes) node->finish(report);
    return report;
  }

  GraphSetup setup;
  std::vector<std::unique_ptr<NodeInstance>> nodes;
  std::unique_ptr<Graph> graph;
};

/// All nodes, and "array": rasters of the test by number.
struct Arrays {
  std::vector<std::shared_ptr<const ChunkSource>> sources;
  Registry registry() const {
    Registry registry;
    add_geotiff_nodes(registry);
    NodeType array;
    array.name = "array";
    array.help = "an array of the test";
    array.parameters = {
        {.name = "number", .type = ParameterType::integer, .help = "which", .is_required = true}};
    registry.add(source_node_type(
        std::move(array),
        [sources = sources](const Parameters& parameters, const GraphSetup&) {
          return sources.at(static_cast<std::size_t>(parameters.integer("number")));
        },
        false));
    return registry;
  }
};

/// A kernel on the whole raster at once.
template <class Kernel>
Raster computed(const std::vector<const Raster*>& inputs,
                const std::map<std::string, std::string>& parameters) {
  Kernel kernel{Parameters(Kernel::parameters(), parameters)};
  std::vector<RasterInfo> infos;
  std::vector<PixelView> views;
  for (const Raster* input : inputs) {
    const RasterInfo& info = input->info;
    infos.push_back(info);
    views.push_back({input->pixels.data(),
                     {0, 0, info.height, info.width},
                     info.type,
                     info.samples,
                     info.width * info.pixel_bytes(),
                     info.pixel_bytes(),
                     bytes_of(info.type)});
  }
  Raster out;
  out.info = kernel.describe(infos);
  const RasterInfo& info = out.info;
  out.pixels.resize(info.height * info.width * info.pixel_bytes());
  const auto local = kernel.make_local(Scratch());
  kernel.compute(views,
                 {out.pixels.data(),
                  {0, 0, info.height, info.width},
                  info.type,
                  info.samples,
                  info.width * info.pixel_bytes(),
                  info.pixel_bytes(),
                  bytes_of(info.type)},
                 local.get(), Context());
  return out;
}

/// The file that a raster in memory becomes.
Bytes file_of(const Raster& raster, const WriteGeotiffOptions& options) {
  const TemporaryFolder folder;
  write_geotiff(source_of(raster, 64, 64), folder / "right.tif", options);
  return file_bytes(folder / "right.tif");
}

std::uint64_t smallest_for(const Registry& registry, const std::vector<Step>& steps) {
  return smallest_named(
      reason_of([&] { const Made made(registry, steps, {.memory = 1, .threads = 2}); }, ErrorKind::usage));
}

/// Runs the steps on both engines, at many budgets down to the smallest; calls `check` after each run.
template <class Check>
void at_many_budgets(const Registry& registry, const std::vector<Step>& steps, Check&& check) {
  const std::uint64_t smallest = smallest_for(registry, steps);
  for (const std::uint64_t memory :
       {smallest, smallest + smallest / 7, 2 * smallest, 8 * smallest, 64 * mebibyte})
    for (const Engine engine : {Engine::serial, Engine::onetbb}) {
      CAPTURE(memory);
      CAPTURE(engine == Engine::serial);
      Made made(registry, steps, {.memory = memory, .threads = 2, .engine = engine});
      const Plan plan = made.graph->plan();
      CHECK(plan.smallest_memory <= memory);
      const RunReport report = made.run();
      CHECK(report.peak_payload <= memory);
      CHECK(report.peak_leased <= report.peak_planned);
      check(report);
    }
}

}  // namespace

TEST_CASE("read, assemble, cut, compress and write as nodes make the file that write_geotiff makes") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(500, 700, SampleType::uint16, 3);
  const std::string out = folder / "out.tif";
  const auto steps = [&](const std::map<std::string, std::string>& cut, const std::string& codec) {
    return std::vector<Step>{{"in", "array", {{"number", "0"}}},
                             {"bands", "assemble_bands", {}, {"in"}},
                             {"cut", "cut_tiles", cut, {"bands"}},
                             {"pack", "compress_tiles", {{"codec", codec}}, {"cut"}},
                             {"tif", "write_tiff", {{"path", out}}, {"pack"}}};
  };
  const Registry registry = Arrays{{source_of(raster, 90, 130)}}.registry();
  SUBCASE("tiles") {
    WriteGeotiffOptions options;
    options.codec.id = CodecId::zstd;
    options.tile_height = 64;
    options.tile_width = 128;
    const Bytes right = file_of(raster, options);
    at_many_budgets(registry, steps({{"tile", "64x128"}}, "zstd"), [&](const RunReport& report) {
      CHECK(file_bytes(out) == right);
      CHECK(report.output_bytes == right.size());
      CHECK(report.raw_bytes == raster.pixels.size());
    });
  }
  SUBCASE("one plane per sample") {
    WriteGeotiffOptions options;
    options.planar_separate = true;
    const Bytes right = file_of(raster, options);
    at_many_budgets(registry, steps({{"interleave", "band"}}, "deflate"),
                    [&](const RunReport&) { CHECK(file_bytes(out) == right); });
  }
  SUBCASE("strips") {
    WriteGeotiffOptions options;
    options.strip_rows = 7;
    options.codec.id = CodecId::lzw;
    const Bytes right = file_of(raster, options);
    at_many_budgets(registry, steps({{"strip", "7"}}, "lzw"),
                    [&](const RunReport&) { CHECK(file_bytes(out) == right); });
  }
}

TEST_CASE(
    "masked pixels have no data for kernels and statistics; where nothing can say so, that is refused") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 64;
  options.codec.id = CodecId::zstd;
  Bytes mask(200 * 300, std::byte{255});
  for (std::size_t i = 0; i < mask.size(); i += 7 + i % 5) mask[i] = std::byte{0};
  const auto registry_of = [&](const Raster& raster) {
    ArrayView view = interleaved_view(raster.pixels.data(), raster.info);
    view.mask = mask.data();
    view.mask_row_stride = 300;
    return Arrays{{std::make_shared<const ArraySource>(view, 90, 130)}}.registry();
  };
  const auto steps = [&](const std::string& kernel) {
    return std::vector<Step>{{"in", "array", {{"number", "0"}}},
                             {"bands", "assemble_bands", {}, {"in"}},
                             {"cut", "cut_tiles", {{"tile", "64"}}, {"bands"}},
                             {"kernel", kernel, {}, {"cut"}},
                             {"pack", "compress_tiles", {{"codec", "zstd"}}, {"kernel"}},
                             {"tif", "write_tiff", {{"path", out}}, {"pack"}}};
  };
  Raster raster = made_raster(200, 300, SampleType::float32);
  Raster holes = raster;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    if (mask[i] == std::byte{0}) std::memcpy(&holes.pixels[i * 4], &nan, 4);
  }
  Bytes right = file_of(computed<Slope>({&holes}, {}), options);
  at_many_budgets(registry_of(raster), steps("slope"),
                  [&](const RunReport&) { CHECK(file_bytes(out) == right); });

  raster = made_raster(200, 300, SampleType::int16, 2);
  CHECK(contains(
      reason_of([&] { const Made made(registry_of(raster), steps("focal_mean"), {}); }, ErrorKind::usage),
      "cannot compute masked pixels: the raster has a mask and no nodata value"));
  raster.info.nodata = "-5";
  holes = raster;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const std::int16_t nodata[] = {-5, -5};
    if (mask[i] == std::byte{0}) std::memcpy(&holes.pixels[i * 4], nodata, 4);
  }
  right = file_of(computed<FocalMean>({&holes}, {}), options);
  at_many_budgets(registry_of(raster), steps("focal_mean"),
                  [&](const RunReport&) { CHECK(file_bytes(out) == right); });

  const auto statistics_of = [&](const Registry& registry) {
    Made made(registry,
              {{"in", "array", {{"number", "0"}}},
               {"bands", "assemble_bands", {}, {"in"}},
               {"cut", "cut_tiles", {}, {"bands"}},
               {"count", "statistics", {{"path", folder / "s.json"}}, {"cut"}}},
              {.memory = 64 * mebibyte});
    made.run();
    return file_bytes(folder / "s.json");
  };
  CHECK(statistics_of(registry_of(raster)) == statistics_of(Arrays{{source_of(holes, 64, 64)}}.registry()));
}

TEST_CASE("a stencil between cut and compress is what it is on the whole raster, and reads each chunk once") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(413, 777, SampleType::float32);
  const std::map<std::string, std::string> parameters{{"cell_size", "10"}};
  WriteGeotiffOptions options;
  options.codec.id = CodecId::zstd;
  options.tile_height = options.tile_width = 64;
  const Bytes right = file_of(computed<Slope>({&raster}, parameters), options);
  const std::string out = folder / "out.tif";
  const auto watched = std::make_shared<WatchedSource>(source_of(raster, 100, 100));
  const Registry registry = Arrays{{watched}}.registry();
  const std::vector<Step> steps{{"in", "array", {{"number", "0"}}},
                                {"bands", "assemble_bands", {}, {"in"}},
                                {"cut", "cut_tiles", {{"tile", "64"}}, {"bands"}},
                                {"slope", "slope", parameters, {"cut"}},
                                {"pack", "compress_tiles", {{"codec", "zstd"}}, {"slope"}},
                                {"tif", "write_tiff", {{"path", out}}, {"pack"}}};
  at_many_budgets(registry, steps, [&](const RunReport& report) {
    CHECK(file_bytes(out) == right);
    CHECK(report.source_reads == report.source_chunks);  // at the smallest, too: what has to wait is spooled
  });

  const std::uint64_t before = watched->total();
  const RunReport report = Made(registry, steps, {.memory = 4 * mebibyte, .threads = 2}).run();
  CHECK(report.source_reads == report.source_chunks);
  CHECK(watched->total() - before == watched->grid().count());
}

TEST_CASE("a stencil behind a stencil sees the halo of both") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(200, 333, SampleType::float32);
  const std::map<std::string, std::string> mean_of{{"radius", "5"}}, slope_of{{"cell_size", "2"}};
  const Raster mean = computed<FocalMean>({&raster}, mean_of);
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 32;
  options.codec.id = CodecId::none;
  const Bytes right = file_of(computed<Slope>({&mean}, slope_of), options);
  const std::string out = folder / "out.tif";
  at_many_budgets(Arrays{{source_of(raster, 50, 40)}}.registry(),
                  {{"in", "array", {{"number", "0"}}},
                   {"bands", "assemble_bands", {}, {"in"}},
                   {"cut", "cut_tiles", {{"tile", "32"}}, {"bands"}},
                   {"mean", "focal_mean", mean_of, {"cut"}},
                   {"slope", "slope", slope_of, {"mean"}},
                   {"pack", "compress_tiles", {{"codec", "none"}}, {"slope"}},
                   {"tif", "write_tiff", {{"path", out}}, {"pack"}}},
                  [&](const RunReport&) { CHECK(file_bytes(out) == right); });
}

TEST_CASE("two rasters of different chunks are joined tile by tile") {
  const TemporaryFolder folder;
  const Raster red = made_raster(300, 500, SampleType::uint16),
               nir = made_raster(300, 500, SampleType::float32);
  const Raster index = computed<NormalizedDifference>({&nir, &red}, {});
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 64;
  const Bytes right = file_of(index, options);
  const std::string out = folder / "out.tif";
  at_many_budgets(Arrays{{source_of(red, 70, 90), source_of(nir, 128, 33)}}.registry(),
                  {{"red", "array", {{"number", "0"}}},
                   {"nir", "array", {{"number", "1"}}},
                   {"red_bands", "assemble_bands", {}, {"red"}},
                   {"nir_bands", "assemble_bands", {}, {"nir"}},
                   {"red_cut", "cut_tiles", {{"tile", "64"}}, {"red_bands"}},
                   {"nir_cut", "cut_tiles", {{"tile", "64"}}, {"nir_bands"}},
                   {"ndvi", "normalized_difference", {}, {"nir_cut", "red_cut"}},
                   {"pack", "compress_tiles", {}, {"ndvi"}},
                   {"tif", "write_tiff", {{"path", out}}, {"pack"}}},
                  [&](const RunReport& report) {
                    CHECK(file_bytes(out) == right);
                    CHECK(report.raw_bytes == red.pixels.size() + nir.pixels.size());
                  });
}

TEST_CASE("one read is fanned out to two files of different tiles and to statistics") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(390, 1000, SampleType::uint16);
  WriteGeotiffOptions tiles, strips;
  tiles.codec.id = CodecId::zstd;
  tiles.tile_height = 96;
  tiles.tile_width = 64;
  strips.codec.id = CodecId::deflate;
  strips.strip_rows = 20;
  const Bytes right_tiles = file_of(raster, tiles), right_strips = file_of(raster, strips);
  std::string statistics;
  at_many_budgets(Arrays{{source_of(raster, 64, 64)}}.registry(),
                  {{"in", "array", {{"number", "0"}}},
                   {"bands", "assemble_bands", {}, {"in"}},
                   {"cut_a", "cut_tiles", {{"tile", "96x64"}}, {"bands"}},
                   {"cut_b", "cut_tiles", {{"strip", "20"}}, {"bands"}},
                   {"a", "compress_tiles", {{"codec", "zstd"}}, {"cut_a"}},
                   {"b", "compress_tiles", {{"codec", "deflate"}}, {"cut_b"}},
                   {"tif_a", "write_tiff", {{"path", folder / "a.tif"}}, {"a"}},
                   {"tif_b", "write_tiff", {{"path", folder / "b.tif"}}, {"b"}},
                   {"stats", "statistics", {{"path", folder / "stats.json"}}, {"cut_a"}}},
                  [&](const RunReport& report) {
                    CHECK(file_bytes(folder / "a.tif") == right_tiles);
                    CHECK(file_bytes(folder / "b.tif") == right_strips);
                    CHECK(report.source_reads == report.source_chunks);
                    const Bytes bytes = file_bytes(folder / "stats.json");
                    const std::string now(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                    CHECK(contains(now, "\"count\": 390000"));
                    if (statistics.empty()) statistics = now;
                    CHECK(now == statistics);
                  });
}

TEST_CASE("random chains of stencils over random tiles are right at every budget") {
  std::mt19937 random(7);
  const auto pick = [&](std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
  };
  for (int round = 0; round < (wants_everything() ? 60 : 8); ++round) {
    const Raster raster = made_raster(pick(1, 300), pick(1, 400), SampleType::float32);
    WriteGeotiffOptions options;
    options.tile_height = 16 * pick(1, 8);
    options.tile_width = 16 * pick(1, 8);
    options.codec.id = CodecId::none;
    Raster right = raster;
    std::vector<Step> steps{
        {"in", "array", {{"number", "0"}}},
        {"bands", "assemble_bands", {}, {"in"}},
        {"cut",
         "cut_tiles",
         {{"tile", std::to_string(options.tile_height) + "x" + std::to_string(options.tile_width)}},
         {"bands"}}};
    for (std::uint64_t i = 0, count = pick(0, 3); i < count; ++i) {
      const std::map<std::string, std::string> mean{{"radius", std::to_string(pick(1, 9))}},
          slope{{"cell_size", "3"}};
      const bool is_mean = pick(0, 1) == 0;
      right = is_mean ? computed<FocalMean>({&right}, mean) : computed<Slope>({&right}, slope);
      steps.push_back({"k" + std::to_string(i),
                       is_mean ? "focal_mean" : "slope",
                       is_mean ? mean : slope,
                       {steps.back().name}});
    }
    const TemporaryFolder folder;
    steps.push_back({"pack", "compress_tiles", {{"codec", "none"}}, {steps.back().name}});
    steps.push_back({"tif", "write_tiff", {{"path", folder / "out.tif"}}, {"pack"}});
    const Bytes file = file_of(right, options);
    CAPTURE(round);
    at_many_budgets(Arrays{{source_of(raster, pick(1, 150), pick(1, 150))}}.registry(), steps,
                    [&](const RunReport&) { CHECK(file_bytes(folder / "out.tif") == file); });
  }
}

TEST_CASE("the room of a recording is planned for: the smallest budget that is named works with one, too") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(300, 400);
  const Registry registry = Arrays{{source_of(raster, 64, 64)}}.registry();
  const std::vector<Step> steps{{"in", "array", {{"number", "0"}}},
                                {"bands", "assemble_bands", {}, {"in"}},
                                {"cut", "cut_tiles", {{"tile", "64"}}, {"bands"}},
                                {"pack", "compress_tiles", {}, {"cut"}},
                                {"tif", "write_tiff", {{"path", folder / "out.tif"}}, {"pack"}}};
  RunRecording recording(256 * 1024);
  const std::string refusal = reason_of(
      [&] { const Made made(registry, steps, {.memory = 1, .threads = 2, .recording = &recording}); },
      ErrorKind::usage);
  const std::uint64_t smallest = smallest_named(refusal);
  CHECK(smallest == smallest_for(registry, steps) + recording.bytes());
  Made made(registry, steps, {.memory = smallest, .threads = 2, .recording = &recording});
  CHECK(made.run().peak_payload + recording.used_bytes() <= smallest);
}

TEST_CASE("rasters of different sizes, and cuts that differ, are refused before anything is read") {
  const Raster a = made_raster(10, 20), b = made_raster(20, 10);
  const Registry registry =
      Arrays{{source_of(a, 10, 10), source_of(b, 10, 10), source_of(a, 4, 4)}}.registry();
  const GraphOptions options{.memory = 64 * mebibyte, .threads = 2};
  CHECK(contains(reason_of(
                     [&] {
                       const Made made(registry,
                                       {{"a", "array", {{"number", "0"}}}, {"b", "array", {{"number", "1"}}}},
                                       options);
                     },
                     ErrorKind::usage),
                 "20 x 10 and 10 x 20"));
  CHECK(contains(reason_of(
                     [&] {
                       const Made made(registry,
                                       {{"a", "array", {{"number", "0"}}},
                                        {"b", "array", {{"number", "2"}}},
                                        {"a1", "assemble_bands", {}, {"a"}},
                                        {"b1", "assemble_bands", {}, {"b"}},
                                        {"a2", "cut_tiles", {{"tile", "16"}}, {"a1"}},
                                        {"b2", "cut_tiles", {{"tile", "32"}}, {"b1"}},
                                        {"d", "normalized_difference", {}, {"a2", "b2"}}},
                                       options);
                     },
                     ErrorKind::usage),
                 "cut into different tiles"));
}
