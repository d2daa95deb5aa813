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
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/sample_type.hpp"

namespace weir {

/// The codecs of TIFF tiles and strips that Weir writes; values are TIFF's Compression tag (259).
enum class CodecId : std::uint16_t {
  none = 1,
  lzw = 5,
  jpeg = 7,  ///< lossy; the abbreviated streams of TIFF Technical Note 2, tables in tag 347
  deflate = 8,
  packbits = 32773,
  lerc = 34887,  ///< within a maximal error, or exact
  lzma = 34925,  ///< .xz streams
  zstd = 50000,
  webp = 50001,  ///< lossy or exact
};

/// Which library makes deflate streams. All make valid zlib streams (RFC 1950); sizes and speeds differ.
enum class DeflateEngine : std::uint8_t { automatic, zlib, libdeflate, isal };

/// What packs the blobs of LERC once more; values are those of LercParameters (tag 50674).
enum class LercCompression : std::uint8_t { none, deflate, zstd };

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
  /// The samples of a pixel are red, green and blue, and no others: jpeg stores them as YCbCr.
  bool is_rgb = false;

  /// packbits packs rows apart (TIFF 6.0 section 9).
  std::uint64_t row_bytes() const { return width * samples * bytes_of(type); }
};

struct CodecSpec {
  CodecId id = CodecId::none;
  std::optional<int> level = std::nullopt;  ///< the codec's default where absent
  DeflateEngine engine = DeflateEngine::automatic;
  PieceFormat format = {};                              ///< for the codecs that look at rows or pixels
  std::shared_ptr<const CustomCodec> custom = nullptr;  ///< used instead of `id`, where it is set
  /// jpeg and lossy webp: 1 to 100, 75 where absent. Values change; nodata values as any other.
  std::optional<int> quality = std::nullopt;
  bool lossless = false;  ///< webp: every sample comes back
  /// lerc: no sample comes back further off than this; 0 where absent: none is changed, but a -0 among zeros is 0. NaN stays
  /// NaN; a nodata value may change by as much as any other.
  std::optional<double> max_error = std::nullopt;
  LercCompression lerc_compression = LercCompression::none;  ///< `level` is its level, where there is one
};

std::string_view name_of(CodecId id);                       ///< "zstd"
std::optional<CodecId> codec_named(std::string_view name);  ///< the inverse
/// The same for codecs as a user chooses them: also "lerc_deflate" and "lerc_zstd".
std::string_view name_of(const CodecSpec& spec);
std::optional<CodecSpec> codec_spec_named(std::string_view name);
std::vector<std::string> codec_names();          ///< all that codec_spec_named knows
std::string_view name_of(DeflateEngine engine);  ///< "libdeflate"; "isal"
std::optional<DeflateEngine> deflate_engine_named(std::string_view name);
std::vector<DeflateEngine> deflate_engines();  ///< those built in, zlib always

/// Whether pieces are stored as they are.
inline bool is_plain(const CodecSpec& spec) {
  return !spec.custom && spec.id == CodecId::none;
}

/// Whether readers undo a predictor there, and the codec gains by it: deflate, zstd, lzw, lzma and codecs that are not
/// ours.
bool takes_predictor(CodecId id);
/// Whether pieces come back other than they were.
bool is_lossy(const CodecSpec& spec);
/// Why a codec of ours cannot be used here: its library is not built in, or libtiff was built without it. Empty where it
/// can.
std::string_view missing_reason(CodecId id);

/// Fills in the defaults of level, quality, maximal error and engine; `predictor` is that of the pieces, which deflate's default
/// level depends on. Throws a usage Error where one of them is out of the codec's range or is given for a codec that has
/// none, or the codec or the engine is not built in.
CodecSpec resolved(const CodecSpec& spec, Predictor predictor = Predictor::none);

/// Throws a usage Error where a resolved codec cannot hold pieces of its format, up to `rows` high: sample type, samples,
/// sides.
void check_pieces(const CodecSpec& spec, std::uint64_t rows);

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

/// Bytes that make_encoder and encoding take for pieces of up to `raw` bytes. Drawn from its scratch but for jpeg, webp,
/// lerc, lzw and packbits: what libtiff takes for them is declared all the same, from measured bounds.
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

/// What a decoder knows of its pieces. jpeg, webp and lerc need all of it, lzma wants `format` and `rows` for the bound of
/// its memory, the others look at nothing but the codec. jpeg, webp and lerc fill whole rows only, and all of them or
/// none: their data does not tell what came before the damage.
struct DecodeSpec {
  CodecId id = CodecId::none;
  std::shared_ptr<const CustomCodec> custom = nullptr;  ///< used instead of `id`, where it is set
  PieceFormat format = {};                              ///< of the pieces as they come out
  std::uint64_t rows = 0;                               ///< of the highest piece
  bool is_padded = false;  ///< every piece holds `rows` rows (tiles), else those that are asked for (strips)
  std::vector<std::byte> jpeg_tables = {};  ///< JPEGTables (tag 347), where the file has them
  /// jpeg: samples per chroma sample, across and down, where the data is YCbCr (it comes out as RGB); else 0.
  std::uint16_t ycbcr_across = 0, ycbcr_down = 0;
  std::uint32_t lerc_version = 4, lerc_compression = 0;  ///< LercParameters (tag 50674)
  bool ends_in_alpha = false;  ///< lerc: the last sample is an unassociated alpha, which may be its mask

  std::uint64_t raw_bytes() const { return rows * format.row_bytes(); }
};

/// Bytes that make_decoder and decoding take, for libtiff's part of it at most: its memory is not drawn from a scratch.
std::uint64_t decoder_scratch_bytes(const DecodeSpec& spec);
std::unique_ptr<Decoder> make_decoder(const DecodeSpec& spec, const Scratch& scratch);
/// For the codecs that need to know no more.
inline std::unique_ptr<Decoder> make_decoder(CodecId id, const Scratch& scratch) {
  DecodeSpec spec;
  spec.id = id;
  return make_decoder(spec, scratch);
}

}  // namespace weir
