#pragma once

#include <cstdint>
#include <memory>

#include "nodes/raster/chunk_source.hpp"
#include "nodes/tiff/tiff_source.hpp"

namespace weir {

/// A TIFF image together with its mask, which is a raster of one uint8 sample: blocks have the mask beside the pixels.
/// Pixels are valid (255) where the mask is not 0, whatever number it has there: so GDAL reads masks.
///
/// Chunks are those of the image. The mask is fetched and decoded along with them: every mask chunk that an image chunk
/// touches, so that one which lies across several of them is read for each (mask_reads() counts that). Masks of GDAL have
/// the tiles of their image, and open_tiff() asks for the image's chunks, so this costs nothing there.
///
/// The mask's stored bytes travel in the image's buffer, behind its own; the mask plane lies in the image's block: neither
/// is copied for the sake of the other but for the mask itself.
class MaskedSource : public ChunkSource {
 public:
  /// `image` was made with info().has_mask. Throws Error where the mask has another size, or is no single uint8.
  MaskedSource(std::unique_ptr<TiffSource> image, std::shared_ptr<const ChunkSource> mask);

  const RasterInfo& info() const override { return image_->info(); }
  const ChunkGrid& grid() const override { return image_->grid(); }
  const TiffSource& image() const { return *image_; }
  const ChunkSource& mask() const { return *mask_; }
  /// How often chunks of the mask are read when each chunk of the image is read once.
  std::uint64_t mask_reads() const;

  std::uint64_t fetch_bytes() const override;
  std::uint64_t excess_bytes() const override;
  std::uint64_t local_bytes() const override { return image_->local_bytes() + mask_->local_bytes(); }
  std::uint64_t standing_bytes() const override {
    return image_->standing_bytes() + mask_->standing_bytes() + sizeof(*this);
  }
  std::uint64_t block_bytes() const override { return image_->block_bytes(); }
  std::optional<RemoteReading> remote() const override;
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override;
  Buffer fetch(ChunkIndex chunk, const Context& context) const override;
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;

 private:
  /// Chunks of the mask that a chunk of the image touches, as a window of their grid.
  Window mask_chunks(ChunkIndex chunk) const;

  std::unique_ptr<TiffSource> image_;
  std::shared_ptr<const ChunkSource> mask_;
  std::uint64_t most_mask_chunks_ = 1;  // that a chunk of the image touches
};

}  // namespace weir
