#pragma once

// What the tests of whole pipelines share: rasters in memory, sources that watch themselves being read, and a
// writer that is plainly right.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/array_source.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "nodes/tiff/tiff_writer.hpp"
#include "pipelines/read_geotiff.hpp"
#include "pipelines/write_geotiff.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir::pipeline_test {

using test::Bytes;
using test::contains;
using test::file_bytes;
using test::reason_of;
using test::TemporaryFolder;

constexpr std::uint64_t mebibyte = 1 << 20;

/// Whole matrices instead of a choice out of them: tests/run.sh --full.
inline bool wants_everything() {
  const char* full = std::getenv("WEIR_TEST_FULL");
  return full != nullptr && std::string_view(full) == "1";
}

/// Pixel-interleaved, rows without a gap.
struct Raster {
  RasterInfo info;
  Bytes pixels;
};

/// Slopes with some noise: compresses, and no two rows or columns are alike.
inline Raster made_raster(std::uint64_t height, std::uint64_t width, SampleType type = SampleType::uint16,
                          std::uint32_t samples = 1) {
  Raster raster;
  raster.info.height = height;
  raster.info.width = width;
  raster.info.samples = samples;
  raster.info.type = type;
  raster.pixels.resize(height * width * raster.info.pixel_bytes());
  std::byte* at = raster.pixels.data();
  with_sample_type(type, [&](auto zero) {
    using Sample = decltype(zero);
    std::uint64_t noise = 1;
    for (std::uint64_t row = 0; row < height; ++row)
      for (std::uint64_t col = 0; col < width; ++col)
        for (std::uint32_t sample = 0; sample < samples; ++sample, at += sizeof(Sample)) {
          noise = noise * 6364136223846793005u + 1442695040888963407u;
          const std::uint64_t number = row * row / 64 + col * 3 + sample * 1000 + (noise >> 62);
          Sample value{};
          if constexpr (std::is_floating_point_v<Sample>)
            value = static_cast<Sample>(static_cast<double>(number) / 8 - 100);
          else
            value = static_cast<Sample>(number);
          std::memcpy(at, &value, sizeof value);
        }
  });
  return raster;
}

inline Raster slice(const Raster& whole, const Window& window) {
  Raster part;
  part.info = whole.info;
  part.info.height = window.height;
  part.info.width = window.width;
  part.info.georeferencing = shifted(whole.info.georeferencing, window.row, window.col);
  const std::uint64_t pixel = whole.info.pixel_bytes(), row_bytes = window.width * pixel;
  part.pixels.resize(window.height * row_bytes);
  for (std::uint64_t row = 0; row < window.height; ++row)
    std::memcpy(part.pixels.data() + row * row_bytes,
                whole.pixels.data() + ((window.row + row) * whole.info.width + window.col) * pixel,
                row_bytes);
  return part;
}

/// The raster outlives it.
inline std::shared_ptr<const ChunkSource> source_of(const Raster& raster, std::uint64_t chunk_height,
                                                    std::uint64_t chunk_width) {
  return std::make_shared<const ArraySource>(interleaved_view(raster.pixels.data(), raster.info),
                                             chunk_height, chunk_width);
}

/// Pieces of irregular sizes around `mean`.
inline Partition ragged_pieces(std::uint64_t extent, std::uint64_t mean) {
  std::vector<std::uint64_t> ends;
  for (std::uint64_t end = 0, i = 1; end < extent; ++i) {
    end = std::min(extent, end + mean / 2 + i * 7919 % mean + 1);
    ends.push_back(end);
  }
  return Partition(std::move(ends));
}

/// Holds threads back until so many different ones have come, so that a test that asks for eight threads has
/// eight at work, whatever the machine. Gives up after five seconds, and the test then says how many came.
class Meeting {
 public:
  explicit Meeting(unsigned threads) : threads_(threads) {}
  void attend() {
    std::unique_lock lock(mutex_);
    here_.insert(std::this_thread::get_id());
    if (here_.size() >= threads_) complete_.notify_all();
    complete_.wait_for(lock, std::chrono::seconds(5), [this] { return here_.size() >= threads_; });
  }

 private:
  const unsigned threads_;
  std::mutex mutex_;
  std::condition_variable complete_;
  std::set<std::thread::id> here_;
};

/// Another source, watched: how often each chunk was decoded.
class WatchedSource : public ChunkSource {
 public:
  explicit WatchedSource(std::shared_ptr<const ChunkSource> inner, std::function<void()> at_decode = {})
      : inner_(std::move(inner)), at_decode_(std::move(at_decode)), counts_(inner_->grid().count()) {}

  const RasterInfo& info() const override { return inner_->info(); }
  const ChunkGrid& grid() const override { return inner_->grid(); }
  std::uint64_t fetch_bytes() const override { return inner_->fetch_bytes(); }
  std::uint64_t block_bytes() const override { return inner_->block_bytes(); }
  std::uint64_t excess_bytes() const override { return inner_->excess_bytes(); }
  std::uint64_t local_bytes() const override { return inner_->local_bytes(); }
  std::uint64_t standing_bytes() const override { return inner_->standing_bytes(); }
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override {
    return inner_->make_local(scratch);
  }
  Buffer fetch(ChunkIndex chunk, const Context& context) const override {
    ++fetches_;
    return inner_->fetch(chunk, context);
  }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override {
    ++counts_[chunk.row * grid().cols.count() + chunk.col];
    if (at_decode_) at_decode_();
    return inner_->decode(chunk, std::move(stored), local, context);
  }

  /// Row-major.
  std::vector<unsigned> counts() const { return {counts_.begin(), counts_.end()}; }
  std::uint64_t fetches() const { return fetches_; }
  std::uint64_t total() const {
    std::uint64_t total = 0;
    for (const auto& count : counts_) total += count;
    return total;
  }

 private:
  std::shared_ptr<const ChunkSource> inner_;
  std::function<void()> at_decode_;
  mutable std::vector<std::atomic<unsigned>> counts_;
  mutable std::atomic<std::uint64_t> fetches_{0};
};

/// The sample that stands for "nothing": the nodata value, else 0.
template <class Sample>
Sample fill_sample(const RasterInfo& info) {
  return info.nodata ? static_cast<Sample>(std::strtod(info.nodata->c_str(), nullptr)) : Sample{};
}

/// One tile (or strip) of a raster in memory, sample by sample.
inline Bytes plain_tile(const RasterInfo& info, const Bytes& pixels, const Window& tile,
                        std::uint32_t first_sample, std::uint32_t samples) {
  Bytes out(tile.height * tile.width * samples * bytes_of(info.type));
  std::byte* to = out.data();
  with_sample_type(info.type, [&](auto zero) {
    using Sample = decltype(zero);
    const auto fill = fill_sample<Sample>(info);
    for (std::uint64_t row = tile.row; row < tile.row_end(); ++row)
      for (std::uint64_t col = tile.col; col < tile.col_end(); ++col)
        for (std::uint32_t sample = first_sample; sample < first_sample + samples;
             ++sample, to += sizeof(Sample)) {
          Sample value = fill;
          if (row < info.height && col < info.width)
            std::memcpy(&value,
                        pixels.data() + ((row * info.width + col) * info.samples + sample) * sizeof(Sample),
                        sizeof value);
          if (value != value && info.nodata) value = fill;
          std::memcpy(to, &value, sizeof value);
        }
  });
  return out;
}

/// The file that write_geotiff must make, written in one piece: the whole array, tile after tile, with one
/// encoder per tile, and nothing of bands, graphs or runs. options.predictor is given.
inline Bytes one_piece_file(const Raster& raster, const WriteGeotiffOptions& options) {
  TiffOutputLayout layout;
  layout.info = raster.info;
  if (options.nodata) layout.info.nodata = options.nodata;
  const RasterInfo& info = layout.info;
  layout.tiled = !options.strip_rows;
  layout.tile_height = options.strip_rows ? std::min(*options.strip_rows, info.height) : options.tile_height;
  layout.tile_width = options.strip_rows ? info.width : options.tile_width;
  layout.planar_separate = options.planar_separate && info.samples > 1;
  layout.codec = options.codec.id;
  layout.predictor = options.predictor.value();
  layout.big = options.big;

  const std::uint32_t samples = layout.planar_separate ? 1 : info.samples;
  const RowLayout row{layout.tile_width, samples, static_cast<std::uint32_t>(bytes_of(info.type))};
  CodecSpec codec = resolved(options.codec, layout.predictor);
  codec.format = {layout.tile_width, samples, info.type};
  const std::uint64_t raw_bytes = layout.tile_height * row.row_bytes();
  layout.max_tile_bytes = max_encoded_bytes(codec, raw_bytes);

  const TemporaryFolder folder;
  TiffWriter writer(layout, folder / "one_piece.tif", false);
  const TileLayout grid = layout.tiles();
  std::uint64_t index = 0;
  for (std::uint64_t tile_row = 0; tile_row < grid.tile_rows(); ++tile_row)
    for (std::uint32_t plane = 0; plane < grid.planes; ++plane)
      for (std::uint64_t tile_col = 0; tile_col < grid.tile_cols(); ++tile_col, ++index) {
        Window window{tile_row * grid.tile_height, tile_col * grid.tile_width, grid.tile_height,
                      grid.tile_width};
        if (!layout.tiled) window.height = std::min(window.height, info.height - window.row);
        Bytes tile = plain_tile(info, raster.pixels, window, layout.planar_separate ? plane : 0, samples);
        Bytes row_scratch(row.row_bytes());
        apply_predictor(layout.predictor, row, tile, row_scratch);
        Bytes encoded(layout.max_tile_bytes);
        encoded.resize(make_encoder(codec, raw_bytes, Scratch())->encode(tile, encoded));
        writer.write(test::tile_run(index, {encoded}));
      }
  writer.close();
  return file_bytes(folder / "one_piece.tif");
}

/// All pixels of a file, through TiffSource and read_region.
inline Bytes pixels_read_back(const std::string& path) {
  const auto source = std::make_shared<const TiffSource>(path);
  const RasterInfo& info = source->info();
  Bytes pixels(info.height * info.width * info.pixel_bytes());
  read_region(source, {0, 0, info.height, info.width},
              {pixels.data(), interleaved_strides(info.width, info.samples, bytes_of(info.type))});
  return pixels;
}

/// The same through libtiff alone.
inline Bytes pixels_by_libtiff(const std::string& path, const RasterInfo& info) {
  const test::LibTiff tiff(path);
  return tiff.pixels(info);
}

/// What a refusal names as the smallest budget that works: the number in front of its last "bytes".
inline std::uint64_t smallest_named(const std::string& refusal) {
  REQUIRE_MESSAGE(contains(refusal, "is too small; the smallest that works is "), refusal);
  const std::size_t end = refusal.rfind(" bytes");
  REQUIRE(end != std::string::npos);
  const std::size_t begin = refusal.find_last_not_of("0123456789", end - 1) + 1;
  REQUIRE(begin < end);
  return std::strtoull(refusal.c_str() + begin, nullptr, 10);
}

/// The smallest budget that works, as the refusal of a smaller one says.
inline std::uint64_t smallest_budget(const std::shared_ptr<const ChunkSource>& source,
                                     WriteGeotiffOptions options) {
  options.graph.memory = 1;
  return smallest_named(
      reason_of([&] { const GeotiffWrite write(source, "never.tif", options); }, ErrorKind::usage));
}

/// The number that follows a word at the beginning of a line of a plan: "bands       3, of 2 tile rows".
inline std::uint64_t said_number(const std::string& plan, const std::string& word) {
  const std::size_t at = plan.find("\n" + word + " ");
  REQUIRE_MESSAGE(at != std::string::npos, "the plan says nothing of " << word << ":\n" << plan);
  return std::strtoull(plan.c_str() + at + word.size() + 1, nullptr, 10);
}

}  // namespace weir::pipeline_test
