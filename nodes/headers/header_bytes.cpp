#include "nodes/headers/header_bytes.hpp"

#include <algorithm>
#include <cstring>

namespace weir {

void HeaderBytes::add(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const auto behind = std::ranges::upper_bound(pieces_, offset, {}, &Piece::offset);
  pieces_.insert(behind, Piece{offset, bytes});
}

/// The piece that has the byte at `offset`, of several the one that goes on for longest. There are few of them.
const HeaderBytes::Piece* HeaderBytes::piece_at(std::uint64_t offset) const {
  const Piece* best = nullptr;
  for (const Piece& piece : pieces_) {
    if (piece.offset > offset) break;
    if (piece.end() > offset && (best == nullptr || piece.end() > best->end())) best = &piece;
  }
  return best;
}

std::size_t HeaderBytes::read(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const std::uint64_t at = offset + filled;
    const Piece* piece = piece_at(at);
    if (piece == nullptr) break;
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(out.size() - filled, piece->end() - at));
    std::memcpy(&out[filled], piece->bytes.data() + (at - piece->offset), bytes);
    filled += bytes;
  }
  return filled;
}

std::span<const std::byte> HeaderBytes::view(std::uint64_t offset, std::uint64_t bytes) const {
  const Piece* piece = piece_at(offset);
  if (piece == nullptr || piece->end() - offset < bytes) return {};
  return piece->bytes.subspan(static_cast<std::size_t>(offset - piece->offset),
                              static_cast<std::size_t>(bytes));
}

std::optional<ByteRange> HeaderBytes::missing(std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t end = offset + bytes;
  while (offset < end) {
    const Piece* piece = piece_at(offset);
    if (piece == nullptr) break;
    offset = piece->end();
  }
  if (offset >= end) return std::nullopt;
  std::uint64_t hole_end = end;
  for (const Piece& piece : pieces_)
    if (piece.offset > offset) {
      hole_end = std::min(end, piece.offset);
      break;
    }
  return ByteRange{offset, hole_end - offset};
}

}  // namespace weir
