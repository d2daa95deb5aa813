#include <fmt/format.h>

#include <array>
#include <cassert>
#include <cstring>
#include <memory>
#include <utility>

#include "framework/error.hpp"
#include "nodes/tiff/fill_bytes.hpp"
#include "nodes/tiff/piece_runs.hpp"
#include "nodes/tiff/tiff_source.hpp"

// Of TiffSource what every core does at once: from what fetch() brought to a block. tiff_source.cpp has the rest.

namespace weir {

class TiffSource::ThreadLocal : public Local {
 public:
  ThreadLocal(const TiffLayout& layout, std::uint64_t piece_bytes, std::uint64_t row_bytes,
              const Scratch& scratch)
      : scratch_(scratch) {
    if (layout.codec != CodecId::none) decoder = make_decoder(layout.decode, scratch);
    piece = take(piece_bytes);
    row = take(row_bytes);
  }

  std::unique_ptr<Decoder> decoder;  // none for uncompressed files
  std::span<std::byte> piece, row;   // empty where not needed

 private:
  struct Release {
    Scratch scratch;
    void operator()(std::byte* block) const { scratch.release(block); }
  };
  std::span<std::byte> take(std::uint64_t bytes) {
    if (bytes == 0) return {};
    auto& block = blocks_[used_++];
    block = {static_cast<std::byte*>(scratch_.allocate(bytes)), Release{scratch_}};
    if (!block) throw Error("allocate", fmt::format("{} bytes", bytes), "out of memory");
    return {block.get(), bytes};
  }

  Scratch scratch_;
  std::array<std::unique_ptr<std::byte, Release>, 2> blocks_;
  std::size_t used_ = 0;
};

std::uint64_t TiffSource::local_bytes() const {
  constexpr std::uint64_t rounding = 128;  // of a scratch block
  std::uint64_t bytes = 0;
  if (layout().codec != CodecId::none) bytes += decoder_scratch_bytes(layout().decode);
  if (needs_piece_scratch()) bytes += pieces_.raw_bytes(0) + rounding;
  if (layout().predictor != Predictor::none) bytes += pieces_.row_bytes() + rounding;
  return bytes;
}

std::unique_ptr<ChunkSource::Local> TiffSource::make_local(const Scratch& scratch) const {
  return std::make_unique<ThreadLocal>(layout(), needs_piece_scratch() ? pieces_.raw_bytes(0) : 0,
                                       layout().predictor != Predictor::none ? pieces_.row_bytes() : 0,
                                       scratch);
}

Block TiffSource::block_of(const Window& window, Buffer data) const {
  Block block = interleaved_block(window, info().type, info().samples, std::move(data));
  if (layout().planes > 1) {
    block.pixel_stride = bytes_of(info().type);
    block.row_stride = window.width * block.pixel_stride;
    block.sample_stride = window.height * block.row_stride;
  }
  if (info().has_mask) {
    block.mask_offset = window.height * window.width * info().pixel_bytes();
    block.mask_row_stride = window.width;
  }
  return block;
}

Block TiffSource::decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const {
  const Window window = grid_.window(chunk);
  if (is_direct(window)) {
    assert(stored.size() == bytes_of_window(window));
    if (swapped_bytes() > 0)
      swap_samples(stored.span().first(window.height * window.width * info().pixel_bytes()), swapped_bytes());
    return block_of(window, std::move(stored));
  }

  assert(local != nullptr);
  auto& mine = static_cast<ThreadLocal&>(*local);
  Block block = block_of(window, context.buffer(bytes_of_window(window)));
  const TiffPieceRange range = pieces_of(chunk);
  std::byte* table = stored.data();
  TiffPiece piece;
  for (piece.plane = 0; piece.plane < layout().planes_read(); ++piece.plane)
    for (piece.row = range.row; piece.row < range.row_end; ++piece.row)
      for (piece.col = range.col; piece.col < range.col_end; ++piece.col) {
        TableEntry entry;
        std::memcpy(&entry, table, sizeof entry);
        table += sizeof entry;
        decode_piece(piece, stored.span().subspan(entry.position, entry.bytes), block, mine);
      }
  return block;
}

void TiffSource::decode_piece(const TiffPiece& piece, std::span<std::byte> stored, Block& block,
                              ThreadLocal& local) const {
  const StoredSamples& samples = layout().samples;
  const auto sample_bytes = static_cast<std::uint32_t>(bytes_of(info().type));
  const std::uint64_t row = piece.row * pieces_.height(), col = piece.col * pieces_.width();
  const std::uint64_t rows = pieces_.rows().size(piece.row);
  const std::uint64_t row_bytes = pieces_.row_bytes();
  const std::uint64_t used = pieces_.cols().size(piece.col) * pieces_.samples();  // samples of a row
  std::byte* to =
      block.at(row - block.window.row, col - block.window.col, layout().planes > 1 ? piece.plane : 0);

  if (stored.empty()) {
    for (std::uint64_t r = 0; r < rows; ++r)
      fill_bytes(to + r * block.row_stride, used * sample_bytes, fill_.data(), sample_bytes);
    return;
  }
  // `stored` is this call's own: nobody sees that its bytes change.
  if (layout().is_bit_reversed) reverse_bits(stored.data(), stored.size());
  const bool is_encoded = layout().codec != CodecId::none;
  const bool is_whole =
      is_encoded && samples.is_plain() && used * sample_bytes == row_bytes && block.row_stride == row_bytes;
  const std::span<std::byte> raw = !is_encoded ? stored
                                   : is_whole  ? std::span(to, rows * row_bytes)
                                               : local.piece.first(rows * row_bytes);
  if (is_encoded) decode_data(piece, stored, raw, *local.decoder);

  std::uint32_t swapped = swapped_bytes();
  if (layout().predictor != Predictor::none) {
    undo_predictor(layout().predictor, {pieces_.width(), pieces_.samples(), samples.bits / 8}, raw, local.row,
                   swapped > 0);
    swapped = 0;
  }
  if (is_whole) {
    if (swapped > 0) swap_samples(raw, swapped);
    return;
  }
  for (std::uint64_t r = 0; r < rows; ++r) {
    const std::span<std::byte> from = raw.subspan(r * row_bytes, samples.row_bytes(used));
    if (swapped > 0) swap_samples(from, swapped);
    if (samples.is_plain())
      std::memcpy(to + r * block.row_stride, from.data(), from.size());
    else
      unpack_row(samples, from.data(), used, to + r * block.row_stride);
  }
}

void TiffSource::decode_data(const TiffPiece& piece, std::span<const std::byte> stored,
                             std::span<std::byte> raw, Decoder& decoder) const {
  std::size_t decoded = 0;
  try {
    decoded = decoder.decode(stored, raw);
  } catch (const Error& error) {
    pieces_.fail("decode", piece, error.reason().empty() ? "its data is broken" : error.reason());
  }
  if (decoded != raw.size())
    pieces_.fail("decode", piece, fmt::format("its data ends after {} of {} bytes", decoded, raw.size()));
}

}  // namespace weir
