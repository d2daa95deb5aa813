#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "framework/buffer.hpp"
#include "framework/error.hpp"
#include "nodes/codecs/codec.hpp"

/// What codec.cpp puts together; nothing outside nodes/codecs/ includes this. Specs are resolved.
namespace weir::codec_parts {

/// What one scratch block of `bytes` costs in a pool: its header and its rounding.
constexpr std::uint64_t scratch_block_bytes(std::uint64_t bytes) {
  return bytes + 128;
}

/// Scratch memory that goes back by itself.
class ScratchBlock {
 public:
  ScratchBlock() = default;
  /// Throws Error where there is no memory; `what` is its object ("a zstd context").
  ScratchBlock(const Scratch& scratch, std::size_t bytes, std::string_view what)
      : scratch_(scratch), data_(scratch.allocate(bytes)), bytes_(bytes) {
    if (data_ == nullptr) throw Error("allocate", what, "out of memory");
  }
  ScratchBlock(ScratchBlock&& other) noexcept
      : scratch_(std::move(other.scratch_)),
        data_(std::exchange(other.data_, nullptr)),
        bytes_(other.bytes_) {}
  ScratchBlock& operator=(ScratchBlock&& other) noexcept {
    std::swap(scratch_, other.scratch_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~ScratchBlock() {
    if (data_ != nullptr) scratch_.release(data_);
  }

  void* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  Scratch scratch_;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// deflate_codec.cpp
int default_deflate_level(DeflateEngine engine);
int highest_deflate_level(DeflateEngine engine);
DeflateEngine deflate_engine_for(bool level_is_given);
std::uint64_t max_deflate_bytes(DeflateEngine engine, std::uint64_t raw);
std::uint64_t deflate_encoder_scratch_bytes(const CodecSpec& spec);
std::unique_ptr<Encoder> make_deflate_encoder(const CodecSpec& spec, const Scratch& scratch);
std::uint64_t deflate_decoder_scratch_bytes();
std::unique_ptr<Decoder> make_deflate_decoder(const Scratch& scratch);

// zstd_codec.cpp
std::uint64_t max_zstd_bytes(std::uint64_t raw);
std::uint64_t zstd_encoder_scratch_bytes(int level, std::uint64_t raw);
std::unique_ptr<Encoder> make_zstd_encoder(int level, std::uint64_t raw, const Scratch& scratch);
std::uint64_t zstd_decoder_scratch_bytes();
std::unique_ptr<Decoder> make_zstd_decoder(const Scratch& scratch);

// tiff_memory_codec.cpp: lzw and packbits
std::uint64_t max_tiff_memory_bytes(const CodecSpec& spec, std::uint64_t raw);
std::uint64_t tiff_memory_scratch_bytes();
std::unique_ptr<Encoder> make_tiff_memory_encoder(const CodecSpec& spec);
std::unique_ptr<Decoder> make_tiff_memory_decoder(CodecId id);

}  // namespace weir::codec_parts
