#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "nodes/raster/chunk_source.hpp"

namespace weir {

/// "3,1,2": samples as people count them, from 1, in any order and as often as wanted. Returned from 0. Throws a usage
/// Error.
std::vector<std::uint32_t> parse_samples(std::string_view text);

/// What a raster of the samples [samples[0], samples[1], ...] of another is. Its photometric interpretation is RGB where it
/// begins with red, green and blue; else it stays where its colour samples are those of the whole in their order (for
/// grey and palettes: where the first is), or it is MinIsBlack. Colours and alpha in another order are said in metadata
/// items: color_meanings.hpp. ExtraSamples, metadata and the tags that have a value for each sample follow the samples,
/// and a colour table goes with the sample that it is for.
RasterInfo info_of_samples(const RasterInfo& whole, std::span<const std::uint32_t> samples);

/// The raster with these samples alone; see SelectSource. Planes of a file that stores them apart, and that are not asked
/// for, are neither fetched nor decoded.
std::shared_ptr<const ChunkSource> select_samples(std::shared_ptr<const ChunkSource> whole,
                                                  std::vector<std::uint32_t> samples);

/// Some samples of another raster as a raster of its own. Samples at even steps upwards (0, 2, 4) are a view of the
/// whole's block, and keep it in memory; others are copied out of it. Masks come along.
class SelectSource : public ChunkSource {
 public:
  /// From 0, in the order wanted, repeats allowed. Throws a usage Error where there are none, too many for a raster, or
  /// not so many in the whole.
  SelectSource(std::shared_ptr<const ChunkSource> whole, std::vector<std::uint32_t> samples);

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return whole_->grid(); }
  std::uint64_t fetch_bytes() const override { return whole_->fetch_bytes(); }
  std::uint64_t block_bytes() const override;
  std::uint64_t excess_bytes() const override { return excess_bytes_; }
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

 private:
  std::shared_ptr<const ChunkSource> whole_;
  std::vector<std::uint32_t> samples_;
  std::uint32_t step_ = 0;  // from one sample to the next; 0: they are copied
  RasterInfo info_;
  std::uint64_t excess_bytes_ = 0;
};

}  // namespace weir
