// weir headers.
#include <doctest/doctest.h>

#include <filesystem>
#include <random>

#include "nodes/headers/catalog_reader.hpp"
#include "tests/header_support.hpp"
#include "tests/made_catalog.hpp"
#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

namespace fs = std::filesystem;

/// A folder of pictures and a configuration that reads it.
struct Pictures {
  explicit Pictures(int count, const std::string& more = "") {
    test::HeaderMaker maker;
    maker.add(maker.picture());
    for (int i = 0; i < count; ++i) {
      const std::string path = folder / fmt::format("data/{}/{:05}.tif", i % 7, i);
      fs::create_directories(fs::path(path).parent_path());
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(maker.bytes().data()),
                 static_cast<std::streamsize>(maker.bytes().size()));
    }
    config = folder / "config.yaml";
    std::ofstream(config) << fmt::format(
        "store: {{name: \"{}\"}}\nconcurrency: {{n_consumers: 4, list_chunk_size: 100, "
        "write_chunk_size: 300, max_buffer_size: 10000}}\n{}",
        folder / "data", more);
  }
  const TemporaryFolder folder;
  std::string config;
};

TEST_CASE("headers writes a catalog of a folder, and says how many rows and errors it has") {
  if (!has_parquet()) return;
  const Pictures pictures(1000);
  std::ofstream(pictures.folder / "data/broken.tif") << "II*";
  std::ofstream(pictures.folder / "data/not.txt") << "text";
  const std::string out = pictures.folder / "out", report = pictures.folder / "r.json";
  const Ended ended = weir({"headers", pictures.config, out, "--report", report, "--memory", "200M"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(contains(ended.out, "wrote " + out + ": 1000 rows, 1 errors"));
  CHECK(contains(ended.out, "1001 of 1002 objects listed"));
  CHECK(contains(text_of(report), "\"rows\": 1000"));
  CHECK(contains(text_of(report), "\"errors\": 1"));
  CHECK(fs::exists(out + "/part-00003.parquet"));
  CHECK(fs::exists(out + "/errors.parquet"));
  CHECK(CatalogReader(out).rows() == 1000);
  const Ended again = weir({"headers", pictures.config, out});
  CHECK(again.code == 2);
  CHECK(weir({"headers", pictures.config, out, "--overwrite", "--quiet"}).code == 0);
  const Ended update = weir({"headers", pictures.config, pictures.folder / "new", "--update", out});
  CHECK_MESSAGE(update.code == 0, update.err);
}

TEST_CASE("headers killed again and again and called again has the files of a run that was not") {
  if (!has_parquet()) return;
  const Pictures pictures(3000);
  CHECK(weir({"headers", pictures.config, pictures.folder / "whole", "--quiet"}).code == 0);
  const auto whole = test::files_of(pictures.folder / "whole");
  const std::string out = pictures.folder / "out";
  std::mt19937 random(9);
  int kills = 0;
  for (bool is_done = false; !is_done && kills < 100; ++kills) {
    Program program({std::string(WEIR_TEST_BIN) + "/weir", "headers", pictures.config, out, "--quiet"});
    std::this_thread::sleep_for(
        std::chrono::milliseconds(20 + static_cast<int>(random() % 60) * (1 + kills / 3)));
    program.send(SIGKILL);
    is_done = program.wait().code == 0;
  }
  CHECK(kills > 1);
  CHECK(test::files_of(out) == whole);
}

TEST_CASE("a mistake in a configuration is told with its place, and exit code 2") {
  const Pictures pictures(1, "include: '*.tif'\nthread: 3\n");
  const Ended ended = weir({"headers", pictures.config, pictures.folder / "out"});
  CHECK(ended.code == 2);
  CHECK(contains(ended.err, pictures.config + ":3:10: include must be a list"));
  CHECK(contains(ended.err, pictures.config + ":4:1: the file has no key thread; did you mean threads?"));
  CHECK_FALSE(fs::exists(pictures.folder / "out"));
}

TEST_CASE("a server without a listing needs keys, and is told so before anything is sent") {
  const TemporaryFolder folder;
  std::ofstream(folder / "c.yaml") << "store: {name: 'http://127.0.0.1:9/a'}\n";
  const Ended ended = weir({"headers", folder / "c.yaml", folder / "out"});
  CHECK(ended.code == 2);
  CHECK(contains(ended.err, "keys"));
}

TEST_CASE("explain headers shows the graph, and writes nothing") {
  const Pictures pictures(3);
  const Ended ended = weir({"explain", "headers", pictures.config, pictures.folder / "out"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  for (const std::string word : {"list", "fetch", "parse", "catalog", "as they come", "smallest"})
    CHECK(contains(ended.out, word));
  CHECK_FALSE(fs::exists(pictures.folder / "out"));
}

TEST_CASE("headers' help fits 80 columns, and shows a configuration") {
  const Ended ended = weir({"headers", "--help"});
  CHECK(ended.code == 0);
  for (const std::string& line : lines_of(ended.out)) CHECK_MESSAGE(line.size() <= 80, line);
  CHECK(contains(ended.out, "skip_signature"));
}

TEST_CASE("the catalog of a graph file is that of the command") {
  if (!has_parquet()) return;
  const Pictures pictures(700);
  CHECK(weir({"headers", pictures.config, pictures.folder / "one", "--quiet"}).code == 0);
  std::ofstream(pictures.folder / "g.yaml") << fmt::format(
      "weir: 1\nnodes:\n  keys: {{type: list_headers, store: \"{}\", round: 100}}\n"
      "  headers: {{type: fetch_headers, input: keys, in_flight: 4}}\n"
      "  rows: {{type: parse_headers, input: headers}}\n"
      "  catalog: {{type: write_catalog, input: rows, path: \"{}\", rows: 300}}\n",
      pictures.folder / "data", pictures.folder / "two");
  const Ended ended = weir({"run", pictures.folder / "g.yaml", "--report", pictures.folder / "r.json"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(contains(text_of(pictures.folder / "r.json"), "\"rows\": 700"));
  auto one = test::files_of(pictures.folder / "one"), two = test::files_of(pictures.folder / "two");
  CHECK(one == two);
  CHECK(contains(weir({"nodes", "list_headers"}).out, "requester_pays"));
}

TEST_CASE("progress for logs has a line a second with all that is counted, and JSON for programs") {
  if (!has_parquet()) return;
  const Pictures pictures(300);
  const Ended line = weir({"headers", pictures.config, pictures.folder / "a", "--progress", "line"});
  for (const std::string word :
       {"300 listed", "300 fetched", "300 parsed", "300 written", "0 errors", "in flight"})
    CHECK_MESSAGE(contains(line.err, word), line.err);
  const Ended json = weir({"headers", pictures.config, pictures.folder / "b", "--progress", "json"});
  CHECK_MESSAGE(contains(json.err, "\"fetched\": 300"), json.err);
}

}  // namespace
}  // namespace weir::command_test
