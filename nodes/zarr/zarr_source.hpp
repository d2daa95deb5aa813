#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nodes/raster/chunk_source.hpp"
#include "nodes/zarr/raster_axes.hpp"
#include "nodes/zarr/stored_chunks.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

struct ZarrNode;

struct ZarrRasterOptions {
  std::string axes = "auto";  ///< see raster_axes
  /// Size of a chunk in pixels, rounded up to whole chunks of the array, and no more than a shard. An axis that is left open grows until a
  /// chunk has 256 KiB of pixels (of a remote shard: 4 MiB), columns first.
  std::optional<std::uint64_t> chunk_height = std::nullopt, chunk_width = std::nullopt;
  /// The most bytes that the pixels of a chunk may take: groups are made smaller to keep it; an array whose own chunks are larger is refused.
  std::uint64_t max_chunk_bytes = std::uint64_t{2} << 30;
  /// The part that will be read, of this raster; nothing: all of it. Chunks are not grown beyond what it touches.
  std::function<std::optional<Window>(const RasterInfo& whole)> part = {};
  /// A group above the array, where it was read: its consolidated metadata saves requests (read_place_beside).
  std::shared_ptr<const ZarrNode> group = {};
};

/// An array of two axes, or of three with the samples of a pixel as one of them, as a source of chunks. Blocks have one plane per sample
/// where the bands' axis comes before the rows', else they are interleaved. Values are as they are stored; fill where a chunk is
/// missing. Names, places and scales come from the attributes (raster_attributes.hpp), a place that these do not say from coordinates and
/// the grid mapping beside the array (raster_coordinates.hpp), nodata from the attributes or, in v2 as GDAL and xarray do, from the
/// array's fill value.
///
/// A chunk is a chunk of the array (an inner chunk of a shard), or a group of them inside a shard that is fetched as one: its
/// ranges by the shard's index, which the array keeps; a whole shard at once. Thread-safe.
class ZarrSource : public ChunkSource {
 public:
  /// Waits for the store where it asks for what lies beside. Throws Error: other axes, no pixels, a type that no raster has, broken
  /// attributes.
  explicit ZarrSource(std::shared_ptr<const ZarrArray> array, const ZarrRasterOptions& options = {});

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return grid_; }
  const ZarrArray& array() const { return *array_; }
  const RasterAxes& axes() const { return axes_; }
  bool has_all_bands() const;  ///< of the array, in their order
  /// What the attributes say and a raster here cannot, a line each.
  const std::vector<std::string>& notes() const { return notes_; }

  std::uint64_t fetch_bytes() const override;
  std::uint64_t local_bytes() const override;
  std::uint64_t standing_bytes() const override;
  StoredPlace place() const override { return {&array_->store(), array_->path()}; }
  std::optional<RemoteReading> remote() const override;
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override;

  /// A table of where each chunk of the array is, and their stored bytes.
  Buffer fetch(ChunkIndex chunk, const Context& context) const override;
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;
  /// Chunks that have none of these samples are not fetched.
  std::shared_ptr<const ChunkSource> with_samples(std::span<const std::uint32_t> samples) const override;

 private:
  class ThreadLocal;
  /// Samples that lie side by side in a chunk of the array and in a block.
  struct BandRun {
    std::uint32_t sample = 0, band_in_chunk = 0, count = 0;
  };
  /// The chunks with this number on the bands' axis, which hold some of the samples.
  struct BandChunk {
    std::uint64_t number = 0;
    std::vector<BandRun> runs;
  };

  ZarrSource(const ZarrSource& whole, std::span<const std::uint32_t> samples);
  std::uint64_t extent(std::size_t axis) const { return array_->layout()->shape()[axis]; }
  std::uint64_t chunk_extent(std::size_t axis) const { return array_->layout()->chunk_shape()[axis]; }
  void choose_grid(const ZarrRasterOptions& options);
  void choose_bands(std::span<const std::uint32_t> bands);
  std::vector<ZarrIndex> chunks_of(const Window& window) const;
  std::uint64_t chunk_count(const Window& window) const;
  std::uint64_t data_bytes(std::uint64_t chunks_per_plane) const;
  std::uint64_t gap_room() const;
  bool is_in_place(const Window& window, const BandChunk& bands, std::uint64_t rows,
                   std::uint64_t cols) const;
  void place(const ZarrIndex& chunk, const BandChunk& bands, std::span<const std::byte> stored, bool is_there,
             Block& block, ThreadLocal& local) const;

  std::shared_ptr<const ZarrArray> array_;
  RasterAxes axes_;
  RasterInfo info_;
  std::vector<std::uint32_t> bands_;  // of each sample, in the array
  std::vector<BandChunk> band_chunks_;
  std::uint64_t most_in_object_ = 1;               // of them, in one shard
  std::uint64_t group_rows_ = 1, group_cols_ = 1;  // chunks of the array
  bool is_whole_object_ = false;                   // a group is all of its shard
  std::uint64_t gap_bytes_ = 0;                    // of the store, when it was planned
  ChunkGrid grid_;
  std::vector<std::string> notes_;
};

}  // namespace weir
