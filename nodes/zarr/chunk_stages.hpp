#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "framework/scratch_block.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

/// What chunk_codec.cpp puts together: one codec of a chunk each. Nothing outside nodes/zarr/ includes this.
namespace weir::chunk_stages {

/// Undoes one codec. One thread's.
class StageDecoder {
 public:
  virtual ~StageDecoder() = default;
  /// Decodes all of `encoded` into the front of `out` and returns the bytes. Throws an Error where the data is broken, ends early,
  /// has something behind its end, or makes more than `out` has room for.
  virtual std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) = 0;
  /// Fills `out` with the decoded bytes from `first` on, decoding no more than what they lie in. False where this chunk cannot be
  /// decoded so.
  virtual bool decode_part(std::span<const std::byte> encoded, std::uint64_t first,
                           std::span<std::byte> out) {
    (void)encoded, (void)first, (void)out;
    return false;
  }
};

/// One codec with what comes into it when it encodes: at most `raw` bytes. Const and thread-safe.
class Stage {
 public:
  virtual ~Stage() = default;
  /// The most bytes that encoding can make, and the most that decoding takes.
  virtual std::uint64_t max_encoded_bytes() const = 0;
  /// Whether that is what `raw` bytes always make.
  virtual bool is_fixed_size() const { return false; }
  virtual bool decodes_parts() const { return false; }
  virtual std::uint64_t decoder_scratch_bytes() const = 0;
  virtual std::uint64_t encoder_scratch_bytes() const = 0;
  virtual std::unique_ptr<StageDecoder> make_decoder(const Scratch& scratch, bool check_sums) const = 0;
  virtual std::unique_ptr<Encoder> make_encoder(const Scratch& scratch) const = 0;
};

/// For codecs that compress. Twice what any writer needs who encodes a chunk at once: stored blocks of deflate cost 5 bytes in
/// 64 KiB, its fixed codes an eighth, and a gzip member with a name, or the frames of one that was written in some pieces, fit into the
/// constant. Memory is reserved for it, so it is no more.
constexpr std::uint64_t most_compressed_bytes(std::uint64_t raw) {
  return raw + raw / 8 + 1024;
}

/// "cannot decode gzip data: it ends early"
inline Error broken(std::string_view codec, std::string_view reason) {
  return Error("decode", std::string(codec) + " data", reason);
}
inline constexpr std::string_view ends_early = "it ends early";
inline constexpr std::string_view too_long = "it holds more than the chunk";
inline constexpr std::string_view has_a_tail = "something lies behind its end";

/// Throws a usage Error for a level outside; `fallback` where there is none.
int level_of(std::string_view codec, std::optional<int> level, int lowest, int highest, int fallback);
Error only_read(std::string_view codec);                               ///< usage
Error not_built_in(std::string_view codec, std::string_view library);  ///< usage

// Each throws a usage Error where the codec is not built in, or its configuration cannot be.
std::unique_ptr<const Stage> gzip_stage(const ZarrCodecSpec& spec, std::uint64_t raw);  ///< and zlib
std::unique_ptr<const Stage> zstd_stage(const ZarrCodecSpec& spec, std::uint64_t raw);
/// `element_bytes`: of the chunk's data type.
std::unique_ptr<const Stage> blosc_stage(const ZarrCodecSpec& spec, std::uint64_t raw,
                                         std::uint32_t element_bytes);
std::unique_ptr<const Stage> lz4_stage(const ZarrCodecSpec& spec, std::uint64_t raw);
std::unique_ptr<const Stage> bz2_stage(const ZarrCodecSpec& spec, std::uint64_t raw);
std::unique_ptr<const Stage> lzma_stage(const ZarrCodecSpec& spec, std::uint64_t raw);
/// delta and shuffle; fixed_scale_offset and pack_bits, which are only read: their make_encoder throws a usage Error.
std::unique_ptr<const Stage> filter_stage(const ZarrCodecSpec& spec, std::uint64_t raw,
                                          std::uint32_t element_bytes);

}  // namespace weir::chunk_stages
