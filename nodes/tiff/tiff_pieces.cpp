#include "nodes/tiff/tiff_pieces.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "framework/error.hpp"

namespace weir {
namespace {

/// The largest divisor of `number` that is at most `limit`.
std::uint64_t divisor_up_to(std::uint64_t number, std::uint64_t limit) {
  std::uint64_t best = 1;
  for (std::uint64_t small = 1; small * small <= number;
       ++small) {  // below 2^16 steps: numbers are 32-bit tags
    if (number % small != 0) continue;
    if (small <= limit) best = std::max(best, small);
    if (number / small <= limit) best = std::max(best, number / small);
  }
  return best;
}

}  // namespace

TiffPieces::TiffPieces(const ReadableFile& file, const RasterInfo& info, const TiffLayout& layout,
                       std::uint64_t rows_wanted)
    : file_(&file), layout_(&layout), height_(layout.strile_height), width_(layout.strile_width) {
  const bool is_cut = !layout.is_tiled && layout.codec == CodecId::none && height_ > rows_wanted;
  strile_rows_ = Partition(info.height, layout.strile_height).count();
  if (is_cut) {
    height_ = strile_rows_ == 1 ? rows_wanted : divisor_up_to(layout.strile_height, rows_wanted);
    parts_ = (layout.strile_height + height_ - 1) / height_;
  }
  rows_ = Partition(info.height, height_);
  cols_ = Partition(info.width, width_);
  samples_ = layout.planes > 1 ? 1 : info.samples;
  row_bytes_ = layout.samples.row_bytes(width_ * samples_);  // below 2^32 * 2^16 * 16

  // No encoder of these codecs doubles its input but for tiny ones. A count beyond it is broken, and
  // believing it would make fetch_bytes() meaningless.
  constexpr std::uint64_t slack = 64 << 10;
  constexpr std::uint64_t largest = std::uint64_t{1} << 60;
  if (layout.strile_height > largest / row_bytes_)
    throw Error("read", file.path(),
                fmt::format("its {} of {} x {} pixels are too large", layout.is_tiled ? "tiles" : "strips",
                            layout.strile_height, layout.strile_width));
  bytes_limit_ = 2 * layout.strile_height * row_bytes_ + slack;
}

/// Whether the second plane of the first row comes before the first plane of the second.
bool TiffPieces::planes_lie_in_rows(const TiffPieceRange& range, StrileLanes& lanes) const {
  const std::uint64_t rows = range.row_end - range.row;
  const std::uint64_t here = lanes.offset(0, strile_of({0, range.row, range.col}));
  const std::uint64_t other_plane = lanes.offset(rows, strile_of({1, range.row, range.col}));
  const std::uint64_t other_row = lanes.offset(1, strile_of({0, range.row + 1, range.col}));
  return here < other_plane && other_plane < other_row;
}

std::string TiffPieces::locate(TiffPiece& piece, StrileLanes& lanes, std::uint64_t lane) const {
  const bool is_encoded = layout_->codec != CodecId::none;
  const std::uint64_t strile = strile_of(piece);
  const std::uint64_t in_front = (piece.row % parts_) * height_ * row_bytes_;  // 0 unless a strip is cut
  const std::uint64_t raw = raw_bytes(piece.row);
  const std::uint64_t offset = lanes.offset(lane, strile);
  std::uint64_t bytes = 0;
  if (layout_->byte_counts)
    bytes = lanes.byte_count(lane, strile);
  else if (!is_encoded)
    bytes = in_front + raw;
  else if (offset < file_->size())
    bytes = std::min(file_->size() - offset, bytes_limit_);

  piece.offset = offset + in_front;
  piece.bytes = 0;
  if (offset == 0 && bytes == 0) return {};  // sparse
  if (offset < 8) return fmt::format("its offset {} lies in the header of the file", offset);
  if (bytes == 0) return "it has an offset but no bytes";
  if (offset > file_->size() || bytes > file_->size() - offset)
    return fmt::format("its {} bytes from byte {} on end beyond the end of the file at {}", bytes, offset,
                       file_->size());
  if (is_encoded && bytes > bytes_limit_)
    return fmt::format("its {} bytes are more than its pixels can take in any encoding", bytes);
  if (!is_encoded && (bytes < in_front || bytes - in_front < raw))
    return fmt::format("it has {} bytes, and its pixels take {}", bytes, in_front + raw);
  piece.bytes = is_encoded ? bytes : raw;
  return {};
}

std::string TiffPieces::name(const TiffPiece& piece) const {
  if (!layout_->is_tiled) return fmt::format("strip {}", strile_of(piece));
  return fmt::format("tile (row {}, col {}{})", piece.row, piece.col,
                     layout_->planes > 1 ? fmt::format(", plane {}", layout_->plane_of(piece.plane)) : "");
}

void TiffPieces::fail(std::string_view action, const TiffPiece& piece, std::string_view reason) const {
  throw Error(action, fmt::format("{} of {}", name(piece), file_->path()), reason);
}

}  // namespace weir
