#pragma once

// What the failure tests of whole pipelines share: a raster small enough to be written a thousand times, and
// what must be true after every run that fails.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "pipelines/write_geotiff.hpp"
#include "tests/engine_support.hpp"
#include "tests/file_support.hpp"
#include "tests/small_raster.hpp"

namespace weir::test {

/// The budget of a run with nothing to spare: what the refusal of one byte says.
inline std::uint64_t smallest_memory(const std::shared_ptr<const ChunkSource>& source,
                                     WriteGeotiffOptions options, std::optional<CogPacking> cog = {}) {
  options.graph.memory = 1;
  options.spool = "none";
  try {
    if (cog) const CogWrite write(source, "unused.tif", as_cog(options, *cog));
    if (!cog) const GeotiffWrite write(source, "unused.tif", options);
  } catch (const Error& error) {
    const std::string reason = error.reason();
    const std::size_t number = reason.rfind('(');
    REQUIRE(number != std::string::npos);
    return std::strtoull(reason.c_str() + number + 1, nullptr, 10);
  }
  FAIL("a budget of one byte was accepted");
  return 0;
}

/// Writes with the smallest budget that works, as most tests here do: then nearly every lease is waited for.
inline RunReport write_tightly(const std::shared_ptr<const ChunkSource>& source, const std::string& path,
                               WriteGeotiffOptions options, const RunOptions& run = {}) {
  options.graph.memory = smallest_memory(source, options);
  options.spool = "none";  // spool_test.cpp has its failures
  return write_geotiff(source, path, options, run);
}
/// As the way says: a GeoTIFF or a COG.
inline RunReport write_tightly(const std::shared_ptr<const ChunkSource>& source, const std::string& path,
                               const WriteWay& way, FileSystem& files, const RunOptions& run = {}) {
  WriteGeotiffOptions options = way.options(files);
  options.graph.memory = smallest_memory(source, options, way.cog);
  options.spool = "none";
  return write_by(way, source, path, options, run);
}

/// What the file must be, byte for byte, whatever was tried before.
inline const std::string& good_bytes(const WriteWay& of) {
  static std::map<std::pair<CodecId, bool>, std::string> known;
  std::string& bytes = known[{of.codec, of.cog.has_value()}];
  if (bytes.empty()) {
    const Folder folder;
    WriteWay way;
    way.codec = of.codec;
    if (of.cog) way.cog = CogPacking::automatic;
    write_tightly(small_source(), folder / "good.tif", way, FileSystem::real());
    bytes = content(folder / "good.tif");
  }
  return bytes;
}
inline const std::string& good_bytes(CodecId codec = CodecId::deflate) {
  WriteWay way;
  way.codec = codec;
  return good_bytes(way);
}

inline std::size_t threads_alive() {
  const fs::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Compares open files and threads at the end with those at the beginning. Worker threads of oneTBB stay, and
/// come when it sees fit; so the threads may be some more, but not one more per run: use it around many.
class Leaks {
 public:
  void check() const {
    CHECK(open_files() == files_);
    // A thread that was joined can still be listed for a moment.
    const auto limit = threads_ + std::max(std::thread::hardware_concurrency(), 8U);
    for (int tries = 0; threads_alive() > limit && tries < 100; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(threads_alive() <= limit);
  }
  void check_files() const { CHECK(open_files() == files_); }

 private:
  std::size_t files_ = open_files(), threads_ = threads_alive();
};

/// How a run ended.
struct Ending {
  std::optional<Error> error;
  double seconds = 0;
  std::string text() const { return error ? error->what() : "success"; }
};

inline Ending ending_of(const std::string& name, const std::function<void()>& work) {
  const weir::testing::Watchdog watchdog(name);
  const auto started = std::chrono::steady_clock::now();
  Ending ending;
  try {
    work();
  } catch (const Error& error) {
    ending.error = error;
  }
  ending.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return ending;
}

/// One line, of the right kind, at once.
inline void check_form(const Ending& ending, ErrorKind kind) {
  CHECK(ending.seconds < 1);
  if (!ending.error) return;
  const std::string text = ending.error->what();
  CAPTURE(text);
  CHECK(text.find_first_of("\r\n") == std::string::npos);
  CHECK(ending.error->kind() == kind);
  CHECK_FALSE(ending.error->reason().empty());
}

/// The same for a failure inside a graph: it names node, item and cause.
inline void check_placed(const Ending& ending, const std::string& reason) {
  REQUIRE(ending.error);
  const Error& error = *ending.error;
  CAPTURE(std::string(error.what()));
  CHECK_FALSE(error.node().empty());
  CHECK_FALSE(error.item().empty());
  CHECK(std::string(error.what()).starts_with("node " + error.node() + ", " + error.item() + ": cannot "));
  CHECK(weir::testing::contains(error.reason(), reason));
}

inline const std::string old_bytes = "old";
constexpr const char* stale_name = ".out.tif.weir-0123456789abcdef.tmp";

/// A folder with the target of a way, and what may lie beside it: the temporary of a dead writer, and a
/// sidecar of the old file.
struct Scene {
  explicit Scene(const WriteWay& w) : way(w), target(folder / "out.tif") {
    put(folder / stale_name, "half a file");
    if (!way.overwrite) return;
    put(target, old_bytes);
    put(sidecar(), "statistics of the old pixels");
  }
  std::string sidecar() const { return target + ".aux.xml"; }
  bool is_old() const {
    return fs::exists(target) ? way.overwrite && content(target) == old_bytes : !way.overwrite;
  }
  bool is_new() const { return fs::exists(target) && content(target) == good_bytes(way); }
  /// Names beside the target, its sidecar and the planted temporary.
  std::vector<std::string> rests() const {
    std::vector<std::string> names = folder.names();
    std::erase_if(names, [](const std::string& name) {
      return name == "out.tif" || name == "out.tif.aux.xml" || name == stale_name;
    });
    return names;
  }
  /// The next run of this process works, and clears up.
  void check_next_run() const {
    FaultyFileSystem files;
    WriteWay next = way;
    next.set_up(files);
    next.overwrite = true;
    write_tightly(small_source(), target, next, files);
    CHECK(is_new());
    CHECK(folder.names() == std::vector<std::string>{"out.tif"});
  }

  WriteWay way;
  Folder folder;
  std::string target;
};

/// What must be true when a run failed before the file had its name.
inline void check_untouched(const Scene& scene) {
  CHECK(scene.is_old());
  CHECK(fs::exists(scene.sidecar()) == scene.way.overwrite);
  CHECK(scene.rests().empty());
}

}  // namespace weir::test
