#include "nodes/tiff/limited_file.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"

namespace weir {

void LimitedFile::take(std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t before = allowance_->used.fetch_add(bytes, std::memory_order_relaxed);
  if (before > allowance_->limit || bytes > allowance_->limit - before) {
    allowance_->used.fetch_sub(bytes, std::memory_order_relaxed);
    throw Error("read", file_->path(),
                fmt::format("{} bytes at byte {} would be more than the limit for what is fetched, {} bytes",
                            bytes, offset, allowance_->limit));
  }
}

std::size_t LimitedFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  take(offset, out.size());
  return file_->read_at(offset, out);
}

void LimitedFile::read_ranges(std::span<const FileRange> ranges, const std::stop_token& stop) const {
  for (const FileRange& range : ranges) take(range.offset, range.out.size());
  file_->read_ranges(ranges, stop);
}

}  // namespace weir
