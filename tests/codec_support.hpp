#pragma once

// What the tests of codecs share: codecs to try, bytes to encode, and memory with a fence.

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "nodes/codecs/codec.hpp"

namespace weir::codec_support {

using Bytes = std::vector<std::byte>;

// Those that encode bytes, whatever they mean; jpeg, webp and lerc are in image_codec_support.hpp. lzma where it is
// built in.
inline std::vector<CodecId> byte_codecs() {
  std::vector<CodecId> ids = {CodecId::none, CodecId::lzw, CodecId::deflate, CodecId::packbits,
                              CodecId::zstd};
  if (missing_reason(CodecId::lzma).empty()) ids.push_back(CodecId::lzma);
  return ids;
}

inline std::string described(const CodecSpec& spec) {
  std::string text(name_of(spec.id));
  if (spec.id == CodecId::deflate) text += " " + std::string(name_of(spec.engine));
  if (spec.level) text += " " + std::to_string(*spec.level);
  if (spec.format.row_bytes() != 0) text += " rows of " + std::to_string(spec.format.row_bytes());
  return text;
}

// Every codec, engine and level that is built in.
inline std::vector<CodecSpec> all_specs() {
  std::vector<CodecSpec> specs = {{CodecId::none}, {CodecId::lzw}, {CodecId::packbits}};
  specs.push_back({CodecId::packbits});
  specs.back().format.width = 100;
  specs.push_back({CodecId::packbits});
  specs.back().format.width = 1;
  for (int level = 1; level <= 22; ++level) specs.push_back({CodecId::zstd, level});
  if (missing_reason(CodecId::lzma).empty())
    for (int level = 0; level <= 9; ++level) specs.push_back({CodecId::lzma, level});
  for (DeflateEngine engine : deflate_engines()) {
    const int highest = engine == DeflateEngine::zlib ? 9 : engine == DeflateEngine::isal ? 3 : 12;
    for (int level = 1; level <= highest; ++level) specs.push_back({CodecId::deflate, level, engine});
  }
  for (CodecSpec& spec : specs) spec = resolved(spec);
  return specs;
}

// One of each codec and engine.
inline std::vector<CodecSpec> default_specs() {
  std::vector<CodecSpec> specs;
  for (const CodecId id : byte_codecs())
    if (id != CodecId::deflate) specs.push_back({id});
  for (DeflateEngine engine : deflate_engines()) specs.push_back({CodecId::deflate, std::nullopt, engine});
  for (CodecSpec& spec : specs) spec = resolved(spec);
  return specs;
}

inline Bytes random_bytes(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Slowly changing 16-bit samples with some noise, runs of zeros between.
inline Bytes terrain(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  std::uint32_t height = 1000;
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    height += static_cast<std::uint32_t>(random() % 7) - 3;
    const std::uint32_t sample = i / 1000 % 5 == 4 ? 0 : height;
    bytes[i] = static_cast<std::byte>(sample);
    bytes[i + 1] = static_cast<std::byte>(sample >> 8);
  }
  return bytes;
}

inline Bytes encoded_with(const CodecSpec& spec, const Bytes& raw) {
  Bytes out(max_encoded_bytes(spec, raw.size()));
  out.resize(make_encoder(spec, raw.size(), Scratch())->encode(raw, out));
  return out;
}

// Memory that ends where no access is allowed: reading or writing one byte too far ends the test program.
class Fenced {
 public:
  explicit Fenced(std::size_t bytes) : size_(bytes) {
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    whole_ = (bytes + page - 1) / page * page + page;
    void* block = ::mmap(nullptr, whole_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(block != MAP_FAILED);
    start_ = static_cast<std::byte*>(block);
    REQUIRE(::mprotect(start_ + whole_ - page, page, PROT_NONE) == 0);
    data_ = start_ + whole_ - page - bytes;
  }
  explicit Fenced(std::span<const std::byte> content) : Fenced(content.size()) {
    std::copy(content.begin(), content.end(), data_);
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { ::munmap(start_, whole_); }
  std::span<std::byte> span() { return {data_, size_}; }

 private:
  std::byte *start_ = nullptr, *data_ = nullptr;
  std::size_t size_, whole_ = 0;
};

}  // namespace weir::codec_support
