#include "nodes/raster/chunk_source.hpp"

namespace weir {

std::uint64_t ChunkSource::block_bytes() const {
  return grid().rows.largest() * grid().cols.largest() * info().block_pixel_bytes();
}

std::unique_ptr<ChunkSource::Local> ChunkSource::make_local(const Scratch&) const {
  return nullptr;
}

Buffer ChunkSource::fetch(ChunkIndex, const Context&) const {
  return {};
}

std::shared_ptr<const ChunkSource> ChunkSource::with_samples(std::span<const std::uint32_t>) const {
  return nullptr;
}

}  // namespace weir
