#include "nodes/headers/parquet/arrow_support.hpp"

#include <arrow/buffer.h>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace weir {
namespace {

/// In front of each block: what Arrow says of a block's size when it frees it is its size after shrinking. As long as Arrow's alignment,
/// and Scratch's.
constexpr std::int64_t header_bytes = 64;

std::uint64_t& size_of(std::uint8_t* block) {
  return *reinterpret_cast<std::uint64_t*>(block - header_bytes);
}

/// Arrow's for blocks without a byte.
alignas(64) std::uint8_t no_bytes[1];

arrow::Status refuse(const std::optional<Error>& error) {
  return arrow::Status::IOError(error ? error->what() : "the file was given up");
}

}  // namespace

std::string arrow_reason(const arrow::Status& status) {
  std::string reason = status.message();
  std::ranges::replace(reason, '\n', ' ');
  while (reason.ends_with('.') || reason.ends_with(' ')) reason.pop_back();
  return reason;
}

void throw_arrow(const arrow::Status& status, std::string_view action, std::string_view object) {
  throw Error(action, object, arrow_reason(status));
}

void ArrowPool::draw_from(ArrowMemory memory) {
  assert(held_ == 0);
  memory_ = std::move(memory);
}

arrow::Status ArrowPool::Allocate(std::int64_t size, std::int64_t alignment, std::uint8_t** out) {
  if (size < 0 || alignment > header_bytes) return arrow::Status::Invalid("no such block of memory");
  if (size == 0) {
    *out = no_bytes;
    return arrow::Status::OK();
  }
  const auto bytes = static_cast<std::uint64_t>(size + header_bytes);
  if (bytes > limit_ - std::min(limit_, held_))
    throw Error(
        "hold", "rows of a catalog",
        fmt::format("Arrow holds {} bytes and wants {} more, {} were declared", held_, bytes, limit_));
  auto* block = static_cast<std::uint8_t*>(memory_.allocate(bytes));
  if (block == nullptr) throw Error("hold", "rows of a catalog", "out of memory");
  *out = block + header_bytes;
  size_of(*out) = bytes;
  held_ += bytes;
  total_ += bytes;
  ++allocations_;
  peak_ = std::max(peak_, held_);
  return arrow::Status::OK();
}

arrow::Status ArrowPool::Reallocate(std::int64_t old_size, std::int64_t new_size, std::int64_t alignment,
                                    std::uint8_t** block) {
  // Arrow shrinks each array that it has built: as a copy that would cost as much as building it.
  if (*block != no_bytes && new_size > 0 &&
      static_cast<std::uint64_t>(new_size + header_bytes) <= size_of(*block))
    return arrow::Status::OK();
  std::uint8_t* other = nullptr;
  ARROW_RETURN_NOT_OK(Allocate(new_size, alignment, &other));
  if (const std::int64_t kept = std::min(old_size, new_size); kept > 0)
    std::memcpy(other, *block, static_cast<std::size_t>(kept));
  Free(*block, old_size, alignment);
  *block = other;
  return arrow::Status::OK();
}

void ArrowPool::Free(std::uint8_t* block, std::int64_t, std::int64_t) {
  if (block == nullptr || block == no_bytes) return;
  held_ -= size_of(block);
  memory_.release(block - header_bytes);
}

ArrowOutput::ArrowOutput(AtomicFile& file) : file_(file) {
  buffer_.reserve(buffer_bytes);
}

arrow::Status ArrowOutput::put(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (error_ || is_abandoned_) return refuse(error_);
  try {
    file_.write_at(offset, bytes);
  } catch (const Error& error) {
    error_ = error;
    return refuse(error_);
  }
  return arrow::Status::OK();
}

arrow::Status ArrowOutput::Write(const void* data, std::int64_t count) {
  const auto bytes = std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(count));
  if (buffer_.size() + bytes.size() > buffer_bytes) ARROW_RETURN_NOT_OK(Flush());
  if (bytes.size() > buffer_bytes / 2) {
    ARROW_RETURN_NOT_OK(Flush());
    ARROW_RETURN_NOT_OK(put(position_, bytes));
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  position_ += bytes.size();
  return arrow::Status::OK();
}

arrow::Status ArrowOutput::Flush() {
  if (buffer_.empty()) return error_ || is_abandoned_ ? refuse(error_) : arrow::Status::OK();
  ARROW_RETURN_NOT_OK(put(position_ - buffer_.size(), buffer_));
  buffer_.clear();
  return arrow::Status::OK();
}

arrow::Status ArrowOutput::Close() {
  if (is_closed_) return arrow::Status::OK();
  is_closed_ = true;
  return Flush();
}

ArrowInput::ArrowInput(std::string path, FileSystem& files, ArrowPool& pool)
    : file_(std::move(path), files), pool_(pool) {}

arrow::Result<std::int64_t> ArrowInput::ReadAt(std::int64_t position, std::int64_t bytes, void* out) {
  if (error_) return refuse(error_);
  if (position < 0 || bytes < 0) return arrow::Status::Invalid("no such place in a file");
  try {
    return static_cast<std::int64_t>(
        file_.read_at(static_cast<std::uint64_t>(position),
                      std::span(static_cast<std::byte*>(out), static_cast<std::size_t>(bytes))));
  } catch (const Error& error) {
    error_ = error;
    return refuse(error_);
  }
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ArrowInput::ReadAt(std::int64_t position, std::int64_t bytes) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::ResizableBuffer> buffer,
                        arrow::AllocateResizableBuffer(bytes, &pool_));
  ARROW_ASSIGN_OR_RAISE(const std::int64_t count, ReadAt(position, bytes, buffer->mutable_data()));
  ARROW_RETURN_NOT_OK(buffer->Resize(count));
  return buffer;
}

arrow::Result<std::int64_t> ArrowInput::Read(std::int64_t bytes, void* out) {
  ARROW_ASSIGN_OR_RAISE(const std::int64_t count, ReadAt(position_, bytes, out));
  position_ += count;
  return count;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ArrowInput::Read(std::int64_t bytes) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer, ReadAt(position_, bytes));
  position_ += buffer->size();
  return buffer;
}

arrow::Status ArrowInput::Seek(std::int64_t position) {
  position_ = position;
  return arrow::Status::OK();
}

arrow::Status ArrowInput::Close() {
  is_closed_ = true;
  return arrow::Status::OK();
}

}  // namespace weir
