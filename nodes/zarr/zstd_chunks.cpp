// zstd (https://zarr-specs.readthedocs.io/en/latest/v3/codecs/zstd/): encoding makes one frame that states its size; decoding takes
// any number of frames, with or without their sizes, and skips skippable ones.
#define ZSTD_STATIC_LINKING_ONLY  // contexts in memory of ours, and what they take
#include <zstd.h>
#include <zstd_errors.h>

#include "nodes/codecs/stream_codecs.hpp"
#include "nodes/zarr/chunk_stages.hpp"

namespace weir::chunk_stages {
namespace {

class ZstdStageDecoder : public StageDecoder {
 public:
  ZstdStageDecoder(const Scratch& scratch, bool check_sums)
      : block_(scratch, ZSTD_estimateDCtxSize(), "a zstd context"),
        context_(ZSTD_initStaticDCtx(block_.data(), block_.size())) {
    if (context_ == nullptr) throw Error("prepare", "zstd decoding", "the context does not fit");
    const std::size_t status = ZSTD_DCtx_setParameter(
        context_, ZSTD_d_forceIgnoreChecksum, check_sums ? ZSTD_d_validateChecksum : ZSTD_d_ignoreChecksum);
    if (ZSTD_isError(status) != 0) throw Error("prepare", "zstd decoding", ZSTD_getErrorName(status));
  }

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const std::size_t bytes =
        ZSTD_decompressDCtx(context_, out.data(), out.size(), encoded.data(), encoded.size());
    if (ZSTD_isError(bytes) == 0) return bytes;
    throw broken("zstd", ZSTD_getErrorCode(bytes) == ZSTD_error_dstSize_tooSmall ? too_long
                         : ZSTD_getErrorCode(bytes) == ZSTD_error_srcSize_wrong  ? ends_early
                                                                                 : ZSTD_getErrorName(bytes));
  }

 private:
  ScratchBlock block_;
  ZSTD_DCtx* context_;  // inside block_
};

class ZstdStage : public Stage {
 public:
  // Level 0 is libzstd's default, which it names 3.
  ZstdStage(const ZarrCodecSpec& spec, std::uint64_t raw)
      : level_(level_of("zstd", spec.level, ZSTD_minCLevel(), ZSTD_maxCLevel(), ZSTD_CLEVEL_DEFAULT)),
        checksum_(spec.checksum),
        raw_(raw) {
    if (level_ == 0) level_ = ZSTD_CLEVEL_DEFAULT;
  }

  std::uint64_t max_encoded_bytes() const override { return most_compressed_bytes(raw_); }
  std::uint64_t decoder_scratch_bytes() const override {
    return scratch_block_bytes(ZSTD_estimateDCtxSize());
  }
  std::uint64_t encoder_scratch_bytes() const override { return zstd_encoder_scratch_bytes(level_, raw_); }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch& scratch, bool check_sums) const override {
    return std::make_unique<ZstdStageDecoder>(scratch, check_sums);
  }
  std::unique_ptr<Encoder> make_encoder(const Scratch& scratch) const override {
    return make_zstd_encoder(level_, checksum_, raw_, scratch);
  }

 private:
  int level_;
  bool checksum_;
  std::uint64_t raw_;
};

}  // namespace

std::unique_ptr<const Stage> zstd_stage(const ZarrCodecSpec& spec, std::uint64_t raw) {
  return std::make_unique<ZstdStage>(spec, raw);
}

}  // namespace weir::chunk_stages
