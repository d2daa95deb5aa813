#include "framework/plugin.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "framework/graph_run.hpp"
#include "framework/registry.hpp"
#include "nodes/plugins/add_plugins.hpp"
#include "pipelines/node_types.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/plugin_support.hpp"

using namespace weir;
using namespace weir::plugin_test;
namespace fs = std::filesystem;

namespace {

std::string scan_refusal(const std::string& plugin,
                         std::chrono::milliseconds limit = std::chrono::seconds(60)) {
  return reason_of([&] { scan_plugin(path_of(plugin), scanner(), limit); }, ErrorKind::usage);
}

void copy_to(const TemporaryFolder& folder, const std::string& plugin, const std::string& name) {
  fs::copy_file(path_of(plugin), folder / (name + ".so"));
}

FoundPlugins found_in(const std::string& path, std::chrono::milliseconds limit = std::chrono::seconds(60)) {
  PluginSearch search;
  search.path = path;
  search.scanner = scanner();
  search.limit = limit;
  return find_plugins(search, check_plugin_node);
}

std::uint16_t ramp(std::uint64_t row, std::uint64_t col) {
  return static_cast<std::uint16_t>(row * 7 + col);
}

/// Computes the whole raster of a kernel with one input, a row of uint8.
Bytes compute_row(const PluginNode& node, const Scratch& scratch = {}) {
  const auto kernel = make_plugin_kernel(node, parameters_of(node));
  RasterInfo info;
  info.height = 1;
  info.width = 100;
  const RasterInfo out_info = kernel->describe(std::span(&info, 1));
  kernel->local_bytes(100);
  Bytes in(100, std::byte{5}), out(100 * out_info.pixel_bytes());
  const PixelView view{in.data(), {0, 0, 1, 100}, info.type, 1, 100, 1, 1};
  const std::size_t pixel = out_info.pixel_bytes();
  const auto local = kernel->make_local(scratch);
  kernel->compute(std::span(&view, 1),
                  {out.data(), {0, 0, 1, 100}, out_info.type, 1, 100 * pixel, pixel, pixel}, local.get(),
                  Context());
  return out;
}
std::string compute_failure(const std::string& plugin, const std::string& node,
                            ErrorKind kind = ErrorKind::failed) {
  return reason_of([&] { compute_row(node_of(plugin, node)); }, kind);
}

}  // namespace

TEST_CASE("a plugin's descriptor is copied: nodes, parameters, inputs") {
  const Plugin& plugin = loaded("good");
  CHECK(plugin.name == "good");
  CHECK(plugin.version == "2.1");
  CHECK(plugin.licence == "MIT");
  REQUIRE(plugin.nodes.size() == 5);
  const PluginNode& sum = node_of("good", "weighted_sum");
  CHECK(kind_of(sum) == PluginKind::transform);
  CHECK(sum.help == "one raster plus another, weighted");
  CHECK(sum.origin == "plugin good (" + path_of("good") + ")");
  REQUIRE(sum.inputs.size() == 2);
  CHECK(sum.inputs[1].name == "second");
  REQUIRE(sum.parameters.size() == 1);
  const Parameter& weight = sum.parameters[0];
  CHECK(weight.name == "weight");
  CHECK(weight.type == ParameterType::number);
  CHECK(weight.default_value == "0.5");
  CHECK(weight.least == -10);
  CHECK(weight.most == 10);
  const Parameter& path = node_of("good", "sum_file").parameters[0];
  CHECK(path.is_required);
  CHECK_FALSE(path.default_value);
  const Parameter& size = node_of("good", "ramp").parameters[0];
  CHECK(size.unit == "pixels");
  CHECK(size.least < -1e300);
}

TEST_CASE("a library is loaded once, under whatever name") {
  const TemporaryFolder folder;
  fs::create_symlink(path_of("good"), folder / "other.so");
  CHECK(&loaded("good") == &loaded("good"));
  CHECK(&load_plugin(folder / "other.so", check_plugin_node) == &loaded("good"));
}

TEST_CASE("each lie in a descriptor is refused with a sentence") {
  const char* reasons[] = {
      "",
      "the descriptor is missing (a null pointer)",
      "the descriptor says that it has 8 bytes, where this ABI has",
      "the descriptor says that it has 4294967295 bytes",
      "wrong magic number",
      "its name is missing (a null pointer)",
      "its descriptor says another 1.0 with ABI 1.0, and its note plain 1.0 with ABI 1.0",
      "its descriptor says plain 1.0 with ABI 1.7, and its note",
      "it has no nodes",
      "it tells of 4294967295 nodes, where at most 256 are allowed",
      "it tells of 1 nodes, and has a null pointer",
      "a node is missing (a null pointer)",
      "a node says that it has 4 bytes",
      "a node name is missing (a null pointer)",
      "a node name 'Not A Name' is not made of small letters, digits and underscores",
      "a node name is longer than 2000 bytes",
      "node plain_copy is of kind 77, which is none",
      "node plain_copy has no functions (a null pointer)",
      "node plain_copy lacks one of its functions (a null pointer); a transform has create,",
      "the functions of node plain_copy says that it has 12 bytes",
      "it tells of 2147483648 parameters of node plain_copy, where at most 64 are allowed",
      "it tells of 1 parameters of node plain_copy, and has a null pointer",
      "node plain_copy has two parameters count",
      "a parameter has type 99, which is none",
      "the default of parameter count of node plain_copy does not fit: 'many' is not a whole number",
      "the range of parameter count of node plain_copy is empty",
      "a choice of parameter count of node plain_copy is missing (a null pointer)",
      "node plain_copy has 0 inputs, where a transform has 1 to 4",
      "node plain_copy has two inputs input",
      "it has two nodes plain_copy",
      "the help of node plain_copy is missing (a null pointer)",
      "it tells of 1000 inputs of node plain_copy, where at most 16 are allowed"};
  CHECK(loaded("lying_0").nodes.size() == 1);
  for (std::size_t lie = 1; lie < std::size(reasons); ++lie) {
    CAPTURE(lie);
    const std::string plugin = "lying_" + std::to_string(lie);
    const std::string reason = reason_of([&] { loaded(plugin); }, ErrorKind::usage);
    CHECK(reason.starts_with("cannot load plugin " + path_of(plugin) + ": "));
    CHECK_MESSAGE(contains(reason, reasons[lie]), reason);
  }
  CHECK(contains(scan_refusal("lying_9"), reasons[9]));
}

TEST_CASE("a plugin that crashes, hangs, throws or ends the process while it is scanned is refused") {
  const std::string crashing = scan_refusal("crashing");
  CHECK(crashing.starts_with("cannot load plugin " + path_of("crashing") +
                             ": when it was loaded for a look, it "));
  const auto start = std::chrono::steady_clock::now();
  CHECK(contains(scan_refusal("hanging", std::chrono::milliseconds(300)),
                 "loading it for a look did not come to an end in 0.3 s"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  CHECK(contains(scan_refusal("exiting"), "when it was loaded for a look, it ended the process"));
  CHECK(contains(scan_refusal("throwing_scan"), "it threw an exception: plain"));
  CHECK(contains(scan_refusal("missing_symbol"),
                 "undefined symbol: nowhere_to_be_found; link the library that has it"));
  CHECK(contains(scan_refusal("no_entry"), "it does not export weir_plugin"));
  scan_plugin(path_of("good"), scanner(), std::chrono::seconds(60));
}

TEST_CASE("a scanner that cannot be started is an error, not a plugin's fault") {
  const std::string reason = reason_of(
      [] { scan_plugin(path_of("good"), {"/nowhere/weir"}, std::chrono::seconds(1)); }, ErrorKind::failed);
  CHECK(contains(reason, "cannot start /nowhere/weir: No such file or directory"));
}

TEST_CASE("a folder of plugins gives the good ones, and a reason for each of the others") {
  const TemporaryFolder folder;
  copy_to(folder, "good", "a_good");
  for (const char* bad : {"other_major", "newer_minor", "other_compiler", "no_note", "no_entry",
                          "missing_symbol", "crashing", "hanging", "exiting", "throwing_scan", "lying_13"})
    copy_to(folder, bad, bad);
  copy_to(folder, "plain", "z_plain");
  std::ofstream(folder / "text.so") << "no library";
  std::ofstream(folder / "README") << "not looked at";
  fs::create_directory(folder / "folder.so");
  const FoundPlugins found = found_in(path_of(folder), std::chrono::milliseconds(2000));
  REQUIRE(found.plugins.size() == 2);
  CHECK(found.plugins[0]->name == "good");
  CHECK(found.plugins[1]->name == "plain");
  std::set<std::string> files;
  for (const Error& error : found.refused) {
    CAPTURE(error.what());
    CHECK(error.kind() == ErrorKind::usage);
    files.insert(fs::path(error.object().substr(7)).filename());  // behind "plugin "
  }
  CHECK(files == std::set<std::string>{"other_major.so", "newer_minor.so", "other_compiler.so", "no_note.so",
                                       "no_entry.so", "missing_symbol.so", "crashing.so", "hanging.so",
                                       "exiting.so", "throwing_scan.so", "lying_13.so", "text.so"});
}

TEST_CASE("a library that is cut off at every 64th byte never reaches the loader") {
  const TemporaryFolder folder;
  const Bytes whole = test::file_bytes(path_of("plain"));
  for (std::size_t length = 0; length < whole.size(); length += 64) {
    std::ofstream file(folder / "cut.so", std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(whole.data()), static_cast<std::streamsize>(length));
    file.close();
    const FoundPlugins found = found_in(path_of(folder));
    CAPTURE(length);
    CHECK(found.plugins.empty());
    CHECK(found.refused.size() == 1);
  }
}

TEST_CASE("only whole paths are searched: no empty or relative ones, and never the current folder") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "plugins");
  copy_to(folder, "good", "good");
  fs::copy_file(path_of("good"), folder / "plugins/good.so");
  const fs::path before = fs::current_path();
  fs::current_path(path_of(folder));
  const FoundPlugins nothing = found_in("");
  const FoundPlugins found = found_in(":plugins:.:./plugins:");
  fs::current_path(before);
  CHECK(nothing.plugins.empty());
  CHECK(nothing.refused.empty());
  CHECK(found.plugins.empty());
  REQUIRE(found.refused.size() == 5);
  CHECK(contains(found.refused[1].what(),
                 "cannot look for plugins in 'plugins': WEIR_PLUGIN_PATH takes whole paths"));

  const FoundPlugins twice =
      found_in(path_of(folder) + ":" + folder / "plugins" + ":" + path_of(folder) + ":/nowhere/at/all");
  CHECK(twice.plugins.size() == 2);  // two files; the folder that is named twice gives its own once
  REQUIRE(twice.refused.size() == 1);
  CHECK(contains(twice.refused[0].what(),
                 "cannot look for plugins in /nowhere/at/all: No such file or directory"));
}

TEST_CASE("the environment and the installed folder say where to look") {
  ::setenv("WEIR_PLUGIN_PATH", "/one:/two", 1);
  const PluginSearch search = default_plugin_search();
  ::unsetenv("WEIR_PLUGIN_PATH");
  CHECK(search.path == "/one:/two");
  CHECK(search.installed.starts_with("/"));
  CHECK(search.installed.ends_with("/weir/plugins"));
  CHECK(default_plugin_search().path.empty());
}

TEST_CASE("a second node of the same name is an error that names both files") {
  Registry registry;
  add_geotiff_nodes(registry);
  add_plugin_nodes(registry, {&loaded("plain")});
  const std::string reason =
      reason_of([&] { add_plugin_nodes(registry, {&loaded("plain_again")}); }, ErrorKind::usage);
  CHECK(contains(reason, path_of("plain")));
  CHECK(contains(reason, path_of("plain_again")));
  const TemporaryFolder folder;
  copy_to(folder, "good", "copy");
  const Plugin& copy = load_plugin(folder / "copy.so", check_plugin_node);
  REQUIRE(&copy != &loaded("good"));
  const std::string codec = reason_of([&] { plugin_codecs({&loaded("good"), &copy}); }, ErrorKind::usage);
  CHECK(contains(codec, path_of("good")));
  CHECK(contains(codec, folder / "copy.so"));
}

TEST_CASE(
    "an older, shorter struct is filled up with zeros, and of a newer, longer one the known part is read") {
  struct Newer {
    std::uint32_t size = 0, first = 0;
    std::uint64_t added = 0;
  };
  struct Older {
    std::uint32_t size = 8, first = 41;
  };
  const std::array<Older, 3> older{};  // what lies behind must not be looked at
  const auto read = sized_struct<Newer>(&older[0], sizeof(Older), "it");
  CHECK(read.first == 41);
  CHECK(read.added == 0);
  const Newer newer{sizeof(Newer), 42, 43};
  CHECK(sized_struct<Older>(&newer, sizeof(Older), "it").first == 42);
  const Older short_one{4, 0};
  CHECK(contains(reason_of([&] { sized_struct<Newer>(&short_one, sizeof(Older), "it"); }, ErrorKind::usage),
                 "it says that it has 4 bytes, where this ABI has 8"));
}

TEST_CASE("a plugin's source, transform, stencil and sink work in a graph, on both engines") {
  Registry registry;
  add_geotiff_nodes(registry, plugin_codecs({&loaded("good")}));
  add_plugin_nodes(registry, {&loaded("good")});
  CHECK(registry.at("largest").origin == loaded("good").nodes[0].origin);
  for (const Engine engine : {Engine::serial, Engine::onetbb})
    for (const unsigned threads : {1u, 4u}) {
      const TemporaryFolder folder;
      GraphFile file;
      file.name = "made here";
      file.limits.memory = 4 << 20;
      file.limits.engine = engine;
      file.limits.threads = threads;
      file.nodes = {
          {.name = "ramp", .type = "ramp", .parameters = {{"size", "150x200"}}},
          {.name = "bands", .type = "assemble_bands", .inputs = {{"", "ramp"}}},
          {.name = "tiles", .type = "cut_tiles", .inputs = {{"", "bands"}}, .parameters = {{"tile", "32"}}},
          {.name = "largest", .type = "largest", .inputs = {{"", "tiles"}}, .parameters = {{"radius", "3"}}},
          {.name = "sum", .type = "weighted_sum", .inputs = {{"first", "tiles"}, {"second", "largest"}}},
          {.name = "packed",
           .type = "compress_tiles",
           .inputs = {{"", "sum"}},
           .parameters = {{"codec", "shift"}, {"level", "7"}, {"predictor", "none"}}},
          {.name = "tif",
           .type = "write_tiff",
           .inputs = {{"", "packed"}},
           .parameters = {{"path", folder / "a.tif"}}},
          {.name = "total",
           .type = "sum_file",
           .inputs = {{"", "sum"}},
           .parameters = {{"path", folder / "sum"}}}};
      GraphRun graph(file, registry);
      const RunReport report = graph.run();
      CHECK(report.peak_payload <= file.limits.memory);

      TiffReadOptions read;
      read.codecs = plugin_codecs({&loaded("good")});
      const auto source = std::make_shared<const TiffSource>(folder / "a.tif", read);
      REQUIRE(source->info().type == SampleType::float64);
      std::vector<double> pixels(150 * 200);
      read_region(source, {0, 0, 150, 200},
                  {reinterpret_cast<std::byte*>(pixels.data()), interleaved_strides(200, 1, 8)});
      double total = 0;
      bool is_right = true;
      for (std::uint64_t row = 0; row < 150; ++row)
        for (std::uint64_t col = 0; col < 200; ++col) {
          const double largest =
              ramp(std::min<std::uint64_t>(row + 3, 149), std::min<std::uint64_t>(col + 3, 199));
          const double value = ramp(row, col) + 0.5 * largest;
          is_right = is_right && pixels[row * 200 + col] == value;
          total += value;
        }
      CHECK(is_right);
      std::ifstream sum(folder / "sum");
      double said = 0;
      sum >> said;
      CHECK(said == total);
    }
}

TEST_CASE("a plugin's source and codec are used from C++") {
  const TemporaryFolder folder;
  const auto source =
      make_plugin_source(node_of("good", "ramp"), parameters_of(node_of("good", "ramp"), {{"nodata", "3"}}));
  CHECK(source->info().nodata == "3");
  CHECK(source->info().georeferencing.pixel_scale == std::vector<double>{10, 10, 0});
  WriteGeotiffOptions options;
  options.codec.custom = plugin_codecs({&loaded("good")}).at(0);
  options.predictor = Predictor::none;
  write_geotiff(source, folder / "a.tif", options);
  TiffReadOptions read;
  read.codecs = {options.codec.custom};
  const auto back = std::make_shared<const TiffSource>(folder / "a.tif", read);
  std::vector<std::uint16_t> pixels(100 * 90);
  read_region(back, {0, 0, 100, 90},
              {reinterpret_cast<std::byte*>(pixels.data()), interleaved_strides(90, 1, 2)});
  CHECK(pixels[99 * 90 + 89] == ramp(99, 89));
  CHECK(pixels[50 * 90 + 7] == ramp(50, 7));
  CHECK_THROWS_AS(TiffSource(folder / "a.tif"), Error);  // without the codec
}

TEST_CASE("what a plugin refuses comes back as its own words") {
  const PluginNode& node = node_of("good", "ramp");
  const std::string reason = reason_of(
      [&] {
        make_plugin_source(node, parameters_of(node, {{"size", "13x5"}}));
      },
      ErrorKind::usage);
  CHECK(reason == "cannot create ramp of " + node.origin + ": 13 rows bring bad luck");
}

TEST_CASE("no exception gets past a plugin's border, whoever lets it out") {
  CHECK(contains(compute_failure("throwing", "throws_error"),
                 "cannot compute throws_error of plugin throwing ("));
  CHECK(compute_failure("throwing", "throws_error").ends_with(": the body failed"));
  CHECK(compute_failure("throwing", "throws_number").ends_with(": an exception without a name"));
  CHECK(compute_failure("throwing", "throws_bad_alloc").ends_with(": out of memory"));
  CHECK(compute_failure("throwing", "throws_raw").ends_with("against the rules: straight through"));
  CHECK(compute_failure("throwing", "fails_silently").ends_with(": it does not say why (status 12345)"));
  CHECK(compute_failure("throwing", "throws_at_birth", ErrorKind::usage)
            .ends_with(": the parameters do not fit"));
}

TEST_CASE("a plugin that takes more memory than it declared gets none, and is named") {
  CHECK(contains(
      compute_failure("greedy", "greedy"),
      "cannot compute greedy of plugin greedy (" + path_of("greedy") +
          "): out of memory; it asked for 5000 bytes of scratch memory where it declared 1088 in all"));
  CHECK(contains(compute_failure("greedy", "boundless", ErrorKind::usage), "which no machine has"));
  CHECK(contains(compute_failure("greedy", "confused"), "it released memory that it does not have"));
}

TEST_CASE("scratch memory is the host's, stays with the thread, and goes with it") {
  const PluginNode& node = node_of("greedy", "keeper");
  const auto pool = std::make_shared<BufferPool>(1 << 20);
  const auto kernel = make_plugin_kernel(node, parameters_of(node));
  RasterInfo info;
  info.height = 1;
  info.width = 100;
  kernel->describe(std::span(&info, 1));
  CHECK(kernel->local_bytes(100) == WEIR_BLOCK_BYTES(4096));
  Bytes in(100, std::byte{5}), out(100);
  const PixelView view{in.data(), {0, 0, 1, 100}, info.type, 1, 100, 1, 1};
  const PixelTarget target{out.data(), {0, 0, 1, 100}, info.type, 1, 100, 1, 1};
  auto local = kernel->make_local(Scratch(pool));
  for (int round = 0; round < 3; ++round) {
    kernel->compute(std::span(&view, 1), target, local.get(), Context());
    CHECK(pool->live_bytes() == kernel->local_bytes(100));  // one block, to the byte what it declared
  }
  CHECK(out == in);
  local.reset();
  CHECK(pool->live_bytes() == 0);
}

TEST_CASE("a codec's bounds are checked, and its TIFF compression is nobody else's") {
  const auto codec = make_plugin_codec(node_of("greedy", "exaggerates"), Parameters());
  Bytes raw(100), out(50);
  CHECK(contains(reason_of([&] { codec->make_encoder({}, 100, {})->encode(raw, out); }, ErrorKind::failed),
                 "it says that it wrote 100 bytes where 50 fit"));
  CHECK(contains(reason_of([&] { codec->make_decoder({})->decode(raw, out); }, ErrorKind::failed),
                 "it says that it wrote 51 bytes where 50 fit"));
  const auto endless = make_plugin_codec(node_of("greedy", "endless"), Parameters());
  CHECK(contains(reason_of([&] { endless->max_encoded_bytes(100); }, ErrorKind::usage),
                 "more than 16 times as many"));
  CHECK(contains(
      reason_of([&] { make_plugin_codec(node_of("greedy", "usurper"), Parameters()); }, ErrorKind::usage),
      "its TIFF compression is 50000"));
}

TEST_CASE("classes of the same name in two plugins stay two") {
  CHECK(compute_row(node_of("twin_one", "twin_one"))[0] == std::byte{1});
  CHECK(compute_row(node_of("twin_two", "twin_two"))[0] == std::byte{2});
}

TEST_CASE("a plugin in plain C works as well") {
  CHECK(compute_row(node_of("plain", "plain_copy"))[99] == std::byte{5});
}
