#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir {

/// A rectangle of pixels; row before column, rows count downwards.
struct Window {
  std::uint64_t row = 0, col = 0;
  std::uint64_t height = 0, width = 0;

  std::uint64_t row_end() const { return row + height; }
  std::uint64_t col_end() const { return col + width; }
  bool empty() const { return height == 0 || width == 0; }
  bool operator==(const Window&) const = default;
};

/// The common part of two windows; empty (0 x 0) where there is none.
inline Window intersect(const Window& a, const Window& b) {
  const std::uint64_t row = std::max(a.row, b.row), row_end = std::min(a.row_end(), b.row_end());
  const std::uint64_t col = std::max(a.col, b.col), col_end = std::min(a.col_end(), b.col_end());
  if (row >= row_end || col >= col_end) return {};
  return {row, col, row_end - row, col_end - col};
}

/// How one axis of a raster is cut: pieces of one size with a shorter last one, or ragged pieces of any size.
/// A formula for the even case, so ten million pieces cost nothing.
class Partition {
 public:
  Partition() = default;
  /// Pieces of `step` pixels over `extent`; `step` is at least 1.
  Partition(std::uint64_t extent, std::uint64_t step) : extent_(extent), step_(step) { assert(step > 0); }
  /// Ragged: `ends[i]` is the pixel behind piece i; strictly growing, the last is the extent.
  explicit Partition(std::vector<std::uint64_t> ends)
      : extent_(ends.empty() ? 0 : ends.back()), ends_(std::move(ends)) {}

  std::uint64_t extent() const { return extent_; }
  std::uint64_t count() const { return is_ragged() ? ends_.size() : (extent_ + step_ - 1) / step_; }
  bool is_ragged() const { return !ends_.empty(); }
  std::uint64_t begin(std::uint64_t piece) const {
    if (is_ragged()) return piece == 0 ? 0 : ends_[piece - 1];
    return std::min(piece * step_, extent_);
  }
  std::uint64_t end(std::uint64_t piece) const {
    return is_ragged() ? ends_[piece] : std::min((piece + 1) * step_, extent_);
  }
  std::uint64_t size(std::uint64_t piece) const { return end(piece) - begin(piece); }
  /// The size of the largest piece.
  std::uint64_t largest() const {
    if (!is_ragged()) return std::min(step_, extent_);
    std::uint64_t largest = 0;
    for (std::uint64_t i = 0; i < ends_.size(); ++i) largest = std::max(largest, size(i));
    return largest;
  }
  /// The piece that holds `position`, which lies below the extent.
  std::uint64_t piece_at(std::uint64_t position) const {
    assert(position < extent_);
    if (!is_ragged()) return position / step_;
    return static_cast<std::uint64_t>(std::upper_bound(ends_.begin(), ends_.end(), position) - ends_.begin());
  }

 private:
  std::uint64_t extent_ = 0;
  std::uint64_t step_ = 1;
  std::vector<std::uint64_t> ends_;
};

/// A chunk's place in its grid.
struct ChunkIndex {
  std::uint64_t row = 0, col = 0;
  auto operator<=>(const ChunkIndex&) const = default;
};

/// How a raster is cut into chunks; every chunk has all samples of its pixels.
struct ChunkGrid {
  Partition rows, cols;

  std::uint64_t count() const { return rows.count() * cols.count(); }
  Window window(ChunkIndex chunk) const {
    return {rows.begin(chunk.row), cols.begin(chunk.col), rows.size(chunk.row), cols.size(chunk.col)};
  }
};

}  // namespace weir
