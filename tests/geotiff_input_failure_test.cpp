// Reading pipelines under faults: inputs cut off, inputs whose reads fail, an input that is the output too;
// region reads with each file call, each allocation and each node body failing in turn.
#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>

#include "nodes/tiff/tiff_source.hpp"
#include "pipelines/read_geotiff.hpp"
#include "tests/failure_support.hpp"

using namespace weir;
using namespace weir::test;
using weir::testing::contains;

namespace {

std::shared_ptr<const TiffSource> tiff_at(const std::string& path, FileSystem& files = FileSystem::real()) {
  TiffReadOptions options;
  options.chunk_height = options.chunk_width = 32;  // a chunk for each tile: many fetches
  return std::make_shared<const TiffSource>(path, options, files);
}

/// Outside of a graph (opening) or inside, in the nodes that read.
void check_reading_error(const Ending& ending, const std::string& path) {
  check_form(ending, ErrorKind::failed);
  REQUIRE(ending.error);
  const Error& error = *ending.error;
  CAPTURE(std::string(error.what()));
  CHECK(contains(error.what(), path));
  if (error.node().empty()) return;
  CHECK((error.node() == "fetch" || error.node() == "decode"));
  CHECK(contains(error.item(), "chunk ("));
}

/// The pixels of the middle of the small raster: rows 10 to 89, columns 5 to 70.
const Window region{10, 5, 80, 66};

struct Target {
  std::vector<std::uint16_t> pixels = std::vector<std::uint16_t>(region.height * region.width);
  ReadTarget view() {
    return {reinterpret_cast<std::byte*>(pixels.data()),
            interleaved_strides(region.width, 1, sizeof(std::uint16_t))};
  }
  bool is_right() const {
    for (std::uint64_t row = 0; row < region.height; ++row)
      for (std::uint64_t col = 0; col < region.width; ++col)
        if (pixels[row * region.width + col] != small_value(region.row + row, region.col + col)) return false;
    return true;
  }
};

ReadOptions read_options(Engine engine) {
  ReadOptions options;
  options.graph = {.memory = 0, .tokens = 2, .threads = engine == Engine::serial ? 1U : 2U, .engine = engine};
  return options;
}

/// Reads the region with the smallest budget that works.
void read_tightly(const std::string& path, Engine engine, Target& target, FileSystem& files,
                  const RunOptions& run = {}) {
  ReadOptions options = read_options(engine);
  options.graph.memory = 1;
  try {
    read_region(tiff_at(path), region, target.view(), options);
  } catch (const Error& error) {
    const std::string mark = "the smallest that works is ";
    const std::size_t at = error.reason().rfind(mark);
    REQUIRE(at != std::string::npos);
    options.graph.memory = std::strtoull(error.reason().c_str() + at + mark.size(), nullptr, 10);
  }
  read_region(tiff_at(path, files), region, target.view(), options, run);
}

void check_next_read(const std::string& path, Engine engine) {
  Target target;
  read_tightly(path, engine, target, FileSystem::real());
  CHECK(target.is_right());
}

/// A file of the small raster.
struct Input {
  explicit Input(CodecId codec = CodecId::deflate) : path(folder / "in.tif") { put(path, good_bytes(codec)); }
  Folder folder;
  std::string path;
};

const std::vector<Engine> engines{Engine::serial, Engine::onetbb};

}  // namespace

TEST_CASE("an input that is cut off at any length ends a write with one clear error, and no output") {
  const bool is_full = std::getenv("WEIR_TEST_FULL") != nullptr;
  for (const CodecId codec : {CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::none}) {
    const std::string whole = good_bytes(codec);
    const Input input(codec);
    const std::string out = input.folder / "out.tif";
    const WriteWay way{Engine::onetbb, false, false, codec};
    FaultyFileSystem files;
    way.set_up(files);
    const Leaks leaks;
    std::size_t in_graph = 0;
    for (std::size_t length = 0; length < whole.size();
         length += is_full || (codec == CodecId::deflate && length < 500) ? 1 : 61) {
      CAPTURE(length);
      put(input.path, whole.substr(0, length));
      WriteWay this_way = way;
      if (length % 2 == 1) this_way.engine = Engine::serial;
      const Ending ending = ending_of(
          "cut-off input", [&] { write_geotiff(tiff_at(input.path), out, this_way.options(files)); });
      check_reading_error(ending, input.path);
      if (!ending.error->node().empty()) ++in_graph;
      CHECK(input.folder.names() == std::vector<std::string>{"in.tif"});

      Target target;
      const Ending reading = ending_of("cut-off input is read", [&] {
        read_region(tiff_at(input.path), {64, 64, 32, 16}, target.view(), read_options(this_way.engine));
      });
      check_reading_error(reading, input.path);
      leaks.check_files();
    }
    CHECK(in_graph > 10);
    put(input.path, whole);
    write_tightly(tiff_at(input.path), out, way.options(files));
    CHECK(content(out) == whole);
    leaks.check();
  }
}

TEST_CASE("each read of an input that fails ends a write with one clear error, and no output") {
  for (const WriteWay& way : all_ways()) {
    CAPTURE(way.text());
    const Input input;
    // What it takes must not be asked of the failing file.
    const std::uint64_t memory = [&] {
      FaultyFileSystem files;
      return smallest_memory(tiff_at(input.path), way.options(files), way.cog);
    }();
    const Leaks leaks;
    bool came = true;
    std::size_t in_graph = 0;
    for (std::size_t k = 1; came; ++k) {
      CAPTURE(k);
      const Scene scene(way);
      FaultyFileSystem in, files;
      way.set_up(files);
      in.fail_at = k;
      WriteGeotiffOptions options = way.options(files);
      options.graph.memory = memory;
      const Ending ending = ending_of("input read fails",
                                      [&] { write_by(way, tiff_at(input.path, in), scene.target, options); });
      came = in.calls() >= k;
      const bool is_close = came && in.log()[k - 1].name == "close";  // everything was read: nothing is lost
      if (came && !is_close) {
        check_reading_error(ending, input.path);
        CHECK(ending.error->reason() == system_reason(EIO));
        if (ending.error->node() == "fetch") ++in_graph;
        check_untouched(scene);
      } else {
        CHECK_FALSE(ending.error);
        CHECK(scene.is_new());
      }
      leaks.check_files();
      scene.check_next_run();
    }
    CHECK(in_graph >= 9);
    leaks.check();
  }
}

TEST_CASE(
    "an input that is the output too stays as it was when the write fails, and is replaced when it does "
    "not") {
  for (WriteWay way : write_ways()) {
    if (!way.overwrite) continue;
    CAPTURE(way.text());
    for (const CodecId input_codec : {CodecId::none, CodecId::zstd}) {
      const std::string& before = good_bytes(input_codec);
      const Input input(input_codec);
      bool came = true;
      std::size_t k = 1;
      for (; came; ++k) {
        CAPTURE(k);
        put(input.path, before);
        FaultyFileSystem files;
        way.set_up(files);
        files.fail_at = k;
        const Ending ending = ending_of(
            "input is output", [&] { write_tightly(tiff_at(input.path), input.path, way.options(files)); });
        came = files.calls() >= k;
        check_form(ending, ErrorKind::failed);
        const std::string now = content(input.path);
        if (!ending.error)
          CHECK(now == good_bytes());
        else
          CHECK((now == before || now == good_bytes()));
        CHECK(input.folder.names() == std::vector<std::string>{"in.tif"});

        // The same with bodies.
        put(input.path, before);
        std::atomic<std::size_t> bodies = 0;
        RunOptions run;
        run.before_body = [&](const std::string&, std::uint64_t) {
          if (++bodies == k) throw std::runtime_error("planted");
        };
        FaultyFileSystem sound;
        way.set_up(sound);
        const Ending failed = ending_of("input is output", [&] {
          write_tightly(tiff_at(input.path), input.path, way.options(sound), run);
        });
        check_placed(failed, "planted");
        CHECK(content(input.path) == before);
      }
      CHECK(k > 20);
    }
  }
}

namespace {

/// Region reads with the k-th of something failing, k = 1, 2 ... until there is no k-th.
template <class RunOnce>
void fail_each_read(std::size_t least, const std::string& reason, RunOnce run_once) {
  for (const CodecId codec : {CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::none})
    for (const Engine engine : engines) {
      CAPTURE((engine == Engine::serial ? "serial" : "oneTBB"));
      const Input input(codec);
      check_next_read(input.path, engine);
      const Leaks leaks;
      bool came = true;
      std::size_t k = 1;
      for (;; ++k) {
        CAPTURE(k);
        Target target;
        const Ending ending =
            ending_of("region read fails", [&] { run_once(k, input.path, engine, target, came); });
        CAPTURE(ending.text());
        check_form(ending, ErrorKind::failed);
        if (came)
          check_placed(ending, reason);
        else
          CHECK((!ending.error && target.is_right()));
        leaks.check_files();
        check_next_read(input.path, engine);
        if (!came) break;
      }
      CHECK(k > least);
      CHECK(content(input.path) == good_bytes(codec));
      leaks.check();
    }
}

}  // namespace

TEST_CASE("each file call that fails ends a region read with one clear error") {
  for (const Engine engine : engines) {
    const Input input;
    check_next_read(input.path, engine);
    const Leaks leaks;
    bool came = true;
    std::size_t in_graph = 0;
    for (std::size_t k = 1; came; ++k) {
      CAPTURE(k);
      FaultyFileSystem files;
      files.fail_at = k;
      Target target;
      const Ending ending =
          ending_of("region read fails", [&] { read_tightly(input.path, engine, target, files); });
      came = files.calls() >= k;
      if (came && files.log()[k - 1].name != "close") {
        check_reading_error(ending, input.path);
        CHECK(ending.error->reason() == system_reason(EIO));
        if (ending.error->node() == "fetch") ++in_graph;
      } else {
        CHECK((!ending.error && target.is_right()));
      }
      leaks.check_files();
      check_next_read(input.path, engine);
    }
    CHECK(in_graph >= 9);
    leaks.check();
  }
}

TEST_CASE("each allocation that fails ends a region read with one clear error") {
  fail_each_read(9, "out of memory",
                 [](std::size_t k, const std::string& path, Engine engine, Target& target, bool& came) {
                   std::atomic<std::size_t> allocations = 0;
                   RunOptions run;
                   run.before_allocation = [&] { return ++allocations != k; };
                   came = true;
                   read_tightly(path, engine, target, FileSystem::real(), run);
                   came = allocations >= k;
                 });
}

TEST_CASE("each node body that fails ends a region read with one clear error") {
  fail_each_read(30, "planted",
                 [](std::size_t k, const std::string& path, Engine engine, Target& target, bool& came) {
                   std::atomic<std::size_t> bodies = 0;
                   RunOptions run;
                   run.before_body = [&](const std::string&, std::uint64_t) {
                     if (++bodies == k) throw std::runtime_error("planted");
                   };
                   came = true;
                   read_tightly(path, engine, target, FileSystem::real(), run);
                   came = bodies >= k;
                 });
}

TEST_CASE("a stop at any node body ends a region read as cancelled") {
  for (const Engine engine : engines) {
    const Input input;
    check_next_read(input.path, engine);
    const Leaks leaks;
    bool came = true;
    for (std::size_t k = 1; came; ++k) {
      std::stop_source stop;
      std::atomic<std::size_t> bodies = 0;
      RunOptions run;
      run.stop = stop.get_token();
      run.before_body = [&](const std::string&, std::uint64_t) {
        if (++bodies == k) stop.request_stop();
      };
      Target target;
      const Ending ending = ending_of("region read is stopped", [&] {
        read_tightly(input.path, engine, target, FileSystem::real(), run);
      });
      came = bodies >= k;
      CAPTURE(k);
      CAPTURE(ending.text());
      // A stop at the last body of the last item comes too late.
      if (ending.error)
        check_form(ending, ErrorKind::cancelled);
      else
        CHECK(target.is_right());
      leaks.check_files();
      check_next_read(input.path, engine);
    }
    leaks.check();
  }
}
