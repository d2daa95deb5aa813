#pragma once

#ifdef WEIR_WITH_LZMA

#include <lzma.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "framework/buffer.hpp"
#include "framework/error.hpp"

/// liblzma over a Scratch, and .xz blocks whose dictionary is never larger than what they become.
namespace weir::lzma_stream_parts {

inline constexpr std::uint64_t smallest_dictionary = LZMA_DICT_SIZE_MIN;

inline std::string_view reason_of(lzma_ret status) {
  switch (status) {
    case LZMA_MEM_ERROR:
      return "out of memory";
    case LZMA_FORMAT_ERROR:
      return "it does not start as .xz";
    case LZMA_OPTIONS_ERROR:
      return "its header asks for what liblzma does not know";
    case LZMA_DATA_ERROR:
      return "it is broken";
    case LZMA_BUF_ERROR:
      return "no progress is possible";
    default:
      return "liblzma fails";
  }
}

/// liblzma's allocator over a Scratch; `opaque` is the Scratch.
inline void* allocate(void* opaque, std::size_t items, std::size_t size) {
  return static_cast<const Scratch*>(opaque)->allocate(items * size);
}
inline void release(void* opaque, void* block) {
  if (block != nullptr) static_cast<const Scratch*>(opaque)->release(block);
}

/// A stream's state with its memory; its address stays, for liblzma keeps it.
class Stream {
 public:
  explicit Stream(const Scratch& scratch) : scratch_(scratch) { stream_.allocator = &allocator_; }
  ~Stream() { lzma_end(&stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  lzma_stream* get() { return &stream_; }
  lzma_stream* operator->() { return &stream_; }
  const lzma_allocator* allocator() const { return &allocator_; }

 private:
  Scratch scratch_;
  lzma_allocator allocator_ = {allocate, release, &scratch_};
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

inline std::uint32_t dictionary_for(std::uint64_t wanted, std::uint64_t raw) {
  constexpr std::uint64_t page = 4096;
  const std::uint64_t piece = raw > wanted ? wanted : (raw + page - 1) / page * page;
  return static_cast<std::uint32_t>(std::max(std::min(wanted, piece), smallest_dictionary));
}

/// Options of a block's filters, which liblzma allocates when it reads them.
class Filters {
 public:
  explicit Filters(const lzma_allocator* allocator) : allocator_(allocator) {
    filters_[0] = {LZMA_VLI_UNKNOWN, nullptr};
  }
  ~Filters() {
    for (std::size_t i = 0; filters_[i].id != LZMA_VLI_UNKNOWN; ++i)
      if (filters_[i].options != nullptr) allocator_->free(allocator_->opaque, filters_[i].options);
  }
  Filters(const Filters&) = delete;
  Filters& operator=(const Filters&) = delete;
  lzma_filter* get() { return filters_.data(); }

 private:
  const lzma_allocator* allocator_;
  std::array<lzma_filter, LZMA_FILTERS_MAX + 1> filters_;
};

inline void require(lzma_ret status) {
  if (status == LZMA_OK) return;
  throw Error(status == LZMA_MEM_ERROR ? "allocate" : "decode",
              status == LZMA_MEM_ERROR ? "an lzma decoder" : "lzma data", reason_of(status));
}

/// No match reaches further back than the `raw` bytes that come out.
inline void limit_dictionary(lzma_filter* filters, std::uint64_t raw) {
  for (; filters->id != LZMA_VLI_UNKNOWN; ++filters) {
    if (filters->id != LZMA_FILTER_LZMA2) continue;
    auto& options = *static_cast<lzma_options_lzma*>(filters->options);
    options.dict_size = dictionary_for(options.dict_size, raw);
  }
}

/// Makes `stream` decode the block at the front of `in`, asked before a dictionary is allocated, and returns the bytes of its header; 0
/// where `in` ends before that does. `block` and `filters` live until the block is through.
inline std::size_t start_block(Stream& stream, lzma_block& block, Filters& filters, lzma_check check,
                               std::span<const std::uint8_t> in, std::uint64_t raw) {
  block = {};
  block.header_size = lzma_block_header_size_decode(in[0]);
  if (block.header_size > in.size()) return 0;
  block.check = check;
  block.filters = filters.get();
  require(lzma_block_header_decode(&block, stream.allocator(), in.data()));
  limit_dictionary(filters.get(), raw);
  require(lzma_block_decoder(stream.get(), &block));
  return block.header_size;
}

}  // namespace weir::lzma_stream_parts

#endif
