#pragma once

// malloc that counts, for the helper programs that measure what codecs really take, their libraries' part included, against what they
// declare. It replaces malloc: for one source file of a program.

#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_COUNTS_MALLOC 0  // they have a malloc of their own
#else
#define WEIR_COUNTS_MALLOC 1
#endif

namespace {

std::atomic<std::size_t> live{0}, peak{0};

#if WEIR_COUNTS_MALLOC
void* taken(void* block) {
  if (block == nullptr) return nullptr;
  const std::size_t now = live += malloc_usable_size(block);
  if (now > peak) peak = now;
  return block;
}
void given(void* block) {
  if (block != nullptr) live -= malloc_usable_size(block);
}
#endif

}  // namespace

#if WEIR_COUNTS_MALLOC
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t items, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
void __libc_free(void* block);

void* malloc(std::size_t bytes) {
  return taken(__libc_malloc(bytes));
}
void* calloc(std::size_t items, std::size_t bytes) {
  return taken(__libc_calloc(items, bytes));
}
void* realloc(void* block, std::size_t bytes) {
  given(block);
  return taken(__libc_realloc(block, bytes));
}
void* memalign(std::size_t alignment, std::size_t bytes) {
  return taken(__libc_memalign(alignment, bytes));
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return taken(__libc_memalign(alignment, bytes));
}
int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  *block = taken(__libc_memalign(alignment, bytes));
  return *block == nullptr ? 12 : 0;
}
void free(void* block) {
  given(block);
  __libc_free(block);
}
}
#endif

namespace {

bool shows_all = false;
int failures = 0;

template <class Work>
void compare(const std::string& what, std::uint64_t declared, Work&& work) {
  const std::size_t before = live;
  peak = before;
  work();
  const std::size_t most = peak - before;
  if (most > declared) ++failures;
  if (most > declared || shows_all)
    std::printf("%-52s %10llu declared %10zu taken%s\n", what.c_str(),
                static_cast<unsigned long long>(declared), most, most > declared ? "  TOO MUCH" : "");
}

}  // namespace
