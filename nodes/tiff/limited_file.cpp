#include "nodes/tiff/limited_file.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"

namespace weir {

std::size_t LimitedFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  const std::uint64_t before = allowance_->used.fetch_add(out.size(), std::memory_order_relaxed);
  if (before > allowance_->limit || out.size() > allowance_->limit - before) {
    allowance_->used.fetch_sub(out.size(), std::memory_order_relaxed);
    throw Error("read", file_->path(),
                fmt::format("{} bytes at byte {} would be more than the limit for what is fetched, {} bytes",
                            out.size(), offset, allowance_->limit));
  }
  return file_->read_at(offset, out);
}

}  // namespace weir
