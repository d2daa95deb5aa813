#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/raster/cast_rows.hpp"
#include "nodes/raster/chunk_source.hpp"

namespace weir {

/// What becomes of values on their way. The arithmetic, and what happens to nodata and NaN: CastRows.
struct ConvertOptions {
  /// Default: the source's; where `unscale` finds something to do, float32 for samples of up to 16 bits and float32, and
  /// float64 for larger ones.
  std::optional<SampleType> type;
  double scale = 1, offset = 0;  ///< value * scale + offset; finite, real samples only
  /// Each sample with the scale and offset of its own that the metadata has (GDAL's roles "scale" and "offset"), which are
  /// dropped then. Not together with scale and offset.
  bool unscale = false;
  /// Of the result. Default: the source's where the type can hold it, else NaN in floating types.
  std::optional<std::string> nodata;

  bool is_nothing() const { return !type && scale == 1 && offset == 0 && !unscale && !nodata; }
};

/// Another raster with its values cast, scaled and offset; done where a chunk is decoded, on every core, while the block
/// is in the cache. Types of one size are cast in place, others into a block of their own. NaN that an integer type has no
/// nodata value for is an Error of its chunk.
///
/// Metadata: statistics are dropped; scale, offset and unit too where the values are scaled with numbers of the caller's. A
/// colour table stays where the values do. Tags about the range of values are dropped, and attributes about values where these do not
/// stay.
class ConvertSource : public ChunkSource {
 public:
  /// Throws a usage Error for complex to real, for scaling of complex numbers, for numbers that are not finite, and where
  /// neither the source's nodata value nor the given one is one of the type.
  ConvertSource(std::shared_ptr<const ChunkSource> whole, const ConvertOptions& options);

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return whole_->grid(); }
  std::uint64_t fetch_bytes() const override { return whole_->fetch_bytes(); }
  std::uint64_t block_bytes() const override;
  std::uint64_t excess_bytes() const override;
  std::uint64_t local_bytes() const override { return whole_->local_bytes(); }
  std::uint64_t standing_bytes() const override { return whole_->standing_bytes(); }
  StoredPlace place() const override { return whole_->place(); }
  std::optional<RemoteReading> remote() const override { return whole_->remote(); }
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override {
    return whole_->make_local(scratch);
  }
  Buffer fetch(ChunkIndex chunk, const Context& context) const override {
    return whole_->fetch(chunk, context);
  }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;
  /// Only where the conversion is the same for every sample.
  std::shared_ptr<const ChunkSource> with_samples(std::span<const std::uint32_t> samples) const override;

 private:
  bool is_in_place() const { return bytes_of(whole_->info().type) == bytes_of(info_.type); }

  std::shared_ptr<const ChunkSource> whole_;
  ConvertOptions options_;
  std::vector<Scaling> scalings_;  // one, or one per sample
  RasterInfo info_;
  std::optional<CastRows> cast_;  // none: nothing changes
};

}  // namespace weir
