#pragma once

#include <fcntl.h>
#include <tiffio.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "framework/file.hpp"

namespace weir::test {

using Bytes = std::vector<std::byte>;

/// A file system that has one file, in memory, under every name. Counts its reads, and can fail one of them.
class MemoryFiles : public FileSystem {
 public:
  explicit MemoryFiles(Bytes bytes) : bytes_(std::move(bytes)) {}

  int open(const char*, int, mode_t) override { return 1000; }
  int close(int) override { return 0; }
  ssize_t pread(int, void* data, std::size_t bytes, off_t offset) override {
    if (reads++ == failing_read) {
      errno = EIO;
      return -1;
    }
    if (offset < 0) {
      errno = EINVAL;
      return -1;
    }
    const auto from = std::min(static_cast<std::size_t>(offset), bytes_.size());
    const std::size_t got = std::min(bytes, bytes_.size() - from);
    if (got > 0) std::memcpy(data, bytes_.data() + from, got);
    bytes_read += static_cast<std::int64_t>(got);
    return static_cast<ssize_t>(got);
  }
  int fstat(int, struct ::stat* status) override {
    *status = {};
    status->st_mode = S_IFREG | 0644;
    status->st_size = static_cast<off_t>(bytes_.size());
    return 0;
  }

  std::atomic<std::int64_t> reads = 0, bytes_read = 0;
  std::int64_t failing_read = -1;

 private:
  Bytes bytes_;
};

/// A TIFF file in memory, as libtiff's client.
class MemoryTiff {
 public:
  explicit MemoryTiff(Bytes bytes = {}) : bytes_(std::move(bytes)) {}

  /// `mode` as for TIFFOpen. Close it before using bytes().
  TIFF* open(const char* mode) {
    position_ = 0;
    TIFFSetWarningHandler(nullptr);  // it would print
    TIFF* tiff = TIFFClientOpen("memory.tif", mode, this, read, write, seek, close, size, nullptr, nullptr);
    if (tiff == nullptr) throw std::runtime_error("libtiff cannot open");
    return tiff;
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  static MemoryTiff& self(thandle_t handle) { return *static_cast<MemoryTiff*>(handle); }
  static tmsize_t read(thandle_t handle, void* data, tmsize_t bytes) {
    MemoryTiff& file = self(handle);
    const std::size_t from = std::min(file.position_, file.bytes_.size());
    const std::size_t got = std::min(static_cast<std::size_t>(bytes), file.bytes_.size() - from);
    if (got > 0) std::memcpy(data, file.bytes_.data() + from, got);
    file.position_ += got;
    return static_cast<tmsize_t>(got);
  }
  static tmsize_t write(thandle_t handle, void* data, tmsize_t bytes) {
    MemoryTiff& file = self(handle);
    const std::size_t end = file.position_ + static_cast<std::size_t>(bytes);
    if (end > file.bytes_.size()) file.bytes_.resize(end);
    if (bytes > 0) std::memcpy(file.bytes_.data() + file.position_, data, static_cast<std::size_t>(bytes));
    file.position_ = end;
    return bytes;
  }
  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    MemoryTiff& file = self(handle);
    if (whence == SEEK_CUR) offset += file.position_;
    if (whence == SEEK_END) offset += file.bytes_.size();
    return file.position_ = offset;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return self(handle).bytes_.size(); }

  Bytes bytes_;
  std::size_t position_ = 0;
};

}  // namespace weir::test
