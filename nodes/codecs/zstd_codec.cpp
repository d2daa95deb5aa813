#define ZSTD_STATIC_LINKING_ONLY         // contexts in memory of ours, and what they take
#define ZSTD_DISABLE_DEPRECATE_WARNINGS  // the block-wise decoder below has no successor yet
#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <optional>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"

namespace weir {
namespace codec_parts {
namespace {

constexpr std::size_t kib = 1024;

// Level 3, the default, looks for matches with two tables: one of 8 bytes (hashLog), one of 5 (chainLog; of 4 in libzstd's set for
// pieces of 128 to 256 KiB). What a predictor leaves of pixels has few long matches: in a large table of 8 bytes nearly every
// look-up is a miss of the first-level cache that finds nothing, and the other table is what makes the size. So the first
// gets 2^14 entries instead of 2^16 or 2^17, which stay near, and the second 2^16. libzstd 1.5.4, one core of an EPYC 9005,
// raw MB/s and ratio:
//                                        libzstd's set   as here
//   256x256  uint16, terrain              166  1.800      200  1.815
//            uint16, DEM, upsampled       484  4.520      472  4.478
//            uint16, Landsat              196  2.218      228  2.216
//            float32, terrain in cm       234  2.140      334  2.087
//            float32, DEM, upsampled      219  2.255      322  2.236
//            float32, Landsat             447  4.961      557  5.087
//            RGB, Landsat                 138  1.517      235  1.542
//   512x512  uint16, terrain              182  1.861      228  1.861
//            uint16, DEM, upsampled       594  6.298      640  6.279
//            uint16, Landsat              202  2.237      239  2.221
//            uint16, noise of a sensor    189  1.438      248  1.438
//            float32, terrain             301  2.193      361  2.188
//            float32, DEM, upsampled      293  2.775      348  2.752
//            RGB, Landsat, upsampled      208  2.423      246  2.374
// In pieces of 128 to 256 KiB 2^15 entries are 15 % faster than 2^16, for a ratio 0.5 % smaller. Pieces up to 64 KiB gain
// nothing. Other levels are as libzstd has them.
ZSTD_compressionParameters parameters_for(int level, std::uint64_t raw) {
  const std::uint64_t piece = std::max<std::uint64_t>(raw, 1);  // 0 would stand for "unknown"
  ZSTD_compressionParameters parameters = ZSTD_getCParams(level, piece, 0);
  if (level == 3 && piece > 64 * kib) {
    parameters.strategy = ZSTD_dfast;
    parameters.minMatch = 5;
    parameters.hashLog = 14;
    parameters.chainLog = piece > 128 * kib && piece <= 256 * kib ? 15 : 16;
  }
  return parameters;
}

std::size_t context_bytes(int level, std::uint64_t raw) {
  const std::size_t bytes = ZSTD_estimateCCtxSize_usingCParams(parameters_for(level, raw));
  if (ZSTD_isError(bytes) != 0)
    throw Error("prepare", fmt::format("zstd level {}", level), ZSTD_getErrorName(bytes));
  return bytes;
}

// The context lies in one block that is made for the largest piece, so nothing is allocated while encoding. All
// parameters are fixed for that piece; libzstd only lowers them for smaller ones, which is a function of the size.
class ZstdEncoder : public Encoder {
 public:
  ZstdEncoder(int level, bool checksum, std::uint64_t raw, const Scratch& scratch)
      : block_(scratch, context_bytes(level, raw), "a zstd context"),
        context_(ZSTD_initStaticCCtx(block_.data(), block_.size())) {
    if (context_ == nullptr)
      throw Error("prepare", fmt::format("zstd level {}", level), "the context does not fit");
    // libzstd 1.5.4 leaves the parameters of such a context 0, not at their defaults (frames would not state their size).
    const std::size_t status = ZSTD_CCtx_reset(context_, ZSTD_reset_session_and_parameters);
    if (ZSTD_isError(status) != 0) throw Error("prepare", "a zstd context", ZSTD_getErrorName(status));
    const ZSTD_compressionParameters p = parameters_for(level, raw);
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_windowLog, static_cast<int>(p.windowLog));
    set(ZSTD_c_chainLog, static_cast<int>(p.chainLog));
    set(ZSTD_c_hashLog, static_cast<int>(p.hashLog));
    set(ZSTD_c_searchLog, static_cast<int>(p.searchLog));
    set(ZSTD_c_minMatch, static_cast<int>(p.minMatch));
    set(ZSTD_c_targetLength, static_cast<int>(p.targetLength));
    set(ZSTD_c_strategy, static_cast<int>(p.strategy));
    set(ZSTD_c_checksumFlag, checksum ? 1 : 0);
  }

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    const std::size_t bytes = ZSTD_compress2(context_, out.data(), out.size(), raw.data(), raw.size());
    if (ZSTD_isError(bytes) != 0)
      throw Error("encode", fmt::format("{} bytes with zstd", raw.size()), ZSTD_getErrorName(bytes));
    return bytes;
  }

 private:
  void set(ZSTD_cParameter parameter, int value) {
    const std::size_t status = ZSTD_CCtx_setParameter(context_, parameter, value);
    if (ZSTD_isError(status) != 0) throw Error("prepare", "a zstd context", ZSTD_getErrorName(status));
  }

  ScratchBlock block_;
  ZSTD_CCtx* context_;  // inside block_
};

class ZstdDecoder : public Decoder {
 public:
  explicit ZstdDecoder(const Scratch& scratch)
      : scratch_(scratch),
        block_(scratch, ZSTD_estimateDCtxSize(), "a zstd context"),
        context_(ZSTD_initStaticDCtx(block_.data(), block_.size())) {
    if (context_ == nullptr) throw Error("prepare", "zstd decoding", "the context does not fit");
  }

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    if (encoded.empty() || out.empty()) return 0;
    const std::size_t bytes =
        ZSTD_decompressDCtx(context_, out.data(), out.size(), encoded.data(), encoded.size());
    if (ZSTD_isError(bytes) == 0) return bytes;
    switch (ZSTD_getErrorCode(bytes)) {
      case ZSTD_error_dstSize_tooSmall:  // more data than asked for
      case ZSTD_error_srcSize_wrong: {   // cut off, or something else behind the last frame
        std::size_t spilled = no_call;
        std::optional<std::size_t> filled = decode_blocks(encoded, out, spilled);
        if (!filled) filled = decode_blocks(encoded, out, spilled);
        assert(filled);
        return filled.value_or(0);
      }
      default:
        throw broken(bytes);
    }
  }

 private:
  static constexpr std::size_t no_call = std::numeric_limits<std::size_t>::max();

  static Error broken(std::size_t status) { return Error("decode", "zstd data", ZSTD_getErrorName(status)); }

  // Block by block, as far as data and room go. A block may be larger than the room that is left, and libzstd gives
  // blocks only whole: then `spilled` is set to that call's number and nothing is returned, and the second time that
  // call goes to a block of ours. (Not the first time: blocks may refer back only to what lies before them in one
  // buffer, and none may come behind the spilled one.)
  std::optional<std::size_t> decode_blocks(std::span<const std::byte> encoded, std::span<std::byte> out,
                                           std::size_t& spilled) {
    std::size_t at = 0, filled = 0, call = 0;
    while (at < encoded.size() && filled < out.size()) {  // frame by frame
      if (const std::size_t status = ZSTD_decompressBegin(context_); ZSTD_isError(status) != 0)
        throw broken(status);
      for (; filled < out.size(); ++call) {
        const std::size_t wanted = ZSTD_nextSrcSizeToDecompress(context_);
        if (wanted == 0) break;
        if (wanted > encoded.size() - at) return filled;
        const std::size_t room = out.size() - filled;
        if (call == spilled) {
          if (spill_.data() == nullptr) spill_ = ScratchBlock(scratch_, ZSTD_BLOCKSIZE_MAX, "a zstd block");
          const std::size_t bytes =
              ZSTD_decompressContinue(context_, spill_.data(), spill_.size(), encoded.data() + at, wanted);
          if (ZSTD_isError(bytes) != 0) throw broken(bytes);
          std::memcpy(out.data() + filled, spill_.data(), std::min(bytes, room));
          return filled + std::min(bytes, room);
        }
        const std::size_t bytes =
            ZSTD_decompressContinue(context_, out.data() + filled, room, encoded.data() + at, wanted);
        if (ZSTD_isError(bytes) != 0) {
          if (ZSTD_getErrorCode(bytes) != ZSTD_error_dstSize_tooSmall || room >= ZSTD_BLOCKSIZE_MAX)
            throw broken(bytes);
          spilled = call;
          return std::nullopt;
        }
        at += wanted;
        filled += bytes;
      }
    }
    return filled;
  }

  Scratch scratch_;
  ScratchBlock block_, spill_;
  ZSTD_DCtx* context_;  // inside block_
};

}  // namespace

std::uint64_t zstd_decoder_scratch_bytes() {
  return scratch_block_bytes(ZSTD_estimateDCtxSize()) + scratch_block_bytes(ZSTD_BLOCKSIZE_MAX);
}

std::unique_ptr<Decoder> make_zstd_decoder(const Scratch& scratch) {
  return std::make_unique<ZstdDecoder>(scratch);
}

}  // namespace codec_parts

std::uint64_t max_zstd_bytes(std::uint64_t raw) {
  // ZSTD_compressBound as zstd.h states it (the function refuses sizes that it thinks absurd): a 256th more, and up to
  // 64 bytes for pieces below 128 KiB.
  constexpr std::uint64_t small = 128 * 1024;
  return raw + (raw >> 8) + (raw < small ? (small - raw) >> 11 : 0);
}

std::uint64_t zstd_encoder_scratch_bytes(int level, std::uint64_t raw) {
  return scratch_block_bytes(codec_parts::context_bytes(level, raw));
}

std::unique_ptr<Encoder> make_zstd_encoder(int level, bool checksum, std::uint64_t raw,
                                           const Scratch& scratch) {
  return std::make_unique<codec_parts::ZstdEncoder>(level, checksum, raw, scratch);
}

}  // namespace weir
