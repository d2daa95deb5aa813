#include "nodes/codecs/compress_tiles.hpp"

#include <algorithm>
#include <cstring>

#include "framework/scratch_block.hpp"

namespace weir {
namespace {

std::span<std::byte> span_of(const ScratchBlock& block) {
  return {static_cast<std::byte*>(block.data()), block.size()};
}

// Runs that wait for their place are made compact, in steps of this size so that freed blocks fit the next one.
constexpr std::size_t compact_step = 32 * 1024;

}  // namespace

struct CompressTiles::ThreadLocal : CompressTiles::Local {
  ThreadLocal() = default;
  ThreadLocal(const Scratch& scratch, const CodecSpec& codec, std::uint64_t raw_bytes,
              std::uint64_t row_bytes, std::uint64_t run_bytes)
      : raw(scratch, raw_bytes, "a raw tile"),
        row(scratch, row_bytes, "a row"),
        run(scratch, run_bytes, "a run of tiles"),
        encoder(make_encoder(codec, raw_bytes, scratch)) {}
  ScratchBlock raw, row, run;
  std::unique_ptr<Encoder> encoder;
};

CompressTiles::CompressTiles(TileEncoding encoding, std::uint64_t run_tiles)
    : encoding_(std::move(encoding)),
      run_tiles_(run_tiles),
      raw_tile_bytes_(encoding_.raw_tile_bytes()),
      max_tile_bytes_(encoding_.max_tile_bytes()),
      row_bytes_(encoding_.predictor == Predictor::none
                     ? 0
                     : encoding_.tiles.tile_width * encoding_.samples_per_tile() * bytes_of(encoding_.type)) {
}

std::uint64_t CompressTiles::slot_bytes() const {
  if (is_plain(encoding_.codec)) return 0;
  return scratch_block_bytes(raw_tile_bytes_) + scratch_block_bytes(row_bytes_) +
         scratch_block_bytes(run_tiles_ * max_tile_bytes_) +
         encoder_scratch_bytes(encoding_.codec, raw_tile_bytes_);
}

std::unique_ptr<CompressTiles::Local> CompressTiles::make_local(const Scratch& scratch) const {
  if (is_plain(encoding_.codec)) return std::make_unique<ThreadLocal>();
  return std::make_unique<ThreadLocal>(scratch, encoding_.codec, raw_tile_bytes_, row_bytes_,
                                       run_tiles_ * max_tile_bytes_);
}

EncodedTiles CompressTiles::operator()(const TileRun& run, Local& base, const Context& context) const {
  ThreadLocal& local = static_cast<ThreadLocal&>(base);
  EncodedTiles encoded;
  encoded.first_tile = run.first_tile;
  encoded.sizes.reserve(run.count);
  // A run that waits for rows above it holds its bytes for long: it is encoded in scratch first, and takes only what it
  // needs. The others go straight to a buffer of the worst case, which is free again in a moment.
  const bool is_compact = run.waits && !is_plain(encoding_.codec);
  if (!is_compact) encoded.bytes = context.buffer(run.count * max_tile_bytes_);
  const std::span<std::byte> out = is_compact ? span_of(local.run) : encoded.bytes.span();
  std::size_t used = 0;
  for (std::uint64_t i = 0; i < run.count; ++i) {
    const std::size_t size = encode(run, i, local, out.subspan(used, max_tile_bytes_));
    encoded.sizes.push_back(static_cast<std::uint32_t>(size));
    used += size;
  }
  if (is_compact) {
    const std::size_t rounded = (used + compact_step - 1) / compact_step * compact_step;
    encoded.bytes = context.buffer(std::min<std::size_t>(rounded, run.count * max_tile_bytes_));
    std::memcpy(encoded.bytes.data(), out.data(), used);
  }
  encoded.bytes.resize(used);
  return encoded;
}

std::size_t CompressTiles::encode(const TileRun& run, std::uint64_t index, ThreadLocal& local,
                                  std::span<std::byte> out) const {
  const TileLayout& tiles = encoding_.tiles;
  const std::uint64_t row = run.tile_row + (run.is_vertical ? index : 0);
  const std::uint64_t col = run.tile_col + (run.is_vertical ? 0 : index);
  Window window{row * tiles.tile_height, col * tiles.tile_width, tiles.tile_height, tiles.tile_width};
  if (!encoding_.pads_last_row) window.height = std::min(window.height, tiles.height - window.row);
  const std::uint32_t samples = encoding_.samples_per_tile();
  const std::size_t raw_bytes = window.height * window.width * samples * bytes_of(encoding_.type);

  if (is_plain(encoding_.codec)) {
    cut_tile(*run.band, window, run.plane, samples, encoding_.fill, out.data());
    return raw_bytes;
  }
  const std::span<std::byte> raw = span_of(local.raw).first(raw_bytes);
  cut_tile(*run.band, window, run.plane, samples, encoding_.fill, raw.data());
  apply_predictor(encoding_.predictor,
                  {window.width, samples, static_cast<std::uint32_t>(bytes_of(encoding_.type))}, raw,
                  span_of(local.row));
  return local.encoder->encode(raw, out);
}

}  // namespace weir
