// gzip (https://zarr-specs.readthedocs.io/en/latest/v3/codecs/gzip/) and numcodecs' zlib. Made by the engine that GeoTIFF's deflate takes
// too: libdeflate where it is built in, else zlib (or ISA-L, where no level is given). Level 1, which asks for speed, is ISA-L's level 2
// where that is built in: 363 MB/s at 52.3 % of terrain in uint16, where zlib's level 1 has 93 at 53.0, libdeflate's 226 at 50.4. The bytes
// depend on all that, the header of gzip does not: no time, no name, system 255. Decoding takes any number of gzip members, and zeros behind them, as gzip(1) does.
#define ZLIB_CONST  // zlib only reads its input, and says so when asked
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "nodes/codecs/deflate_memory.hpp"
#include "nodes/codecs/stream_codecs.hpp"
#include "nodes/zarr/chunk_stages.hpp"

#ifdef WEIR_WITH_LIBDEFLATE
#include <libdeflate.h>
#endif

namespace weir::chunk_stages {
namespace {

using namespace deflate_memory;

std::string_view container_name(DeflateContainer container) {
  return container == DeflateContainer::gzip ? "gzip" : "zlib";
}

/// What one stream took and made.
struct Progress {
  std::size_t taken = 0, made = 0;
};

#ifdef WEIR_WITH_LIBDEFLATE

class Inflater {
 public:
  Inflater(DeflateContainer container, const Scratch& scratch) : container_(container), scratch_(scratch) {
    LibdeflateMemory memory(&scratch_);
    decompressor_ = libdeflate_alloc_decompressor();
    if (decompressor_ == nullptr) throw Error("allocate", "a libdeflate decompressor", "out of memory");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    LibdeflateMemory memory(&scratch_);
    libdeflate_free_decompressor(decompressor_);
  }

  static std::uint64_t scratch_bytes() { return libdeflate_decoder_bytes(); }

  Progress decode_one(std::string_view name, std::span<const std::byte> encoded, std::span<std::byte> out) {
    const auto decompress =
        container_ == DeflateContainer::gzip ? libdeflate_gzip_decompress_ex : libdeflate_zlib_decompress_ex;
    Progress progress;
    switch (decompress(decompressor_, encoded.data(), encoded.size(), out.data(), out.size(), &progress.taken,
                       &progress.made)) {
      case LIBDEFLATE_SUCCESS:
        return progress;
      case LIBDEFLATE_INSUFFICIENT_SPACE:
        throw broken(name, too_long);
      default:
        throw broken(name, "it is damaged or ends early");
    }
  }

 private:
  DeflateContainer container_;
  Scratch scratch_;
  libdeflate_decompressor* decompressor_ = nullptr;
};

#else

class Inflater {
 public:
  Inflater(DeflateContainer container, const Scratch& scratch) : scratch_(scratch) {
    stream_.zalloc = zlib_allocate;
    stream_.zfree = zlib_release;
    stream_.opaque = &scratch_;
    if (inflateInit2(&stream_, container == DeflateContainer::gzip ? MAX_WBITS + 16 : MAX_WBITS) != Z_OK)
      throw Error("allocate", "a zlib stream", "out of memory");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { (void)inflateEnd(&stream_); }

  static std::uint64_t scratch_bytes() {
    std::uint64_t counted = 0;
    z_stream stream = {};
    stream.zalloc = zlib_count;
    stream.zfree = zlib_count_release;
    stream.opaque = &counted;
    if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK || inflateEnd(&stream) != Z_OK)
      throw Error("prepare", "a zlib stream", "zlib refuses to start");
    // The window comes later: 32 KiB, and what zlib-ng pads it with.
    return counted + scratch_block_bytes((1u << MAX_WBITS) + 4096);
  }

  Progress decode_one(std::string_view name, std::span<const std::byte> encoded, std::span<std::byte> out) {
    constexpr std::size_t step = std::numeric_limits<uInt>::max();  // zlib counts in 32 bits
    if (inflateReset(&stream_) != Z_OK) throw broken(name, "the zlib stream is broken");
    Progress progress;
    Bytef nowhere;  // where nothing goes: zlib wants an address for no bytes too
    for (;;) {
      const std::size_t in_step = std::min(encoded.size() - progress.taken, step);
      const std::size_t out_step = std::min(out.size() - progress.made, step);
      stream_.next_in = reinterpret_cast<const Bytef*>(encoded.data() + progress.taken);
      stream_.avail_in = static_cast<uInt>(in_step);
      stream_.next_out = out.empty() ? &nowhere : reinterpret_cast<Bytef*>(out.data() + progress.made);
      stream_.avail_out = static_cast<uInt>(out_step);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      progress.taken += in_step - stream_.avail_in;
      progress.made += out_step - stream_.avail_out;
      switch (status) {
        case Z_OK:
          continue;
        case Z_STREAM_END:
          return progress;
        case Z_BUF_ERROR:
          throw broken(name, progress.taken == encoded.size() ? ends_early : too_long);
        case Z_MEM_ERROR:
          throw Error("allocate", "a zlib window", "out of memory");
        default:
          throw broken(name, stream_.msg != nullptr ? stream_.msg : "it is damaged");
      }
    }
  }

 private:
  Scratch scratch_;
  z_stream stream_ = {};
};

#endif

class DeflateStageDecoder : public StageDecoder {
 public:
  DeflateStageDecoder(DeflateContainer container, const Scratch& scratch)
      : container_(container), inflater_(container, scratch) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const bool is_gzip = container_ == DeflateContainer::gzip;
    const std::string_view name = container_name(container_);
    Progress whole;
    do {
      const Progress one = inflater_.decode_one(name, encoded.subspan(whole.taken), out.subspan(whole.made));
      whole.taken += one.taken;
      whole.made += one.made;
    } while (is_gzip && whole.taken < encoded.size() && encoded[whole.taken] != std::byte{0});
    const std::span<const std::byte> tail = encoded.subspan(whole.taken);
    if (!is_gzip ? !tail.empty()
                 : std::any_of(tail.begin(), tail.end(), [](std::byte byte) { return byte != std::byte{0}; }))
      throw broken(name, has_a_tail);
    return whole.made;
  }

 private:
  DeflateContainer container_;
  Inflater inflater_;
};

class DeflateStage : public Stage {
 public:
  DeflateStage(const ZarrCodecSpec& spec, std::uint64_t raw) : raw_(raw) {
    // Python's -1 is "whatever zlib thinks best", which is 6.
    const std::optional<int> level = spec.level == -1 ? 6 : spec.level;
    deflate_.container = spec.id == ZarrCodecSpec::Id::gzip ? DeflateContainer::gzip : DeflateContainer::zlib;
    deflate_.engine = deflate_engine_for(level.has_value());
    deflate_.level =
        level_of(container_name(deflate_.container), level, 0, 9, default_deflate_level(deflate_.engine));
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();  // that ISA-L takes at once
    if (level == 1 && raw <= most && std::ranges::count(deflate_engines(), DeflateEngine::isal) > 0) {
      deflate_.engine = DeflateEngine::isal;
      deflate_.level = default_deflate_level(deflate_.engine);
    }
  }

  std::uint64_t max_encoded_bytes() const override { return most_compressed_bytes(raw_); }
  std::uint64_t decoder_scratch_bytes() const override { return Inflater::scratch_bytes(); }
  std::uint64_t encoder_scratch_bytes() const override { return deflate_encoder_scratch_bytes(deflate_); }
  // libdeflate compares the checksum in any case, so it is never left out.
  std::unique_ptr<StageDecoder> make_decoder(const Scratch& scratch, bool) const override {
    return std::make_unique<DeflateStageDecoder>(deflate_.container, scratch);
  }
  std::unique_ptr<Encoder> make_encoder(const Scratch& scratch) const override {
    return make_deflate_encoder(deflate_, scratch);
  }

 private:
  DeflateSpec deflate_;
  std::uint64_t raw_;
};

}  // namespace

std::unique_ptr<const Stage> gzip_stage(const ZarrCodecSpec& spec, std::uint64_t raw) {
  return std::make_unique<DeflateStage>(spec, raw);
}

}  // namespace weir::chunk_stages
