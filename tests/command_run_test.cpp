// weir run, weir explain GRAPH.yaml and weir nodes, as a user calls them.

#include "tests/file_support.hpp"
#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

constexpr const char* slope = R"(weir: 1
help: Slope of a made-up terrain
variables:
  output: {help: the GeoTIFF to write}
  size: 600x500
nodes:
  dem: {type: terrain, size: "${size}"}
  bands: {type: assemble_bands, input: dem}
  tiles: {type: cut_tiles, input: bands, tile: 256}
  slope: {type: slope, input: tiles}
  zstd: {type: compress_tiles, input: slope, codec: zstd, level: 3}
  tif: {type: write_tiff, input: zstd, path: "${output}"}
)";

struct Graph {
  explicit Graph(const std::string& text) { test::put(path, text); }
  TemporaryFolder folder;
  std::string path = folder / "graph.yaml", output = folder / "out.tif";
  std::string set() const { return "output=" + output; }
};

bool is_narrow(const std::string& text) {
  for (const std::string& line : lines_of(text))
    if (line.size() > 80) return false;
  return true;
}

TEST_CASE("weir run runs a graph file, with what --set says") {
  const Graph graph(slope);
  const Ended ended = weir({"run", graph.path, "--set", graph.set(), "--set", "size=300x200", "--set",
                            "slope.concurrency=1", "--report", graph.folder / "report.json"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(ended.out.starts_with("ran " + graph.path + "\n"));
  CHECK(contains(weir({"info", graph.output}).out, "200 x 300 pixels (width x height)"));
  const std::string report = text_of(graph.folder / "report.json");
  CHECK(json_number(json_node(report, "slope"), "concurrency") == 1);
}

TEST_CASE("the printed graph makes the same bytes, for any engine, budget and tokens") {
  const Graph graph(slope);
  REQUIRE(weir({"run", graph.path, "--set", graph.set(), "--quiet"}).code == 0);
  const Ended printed = weir({"run", graph.path, "--set", graph.set(), "--print"});
  REQUIRE(printed.code == 0);
  CHECK_FALSE(contains(printed.out, "${"));
  const std::string again = graph.folder / "again.yaml", other = graph.folder / "other.tif";
  test::put(again, printed.out);
  const Ended ended = weir({"run", again, "--set", "tif.path=" + other, "--engine", "serial", "--memory",
                            "64M", "--tokens", "1", "--quiet"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(ended.out.empty());
  CHECK(file_bytes(other) == file_bytes(graph.output));
}

TEST_CASE("weir explain shows the plan of a graph file and touches nothing") {
  const Graph graph(slope);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"explain", graph.path, "--set", graph.set()},
                                             {"explain", "run", graph.path, "--set", graph.set()}}) {
    const Ended ended = weir(words);
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(ended.out.starts_with("Slope of a made-up terrain\n"));
    CHECK(contains(ended.out, "dem.decode"));
    CHECK(contains(ended.out, "is the smallest that works"));
  }
  CHECK(weir({"explain", graph.path, "--set", graph.set(), "--dot"}).out.starts_with("digraph"));
  CHECK(graph.folder.names() == std::vector<std::string>{"graph.yaml"});
}

TEST_CASE("all problems of a graph file are told, one per line, and nothing is written") {
  std::string text = slope;
  text.replace(text.find("zstd, level"), 4, "zsdt");
  text.replace(text.find("type: slope"), 11, "type: sloep");
  const Graph graph(text);
  const Ended ended = weir({"run", graph.path, "--set", "size=-3"});
  CHECK(ended.code == 2);
  CHECK(ended.out.empty());
  const std::vector<std::string> lines = lines_of(ended.err);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "weir: cannot use " + graph.path + ": 4 problems");
  CHECK(lines[1] ==
        graph.path + ":4:3: the variable output of " + graph.path + " needs a value: --set output=...");
  CHECK(contains(lines[2], graph.path + ":7:30: size: '-3' is not a size in pixels"));
  CHECK(lines[3] == graph.path + ":10:17: there is no node type sloep; did you mean slope?");
  CHECK(contains(lines[4], graph.path + ":11:53: codec: 'zsdt' is not one of none, deflate, zstd"));
  CHECK(graph.folder.names() == std::vector<std::string>{"graph.yaml"});
}

TEST_CASE("a budget that is too small is refused with the smallest that works, which works") {
  const Graph graph(slope);
  const Ended refused = weir({"run", graph.path, "--set", graph.set(), "--memory", "1K"});
  CHECK(refused.code == 2);
  const std::string words = "the smallest that works is ";
  REQUIRE_MESSAGE(contains(refused.err, words), refused.err);
  CHECK_FALSE(std::filesystem::exists(graph.output));
}

TEST_CASE("two nodes that write one place are refused before anything is written, however it is spelled") {
  const TemporaryFolder folder;
  const std::string graph = R"(weir: 1
nodes:
  dem: {type: terrain, size: 64}
  bands: {type: assemble_bands, input: dem}
  tiles: {type: cut_tiles, input: bands, tile: 64}
  zstd: {type: compress_tiles, input: tiles, codec: zstd}
  plain: {type: compress_tiles, input: tiles, codec: none}
  one: {type: write_tiff, input: zstd, path: one.tif}
  two: {type: write_tiff, input: plain, path: two.tif}
)";
  test::put(folder / "graph.yaml", graph);
  std::filesystem::create_directory(folder / "real");
  std::filesystem::create_directory_symlink(folder / "real", folder / "link");
  const auto run = [&](const std::string& one, const std::string& two, const std::string& command) {
    return weir({command, folder / "graph.yaml", "--set", "one.path=" + one, "--set", "two.path=" + two,
                 "--overwrite"});
  };
  for (const auto& [one, two] : {std::pair(folder / "a.tif", folder / "a.tif"),
                                 {folder / "a.tif", folder / "./real/../a.tif"},
                                 {folder / "real/a.tif", folder / "link/a.tif"}})
    for (const char* command : {"run", "explain"}) {
      const Ended refused = run(one, two, command);
      CHECK(refused.code == 2);
      CHECK_MESSAGE(contains(refused.err, "another node writes it as well"), refused.err);
    }
  CHECK(folder.names() == std::vector<std::string>{"graph.yaml", "link", "real"});
  CHECK(run(folder / "a.tif", folder / "a.tif2", "run").code == 0);
}

TEST_CASE("files that are missing, too large or no graph are refused") {
  const Graph graph("hello: [");
  CHECK(weir({"run", graph.folder / "none.yaml"}).code == 1);
  const Ended broken = weir({"run", graph.path});
  CHECK(broken.code == 2);
  CHECK(contains(broken.err, ": this is not YAML"));
  test::put(graph.path, std::string(10 << 20, 'x'));
  const Ended large = weir({"run", graph.path});
  CHECK(large.code == 2);
  CHECK(contains(large.err, "at most 1.0 MiB"));
  CHECK(large.seconds < 5);
}

TEST_CASE("weir nodes lists the types, and says all about one") {
  const Ended list = weir({"nodes"});
  CHECK(list.code == 0);
  CHECK(contains(list.out, "  read_tiff"));
  CHECK(is_narrow(list.out));
  const Ended one = weir({"nodes", "compress_tiles"});
  CHECK(one.code == 0);
  for (const char* part : {"inputs\n", "output\n", "parameters", "codec", "deflate", "memory\n", "example\n"})
    CHECK(contains(one.out, part));
  CHECK(is_narrow(one.out));
  const Ended unknown = weir({"nodes", "compres_tiles"});
  CHECK(unknown.code == 2);
  CHECK(contains(unknown.err, "did you mean compress_tiles?"));
}

TEST_CASE("weir nodes --json is JSON with every type") {
  const Ended all = weir({"nodes", "--json"});
  CHECK(all.code == 0);
  CHECK(JsonCheck::is_whole(all.out));
  for (const std::string& line : lines_of(weir({"nodes"}).out)) {
    if (line.starts_with("   ")) continue;
    const std::string name = line.substr(2, line.find(' ', 2) - 2);
    CAPTURE(name);
    CHECK(contains(all.out, "{\"name\": \"" + name + "\""));
    const Ended one = weir({"nodes", name, "--json"});
    CHECK(JsonCheck::is_whole(one.out));
    CHECK(is_narrow(weir({"nodes", name}).out));
  }
}

TEST_CASE("the help of run and nodes fits 80 columns") {
  for (const char* command : {"run", "nodes"}) {
    const Ended help = weir(std::vector<std::string>{command, "--help"});
    CHECK(help.code == 0);
    CHECK(is_narrow(help.out));
  }
}

}  // namespace
}  // namespace weir::command_test
