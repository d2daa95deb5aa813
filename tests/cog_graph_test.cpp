// Graphs that end in COGs, at random: several sources, cuts, kernels and files under one plan, down to the smallest budget.
#include <fmt/format.h>

#include <random>

#include "framework/graph_run.hpp"
#include "pipelines/node_types.hpp"
#include "tests/cog_support.hpp"

namespace weir::pipeline_test {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

GraphNode node_of(const std::string& name, const std::string& type, const std::vector<std::string>& inputs,
                  const Settings& settings) {
  GraphNode node;
  node.name = name;
  node.type = type;
  for (const std::string& input : inputs) node.inputs.push_back({"", input});
  for (const auto& [parameter, value] : settings) node.parameters.push_back({parameter, value});
  return node;
}

/// A COG that a random graph writes, and the plain file of the same tiles.
struct Output {
  std::string cog, plain;
  Resampling resampling;
  std::vector<std::uint32_t> factors;  ///< from level to level
};

struct RandomGraph {
  GraphFile file;
  std::vector<Output> outputs;
  std::uint64_t sources = 1;
};

RandomGraph random_graph(std::mt19937& random, const TemporaryFolder& folder) {
  const auto pick = [&](std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
  };
  const auto one_of = [&](const auto& list) { return list[pick(0, std::size(list) - 1)]; };
  RandomGraph made;
  made.sources = pick(1, 2);
  const std::uint64_t height = pick(1, 400), width = pick(1, 400);
  std::vector<GraphNode>& nodes = made.file.nodes;
  for (std::uint64_t i = 0; i < made.sources; ++i) {
    nodes.push_back(node_of(fmt::format("dem{}", i), "terrain", {},
                            {{"size", fmt::format("{}x{}", height, width)},
                             {"chunk", fmt::format("{}x{}", pick(1, 150) + 10, pick(1, 150) + 10)},
                             {"seed", std::to_string(i)},
                             {"holes", one_of(std::vector<std::string>{"true", "false"})}}));
    nodes.push_back(node_of(fmt::format("bands{}", i), "assemble_bands", {fmt::format("dem{}", i)}, {}));
  }
  const std::uint64_t sides[] = {16, 32, 48, 64, 96};
  for (std::uint64_t i = 0, count = pick(1, 3); i < count; ++i) {
    const std::uint64_t tile_height = one_of(sides), tile_width = one_of(sides);
    std::vector<std::string> cuts;
    const bool joins = made.sources == 2 && (i == 0 || pick(0, 1) == 0);
    for (std::uint64_t source = 0; source < (joins ? 2 : 1); ++source) {
      cuts.push_back(fmt::format("cut{}_{}", i, source));
      nodes.push_back(node_of(cuts.back(), "cut_tiles", {fmt::format("bands{}", source)},
                              {{"tile", fmt::format("{}x{}", tile_height, tile_width)}}));
    }
    std::string tiles = cuts.front();
    const auto compute = [&](const std::string& name, const std::string& type,
                             const std::vector<std::string>& inputs, const Settings& settings) {
      nodes.push_back(node_of(name, type, inputs, settings));
      tiles = name;
    };
    if (joins) compute(fmt::format("index{}", i), "normalized_difference", cuts, {});
    if (pick(0, 1) == 0)
      compute(fmt::format("mean{}", i), "focal_mean", {tiles}, {{"radius", std::to_string(pick(1, 20))}});
    Output output{folder / fmt::format("cog{}.tif", i),
                  folder / fmt::format("plain{}.tif", i),
                  one_of(all_resamplings),
                  {}};
    const std::string overviews = one_of(std::vector<std::string>{"auto", "none", "2,6", "3"});
    if (overviews == "auto") output.factors = automatic_factors({height, width, tile_height, tile_width, 1});
    if (overviews == "2,6") output.factors = {2, 3};
    if (overviews == "3") output.factors = {3};
    nodes.push_back(node_of(fmt::format("cog{}", i), "write_cog", {tiles},
                            {{"path", output.cog},
                             {"overviews", overviews},
                             {"resampling", std::string(name_of(output.resampling))},
                             {"codec", one_of(std::vector<std::string>{"none", "zstd", "lzw"})},
                             {"sparse", one_of(std::vector<std::string>{"true", "false"})},
                             {"statistics", one_of(std::vector<std::string>{"true", "false"})}}));
    nodes.push_back(node_of(fmt::format("packed{}", i), "compress_tiles", {tiles}, {{"codec", "zstd"}}));
    nodes.push_back(node_of(fmt::format("tif{}", i), "write_tiff", {fmt::format("packed{}", i)},
                            {{"path", output.plain}}));
    made.outputs.push_back(std::move(output));
  }
  return made;
}

TEST_CASE("random graphs of COGs and files deliver all of them at every budget, and read each chunk once") {
  std::mt19937 random(11);
  Registry registry;
  add_geotiff_nodes(registry);
  for (int round = 0; round < (wants_everything() ? 300 : 30); ++round) {
    const TemporaryFolder folder;
    const RandomGraph made = random_graph(random, folder);
    CAPTURE(round);
    CAPTURE(to_yaml(made.file));
    const auto run_with = [&](const GraphOptions& limits) {
      return GraphRun(made.file, registry, {.limits = limits, .overwrite = true}).run();
    };
    const unsigned threads = 1 + static_cast<unsigned>(random() % 3);
    const std::string refusal = reason_of(
        [&] { run_with({.memory = 1, .threads = threads, .engine = Engine::onetbb}); }, ErrorKind::usage);
    const std::uint64_t smallest = smallest_named(refusal);
    std::vector<Bytes> first;
    for (const std::uint64_t memory : {64 * mebibyte, smallest, smallest + smallest / 3}) {
      CAPTURE(memory);
      const RunReport report =
          run_with({.memory = memory,
                    .tokens = static_cast<unsigned>(random() % 4),
                    .threads = threads,
                    .engine = random() % 3 == 0 && memory != smallest ? Engine::serial : Engine::onetbb});
      CHECK(report.peak_payload <= memory);
      CHECK(report.peak_leased <= report.peak_planned);
      CHECK(report.source_reads == report.source_chunks);
      std::vector<Bytes> now;
      for (const Output& output : made.outputs)
        for (const std::string& path : {output.cog, output.plain}) now.push_back(file_bytes(path));
      if (first.empty()) first = now;
      REQUIRE(now == first);
    }
    CHECK_THROWS_AS(run_with({.memory = smallest - 1, .threads = threads, .engine = Engine::onetbb}), Error);
    for (const Output& output : made.outputs) {
      Raster plain;
      plain.info = TiffSource(output.plain).info();
      plain.pixels = pixels_of(output.plain, 0);
      const std::vector<Raster> levels = reference_levels(plain, output.resampling, output.factors);
      for (unsigned level = 0; level < levels.size(); ++level)
        REQUIRE(pixels_of(output.cog, level) == levels[level].pixels);
      CHECK(problem_of(output.cog, static_cast<unsigned>(levels.size())) == "");
    }
  }
}

}  // namespace
}  // namespace weir::pipeline_test
