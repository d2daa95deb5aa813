#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace weir {

/// Bytes [offset, offset + bytes) of a file.
struct ByteRange {
  std::uint64_t offset = 0, bytes = 0;
  std::uint64_t end() const { return offset + bytes; }
};

/// The parts of a file that have been fetched: pieces of the caller's memory, in any order; they may touch and overlap. A value may
/// lie across several. One thread at a time.
class HeaderBytes {
 public:
  void add(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Fills `out` from `offset` on, up to the first byte that has not been fetched; returns the bytes that were filled.
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) const;
  /// The same bytes where they lie in one piece; empty where they do not.
  std::span<const std::byte> view(std::uint64_t offset, std::uint64_t bytes) const;
  /// The first run of bytes in [offset, offset + bytes) that has not been fetched.
  std::optional<ByteRange> missing(std::uint64_t offset, std::uint64_t bytes) const;
  void clear() { pieces_.clear(); }

 private:
  struct Piece {
    std::uint64_t offset;
    std::span<const std::byte> bytes;
    std::uint64_t end() const { return offset + bytes.size(); }
  };
  const Piece* piece_at(std::uint64_t offset) const;

  std::vector<Piece> pieces_;  ///< ascending by offset
};

}  // namespace weir
