#include <fmt/format.h>

#include <map>

#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// --memory is kept: by what the run counts, and by the process as the system sees it.

namespace weir::command_test {
namespace {

constexpr double mebibyte = 1 << 20;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sees_resident = false;  // shadow memory and quarantine are resident, too
#else
constexpr bool sees_resident = true;
#endif

/// The checksums of all bands, as GDAL computes them from the pixels.
std::string checksums(const std::string& path) {
  const auto info = tool("gdalinfo", {"-checksum", path});
  if (!info) return "";
  REQUIRE_MESSAGE(info->code == 0, info->err);
  std::string sums;
  for (const std::string& line : lines_of(info->out))
    if (contains(line, "Checksum=")) sums += line;
  CHECK(!sums.empty());
  return sums;
}

/// Streams a terrain with a budget that is a small part of it; returns the checksums.
std::string check_streaming(const std::string& input, double raw_bytes, const std::string& codec,
                            const std::string& tile, double budget,
                            const std::vector<std::string>& more = {}) {
  const TemporaryFolder folder;
  CAPTURE(codec);
  CAPTURE(tile);
  std::vector<std::string> words{"convert",
                                 input,
                                 folder / "out.tif",
                                 "--compress",
                                 codec,
                                 "--tile",
                                 tile,
                                 "--memory",
                                 std::to_string(static_cast<std::uint64_t>(budget)),
                                 "--report",
                                 folder / "run.json",
                                 "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  const Ended ended = weir(words);
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
  const std::string json = text_of(folder / "run.json");
  CHECK(json_number(json, "raw_bytes") == raw_bytes);
  CHECK(json_number(json, "peak_payload") <= budget);
  CHECK(json_number(json, "peak_leased") <= budget);
  CHECK(json_number(json, "peak_planned") <= budget);
  if (sees_resident) CHECK(json_number(json, "peak_resident") <= budget + 48 * mebibyte);
  CHECK(json_number(json, "source_reads") == json_number(json, "source_chunks"));
  return checksums(folder / "out.tif");
}

TEST_CASE("64 MiB of pixels stream through 16 MiB, and are equal whatever the codec") {
  std::string first;
  for (const char* codec : {"none", "deflate", "zstd", "lzw"}) {
    const std::string sums = check_streaming("terrain:4096x4096", 64 * mebibyte, codec, "256", 16 * mebibyte);
    if (first.empty()) first = sums;
    CHECK(sums == first);
  }
}

TEST_CASE("many threads share one budget") {
  check_streaming("terrain:4096x2048", 32 * mebibyte, "zstd", "256", 24 * mebibyte,
                  {"--threads", "8", "--tokens", "100"});
}

TEST_CASE("a file streams through a budget that is a fraction of it") {
  const TemporaryFolder folder;
  make_terrain(folder / "in.tif", "4096x4096");
  check_streaming(folder / "in.tif", 64 * mebibyte, "deflate", "512", 12 * mebibyte);
}

TEST_CASE("1 GiB of pixels streams through 64 MiB, and is equal whatever the codec and the tiles") {
  if (!pipeline_test::wants_everything()) return;
  std::string first;
  for (const char* tile : {"256", "512"})
    for (const char* codec : {"none", "deflate", "zstd", "lzw"}) {
      const std::string sums =
          check_streaming("terrain:16384x16384", 1024 * mebibyte, codec, tile, 64 * mebibyte);
      if (first.empty()) first = sums;
      CHECK(sums == first);
    }
}

TEST_CASE("a COG is made in a budget of two tile rows of each level, and the process takes no more") {
  const std::string sums = check_streaming("terrain:4096x4096:uint16", 32 * mebibyte, "zstd", "256",
                                           10 * mebibyte, {"--to", "cog"});
  CHECK(sums == check_streaming("terrain:4096x4096:uint16", 32 * mebibyte, "none", "256", 24 * mebibyte,
                                {"--to", "cog", "--threads", "8", "--pack", "copy"}));
}

TEST_CASE("2 GiB of pixels become a COG in 96 MiB") {
  if (!pipeline_test::wants_everything()) return;
  check_streaming("terrain:32768x32768:uint16", 2048 * mebibyte, "zstd", "512", 96 * mebibyte,
                  {"--to", "cog"});
}

}  // namespace
}  // namespace weir::command_test
