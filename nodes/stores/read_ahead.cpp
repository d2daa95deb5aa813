#include "nodes/stores/read_ahead.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace weir {

ReadAhead::ReadAhead(std::uint64_t size, std::uint64_t step, Fetch fetch)
    : size_(size), step_(std::clamp<std::uint64_t>(step, 1, largest_piece)), fetch_(std::move(fetch)) {}

ReadAhead::Pieces::iterator ReadAhead::find(std::uint64_t offset) {
  return std::ranges::find_if(pieces_, [offset](const std::shared_ptr<Piece>& piece) {
    return offset >= piece->offset && offset - piece->offset < piece->length;
  });
}

/// Does not overlap those that there are.
std::shared_ptr<ReadAhead::Piece> ReadAhead::new_piece(std::uint64_t offset) const {
  auto piece = std::make_shared<Piece>();
  piece->offset = offset / step_ * step_;
  piece->length = step_;
  for (const std::shared_ptr<Piece>& before : pieces_)
    if (before->offset + before->length == piece->offset)
      piece->length = std::clamp(2 * before->length, step_, largest_piece);
  piece->length = std::min(piece->length, size_ - piece->offset);
  for (const std::shared_ptr<Piece>& behind : pieces_)
    if (behind->offset > piece->offset)
      piece->length = std::min(piece->length, behind->offset - piece->offset);
  return piece;
}

/// False where all that could go is still being read.
bool ReadAhead::make_room(std::uint64_t bytes) {
  for (auto piece = pieces_.begin(); held_ + bytes > capacity && piece != pieces_.end();) {
    if (!(*piece)->is_there) {
      ++piece;
      continue;
    }
    held_ -= (*piece)->length;
    piece = pieces_.erase(piece);
  }
  return held_ + bytes <= capacity;
}

/// Without the mutex.
void ReadAhead::load(const std::shared_ptr<Piece>& piece) {
  std::optional<Error> error;
  try {
    piece->bytes.resize(piece->length);
    fetch_(piece->offset, piece->bytes);
  } catch (const Error& thrown) {
    error = thrown;
  } catch (const std::bad_alloc&) {
    error = Error("allocate", "memory", "out of memory");
  }
  std::lock_guard lock(mutex_);
  piece->is_there = true;
  if (error) {
    piece->error = std::move(error);
    held_ -= piece->length;
    pieces_.remove(piece);  // the next one tries again
  }
  changed_.notify_all();
}

void ReadAhead::read(std::uint64_t offset, std::span<std::byte> out) {
  assert(offset <= size_ && out.size() <= size_ - offset);
  std::unique_lock lock(mutex_);
  while (!out.empty()) {
    auto place = find(offset);
    if (place == pieces_.end()) {
      const std::shared_ptr<Piece> piece = new_piece(offset);
      if (!make_room(piece->length)) {
        changed_.wait(lock);
        continue;
      }
      pieces_.push_back(piece);
      held_ += piece->length;
      lock.unlock();
      load(piece);
      lock.lock();
      if (piece->error) throw *piece->error;
      continue;
    }
    const std::shared_ptr<Piece> piece = *place;
    if (!piece->is_there) {
      changed_.wait(lock, [&] { return piece->is_there; });
      if (piece->error) throw *piece->error;
      continue;  // it may have had to go already
    }
    pieces_.splice(pieces_.end(), pieces_, place);
    const std::uint64_t from = offset - piece->offset;
    const std::uint64_t some = std::min<std::uint64_t>(out.size(), piece->length - from);
    std::memcpy(out.data(), piece->bytes.data() + from, some);
    offset += some;
    out = out.subspan(some);
  }
}

}  // namespace weir
