#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "framework/error.hpp"

namespace weir {

/// Small reads of a remote file, served from larger pieces: tags and arrays lie near each other. A piece that follows one
/// that is there is twice as long, up to largest_piece, so that long arrays cost few requests. Thread-safe; who needs a
/// piece that another thread is reading waits for it, and shares its Error.
class ReadAhead {
 public:
  static constexpr std::uint64_t largest_piece = 256 << 10;
  /// All pieces together; the least recently used go. Room for the offsets and byte counts of two places in the file.
  static constexpr std::uint64_t capacity = 1 << 20;

  /// Fills `out` from `offset`, which lies inside the file; throws Error.
  using Fetch = std::function<void(std::uint64_t offset, std::span<std::byte> out)>;
  /// `size` is the file's; pieces start on multiples of `step`, at most largest_piece.
  ReadAhead(std::uint64_t size, std::uint64_t step, Fetch fetch);

  /// Fills `out`, which lies inside the file and is at most largest_piece long.
  void read(std::uint64_t offset, std::span<std::byte> out);

 private:
  struct Piece {
    std::uint64_t offset = 0, length = 0;
    std::vector<std::byte> bytes;
    bool is_there = false;
    std::optional<Error> error;
  };
  using Pieces = std::list<std::shared_ptr<Piece>>;

  Pieces::iterator find(std::uint64_t offset);
  std::shared_ptr<Piece> new_piece(std::uint64_t offset) const;
  bool make_room(std::uint64_t bytes);
  void load(const std::shared_ptr<Piece>& piece);

  const std::uint64_t size_, step_;
  const Fetch fetch_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Pieces pieces_;  // the least recently used first
  std::uint64_t held_ = 0;
};

}  // namespace weir
