#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "nodes/raster/chunk_source.hpp"

namespace weir {

/// "x,y,width,height" in pixels, as people write windows; throws a usage Error.
Window parse_window(std::string_view text);

/// What is left of a raster with a "window" or a "bbox" (see parse_window and parse_bounds) that people wrote; both
/// empty: all of it. Throws a usage Error, for both at once, too.
std::shared_ptr<const ChunkSource> part_of(std::shared_ptr<const ChunkSource> whole,
                                           const std::string& window, const std::string& bbox);
/// The window of that, or nothing.
std::optional<Window> part_window(const RasterInfo& whole, const std::string& window,
                                  const std::string& bbox);
/// Throws a usage Error where the window is empty or reaches out of the raster.
void require_inside(const Window& window, const RasterInfo& info);

/// A part of another raster as a raster of its own: pixel (0, 0) is the window's corner, and the
/// georeferencing says so. Chunks are those of the whole, cut off at the window's edges; no pixel is copied.
class WindowSource : public ChunkSource {
 public:
  /// Throws as require_inside() does.
  WindowSource(std::shared_ptr<const ChunkSource> whole, const Window& window);

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return grid_; }
  std::uint64_t fetch_bytes() const override { return whole_->fetch_bytes(); }
  std::uint64_t block_bytes() const override { return whole_->block_bytes(); }
  std::uint64_t excess_bytes() const override { return excess_bytes_; }
  std::uint64_t local_bytes() const override { return whole_->local_bytes(); }
  std::uint64_t standing_bytes() const override { return whole_->standing_bytes(); }
  StoredPlace place() const override { return whole_->place(); }
  std::optional<RemoteReading> remote() const override { return whole_->remote(); }
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override {
    return whole_->make_local(scratch);
  }
  Buffer fetch(ChunkIndex chunk, const Context& context) const override {
    return whole_->fetch(in_whole(chunk), context);
  }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;
  std::shared_ptr<const ChunkSource> with_samples(std::span<const std::uint32_t> samples) const override;

 private:
  ChunkIndex in_whole(ChunkIndex chunk) const { return {first_.row + chunk.row, first_.col + chunk.col}; }

  std::shared_ptr<const ChunkSource> whole_;
  Window window_;
  RasterInfo info_;
  ChunkGrid grid_;
  ChunkIndex first_;
  std::uint64_t excess_bytes_ = 0;
};

}  // namespace weir
