#include "tests/run_command.hpp"

#ifdef WEIR_WITH_CURL

#include <fmt/format.h>

#include "tests/http_server.hpp"

// The command on URLs.

namespace weir::command_test {
namespace {

using test::Fault;
using test::HttpServer;
using test::SeenRequest;

struct Served {
  TemporaryFolder folder;
  HttpServer server;
  std::string local = folder / "in.tif", url = server.url("/in.tif");

  Served() {
    make_terrain(local, "700x900");
    server.serve("/in.tif", {file_bytes(local)});
  }
};

TEST_CASE("convert, read and info take URLs, and make of them what they make of the file") {
  Served served;
  const TemporaryFolder& folder = served.folder;
  REQUIRE(weir({"convert", served.local, folder / "local.tif", "--quiet"}).code == 0);
  const Ended converted = weir(
      {"convert", served.url, folder / "remote.tif", "--report", folder / "report.json", "--threads", "2"});
  REQUIRE_MESSAGE(converted.code == 0, converted.err);
  CHECK(file_bytes(folder / "remote.tif") == file_bytes(folder / "local.tif"));
  CHECK(contains(converted.out, fmt::format("  network: {} requests, ", served.server.count())));
  CHECK(json_number(text_of(folder / "report.json"), "requests") ==
        static_cast<double>(served.server.count()));
  CHECK(json_number(text_of(folder / "report.json"), "fetched_bytes") ==
        static_cast<double>(file_bytes(served.local).size()));

  served.server.forget();
  REQUIRE(weir({"read", served.local, "--window", "300,300,9,5", "--output", folder / "local.raw"}).code ==
          0);
  REQUIRE(weir({"read", served.url, "--window", "300,300,9,5", "--output", folder / "remote.raw"}).code == 0);
  CHECK(file_bytes(folder / "remote.raw") == file_bytes(folder / "local.raw"));
  CHECK(served.server.count() == 2);

  const Ended info = weir({"info", served.url});
  CHECK(info.code == 0);
  CHECK(info.out.starts_with(served.url + ": "));
  CHECK(contains(info.out, "700 x 900"));
  CHECK(contains(info.out, "  requests     1 and 64.0 KiB so far; "));

  const Ended plan = weir({"explain", "convert", served.url, folder / "never.tif"});
  CHECK(plan.code == 0);
  CHECK(contains(plan.out, " for the chunks, each read once, up to 16 at once; 1 so far"));
}

TEST_CASE(
    "values that are cast, samples that are chosen and COGs that are made on the way from a URL are read as "
    "many "
    "at once, and counted") {
  Served served;
  const TemporaryFolder& folder = served.folder;
  for (const std::vector<std::string>& view :
       {std::vector<std::string>{"--type", "float64"}, {"--samples", "1,1"}, {"--to", "cog"}}) {
    served.server.forget();
    std::vector<std::string> words{"convert",     served.url, folder / "out.tif",
                                   "--overwrite", "--report", folder / "report.json"};
    words.insert(words.end(), view.begin(), view.end());
    const Ended ended = weir(words);
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    const std::string report = text_of(folder / "report.json");
    CHECK(json_number(report, "requests") == static_cast<double>(served.server.count()));
    CHECK(json_number(json_node(report, "fetch"), "concurrency") == 16);
  }
}

TEST_CASE("a graph file reads URLs as the command does, with the same settings") {
  Served served;
  const TemporaryFolder& folder = served.folder;
  const std::vector<std::string> words{
      "convert",        served.url, folder / "out.tif", "--window", "100,200,300,400", "--http-retries", "2",
      "--http-timeout", "12.5",     "--http-requests",  "5",        "--overwrite"};
  REQUIRE(weir(words).code == 0);
  const Bytes right = file_bytes(folder / "out.tif");
  std::vector<std::string> printing = words;
  printing.push_back("--print-graph");
  const std::string graph = weir(printing).out;
  for (const char* words_of : {"retries: 2", "timeout: 12.5", "requests: 5", "window: "})
    CHECK_MESSAGE(contains(graph, words_of), graph);
  std::ofstream(folder / "graph.yaml") << graph;
  served.server.forget();
  const Ended ran = weir({"run", folder / "graph.yaml", "--report", folder / "report.json"});
  REQUIRE_MESSAGE(ran.code == 0, ran.err);
  CHECK(file_bytes(folder / "out.tif") == right);
  const std::string report = text_of(folder / "report.json");
  CHECK(json_number(report, "requests") == static_cast<double>(served.server.count()));
  CHECK(json_number(json_node(report, "in.fetch"), "concurrency") == 5);
  CHECK(json_number(report, "tokens") > 5 + 2);
  CHECK(contains(weir({"explain", "run", folder / "graph.yaml"}).out, "up to 5 at once"));
}

TEST_CASE("settings of HTTP are kept: repetitions are as many as were asked for, silence ends") {
  Served served;
  const TemporaryFolder& folder = served.folder;
  served.server.set_fault([](const SeenRequest& request) {
    return request.number == 0 ? Fault{} : Fault{.status = 503, .headers = {"Retry-After: 0"}};
  });
  const Ended busy = weir(
      {"read", served.url, "--output", folder / "out.raw", "--http-retries", "1", "--window", "300,300,1,1"});
  CHECK(busy.code == 1);
  CHECK(says_one_line(busy));
  CHECK_MESSAGE(contains(busy.err, "status 503; gave up after 2 requests"), busy.err);
  CHECK(served.server.count() == 3);
  served.server.set_fault([](const SeenRequest&) { return Fault{.stalls = true}; });
  const Ended silent = weir({"info", served.url, "--http-timeout", "0.2", "--http-retries", "0"});
  CHECK(silent.code == 1);
  CHECK_MESSAGE(contains(silent.err, "no byte came for 0.2 s"), silent.err);
}

TEST_CASE("neither messages nor reports show a password or a signature") {
  Served served;
  const TemporaryFolder& folder = served.folder;
  served.server.serve("/in.tif?sig=geheim", {file_bytes(served.local)});
  const std::string url = served.server.url("/in.tif?sig=geheim", "me:geheim@");
  const Ended good = weir({"convert", url, folder / "a.tif", "--report", folder / "good.html"});
  REQUIRE_MESSAGE(good.code == 0, good.err);
  served.server.set_fault(
      [](const SeenRequest& request) { return Fault{.status = request.number % 2 == 0 ? 0 : 403}; });
  served.server.forget();
  const Ended bad = weir({"convert", url, folder / "b.tif", "--report", folder / "bad.json"});
  CHECK(bad.code == 1);
  CHECK(contains(bad.err, "access is denied"));
  for (const std::string& text : {good.out, good.err, bad.out, bad.err, weir({"info", url}).out,
                                  text_of(folder / "good.html"), text_of(folder / "bad.json")})
    CHECK_MESSAGE(!contains(text, "geheim"), text);
}

TEST_CASE("a conversion of a file that changes leaves nothing behind") {
  Served served;
  served.server.set_fault(
      [](const SeenRequest& request) { return request.number == 0 ? Fault{} : Fault{.etag = "\"two\""}; });
  const std::vector<std::string> before = served.folder.names();
  const Ended ended = weir({"convert", served.url, served.folder / "out.tif"});
  CHECK(ended.code == 1);
  CHECK_MESSAGE(contains(ended.err, "it was changed while it was read"), ended.err);
  CHECK(served.folder.names() == before);
}

}  // namespace
}  // namespace weir::command_test

#endif
