#include "nodes/codecs/compress_tiles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "framework/error.hpp"
#include "framework/scratch_block.hpp"
#include "nodes/raster/color_meanings.hpp"

namespace weir {
namespace {

std::span<std::byte> span_of(const ScratchBlock& block) {
  return {static_cast<std::byte*>(block.data()), block.size()};
}

// Runs that wait for their place are made compact, in steps of this size so that freed blocks fit the next one.
constexpr std::size_t compact_step = 32 * 1024;

// The pixels of a tile beyond the first `rows` x `cols` become copies of the nearest of these.
void repeat_edge(std::span<std::byte> tile, const Window& window, std::uint64_t rows, std::uint64_t cols,
                 std::size_t pixel_bytes) {
  const std::size_t row_bytes = window.width * pixel_bytes;
  for (std::uint64_t row = 0; row < std::min(rows, window.height) && cols < window.width; ++row) {
    std::byte* at = tile.data() + row * row_bytes + (cols - 1) * pixel_bytes;
    for (std::uint64_t col = cols; col < window.width; ++col, at += pixel_bytes)
      std::memcpy(at + pixel_bytes, at, pixel_bytes);
  }
  for (std::uint64_t row = rows; row < window.height; ++row)
    std::memcpy(tile.data() + row * row_bytes, tile.data() + (rows - 1) * row_bytes, row_bytes);
}

constexpr std::uint16_t rgb = 2, palette = 3;  // PhotometricInterpretation

}  // namespace

void TileEncoding::set_extras(const RasterInfo& info, bool wants_sparse, bool wants_statistics) {
  if (wants_statistics) require_arithmetic("measure", info);
  has_mask = info.has_mask;
  // A nodata value that the samples cannot hold is no reader's fill: GDAL's would be the nearest that they can.
  sparse = wants_sparse && (!info.nodata || can_hold(info.type, *info.nodata));
  statistics = wants_statistics;
  nodata = nodata_sample(info);
}

void fit_codec(TileEncoding& encoding, const RasterInfo& info) {
  const bool is_rgb = encoding.tiles.planes == 1 && encoding.samples == 3 && info.photometric == rgb;
  encoding.codec = resolved(encoding.codec, encoding.predictor);
  encoding.codec.format = {encoding.tiles.tile_width, encoding.samples_per_tile(), encoding.type, is_rgb};
  check_pieces(encoding.codec, encoding.tiles.tile_height);
  const bool may_index = has_color_table(info) ||
                         (info.photometric == palette && bytes_of(info.type) <= 2 && !is_floating(info.type));
  if (may_index && is_lossy(encoding.codec))
    throw Error::usage("use", fmt::format("{} for indices of a colour table", name_of(encoding.codec)),
                       info.photometric == palette
                           ? "it would change them"
                           : "it would change them; with --scale greys have no table");
}

struct CompressTiles::ThreadLocal : CompressTiles::Local {
  ScratchBlock raw, row, run, raw_mask;
  std::unique_ptr<Encoder> encoder, mask_encoder;
};

CompressTiles::CompressTiles(TileEncoding encoding, std::uint64_t run_tiles)
    : encoding_(std::move(encoding)),
      is_lossy_(is_lossy(encoding_.codec)),
      run_tiles_(run_tiles),
      raw_tile_bytes_(encoding_.raw_tile_bytes()),
      max_tile_bytes_(encoding_.max_tile_bytes()),
      row_bytes_(encoding_.predictor == Predictor::none
                     ? 0
                     : encoding_.tiles.tile_width * encoding_.samples_per_tile() * bytes_of(encoding_.type)),
      raw_mask_bytes_(encoding_.raw_mask_bytes()),
      max_mask_bytes_(encoding_.max_mask_bytes()),
      most_(encoding_.max_stored_bytes()),
      statistics_bytes_(encoding_.statistics_bytes()),
      measure_(encoding_.type, encoding_.samples_per_tile(), encoding_.nodata) {}

std::uint64_t CompressTiles::slot_bytes() const {
  std::uint64_t bytes = 0;
  if (!is_plain(encoding_.codec))
    bytes += scratch_block_bytes(raw_tile_bytes_) + scratch_block_bytes(row_bytes_) +
             scratch_block_bytes(run_tiles_ * most_) +
             encoder_scratch_bytes(encoding_.codec, raw_tile_bytes_);
  if (encoding_.has_mask)
    bytes += scratch_block_bytes(raw_mask_bytes_) +
             encoder_scratch_bytes(TileEncoding::mask_codec(), raw_mask_bytes_);
  return bytes;
}

std::unique_ptr<CompressTiles::Local> CompressTiles::make_local(const Scratch& scratch) const {
  auto local = std::make_unique<ThreadLocal>();
  if (!is_plain(encoding_.codec)) {
    local->raw = ScratchBlock(scratch, raw_tile_bytes_, "a raw tile");
    local->row = ScratchBlock(scratch, row_bytes_, "a row");
    local->run = ScratchBlock(scratch, run_tiles_ * most_, "a run of tiles");
    local->encoder = make_encoder(encoding_.codec, raw_tile_bytes_, scratch);
  }
  if (encoding_.has_mask) {
    local->raw_mask = ScratchBlock(scratch, raw_mask_bytes_, "a tile of a mask");
    local->mask_encoder = make_encoder(TileEncoding::mask_codec(), raw_mask_bytes_, scratch);
  }
  return local;
}

EncodedTiles CompressTiles::operator()(const TileRun& run, Local& base, const Context& context) const {
  ThreadLocal& local = static_cast<ThreadLocal&>(base);
  EncodedTiles encoded;
  encoded.first_tile = run.first_tile;
  encoded.has_masks = encoding_.has_mask && run.plane + 1 == encoding_.tiles.planes;
  encoded.sizes.reserve(run.count * (encoded.has_masks ? 2 : 1));
  if (statistics_bytes_ > 0) encoded.statistics = context.buffer(run.count * statistics_bytes_);
  const std::span<SampleStatistics> statistics(reinterpret_cast<SampleStatistics*>(encoded.statistics.data()),
                                               encoded.statistics.size() / sizeof(SampleStatistics));
  std::uninitialized_default_construct(statistics.begin(), statistics.end());
  // A run that waits for rows above it holds its bytes for long: it is encoded in scratch first, and takes only what it
  // needs. The others go straight to a buffer of the worst case, which is free again in a moment.
  const bool is_compact = run.waits && !is_plain(encoding_.codec);
  if (!is_compact) encoded.bytes = context.buffer(run.count * most_);
  const std::span<std::byte> out = is_compact ? span_of(local.run) : encoded.bytes.span();
  std::size_t used = 0;
  for (std::uint64_t i = 0; i < run.count; ++i) {
    const std::size_t of_tile = statistics.size() / run.count;
    const auto sizes =
        encode(run, i, local, out.subspan(used, most_), statistics.subspan(i * of_tile, of_tile));
    encoded.sizes.push_back(static_cast<std::uint32_t>(sizes.first));
    if (encoded.has_masks) encoded.sizes.push_back(static_cast<std::uint32_t>(sizes.second));
    for (const std::size_t size : {sizes.first, sizes.second})
      used += size == 0 || !encoding_.framed ? size : size + TileEncoding::frame_bytes;
  }
  if (is_compact) {
    const std::size_t rounded = (used + compact_step - 1) / compact_step * compact_step;
    encoded.bytes = context.buffer(std::min<std::size_t>(rounded, run.count * most_));
    std::memcpy(encoded.bytes.data(), out.data(), used);
  }
  encoded.bytes.resize(used);
  return encoded;
}

std::pair<std::size_t, std::size_t> CompressTiles::encode(const TileRun& run, std::uint64_t index,
                                                          ThreadLocal& local, std::span<std::byte> out,
                                                          std::span<SampleStatistics> statistics) const {
  const TileLayout& tiles = encoding_.tiles;
  const std::uint64_t row = run.tile_row + (run.is_vertical ? index : 0);
  const std::uint64_t col = run.tile_col + (run.is_vertical ? 0 : index);
  Window window{row * tiles.tile_height, col * tiles.tile_width, tiles.tile_height, tiles.tile_width};
  if (!encoding_.pads_last_row) window.height = std::min(window.height, tiles.height - window.row);
  const std::uint32_t samples = encoding_.samples_per_tile();
  const PixelStrides strides = interleaved_strides(window.width, samples, bytes_of(encoding_.type));

  const std::span<std::byte> raw =
      (is_plain(encoding_.codec) ? inside_frame(out) : span_of(local.raw)).first(window.height * strides.row);
  cut_tile(*run.band, window, run.plane, samples, encoding_.fill, raw.data());

  const bool takes_mask = encoding_.has_mask && run.plane + 1 == tiles.planes;
  std::span<std::byte> mask;
  if (takes_mask || (encoding_.has_mask && encoding_.statistics)) {
    mask = span_of(local.raw_mask).first(mask_bytes(window.height, window.width));
    cut_mask(*run.band, window, mask.data());
  }
  if (encoding_.statistics) {
    const Window inside = intersect(window, {0, 0, tiles.height, tiles.width});
    measure_({raw.data(), inside, encoding_.type, samples, strides.row, strides.pixel, strides.sample},
             {mask.data(), mask_row_bytes(window.width)}, statistics);
  }
  const std::size_t size = encode_pixels(window, raw, local, inside_frame(out));
  const std::span<std::byte> rest = out.subspan(framed(size, out));
  if (!takes_mask) return {size, 0};
  const std::size_t mask_size = encode_mask(mask, local, inside_frame(rest));
  framed(mask_size, rest);
  return {size, mask_size};
}

std::span<std::byte> CompressTiles::inside_frame(std::span<std::byte> out) const {
  return encoding_.framed ? out.subspan(TileEncoding::frame_bytes / 2) : out;
}

/// Puts the frame around `size` bytes that stand where inside_frame says; returns the bytes with it.
std::size_t CompressTiles::framed(std::size_t size, std::span<std::byte> out) const {
  if (!encoding_.framed || size == 0) return size;
  constexpr std::size_t half = TileEncoding::frame_bytes / 2;
  for (std::size_t i = 0; i < half; ++i) out[i] = static_cast<std::byte>(size >> (8 * i));
  const std::size_t repeated = std::min(size, half);  // of a tile that is shorter, all; zeros behind it
  std::byte* trailer = out.data() + half + size;
  std::fill_n(trailer, half, std::byte{0});
  std::copy_n(out.data() + half + size - repeated, repeated, trailer);
  return size + TileEncoding::frame_bytes;
}

std::size_t CompressTiles::encode_pixels(const Window& window, std::span<std::byte> raw, ThreadLocal& local,
                                         std::span<std::byte> out) const {
  const auto sample_bytes = static_cast<std::uint32_t>(bytes_of(encoding_.type));
  if (encoding_.sparse && is_all_fill(raw, sample_bytes, encoding_.fill)) return 0;
  if (is_plain(encoding_.codec)) return raw.size();
  const std::uint32_t samples = encoding_.samples_per_tile();
  if (is_lossy_)
    repeat_edge(raw, window, encoding_.tiles.height - window.row, encoding_.tiles.width - window.col,
                samples * sample_bytes);
  apply_predictor(encoding_.predictor, {window.width, samples, sample_bytes}, raw, span_of(local.row));
  return local.encoder->encode(raw, out.first(max_tile_bytes_));
}

std::size_t CompressTiles::encode_mask(std::span<const std::byte> raw, ThreadLocal& local,
                                       std::span<std::byte> out) const {
  if (encoding_.sparse && is_all_fill(raw, 1, Fill{})) return 0;
  return local.mask_encoder->encode(raw, out.first(max_mask_bytes_));
}

}  // namespace weir
