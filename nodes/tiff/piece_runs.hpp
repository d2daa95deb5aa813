#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "framework/buffer.hpp"
#include "framework/file.hpp"
#include "nodes/tiff/tiff_pieces.hpp"

// How the pieces of a chunk become few reads.

namespace weir {

/// A read of its own costs about as much as copying this many bytes of a gap from the page cache ...
constexpr std::uint64_t largest_local_gap = 4 << 10;
/// ... and a request as much as 5 ms of a line of 100 Mbit/s.
constexpr std::uint64_t largest_remote_gap = 64 << 10;

inline std::uint64_t largest_gap(const ReadableFile& file) {
  return file.is_remote() ? largest_remote_gap : largest_local_gap;
}

/// In front of a chunk's stored bytes: where the buffer has each of its pieces, by
/// TiffPieces::number_in.
struct TableEntry {
  std::uint64_t position = 0, bytes = 0;  // bytes 0: sparse
};

/// Places stored pieces behind a table one after the other; those that are neighbours in the file keep the
/// gap between them, so that one read brings both.
class Packing {
 public:
  Packing(std::uint64_t pieces, std::uint64_t gap_limit)
      : gap_limit_(gap_limit), size_(pieces * sizeof(TableEntry)) {}

  std::uint64_t place(const TiffPiece& piece) {
    if (piece.offset >= file_end_ && piece.offset - file_end_ <= gap_limit_)
      size_ += piece.offset - file_end_;
    const std::uint64_t position = size_;
    size_ += piece.bytes;
    file_end_ = piece.offset + piece.bytes;
    return position;
  }
  std::uint64_t size() const { return size_; }

 private:
  const std::uint64_t gap_limit_;
  std::uint64_t size_;
  std::uint64_t file_end_ = ~std::uint64_t{0};  // nothing lies behind
};

/// Brings pieces together that lie the same way in a file and in a buffer, up to a gap. Where these runs go is its
/// user's affair.
template <class Take>
class Runs {
 public:
  /// take(offset, position, bytes)
  Runs(std::uint64_t gap_limit, Take take) : gap_limit_(gap_limit), take_(std::move(take)) {}

  void add(std::uint64_t offset, std::uint64_t position, std::uint64_t bytes) {
    const std::uint64_t end = offset_ + bytes_;
    if (bytes_ == 0 || offset < end || offset - end > gap_limit_ ||
        position - position_ != offset - offset_) {
      flush();
      offset_ = offset;
      position_ = position;
    }
    bytes_ = offset - offset_ + bytes;
  }
  void flush() {
    if (bytes_ > 0) take_(offset_, position_, bytes_);
    bytes_ = 0;
  }

 private:
  const std::uint64_t gap_limit_;
  Take take_;
  std::uint64_t offset_ = 0, position_ = 0, bytes_ = 0;
};

/// Reads runs of a file into a buffer; those of a remote one at once.
class RunReader {
 public:
  RunReader(const ReadableFile& file, Buffer& buffer, std::uint64_t gap_limit, const std::stop_token& stop)
      : file_(file), stop_(stop), runs_(gap_limit, Add{this, &buffer}) {}

  void add(std::uint64_t offset, std::uint64_t position, std::uint64_t bytes) {
    runs_.add(offset, position, bytes);
  }
  void finish() {
    runs_.flush();
    read();
  }

 private:
  struct Add {
    RunReader* reader;
    Buffer* buffer;
    void operator()(std::uint64_t offset, std::uint64_t position, std::uint64_t bytes) const {
      reader->ranges_.push_back({offset, buffer->span().subspan(position, bytes)});
      if (reader->ranges_.size() == most_ranges) reader->read();
    }
  };
  /// 6 KiB, and more than are in flight at once.
  static constexpr std::size_t most_ranges = 256;

  void read() {
    if (!ranges_.empty()) file_.read_ranges(ranges_, stop_);
    ranges_.clear();
  }

  const ReadableFile& file_;
  const std::stop_token& stop_;
  std::vector<FileRange> ranges_;
  Runs<Add> runs_;
};

}  // namespace weir
