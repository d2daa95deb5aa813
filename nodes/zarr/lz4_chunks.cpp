// numcodecs' lz4: the raw bytes in 4 bytes, little endian, then one LZ4 block.
#include "nodes/zarr/chunk_stages.hpp"

#ifdef WEIR_WITH_LZ4

#include <fmt/format.h>
#include <lz4.h>

#include <algorithm>
#include <limits>

namespace weir::chunk_stages {
namespace {

constexpr std::size_t header_bytes = 4;

class Lz4StageDecoder : public StageDecoder {
 public:
  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    if (encoded.size() < header_bytes) throw broken("lz4", ends_early);
    std::uint32_t raw = 0;
    for (std::size_t i = 0; i < header_bytes; ++i) raw |= std::to_integer<std::uint32_t>(encoded[i]) << 8 * i;
    if (raw > out.size()) throw broken("lz4", too_long);
    const std::span<const std::byte> block = encoded.subspan(header_bytes);
    if (block.size() > std::numeric_limits<int>::max()) throw broken("lz4", "a block has at most 2 GiB");
    const int made =
        LZ4_decompress_safe(reinterpret_cast<const char*>(block.data()), reinterpret_cast<char*>(out.data()),
                            static_cast<int>(block.size()), static_cast<int>(raw));
    if (made < 0 || static_cast<std::uint32_t>(made) != raw)
      throw broken("lz4", "it is damaged or ends early");
    return raw;
  }
};

class Lz4Encoder : public Encoder {
 public:
  explicit Lz4Encoder(const Scratch& scratch)
      : state_(scratch, static_cast<std::size_t>(LZ4_sizeofState()), "an lz4 state") {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    for (std::size_t i = 0; i < header_bytes; ++i) out[i] = static_cast<std::byte>(raw.size() >> 8 * i);
    const std::size_t room =
        std::min<std::size_t>(out.size() - header_bytes, std::numeric_limits<int>::max());
    const int made = LZ4_compress_fast_extState(state_.data(), reinterpret_cast<const char*>(raw.data()),
                                                reinterpret_cast<char*>(out.data() + header_bytes),
                                                static_cast<int>(raw.size()), static_cast<int>(room), 1);
    if (made <= 0)
      throw Error("encode", fmt::format("{} bytes with lz4", raw.size()),
                  "the result is larger than its bound");
    return header_bytes + static_cast<std::size_t>(made);
  }

 private:
  ScratchBlock state_;
};

class Lz4Stage : public Stage {
 public:
  explicit Lz4Stage(std::uint64_t raw) : raw_(raw) {
    if (raw > LZ4_MAX_INPUT_SIZE)
      throw Error::usage("use", "codec lz4", fmt::format("it takes at most {} bytes", LZ4_MAX_INPUT_SIZE));
  }

  std::uint64_t max_encoded_bytes() const override { return most_compressed_bytes(raw_); }
  std::uint64_t decoder_scratch_bytes() const override { return 0; }
  std::uint64_t encoder_scratch_bytes() const override {
    return scratch_block_bytes(static_cast<std::uint64_t>(LZ4_sizeofState()));
  }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch&, bool) const override {
    return std::make_unique<Lz4StageDecoder>();
  }
  std::unique_ptr<Encoder> make_encoder(const Scratch& scratch) const override {
    return std::make_unique<Lz4Encoder>(scratch);
  }

 private:
  std::uint64_t raw_;
};

}  // namespace

std::unique_ptr<const Stage> lz4_stage(const ZarrCodecSpec&, std::uint64_t raw) {
  return std::make_unique<Lz4Stage>(raw);
}

}  // namespace weir::chunk_stages

#else

namespace weir::chunk_stages {

std::unique_ptr<const Stage> lz4_stage(const ZarrCodecSpec&, std::uint64_t) {
  throw not_built_in("lz4", "liblz4 (WEIR_WITH_LZ4)");
}

}  // namespace weir::chunk_stages

#endif
