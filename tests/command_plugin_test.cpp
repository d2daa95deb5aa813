// What a user sees of plugins: weir plugin-check, weir nodes and weir run with good and bad ones.
#include <cstdlib>

#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

std::string path_of(const std::string& plugin) {
  return std::string(WEIR_TEST_PLUGINS) + "/" + plugin + ".so";
}

bool has_line(const Ended& ended, std::string_view begin) {
  for (const std::string& line : lines_of(ended.out))
    if (line.starts_with(begin)) return true;
  return false;
}

/// Sets WEIR_PLUGIN_PATH for the commands of a test.
struct PluginPath {
  explicit PluginPath(const std::string& path) { ::setenv("WEIR_PLUGIN_PATH", path.c_str(), 1); }
  ~PluginPath() { ::unsetenv("WEIR_PLUGIN_PATH"); }
};

}  // namespace

TEST_CASE("plugin-check finds nothing wrong with good plugins, and ends with 0") {
  for (const char* plugin : {"good", "plain"}) {
    const Ended ended = weir({"plugin-check", path_of(plugin)});
    CHECK_MESSAGE(ended.code == 0, ended.out << ended.err);
    CHECK(has_line(ended, "ok note: "));
    CHECK(has_line(ended, "ok load"));
    CHECK_FALSE(has_line(ended, "not ok"));
    CHECK(contains(lines_of(ended.out).back(), " ok, 0 not ok"));
  }
  CHECK(has_line(weir({"plugin-check", path_of("good")}), "ok weighted_sum: survives failing allocations"));
}

TEST_CASE("plugin-check says a sentence for each way of being unfit, and ends with 1") {
  struct Case {
    const char *plugin, *line;
  };
  for (const Case& bad :
       {Case{"other_major",
             "not ok note: it was built for plugin ABI 2.0, and this Weir has 1.0; build it again"},
        Case{"newer_minor",
             "not ok note: it was built for plugin ABI 1.99, and this Weir has 1.0; use a newer Weir"},
        Case{"other_compiler", "not ok note: it was built with compiler ABI ilp32-big (by "},
        Case{"no_note", "not ok note: it carries no note of a Weir plugin"},
        Case{"missing_symbol", "not ok load: undefined symbol: nowhere_to_be_found"},
        Case{"no_entry", "not ok load: it does not export weir_plugin"},
        Case{"crashing", "not ok load: when it was loaded for a look, it "},
        Case{"hanging", "not ok load: loading it for a look did not come to an end in 5 s"},
        Case{"exiting", "not ok load: when it was loaded for a look, it ended the process"},
        Case{"throwing_scan", "not ok load: it threw an exception: plain"},
        Case{"lying_13", "not ok load: a node name is missing (a null pointer)"},
        Case{"throwing",
             "not ok throws_error: takes a raster: cannot compute throws_error of plugin throwing ("},
        Case{"throwing", "not ok throws_raw: takes a raster: cannot compute throws_raw of plugin throwing ("},
        Case{"greedy", "not ok greedy: takes a raster: cannot compute greedy of plugin greedy ("},
        Case{"greedy", "not ok exaggerates: gives back what it encodes: "}}) {
    CAPTURE(bad.plugin);
    const Ended ended = weir({"plugin-check", path_of(bad.plugin)});
    CHECK(ended.code == 1);
    CHECK_MESSAGE(has_line(ended, bad.line), ended.out);
    CHECK(contains(ended.err, "weir: cannot trust plugin " + path_of(bad.plugin) + ": "));
    CHECK(lines_of(ended.err).size() == 1);
  }
}

TEST_CASE("plugin-check hears each fault of a node") {
  const Ended ended = weir({"plugin-check", path_of("faulty")});
  CHECK(ended.code == 1);
  for (const char* line :
       {"not ok leaves_pixels: writes every pixel, and the same ones again",
        "not ok sees_windows: gives the same pixels for any windows",
        "not ok sees_threads: gives the same pixels from many threads",
        "not ok writes_outside: takes a raster",
        "not ok writes_input: writes every pixel, and the same ones again: it writes to its input",
        "not ok crashes: takes a raster: it ", "not ok uses_null: survives failing allocations: it ",
        "not ok takes_nothing: takes a raster: it takes no sample type",
        "not ok codec_writes_outside: gives back what it encodes",
        "not ok codec_alters: gives back what it encodes: 127 bytes come back as others",
        "not ok codec_crashes: survives broken data: it "})
    CHECK_MESSAGE(has_line(ended, line), line << "\n" << ended.out);
  // What is not wrong with a node is not blamed on it.
  CHECK(has_line(ended, "ok sees_windows: survives failing allocations"));
}

TEST_CASE("plugin-check measures memory that a node takes behind the host's back") {
  const Ended ended = weir({"plugin-check", path_of("greedy")});
  if (has_line(ended, "skip hoarder: takes no more memory than it declares")) return;  // under a sanitizer
  CHECK_MESSAGE(has_line(ended, "not ok hoarder: takes no more memory than it declares: it took about 1"),
                ended.out);
  CHECK(has_line(ended, "ok keeper: takes no more memory than it declares"));
}

TEST_CASE("plugin-check of what is no plugin, or with wrong words, ends with 2 or 1 and one line") {
  const TemporaryFolder folder;
  Ended ended = weir({"plugin-check", folder / "missing.so"});
  CHECK(ended.code == 2);
  CHECK(says_one_line(ended));
  ended = weir({"plugin-check"});
  CHECK(ended.code == 2);
  ended = weir({"plugin-check", path_of("good"), "--set", "nonsense"});
  CHECK(ended.code == 2);
  ended = weir({"plugin-check", path_of("good"), "--set", "no_such_node.size=3"});
  CHECK(ended.code == 2);
  CHECK(contains(ended.err, "the plugin has no node no_such_node"));
  ended = weir({"plugin-check", path_of("good"), "--set", "ramp.size=40x50", "--set", "largest.radius=1"});
  CHECK_MESSAGE(ended.code == 0, ended.out << ended.err);
  std::ofstream(folder / "cut.so") << text_of(path_of("good")).substr(0, 20000);
  ended = weir({"plugin-check", folder / "cut.so"});
  CHECK(ended.code == 1);
  CHECK(contains(ended.out, "not ok note: it is cut off: 20000 bytes"));
}

TEST_CASE("plugins on WEIR_PLUGIN_PATH are nodes like others, and bad ones are skipped with a sentence") {
  const TemporaryFolder folder;
  for (const char* plugin : {"good", "crashing", "newer_minor", "exiting"})
    std::filesystem::copy_file(path_of(plugin), folder / (std::string(plugin) + ".so"));
  std::string path = folder / "";
  path.pop_back();
  const PluginPath set(path);
  const Ended ended = weir({"nodes", "largest"});
  CHECK(ended.code == 0);
  CHECK(contains(ended.out, "the largest value around each pixel"));
  CHECK(contains(ended.out, "radius"));
  const std::vector<std::string> said = lines_of(ended.err);
  REQUIRE(said.size() == 3);
  CHECK(said[0].starts_with("weir: skipped: cannot load plugin " + folder / "crashing.so" +
                            ": when it was loaded"));
  CHECK(said[1].starts_with("weir: skipped: cannot load plugin " + folder / "exiting.so" + ": "));
  CHECK(said[2].starts_with("weir: skipped: cannot load plugin " + folder / "newer_minor.so" +
                            ": it was built for"));

  // A second node of the same name is an error that names both files.
  std::filesystem::copy_file(path_of("plain"), folder / "plain.so");
  std::filesystem::copy_file(path_of("plain_again"), folder / "plain_again.so");
  const Ended twice = weir({"nodes"});
  CHECK(twice.code == 2);
  CHECK(contains(twice.err, folder / "plain.so"));
  CHECK(contains(twice.err, folder / "plain_again.so"));
}

TEST_CASE("a graph file runs with a plugin's nodes and codec, and its failures name the plugin") {
  const TemporaryFolder folder;
  std::filesystem::copy_file(path_of("good"), folder / "good.so");
  std::filesystem::copy_file(path_of("throwing"), folder / "throwing.so");
  std::filesystem::copy_file(path_of("greedy"), folder / "greedy.so");
  std::string path = folder / "";
  path.pop_back();
  const PluginPath set(path);
  // greedy.so has a codec that cannot be: that is a configuration to mend.
  CHECK(weir({"nodes"}).code == 2);
  std::filesystem::remove(folder / "greedy.so");

  const auto graph = [&](const std::string& kernel, const std::string& codec) {
    const std::string name = folder / (kernel + ".yaml");
    std::ofstream(name) << "weir: 1\nmemory: 16M\nnodes:\n"
                           "  ramp: {type: ramp, size: 200x300}\n"
                           "  bands: {type: assemble_bands, input: ramp}\n"
                           "  tiles: {type: cut_tiles, input: bands, tile: 64}\n"
                           "  made: {type: "
                        << kernel
                        << ", input: tiles}\n"
                           "  packed: {type: compress_tiles, input: made, codec: "
                        << codec
                        << "}\n  tif: {type: write_tiff, input: packed, path: " << folder / (kernel + ".tif")
                        << ", overwrite: true}\n";
    return name;
  };
  Ended ended = weir({"run", graph("largest", "zstd"), "--quiet"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  ended = weir({"info", folder / "largest.tif"});
  CHECK(contains(ended.out, "300 x 200 pixels"));
  ended = weir({"run", graph("largest", "shift"), "--quiet", "--threads", "4"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  ended = weir({"run", graph("throws_error", "zstd"), "--quiet"});
  CHECK(ended.code == 1);
  CHECK_MESSAGE(contains(ended.err, "cannot compute throws_error of plugin throwing (" +
                                        folder / "throwing.so" + "): the"),
                ended.err);
  CHECK_FALSE(std::filesystem::exists(folder / "throws_error.tif"));
  ended = weir({"run", graph("throws_raw", "zstd"), "--quiet"});
  CHECK(ended.code == 1);
  CHECK(contains(ended.err, "straight through"));
}

}  // namespace weir::command_test
