#include "nodes/codecs/deflate_memory.hpp"

#include <cstdlib>
#include <mutex>

#include "framework/scratch_block.hpp"

#ifdef WEIR_WITH_LIBDEFLATE
#include <libdeflate.h>
#endif

namespace weir::deflate_memory {

void* zlib_allocate(void* opaque, unsigned items, unsigned size) {
  return static_cast<const Scratch*>(opaque)->allocate(std::size_t{items} * size);
}
void zlib_release(void* opaque, void* block) {
  static_cast<const Scratch*>(opaque)->release(block);
}

void* zlib_count(void* opaque, unsigned items, unsigned size) {
  *static_cast<std::uint64_t*>(opaque) += scratch_block_bytes(std::uint64_t{items} * size);
  return std::calloc(items, size);
}
void zlib_count_release(void*, void* block) {
  std::free(block);
}

#ifdef WEIR_WITH_LIBDEFLATE

namespace {

thread_local const Scratch* current_scratch = nullptr;
thread_local std::uint64_t* current_count = nullptr;

void* allocate(std::size_t bytes) {
  if (current_count != nullptr) *current_count += scratch_block_bytes(bytes);
  return current_scratch != nullptr ? current_scratch->allocate(bytes) : std::malloc(bytes);
}
void release(void* block) {
  if (current_scratch != nullptr)
    current_scratch->release(block);
  else
    std::free(block);
}

}  // namespace

LibdeflateMemory::LibdeflateMemory(const Scratch* scratch, std::uint64_t* counted) {
  static std::once_flag installed;
  std::call_once(installed, [] { libdeflate_set_memory_allocator(allocate, release); });
  current_scratch = scratch;
  current_count = counted;
}
LibdeflateMemory::~LibdeflateMemory() {
  current_scratch = nullptr;
  current_count = nullptr;
}

std::uint64_t libdeflate_decoder_bytes() {
  std::uint64_t counted = 0;
  LibdeflateMemory memory(nullptr, &counted);
  libdeflate_free_decompressor(libdeflate_alloc_decompressor());
  return counted;
}

#endif

}  // namespace weir::deflate_memory
