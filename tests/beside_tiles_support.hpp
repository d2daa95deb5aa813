#pragma once

// What the tests of masks, sparse tiles and statistics share.

#include "tests/pipeline_support.hpp"

namespace weir::pipeline_test {

/// A raster in memory with a mask plane behind the pixels of each block.
class MaskedSource : public ChunkSource {
 public:
  /// `mask`: a byte per pixel, 255 valid and 0 masked. Both outlive it.
  MaskedSource(const Raster& raster, const Bytes& mask, ChunkGrid grid)
      : raster_(raster), mask_(mask), info_(raster.info), grid_(std::move(grid)) {
    info_.has_mask = true;
  }
  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return grid_; }
  Block decode(ChunkIndex chunk, Buffer, Local*, const Context& context) const override {
    const Window window = grid_.window(chunk);
    const std::uint64_t pixel = info_.pixel_bytes(), pixels = window.height * window.width;
    Block block = interleaved_block(window, info_.type, info_.samples,
                                    context.buffer(pixels * info_.block_pixel_bytes()));
    block.mask_offset = pixels * pixel;
    block.mask_row_stride = window.width;
    for (std::uint64_t row = 0; row < window.height; ++row) {
      const std::uint64_t at = (window.row + row) * info_.width + window.col;
      std::memcpy(block.at(row, 0), raster_.pixels.data() + at * pixel, window.width * pixel);
      std::memcpy(block.mask_at(row, 0), mask_.data() + at, window.width);
    }
    return block;
  }

 private:
  const Raster& raster_;
  const Bytes& mask_;
  RasterInfo info_;
  ChunkGrid grid_;
};

/// Slanted stripes and a corner without a valid pixel.
inline Bytes made_mask(const RasterInfo& info) {
  Bytes mask(info.height * info.width);
  for (std::uint64_t row = 0; row < info.height; ++row)
    for (std::uint64_t col = 0; col < info.width; ++col)
      mask[row * info.width + col] =
          (row * 3 + col * 5) % 17 < 6 || row + col < 200 ? std::byte{0} : std::byte{255};
  return mask;
}

/// The file that this makes with few and many threads and the smallest, tight and ample budgets; checks that the bytes are
/// the same and that no run holds more than it may.
inline Bytes written_in_all_ways(const std::shared_ptr<const ChunkSource>& source,
                                 WriteGeotiffOptions options, const std::string& path) {
  options.overwrite = true;
  Bytes first;
  for (const Engine engine : {Engine::serial, Engine::onetbb})
    for (const unsigned threads : {1U, 8U})
      for (const unsigned percent : {100U, 130U, 1000U}) {
        if (engine == Engine::serial && threads > 1) continue;
        options.graph = {.threads = threads, .engine = engine};
        const std::uint64_t smallest = smallest_budget(source, options);
        CAPTURE(threads);
        CAPTURE(percent);
        options.graph.memory = smallest * percent / 100;
        const RunReport report = write_geotiff(source, path, options);
        CHECK(report.peak_payload <= options.graph.memory);
        CHECK(report.peak_leased <= report.peak_planned);
        const Bytes bytes = file_bytes(path);
        if (first.empty()) first = bytes;
        CHECK(bytes == first);
        options.graph.memory = smallest - 1;
        CHECK(smallest_named(reason_of([&] { write_geotiff(source, path, options); }, ErrorKind::usage)) ==
              smallest);
      }
  return first;
}

}  // namespace weir::pipeline_test
