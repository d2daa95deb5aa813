#include <fmt/format.h>

#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// What the command says while and after it runs: --report, --progress, --quiet, and where the caps show.

namespace weir::command_test {
namespace {

std::string report_of(const TemporaryFolder& folder, const std::vector<std::string>& more) {
  std::vector<std::string> words{
      "convert",  "terrain:2048x2048:uint16", folder / "out.tif", "--overwrite", "--quiet",
      "--report", folder / "run.json"};
  words.insert(words.end(), more.begin(), more.end());
  const Ended ended = weir(words);
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
  return text_of(folder / "run.json");
}

TEST_CASE("the check of JSON tells whole from broken") {
  for (const char* good : {"{}", "[]", "{\"a\": [1, -2.5e3, \"x\\\"y\", true, null, {}]}", " 0 "})
    CHECK(JsonCheck::is_whole(good));
  for (const char* bad : {"", "{", "{\"a\": }", "{\"a\": 1,}", "{a: 1}", "[1 2]", "{} {}", "nan", "inf", "-",
                          "\"x", "{\"a\": nan}"})
    CHECK_MESSAGE(!JsonCheck::is_whole(bad), bad);
}

TEST_CASE("--report writes JSON that says what the run did") {
  const TemporaryFolder folder;
  const std::string json = report_of(folder, {"--memory", "32M"});
  CHECK(JsonCheck::is_whole(json));
  CHECK(json_number(json, "memory_limit") == 32 << 20);
  CHECK(json_number(json, "raw_bytes") == 2048 * 2048 * 2);
  CHECK(json_number(json, "output_bytes") ==
        static_cast<double>(std::filesystem::file_size(folder / "out.tif")));
  CHECK(json_number(json, "source_chunks") == 16);
  CHECK(json_number(json, "source_reads") == 16);
  CHECK(json_number(json, "peak_payload") <= json_number(json, "memory_limit"));
  CHECK(json_number(json, "peak_payload") > 0);
  CHECK(json_number(json_node(json, "compress"), "items_in") == 64);
}

TEST_CASE("--tokens and --set node.concurrency cap what they say, and without them there is more") {
  const TemporaryFolder folder;
  const std::vector<std::string> common{"--threads", "4",          "--tile", "128",     "--memory",
                                        "12M",       "--compress", "zstd",   "--level", "9"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), common.begin(), common.end());
    return report_of(folder, more);
  };
  const std::string free = with({});
  CHECK(json_number(free, "most_units_in_flight") > 2);
  CHECK(json_number(json_node(free, "compress"), "most_in_flight") > 1);
  const Bytes right = file_bytes(folder / "out.tif");
  for (const int tokens : {1, 2}) {
    const std::string json = with({"--tokens", std::to_string(tokens)});
    CHECK(json_number(json, "tokens") == tokens);
    CHECK(json_number(json, "most_units_in_flight") == tokens);
    CHECK(file_bytes(folder / "out.tif") == right);
  }
  const std::string one = with({"--set", "compress.concurrency=1"});
  CHECK(json_number(json_node(one, "compress"), "concurrency") == 1);
  CHECK(json_number(json_node(one, "compress"), "most_in_flight") == 1);
  CHECK(json_number(json_node(one, "decode"), "concurrency") == 4);
  CHECK(file_bytes(folder / "out.tif") == right);
  const std::string two = with({"--set", "compress.concurrency=1", "--set", "decode.concurrency=2"});
  CHECK(json_number(json_node(two, "compress"), "most_in_flight") == 1);
  CHECK(json_number(json_node(two, "decode"), "most_in_flight") <= 2);
}

TEST_CASE("a report that cannot be written, or exists, or is the output, is refused before the work") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& report, int code, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{"convert", "terrain:64x64", folder / "out.tif", "--report", report};
    words.insert(words.end(), more.begin(), more.end());
    const std::vector<std::string> before = folder.names();
    const Ended ended = weir(words);
    CHECK(ended.code == code);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(folder.names() == before);
    return ended.err;
  };
  CHECK(contains(refused(folder / "none/run.json", 1), "No such file"));
  CHECK(contains(refused(folder / "out.tif", 2), "cannot be the report as well"));
  CHECK(contains(refused(folder / "./out.tif", 2, {"--overwrite"}), "out.tif"));
  std::ofstream(folder / "run.json") << "mine";
  CHECK(contains(refused(folder / "run.json", 2), "exists already"));
  CHECK(text_of(folder / "run.json") == "mine");
  CHECK(weir({"convert", "terrain:64x64", folder / "out.tif", "--report", folder / "run.json", "--overwrite"})
            .code == 0);
  CHECK(JsonCheck::is_whole(text_of(folder / "run.json")));
}

TEST_CASE("a report or trace is neither the input nor the output, however they are spelled") {
  const TemporaryFolder folder;
  make_terrain(folder / "in.json", "40x30");
  const Bytes input = file_bytes(folder / "in.json");
  const std::string other =
      folder / "../" + std::filesystem::path(folder / "").parent_path().filename().string();
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--report", folder / "in.json"},
        {"--report", other + "/in.json"},
        {"--trace", other + "/./in.json"},
        {"--trace", other + "/out.tif"},
        {"--report", folder / "r.json", "--trace", other + "/r.json"}}) {
    std::vector<std::string> words{"convert", folder / "in.json", folder / "out.tif", "--overwrite"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended refused = weir(words);
    CHECK_MESSAGE(refused.code == 2, more.back());
    CHECK_MESSAGE(contains(refused.err, "cannot be the"), refused.err);
    CHECK(file_bytes(folder / "in.json") == input);
    CHECK(folder.names() == std::vector<std::string>{"in.json"});
  }
  const auto here =
      tool("sh", {"-c", fmt::format("cd {} && {}/weir convert in.json out.tif --trace ./out.tif", folder / "",
                                    WEIR_TEST_BIN)});
  REQUIRE(here);
  CHECK(here->code == 2);
  CHECK_MESSAGE(contains(here->err, "cannot be the"), here->err);
}

TEST_CASE("an error that cannot be told is an exit code all the same") {
  const std::string program = std::string(WEIR_TEST_BIN) + "/weir";
  for (const char* nowhere : {"2>/dev/full", "2>&-"})
    for (const auto& [arguments, code] : {std::pair("info nofile", 1), std::pair("info --bogus", 2)}) {
      const auto ended = tool("sh", {"-c", fmt::format("{} {} {}", program, arguments, nowhere)});
      REQUIRE(ended);
      CHECK(ended->code == code);
    }
}

TEST_CASE("a failed run leaves no output, but a report, page and trace that say why") {
  const TemporaryFolder folder;
  make_terrain(folder / "in.tif", "600x600");
  std::filesystem::resize_file(folder / "in.tif", std::filesystem::file_size(folder / "in.tif") - 10000);
  for (const char* report : {"run.json", "run.html"}) {
    const Ended ended = weir({"convert", folder / "in.tif", folder / "out.tif", "--report", folder / report,
                              "--trace", folder / "trace.json", "--overwrite"});
    CHECK(ended.code == 1);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(!std::filesystem::exists(folder / "out.tif"));
    CHECK(contains(text_of(folder / report), "The run failed: "));
    CHECK(JsonCheck::is_whole(text_of(folder / "trace.json")));
  }
  const std::string json = text_of(folder / "run.json");
  CHECK(JsonCheck::is_whole(json));
  // Where it failed, and the command that repeats just that: it fails for the same reason.
  CHECK(contains(json, "\"failed_node\": \"fetch\""));
  CHECK(contains(json, "\"failed_item\": \"chunk ("));
  const std::size_t window = json.find("--window ");
  REQUIRE(window != std::string::npos);
  CHECK(contains(json, "\"repeat\": \"weir read " + (folder / "in.tif") + " --window "));
  const std::string numbers = json.substr(window + 9, json.find(' ', window + 9) - window - 9);
  const Ended again =
      weir({"read", folder / "in.tif", "--window", numbers, "--output", folder / "chunk.npy"});
  CHECK(again.code == 1);
  const std::size_t reason = json.find("cannot ");
  CHECK(contains(again.err, json.substr(reason, json.find('"', reason) - reason)));
}

TEST_CASE("a run that is refused leaves no report") {
  const TemporaryFolder folder;
  CHECK(weir({"convert", "terrain:600x600", folder / "out.tif", "--report", folder / "run.html", "--trace",
              folder / "run.json", "--memory", "1K"})
            .code == 2);
  CHECK(weir({"convert", folder / "none.tif", folder / "out.tif", "--report", folder / "run.html"}).code ==
        1);
  CHECK(folder.names().empty());
}

TEST_CASE(
    "--report FILE.html writes a page, --trace a timeline; both at the smallest memory, with the same "
    "output") {
  const TemporaryFolder folder;
  for (const char* command : {"convert", "read"}) {
    std::vector<std::string> words{command, "terrain:1500x900:uint16"};
    if (std::string(command) == "read") words.push_back("--output");
    const std::string out = folder / (std::string(command) == "convert" ? "out.tif" : "out.npy");
    words.insert(words.end(), {out, "--overwrite", "--quiet"});
    const auto with = [&](const std::vector<std::string>& more) {
      std::vector<std::string> all = words;
      all.insert(all.end(), more.begin(), more.end());
      return weir(all);
    };
    REQUIRE(with({}).code == 0);
    const Bytes right = file_bytes(out);
    const std::vector<std::string> seen{"--report", folder / "run.html", "--trace", folder / "run.json",
                                        "--memory"};
    const auto at = [&](const std::string& memory) {
      std::vector<std::string> more = seen;
      more.push_back(memory);
      return with(more);
    };
    const Ended refused = at("1K");
    CHECK(refused.code == 2);
    const std::string smallest = std::to_string(pipeline_test::smallest_named(refused.err));
    const Ended ended = at(smallest);
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(file_bytes(out) == right);
    const std::string page = text_of(folder / "run.html");
    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(contains(page, "\"memory_limit\": " + smallest));
    CHECK(contains(page, "<title>weir " + std::string(command) + " terrain:1500x900:uint16"));
    CHECK(JsonCheck::is_whole(text_of(folder / "run.json")));
  }
}

TEST_CASE("reports and traces with names that say nothing, or the same twice, are refused") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"convert", "terrain:64x64", folder / "out.tif"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = weir(words);
    CHECK(ended.code == 2);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(folder.names().empty());
    return ended.err;
  };
  CHECK(contains(refused({"--report", folder / "run.txt"}), "must end in .html or .json"));
  CHECK(contains(refused({"--report", folder / "run.json", "--trace", folder / "./run.json"}),
                 "cannot be the trace"));
  CHECK(contains(refused({"--trace", folder / "out.tif"}), "cannot be the report as well"));
}

TEST_CASE("--progress json prints lines that parse, at least one a second, the last says finished") {
  const TemporaryFolder folder;
  const Ended ended = weir({"convert", "terrain:6000x6000", folder / "out.tif", "--compress", "lzw",
                            "--progress", "json", "--threads", "1"});
  REQUIRE(ended.code == 0);
  const std::vector<std::string> lines = lines_of(ended.err);
  CHECK(static_cast<double>(lines.size()) >= std::floor(ended.seconds * 0.6));
  double before = -1;
  for (const std::string& line : lines) {
    CHECK_MESSAGE(JsonCheck::is_whole(line), line);
    CHECK(json_number(line, "items_done") >= before);
    before = json_number(line, "items_done");
    CHECK(json_number(line, "memory_in_use") <= json_number(line, "memory_limit"));
  }
  REQUIRE(!lines.empty());
  CHECK(contains(lines.back(), "\"finished\": true"));
  CHECK(json_number(lines.back(), "items_done") == json_number(lines.back(), "items_planned"));
}

TEST_CASE("--quiet says nothing, --progress none only what was done; without a terminal progress is lines") {
  const TemporaryFolder folder;
  for (const char* command : {"convert", "read"}) {
    std::vector<std::string> words{command, "terrain:300x300"};
    const std::string out = folder / (std::string(command) == "convert" ? "out.tif" : "out.npy");
    if (std::string(command) == "read") words.push_back("--output");
    words.push_back(out);
    words.push_back("--overwrite");
    const auto with = [&](const std::vector<std::string>& more) {
      std::vector<std::string> all = words;
      all.insert(all.end(), more.begin(), more.end());
      const Ended ended = weir(all);
      CHECK_MESSAGE(ended.code == 0, ended.err);
      return ended;
    };
    const Ended quiet = with({"--quiet"});
    CHECK(quiet.out.empty());
    CHECK(quiet.err.empty());
    const Ended none = with({"--progress", "none"});
    CHECK(contains(none.out, "wrote " + out));
    CHECK(contains(none.out, "reads per chunk"));
    CHECK(none.err.empty());
    const Ended lines = with({});
    CHECK(contains(lines.err, "100%"));
    CHECK(!contains(lines.err, "\r"));
    CHECK(!contains(lines.err, "\x1b"));
    CHECK(contains(with({"--progress", "bar"}).err, "\r["));
  }
}

}  // namespace
}  // namespace weir::command_test
