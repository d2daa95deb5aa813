// blosc (https://zarr-specs.readthedocs.io/en/latest/v3/codecs/blosc/) by c-blosc, whose _ctx calls touch nothing global; one thread each.
// c-blosc has no allocators: what it takes is declared (below), not drawn from a scratch.
#include "nodes/zarr/chunk_stages.hpp"

#ifdef WEIR_WITH_BLOSC

#define ZSTD_STATIC_LINKING_ONLY  // what contexts take
#include <blosc.h>
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>

namespace weir::chunk_stages {
namespace {

// c-blosc 1.21.3 (blosc.c, compute_blocksize) makes automatic blocks of up to 1 MiB, its forerunners of up to 2. Chunks whose
// blocks are larger than this, and than the metadata says, are refused: c-blosc takes three times their size.
constexpr std::uint64_t most_automatic_block = std::uint64_t{4} << 20;
constexpr std::uint64_t most_made_block = std::uint64_t{1} << 20;
constexpr std::uint64_t kib = 1024;

std::size_t limited_block(std::uint64_t raw, std::uint64_t asked, std::uint64_t automatic) {
  return static_cast<std::size_t>(std::min(std::max<std::uint64_t>(raw, 1), std::max(asked, automatic)));
}

// serial_blosc and blosc_getitem: two or three blocks, and an int per split.
std::uint64_t block_memory(std::uint64_t block) {
  return 3 * block + BLOSC_MAX_TYPESIZE * sizeof(std::int32_t) + 256;
}

class BloscStageDecoder : public StageDecoder {
 public:
  explicit BloscStageDecoder(std::size_t most_block) : most_block_(most_block) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const std::size_t bytes = checked(encoded);
    if (bytes > out.size()) throw broken("blosc", too_long);
    if (bytes == 0) return 0;
    const int made = blosc_decompress_ctx(encoded.data(), out.data(), out.size(), 1);
    if (made < 0 || static_cast<std::size_t>(made) != bytes) throw broken("blosc", "it is damaged");
    return bytes;
  }

  bool decode_part(std::span<const std::byte> encoded, std::uint64_t first,
                   std::span<std::byte> out) override {
    const std::size_t bytes = checked(encoded);
    if (first > bytes || out.size() > bytes - first) throw broken("blosc", ends_early);
    std::size_t item = 0;  // c-blosc counts in the elements that the writer told it
    int flags = 0;
    blosc_cbuffer_metainfo(encoded.data(), &item, &flags);
    if (item == 0 || first % item != 0 || out.size() % item != 0) return false;
    const int made = blosc_getitem(encoded.data(), static_cast<int>(first / item),
                                   static_cast<int>(out.size() / item), out.data());
    if (made < 0 || static_cast<std::size_t>(made) != out.size()) throw broken("blosc", "it is damaged");
    return true;
  }

 private:
  // The bytes that the header states. c-blosc checks the rest of it against them.
  std::size_t checked(std::span<const std::byte> encoded) const {
    std::size_t bytes = 0, compressed = 0, block = 0;
    if (encoded.size() < BLOSC_MIN_HEADER_LENGTH) throw broken("blosc", ends_early);
    if (blosc_cbuffer_validate(encoded.data(), encoded.size(), &bytes) != 0)
      throw broken("blosc", "its header does not fit its length");
    blosc_cbuffer_sizes(encoded.data(), &bytes, &compressed, &block);
    if (block > most_block_)
      throw broken("blosc", fmt::format("its blocks of {} bytes are larger than {}", block, most_block_));
    return bytes;
  }

  std::size_t most_block_;
};

class BloscEncoder : public Encoder {
 public:
  BloscEncoder(const ZarrCodecSpec& spec, int level, std::uint32_t element_bytes)
      : spec_(spec), level_(level), element_bytes_(element_bytes) {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    // c-blosc stores what does not fit here, as it does for everybody.
    const std::size_t room = std::min(out.size(), raw.size() + BLOSC_MAX_OVERHEAD);
    const int made =
        blosc_compress_ctx(level_, spec_.shuffling, element_bytes_, raw.size(), raw.data(), out.data(), room,
                           spec_.compressor.c_str(), static_cast<std::size_t>(spec_.block_bytes), 1);
    if (made <= 0)
      throw Error("encode", fmt::format("{} bytes with blosc", raw.size()),
                  fmt::format("c-blosc error {}", made));
    return static_cast<std::size_t>(made);
  }

 private:
  ZarrCodecSpec spec_;
  int level_;
  std::uint32_t element_bytes_;
};

// What ZSTD_compress takes for a block or less: libzstd has four sets of parameters, for up to 16, 128 and 256 KiB and above.
std::uint64_t zstd_memory(int blosc_level, std::uint64_t block) {
  const int level = blosc_level < 9 ? 2 * blosc_level - 1 : ZSTD_maxCLevel();
  std::uint64_t most = 0;
  for (const std::uint64_t bytes : {block, 256 * kib, 128 * kib, 16 * kib})
    most = std::max<std::uint64_t>(
        most, ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level, std::min(bytes, block), 0)));
  return most;
}

class BloscStage : public Stage {
 public:
  BloscStage(const ZarrCodecSpec& spec, std::uint64_t raw, std::uint32_t element_bytes)
      : spec_(spec),
        level_(level_of("blosc", spec.level, 0, 9, 5)),
        element_bytes_(spec.element_bytes != 0 ? spec.element_bytes : element_bytes),
        raw_(raw),
        made_block_(limited_block(raw, spec.block_bytes, most_made_block)),
        most_block_(limited_block(raw, spec.block_bytes, most_automatic_block)) {
    if (spec_.compressor.empty()) spec_.compressor = BLOSC_LZ4_COMPNAME;
    if (blosc_compname_to_compcode(spec_.compressor.c_str()) < 0)
      throw Error::usage("use", "codec blosc",
                         fmt::format("its compressor {} is not built in", spec_.compressor));
    if (spec_.shuffling < 0 || spec_.shuffling > 2)
      throw Error::usage("use", "codec blosc", fmt::format("it has no shuffle {}", spec_.shuffling));
    if (raw > BLOSC_MAX_BUFFERSIZE)
      throw Error::usage("use", "codec blosc",
                         fmt::format("it takes at most {} bytes", BLOSC_MAX_BUFFERSIZE));
    if (spec_.block_bytes > BLOSC_MAX_BUFFERSIZE)
      throw Error::usage("use", "codec blosc", fmt::format("its blocks have {} bytes", spec_.block_bytes));
  }

  std::uint64_t max_encoded_bytes() const override { return most_compressed_bytes(raw_); }
  bool decodes_parts() const override { return true; }
  // Any chunk may be of any compressor: libzstd's context is the largest.
  std::uint64_t decoder_scratch_bytes() const override {
    return block_memory(most_block_) + ZSTD_estimateDCtxSize() + 4 * kib;
  }
  std::uint64_t encoder_scratch_bytes() const override {
    const std::uint64_t blocks = block_memory(made_block_);
    if (spec_.compressor == BLOSC_ZSTD_COMPNAME) return blocks + zstd_memory(level_, made_block_) + 4 * kib;
    return blocks + 288 * kib;  // lz4hc 257, zlib 262, snappy 172
  }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch&, bool) const override {
    return std::make_unique<BloscStageDecoder>(most_block_);
  }
  std::unique_ptr<Encoder> make_encoder(const Scratch&) const override {
    return std::make_unique<BloscEncoder>(spec_, level_, element_bytes_);
  }

 private:
  ZarrCodecSpec spec_;
  int level_;
  std::uint32_t element_bytes_;
  std::uint64_t raw_;
  std::size_t made_block_, most_block_;
};

}  // namespace

std::unique_ptr<const Stage> blosc_stage(const ZarrCodecSpec& spec, std::uint64_t raw,
                                         std::uint32_t element_bytes) {
  return std::make_unique<BloscStage>(spec, raw, element_bytes);
}

}  // namespace weir::chunk_stages

#else

namespace weir::chunk_stages {

std::unique_ptr<const Stage> blosc_stage(const ZarrCodecSpec&, std::uint64_t, std::uint32_t) {
  throw not_built_in("blosc", "c-blosc (WEIR_WITH_BLOSC)");
}

}  // namespace weir::chunk_stages

#endif
