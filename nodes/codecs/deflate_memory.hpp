#pragma once

#include <cstddef>
#include <cstdint>

#include "framework/buffer.hpp"

/// How zlib and libdeflate draw their memory from a Scratch.
namespace weir::deflate_memory {

/// zlib's allocator (alloc_func, free_func); `opaque` is a Scratch, which outlives the stream.
void* zlib_allocate(void* opaque, unsigned items, unsigned size);
void zlib_release(void* opaque, void* block);
/// Plain memory that is counted as a pool would count it; `opaque` is the count, a std::uint64_t.
void* zlib_count(void* opaque, unsigned items, unsigned size);
void zlib_count_release(void* opaque, void* block);

#ifdef WEIR_WITH_LIBDEFLATE

/// libdeflate (before 1.19) has one allocator for the whole process. Ours looks at what the calling thread is about: inside
/// a LibdeflateMemory it takes from its scratch or counts; everywhere else it is malloc, as before.
class LibdeflateMemory {
 public:
  explicit LibdeflateMemory(const Scratch* scratch, std::uint64_t* counted = nullptr);
  LibdeflateMemory(const LibdeflateMemory&) = delete;
  LibdeflateMemory& operator=(const LibdeflateMemory&) = delete;
  ~LibdeflateMemory();
};

std::uint64_t libdeflate_decoder_bytes();

#endif

}  // namespace weir::deflate_memory
