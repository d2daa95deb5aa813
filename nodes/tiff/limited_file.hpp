#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "framework/file.hpp"

namespace weir {

/// Bytes that may be read from one or several files together.
struct ReadAllowance {
  explicit ReadAllowance(std::uint64_t bytes) : limit(bytes) {}
  const std::uint64_t limit;
  std::atomic<std::uint64_t> used = 0;
};

/// A file whose reads are counted, and refused beyond the allowance.
class LimitedFile : public ReadableFile {
 public:
  LimitedFile(std::shared_ptr<const ReadableFile> file, std::shared_ptr<ReadAllowance> allowance)
      : file_(std::move(file)), allowance_(std::move(allowance)) {}

  const std::string& path() const override { return file_->path(); }
  std::uint64_t size() const override { return file_->size(); }
  /// Throws Error where the bytes asked for and those before are more than the allowance.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const override;
  void read_ranges(std::span<const FileRange> ranges, const std::stop_token& stop = {}) const override;
  bool is_remote() const override { return file_->is_remote(); }
  Traffic* traffic() const override { return file_->traffic(); }
  std::uint64_t requests_for(std::uint64_t offset, std::uint64_t bytes) const override {
    return file_->requests_for(offset, bytes);
  }
  std::uint64_t standing_bytes() const override { return file_->standing_bytes(); }

 private:
  void take(std::uint64_t offset, std::uint64_t bytes) const;

  std::shared_ptr<const ReadableFile> file_;
  std::shared_ptr<ReadAllowance> allowance_;
};

}  // namespace weir
