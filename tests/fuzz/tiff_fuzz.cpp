// TIFF files of any content: opening, fetching and decoding give pixels or an Error, without a crash, a hang
// or an allocation that the caller's bound does not cover. Seeds: the TIFF files of tests/data.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "framework/error.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "tests/memory_tiff.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::test::Bytes bytes(size);
  if (size > 0) std::memcpy(bytes.data(), data, size);
  weir::test::MemoryFiles files(std::move(bytes));
  for (const unsigned directory : {0u, 2u}) {
    try {
      weir::TiffReadOptions options;
      options.directory = directory;
      options.max_chunk_bytes = 4 << 20;
      const weir::TiffSource source("fuzz.tif", options, files);
      if (source.fetch_bytes() > 64 << 20) continue;  // a caller with a budget would refuse it
      const auto local = source.make_local({});
      const weir::Context context;
      const weir::ChunkGrid& grid = source.grid();
      for (std::uint64_t i = 0; i < std::min<std::uint64_t>(grid.rows.count(), 4); ++i) {
        const weir::ChunkIndex chunk{grid.rows.count() - 1 - i, i % grid.cols.count()};
        try {
          source.decode(chunk, source.fetch(chunk, context), local.get(), context);
        } catch (const weir::Error&) {
        }
      }
    } catch (const weir::Error&) {
    }
  }
  return 0;
}
