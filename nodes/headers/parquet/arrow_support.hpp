#pragma once

// Between Arrow and Weir: errors, memory, files.

#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/file.hpp"
#include "nodes/headers/parquet_module.hpp"

namespace weir {

/// What Arrow says, as a reason: one line, without its words for kinds of error.
std::string arrow_reason(const arrow::Status& status);
[[noreturn]] void throw_arrow(const arrow::Status& status, std::string_view action, std::string_view object);

inline void check_arrow(const arrow::Status& status, std::string_view action, std::string_view object) {
  if (!status.ok()) [[unlikely]]
    throw_arrow(status, action, object);
}
template <class T>
T check_arrow(arrow::Result<T> result, std::string_view action, std::string_view object) {
  check_arrow(result.status(), action, object);
  return std::move(result).ValueUnsafe();
}

/// All memory that Arrow takes for a catalog: from a run's pool, so that it is in the run's peak, and never more than was declared.
/// Counts what is really taken, headers and room that Arrow gave back by shrinking a block included. What it has not is an Error that is
/// thrown through Arrow: a status is not looked at everywhere (26.0: hash tables are made without, and crash). One thread at a time.
class ArrowPool : public arrow::MemoryPool {
 public:
  ArrowPool(std::uint64_t limit, ArrowMemory memory) : limit_(limit), memory_(std::move(memory)) {}
  /// While nothing is taken.
  void draw_from(ArrowMemory memory);
  void raise_limit(std::uint64_t limit) { limit_ = limit; }
  std::uint64_t held() const { return held_; }
  std::uint64_t peak() const { return peak_; }

  arrow::Status Allocate(std::int64_t size, std::int64_t alignment, std::uint8_t** out) override;
  arrow::Status Reallocate(std::int64_t old_size, std::int64_t new_size, std::int64_t alignment,
                           std::uint8_t** block) override;
  void Free(std::uint8_t* block, std::int64_t size, std::int64_t alignment) override;
  std::int64_t bytes_allocated() const override { return static_cast<std::int64_t>(held_); }
  std::int64_t max_memory() const override { return static_cast<std::int64_t>(peak_); }
  std::int64_t total_bytes_allocated() const override { return static_cast<std::int64_t>(total_); }
  std::int64_t num_allocations() const override { return static_cast<std::int64_t>(allocations_); }
  std::string backend_name() const override { return "weir"; }

 private:
  std::uint64_t limit_;
  ArrowMemory memory_;
  std::uint64_t held_ = 0, peak_ = 0, total_ = 0, allocations_ = 0;
};

/// A file being written, for Arrow. An Error of the file is kept for whoever called Arrow; after it, and after abandon(), nothing is
/// written: Arrow's writers end their files also when they are destroyed.
class ArrowOutput : public arrow::io::OutputStream {
 public:
  explicit ArrowOutput(AtomicFile& file);
  arrow::Status Write(const void* data, std::int64_t bytes) override;
  arrow::Status Flush() override;
  arrow::Status Close() override;
  bool closed() const override { return is_closed_; }
  arrow::Result<std::int64_t> Tell() const override { return static_cast<std::int64_t>(position_); }
  void abandon() { is_abandoned_ = true; }
  const std::optional<Error>& error() const { return error_; }

  static constexpr std::size_t buffer_bytes = 256
                                              << 10;  ///< pages of rarely filled columns have some ten bytes

 private:
  arrow::Status put(std::uint64_t offset, std::span<const std::byte> bytes);

  AtomicFile& file_;
  std::vector<std::byte> buffer_;
  std::uint64_t position_ = 0;
  bool is_closed_ = false, is_abandoned_ = false;
  std::optional<Error> error_;
};

/// A file being read, for Arrow. The same of its errors.
class ArrowInput : public arrow::io::RandomAccessFile {
 public:
  ArrowInput(std::string path, FileSystem& files, ArrowPool& pool);
  arrow::Result<std::int64_t> GetSize() override { return static_cast<std::int64_t>(file_.size()); }
  arrow::Result<std::int64_t> ReadAt(std::int64_t position, std::int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(std::int64_t position, std::int64_t bytes) override;
  arrow::Result<std::int64_t> Read(std::int64_t bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t bytes) override;
  arrow::Status Seek(std::int64_t position) override;
  arrow::Result<std::int64_t> Tell() const override { return position_; }
  arrow::Status Close() override;
  bool closed() const override { return is_closed_; }
  const std::optional<Error>& error() const { return error_; }

 private:
  InputFile file_;
  ArrowPool& pool_;
  std::int64_t position_ = 0;
  bool is_closed_ = false;
  std::optional<Error> error_;
};

}  // namespace weir
