#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/buffer.hpp"
#include "nodes/raster/sample_type.hpp"

namespace weir {

/// The codecs of TIFF tiles and strips that Weir writes; values are TIFF's Compression tag (259).
enum class CodecId : std::uint16_t { none = 1, lzw = 5, deflate = 8, packbits = 32773, zstd = 50000 };

/// Which library makes deflate streams. All make valid zlib streams (RFC 1950); sizes and speeds differ.
enum class DeflateEngine : std::uint8_t { automatic, zlib, libdeflate, isal };

class Encoder;
class Decoder;

/// A codec that is not ours: a plugin's. Const and thread-safe; encoders and decoders are one thread's each.
class CustomCodec {
 public:
  virtual ~CustomCodec() = default;
  virtual std::string name() const = 0;
  /// TIFF's Compression tag (259) of what it makes; from 32768 on, TIFF 6.0's private range, and none of
  /// ours.
  virtual std::uint16_t tiff_compression() const = 0;
  /// The levels that it takes, least to most; nothing where it has none.
  virtual std::optional<std::pair<int, int>> levels() const = 0;
  virtual std::uint64_t max_encoded_bytes(std::uint64_t raw) const = 0;
  virtual std::uint64_t encoder_scratch_bytes(std::uint64_t raw) const = 0;
  virtual std::uint64_t decoder_scratch_bytes() const = 0;
  virtual std::unique_ptr<Encoder> make_encoder(std::optional<int> level, std::uint64_t raw,
                                                const Scratch& scratch) const = 0;
  virtual std::unique_ptr<Decoder> make_decoder(const Scratch& scratch) const = 0;
};

/// What the rows of the pieces are. The height of a piece follows from its bytes.
struct PieceFormat {
  std::uint64_t width = 0;    ///< pixels of a row; 0: not told, a piece is one row
  std::uint32_t samples = 1;  ///< of a pixel, interleaved
  SampleType type = SampleType::uint8;

  /// packbits packs rows apart (TIFF 6.0 section 9).
  std::uint64_t row_bytes() const { return width * samples * bytes_of(type); }
};

struct CodecSpec {
  CodecId id = CodecId::none;
  std::optional<int> level = std::nullopt;  ///< the codec's default where absent
  DeflateEngine engine = DeflateEngine::automatic;
  PieceFormat format = {};                              ///< for the codecs that look at rows or pixels
  std::shared_ptr<const CustomCodec> custom = nullptr;  ///< used instead of `id`, where it is set
};

std::string_view name_of(CodecId id);                       ///< "zstd"
std::optional<CodecId> codec_named(std::string_view name);  ///< the inverse
std::string_view name_of(DeflateEngine engine);             ///< "libdeflate"; "isal"
std::optional<DeflateEngine> deflate_engine_named(std::string_view name);
std::vector<DeflateEngine> deflate_engines();  ///< those built in, zlib always

/// Whether pieces are stored as they are.
inline bool is_plain(const CodecSpec& spec) {
  return !spec.custom && spec.id == CodecId::none;
}

/// Fills in the default level and the engine. Throws a usage Error where the level is out of the codec's range, is
/// given for a codec without levels, or the engine is not built in.
CodecSpec resolved(const CodecSpec& spec);

/// The most bytes that encoding `raw` bytes can make. Where a library has no bound this is ours, and exceeding it is
/// an Error of that tile.
std::uint64_t max_encoded_bytes(const CodecSpec& spec, std::uint64_t raw);

/// Encodes independent pieces (tiles, strips) one after the other. Not thread-safe: one per thread.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Encodes `raw` into `out`, which has at least max_encoded_bytes(raw.size()); returns the bytes written. The same
  /// input gives the same output, whatever was encoded before.
  virtual std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) = 0;
};

/// Bytes that make_encoder takes from its scratch for pieces of up to `raw` bytes.
std::uint64_t encoder_scratch_bytes(const CodecSpec& spec, std::uint64_t raw);
/// `spec` is resolved; `raw` is the largest piece that will come.
std::unique_ptr<Encoder> make_encoder(const CodecSpec& spec, std::uint64_t raw, const Scratch& scratch);

/// Decodes independent pieces. Not thread-safe: one per thread.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Fills `out` from `encoded`, and returns how many bytes it could fill: fewer where the data ends early. Bytes
  /// beyond out.size() are not decoded. Throws Error where the data is broken.
  virtual std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) = 0;
};

std::uint64_t decoder_scratch_bytes(CodecId id);
std::unique_ptr<Decoder> make_decoder(CodecId id, const Scratch& scratch);

}  // namespace weir
