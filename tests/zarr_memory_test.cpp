// Shards larger than the budget: what runs plan, what they are seen to take, what the process takes.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "framework/child.hpp"
#include "tests/file_support.hpp"

using namespace weir;
using namespace weir::test;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sees_growth = false;  // shadow memory and quarantine are resident, too
#else
constexpr bool sees_growth = true;
#endif

TEST_CASE(
    "shards larger than the budget are written, updated, compacted, passed on and read inside it, as "
    "planned") {
  struct Size {
    std::string codec;
    std::uint64_t chunk, side, shard_depth, depth, memory;
  };
  const bool is_full = std::getenv("WEIR_TEST_FULL") != nullptr;
  // 24 MiB shards of chunks of 512 KiB; shards of 32,768 chunks of 128 bytes, whose indexes are what takes the memory.
  std::vector<Size> sizes{{"raw", 64, 256, 192, 256, 12 << 20},
                          {"zstd", 64, 256, 192, 256, 12 << 20},
                          {"raw", 4, 128, 128, 192, 16 << 20}};
  if (is_full) {  // an array of 4 GiB in shards of 1 GiB; indexes of 4 MiB
    sizes.push_back({"raw", 64, 512, 2048, 8192, 96 << 20});
    sizes.push_back({"zstd", 64, 512, 2048, 8192, 96 << 20});
    sizes.push_back({"raw", 4, 256, 256, 320, 128 << 20});
  }
  for (const Size& size : sizes) {
    CAPTURE(size.codec);
    CAPTURE(size.chunk);
    const Folder folder;
    std::vector<std::string> words{std::string(WEIR_TEST_CHILDREN) + "/zarr_memory_child", folder.path,
                                   size.codec};
    for (const std::uint64_t number : {size.chunk, size.side, size.shard_depth, size.depth, size.memory})
      words.push_back(std::to_string(number));
    const ChildEnd end = run_child(words, std::chrono::minutes(is_full ? 30 : 2));
    REQUIRE_MESSAGE(end.is_success(), end.how());
    std::istringstream lines(end.said);
    std::string name;
    std::uint64_t planned = 0, seen = 0, grown = 0;
    std::size_t runs = 0;
    std::map<std::string, std::uint64_t> most;
    while (lines >> name >> planned >> seen >> grown) {
      CAPTURE(name);
      ++runs;
      CHECK(planned <= size.memory);
      CHECK(seen <= planned);
      // 3 MiB: stacks of threads, what oneTBB and malloc keep.
      if (sees_growth) CHECK(grown <= planned + (3u << 20));
      most[name] = std::max(most[name], grown);
    }
    CHECK(runs >= 5 + size.depth / 64 + 10);
    for (const auto& [run, bytes] : most)
      MESSAGE(size.codec << ", chunks of " << size.chunk << ", " << run << ": " << bytes / 1024
                         << " KiB grown, " << size.memory / 1024 << " allowed");
  }
}
