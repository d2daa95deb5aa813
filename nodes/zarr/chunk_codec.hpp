#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "framework/buffer.hpp"
#include "nodes/zarr/crc32c.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// How the elements of a decoded chunk lie in memory: axis `axes[0]` of the array is the slowest, axes.back() the fastest, packed;
/// words of word_bytes are turned round where `swapped`. What transpose and bytes say comes to just this: nothing is moved before the one
/// copy to (or from) where the elements belong.
struct StoredLayout {
  std::vector<std::uint32_t> axes;
  std::uint32_t element_bytes = 1, word_bytes = 1;
  bool swapped = false;  ///< in the byte order that is not the machine's
  /// Whether the elements lie as in row-major memory of this machine.
  bool is_plain() const;
};

/// What comes out of a decoder, and how much was there.
class ZarrDecoder {
 public:
  virtual ~ZarrDecoder() = default;
  /// Fills `raw` (ChunkCodec::raw_bytes) in the stored layout, or throws an Error: broken data, a wrong length, a wrong checksum.
  virtual void decode(std::span<const std::byte> encoded, std::span<std::byte> raw) = 0;
  /// Fills `part` with the raw bytes from `first` on, and decodes no more than the blocks that they lie in; with the errors of
  /// decode, as far as it comes to see them. Returns false, having done nothing, where the chunk must be decoded whole: where
  /// ChunkCodec::decodes_parts() is false, and for chunks whose writer counted in other elements.
  virtual bool decode_part(std::span<const std::byte> encoded, std::uint64_t first,
                           std::span<std::byte> part) = 0;
};
class ZarrEncoder {
 public:
  virtual ~ZarrEncoder() = default;
  /// Encodes a chunk in the stored layout into `out` (max_encoded_bytes) and returns the bytes. The same input gives the same output,
  /// whatever was encoded before.
  virtual std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) = 0;
};

class ChunkChain;

/// The codecs of one chunk (inner chunk, shard index, or a shard that is a chunk as a whole), prepared once for its shape. Const and thread-safe;
/// encoders and decoders are one thread's each.
class ChunkCodec {
 public:
  /// Throws a usage Error for codecs that are not built in or do not fit the type.
  ChunkCodec(const std::vector<ZarrCodecSpec>& codecs, const ZarrType& type,
             std::span<const std::uint64_t> shape, std::span<const std::byte> fill = {});

  const StoredLayout& layout() const { return layout_; }
  std::uint64_t raw_bytes() const { return raw_bytes_; }
  /// The most bytes that encoding can make, and the most that decoding takes: a chunk that is longer is refused.
  std::uint64_t max_encoded_bytes() const { return max_encoded_bytes_; }
  /// Whether encoded chunks all have encoded_bytes(): no codec that compresses (bytes, crc32c).
  bool is_fixed_size() const;
  /// Whether an encoded chunk is its raw bytes, so that parts of it can be read and written alone.
  bool is_raw() const;
  /// Whether ZarrDecoder::decode_part takes less time than decode: bytes alone, and blosc.
  bool decodes_parts() const;

  /// Of one decoder: drawn from its scratch, or (blosc) declared from measured bounds.
  std::uint64_t decoder_scratch_bytes() const;
  std::uint64_t encoder_scratch_bytes() const;
  /// `check_sums`: whether a wrong checksum of crc32c and zstd is an Error. Those of gzip, zlib, bz2 and lzma always are.
  std::unique_ptr<ZarrDecoder> make_decoder(const Scratch& scratch, bool check_sums = true) const;
  /// Throws a usage Error for filters that are only read.
  std::unique_ptr<ZarrEncoder> make_encoder(const Scratch& scratch) const;

 private:
  StoredLayout layout_;
  std::uint64_t raw_bytes_ = 0, max_encoded_bytes_ = 0;
  std::shared_ptr<const ChunkChain> chain_;
};

}  // namespace weir
