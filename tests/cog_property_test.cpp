// COGs of random rasters, masked or not: every level is its kernel's, and the file's bytes depend on pixels and storage options alone.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "tests/cog_support.hpp"
#include "tests/faulty_file_system.hpp"

using namespace weir;
using namespace weir::pipeline_test;

namespace {

struct Masked {
  Raster raster;
  Bytes mask;  ///< a byte per pixel, 255 or 0; empty: there is none
};

/// The next level, made in one piece.
Masked reduced(Masked& finer, Resampling resampling, std::uint32_t factor) {
  const RasterInfo& info = finer.raster.info;
  const ReducePixels reduce(resampling, info, factor);
  Masked coarser;
  coarser.raster.info = info;
  coarser.raster.info.height = reduce.coarse_height();
  coarser.raster.info.width = reduce.coarse_width();
  coarser.raster.pixels.resize(reduce.coarse_height() * reduce.coarse_width() * info.pixel_bytes());
  if (!finer.mask.empty()) coarser.mask.resize(reduce.coarse_height() * reduce.coarse_width());
  const auto target = [](Masked& level) {
    const RasterInfo& of = level.raster.info;
    const PixelStrides strides = interleaved_strides(of.width, of.samples, bytes_of(of.type));
    return PixelTarget{level.raster.pixels.data(),
                       {0, 0, of.height, of.width},
                       of.type,
                       of.samples,
                       strides.row,
                       strides.pixel,
                       strides.sample};
  };
  const PixelTarget from = target(finer);
  reduce({{from.data, from.window, from.type, from.samples, from.row_stride, from.pixel_stride,
           from.sample_stride},
          finer.mask.empty() ? nullptr : finer.mask.data(),
          info.width},
         {target(coarser), coarser.mask.empty() ? nullptr : coarser.mask.data(), coarser.raster.info.width});
  return coarser;
}

/// A file on a file system in memory, which takes no blocks out of files.
class MemoryFile {
 public:
  MemoryFile() : path_("/dev/shm/weir_cog_property_" + std::to_string(::getpid()) + ".tif") {}
  ~MemoryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  static bool can_be() { return ::access("/dev/shm", W_OK | X_OK) == 0; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE(
    "COGs of random rasters have their kernels' levels and masks, and the same bytes however they were "
    "made") {
  std::mt19937 random(11);
  const auto pick = [&](const auto& list) { return list[random() % std::size(list)]; };
  const CodecId codecs[] = {CodecId::none, CodecId::deflate, CodecId::zstd, CodecId::lzw};
  const std::uint64_t tiles[] = {16, 32, 48, 96};
  const std::vector<std::uint32_t> given[] = {{2, 6}, {3, 6, 12}, {4}, {2, 4}};
  for (int round = 0; round < (wants_everything() ? 400 : 60); ++round) {
    Masked full;
    full.raster = made_raster(1 + random() % 300, 1 + random() % 400, pick(arithmetic_sample_types),
                              1 + static_cast<std::uint32_t>(random() % 3));
    RasterInfo& info = full.raster.info;
    if (random() % 2 == 0) info.nodata = "5";
    ArrayView view = interleaved_view(full.raster.pixels.data(), info);
    if (random() % 2 == 0) {
      info.has_mask = true;
      full.mask.resize(info.height * info.width);
      for (std::uint64_t row = 0, i = 0; row < info.height; ++row)
        for (std::uint64_t col = 0; col < info.width; ++col, ++i)
          full.mask[i] = random() % 8 == 0 || (row / 40 + col / 56) % 3 == 0 ? std::byte{0} : std::byte{255};
      view.info = info;
      view.mask = full.mask.data();
      view.mask_row_stride = info.width;
    }
    WriteCogOptions options;
    options.codec.id = pick(codecs);
    options.tile_height = pick(tiles);
    options.tile_width = pick(tiles);
    options.resampling = pick(all_resamplings);
    options.resampling_is_given = true;
    options.overwrite = true;
    options.sparse = random() % 4 == 0;
    test::FaultyFileSystem files;
    files.skip_sync = true;  // hundreds of files
    options.files = &files;
    std::vector<std::uint32_t> factors = halvings(info.height, info.width, options);
    if (random() % 4 == 0) {
      options.overviews = pick(given);
      factors = relative_factors(*options.overviews);
    }
    CAPTURE(round);
    CAPTURE(name_of(info.type));
    CAPTURE(name_of(options.resampling));
    CAPTURE(info.height);
    CAPTURE(info.width);
    CAPTURE(info.has_mask);
    CAPTURE(options.tile_height);
    CAPTURE(options.tile_width);
    const auto source = [&] {
      return std::make_shared<const ArraySource>(view, 1 + random() % 200, 1 + random() % 200);
    };
    const TemporaryFolder folder;
    const std::string first_path = folder / "first.tif";
    write_cog(source(), first_path, options);
    const Bytes first = file_bytes(first_path);

    const unsigned images = info.has_mask ? 2 : 1;
    Masked level = full;
    for (unsigned i = 0; i <= factors.size(); ++i) {
      CAPTURE(i);
      if (i > 0) level = reduced(level, options.resampling, factors[i - 1]);
      REQUIRE(pixels_of(first_path, images * i) == level.raster.pixels);
      if (!info.has_mask) continue;
      Bytes bits = pixels_of(first_path, images * i + 1);
      for (std::byte& bit : bits) bit = bit == std::byte{0} ? std::byte{0} : std::byte{255};
      REQUIRE(bits == level.mask);
    }

    for (int other = 0; other < 4; ++other) {
      WriteCogOptions as = options;
      as.graph.threads = pick(std::vector<unsigned>{1, 2, 8});
      as.graph.engine = random() % 3 == 0 ? Engine::serial : Engine::onetbb;
      as.graph.tokens = random() % 3 == 0 ? 1 : 0;
      as.packing = random() % 2 == 0 ? CogPacking::copy : CogPacking::automatic;
      const auto chunks = source();
      if (other % 2 == 0) as.graph.memory = smallest_budget(chunks, as);
      CAPTURE(as.graph.threads);
      CAPTURE(as.graph.tokens);
      CAPTURE(as.graph.memory);
      CAPTURE(name_of(as.packing));
      const MemoryFile in_memory;
      const std::string path =
          other % 2 == 1 && MemoryFile::can_be() ? in_memory.path() : folder / "other.tif";
      const RunReport report = write_cog(chunks, path, as);
      CHECK(file_bytes(path) == first);
      CHECK(report.peak_payload <= report.memory_limit);
    }
  }
}
