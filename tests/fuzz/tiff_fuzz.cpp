// TIFF files of any content: looking around, opening, fetching and decoding give pixels or an Error, without a crash, a
// hang or an allocation that the caller's bound does not cover. Images with their masks, overviews, pages by number. And
// validating them throws nothing.
// Seeds: the TIFF files of tests/data, and seeds/tiff_fuzz: files of several directories, made for this.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <tuple>

#include "framework/error.hpp"
#include "nodes/tiff/cog_check.hpp"
#include "nodes/tiff/open_tiff.hpp"
#include "tests/memory_tiff.hpp"

namespace {

using namespace weir;

void read_some(const ChunkSource& source) {
  if (source.fetch_bytes() > 64 << 20 || source.excess_bytes() > 64 << 20)
    return;  // a budget would refuse it
  const auto local = source.make_local({});
  const ChunkGrid& grid = source.grid();
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(grid.rows.count(), 4); ++i) {
    const ChunkIndex chunk{grid.rows.count() - 1 - i, i % grid.cols.count()};
    // What is drawn is what was declared.
    const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
    const auto budget = std::make_shared<Budget>(std::uint64_t{1} << 40);
    SharedLease lease(*budget->try_take(source.fetch_bytes() + source.excess_bytes() +
                                        BufferPool::charge(source.block_bytes())));
    const Context context(pool, &lease, 0, 0, {});
    try {
      const Block block = source.decode(chunk, source.fetch(chunk, context), local.get(), context);
      if (!(block.window == grid.window(chunk)) || block.has_mask() != source.info().has_mask) std::abort();
    } catch (const Error& error) {
      if (std::strstr(error.what(), "more than it declared") != nullptr) std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::Bytes bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  test::MemoryFiles files(std::move(bytes));
  TiffOpenOptions options;
  options.max_chunk_bytes = 4 << 20;
  // (directory, overview): the image, its first overview, another page, all with masks; the image alone.
  for (const auto& [directory, overview, with_mask] : {std::tuple(0u, 0u, true), std::tuple(0u, 1u, true),
                                                       std::tuple(2u, 0u, true), std::tuple(0u, 0u, false)}) {
    options.directory = directory;
    options.overview = overview;
    options.with_mask = with_mask;
    try {
      read_some(*open_tiff("fuzz.tif", options, files));
    } catch (const Error&) {
    }
  }
  check_cog(std::make_shared<const InputFile>("fuzz.tif", files), {}, files);
  return 0;
}
