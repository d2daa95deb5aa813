#include "nodes/zarr/encode_tiles.hpp"

#include <span>

#include "nodes/zarr/strided_copy.hpp"

namespace weir {

std::uint64_t EncodeTiles::slot_bytes() const {
  const ChunkCodec& codec = encoding_.layout->codec();
  return (codec.is_raw() ? 0 : scratch_block_bytes(codec.raw_bytes())) + codec.encoder_scratch_bytes();
}

std::unique_ptr<EncodeTiles::Local> EncodeTiles::make_local(const Scratch& scratch) const {
  const ChunkCodec& codec = encoding_.layout->codec();
  auto local = std::make_unique<Local>();
  if (!codec.is_raw()) local->raw = ScratchBlock(scratch, codec.raw_bytes(), "a raw chunk");
  local->encoder = codec.make_encoder(scratch);
  return local;
}

EncodedTiles EncodeTiles::operator()(const TileRun& run, Local& local, const Context& context) const {
  const ChunkCodec& codec = encoding_.layout->codec();
  const std::uint64_t most = codec.max_encoded_bytes();
  const TileLayout& tiles = encoding_.tiles;
  EncodedTiles encoded;
  encoded.first_tile = run.first_tile;
  encoded.sizes.reserve(run.count);
  encoded.bytes = context.buffer(run.count * most);
  std::size_t used = 0;
  for (std::uint64_t i = 0; i < run.count; ++i) {
    const std::uint64_t row = run.tile_row + (run.is_vertical ? i : 0);
    const std::uint64_t col = run.tile_col + (run.is_vertical ? 0 : i);
    const Window window{row * tiles.tile_height, col * tiles.tile_width, tiles.tile_height, tiles.tile_width};
    const std::span<std::byte> out = encoded.bytes.span().subspan(used, most);
    // Without a codec the pixels go straight to where they leave from.
    const std::span<std::byte> raw =
        codec.is_raw() ? out : std::span(static_cast<std::byte*>(local.raw.data()), local.raw.size());
    cut_tile(*run.band, window, run.plane * encoding_.samples_per_tile, encoding_.samples_per_tile,
             encoding_.fill, raw.data());
    std::size_t size = 0;
    if (encoding_.stores_empty_chunks || !is_all_fill(codec.layout(), raw, encoding_.layout->fill()))
      size = codec.is_raw() ? raw.size() : local.encoder->encode(raw, out);
    encoded.sizes.push_back(static_cast<std::uint32_t>(size));
    used += size;
  }
  encoded.bytes.resize(used);
  return encoded;
}

}  // namespace weir
