#define ZLIB_CONST  // zlib only reads its input, and says so when asked
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"
#include "nodes/codecs/deflate_memory.hpp"

#ifdef WEIR_WITH_LIBDEFLATE
#include <libdeflate.h>
#endif
#ifdef WEIR_WITH_ISAL
#include <isa-l/igzip_lib.h>
#endif

namespace weir {

// What the engines do, on 256x256 tiles of one core (AMD EPYC, g++ 12 -O3; zlib 1.2.13, libdeflate 1.14,
// ISA-L 2.30): raw MB per CPU-second, and ratio. uint16 with predictor 2, float32 with predictor 3.
//
//                  terrain, dm    Landsat       terrain, cm    terrain        DEM, upsampled
//                  uint16         uint16        float32        float32        float32
//   isal 1         294  1.789     401  2.362    524  1.854     541  1.711     592  1.906
//   isal 2         276  1.828     403  2.382    503  1.854     528  1.712     574  1.910
//   isal 3         302  1.838     378  2.323    326  1.846     338  1.704     360  1.891
//   libdeflate 1   198  1.885     254  2.418    198  1.871     207  1.728     212  1.936
//   libdeflate 2   100  1.892     116  2.478    154  1.880     170  1.741     180  1.964
//   libdeflate 4    89  1.893      72  2.510    134  1.900     149  1.757     161  1.985
//   libdeflate 6    62  1.867      32  2.473     91  1.911     100  1.770     109  2.001
//   libdeflate 12   16  1.932       8  2.635      4  1.961       4  1.802       4  2.036
//   zlib 1          85  1.837     118  2.400     87  1.801      88  1.693      96  1.888
//   zlib 4          59  1.885      65  2.508     68  1.884      73  1.747      78  1.968
//   zlib 6          12  1.858      11  2.460     39  1.913      40  1.770      44  1.999
//   zlib 9          10  1.860       4  2.467      6  1.930       6  1.784      14  2.012
//
// The default is the fastest point whose files are within 2 % of zlib 6's on average, which is what writers
// make unless told: libdeflate 1 (1.6 % larger, at 5 to 20 times the speed), but level 4 with predictor 3, where
// level 1 is up to 3.2 % larger (0.7 %, at 2 to 3.7 times the speed; GDAL's default, which is libdeflate 7, makes
// a terrain 1.6 % smaller and takes 2.9 times the CPU). ISA-L's best, level 2, is 3.1 % larger at 1.4 to 2.7
// times the speed of libdeflate 1: worth asking for, and the default where libdeflate is missing (3 to 6 times
// zlib 1 at about its size). With zlib alone, level 4 (0.2 % larger on average, smaller on uint16) has 1.7 to 6
// times the speed of level 6.
namespace {
constexpr int default_libdeflate_level = 1;
constexpr int default_libdeflate_float_level = 4;
constexpr int default_isal_level = 2;
constexpr int default_zlib_level = 4;
}  // namespace

std::vector<DeflateEngine> deflate_engines() {
  std::vector<DeflateEngine> engines = {DeflateEngine::zlib};
#ifdef WEIR_WITH_LIBDEFLATE
  engines.push_back(DeflateEngine::libdeflate);
#endif
#ifdef WEIR_WITH_ISAL
  engines.push_back(DeflateEngine::isal);
#endif
  return engines;
}

int default_deflate_level(DeflateEngine engine, Predictor predictor) {
  switch (engine) {
    case DeflateEngine::libdeflate:
      return predictor == Predictor::floating_point ? default_libdeflate_float_level
                                                    : default_libdeflate_level;
    case DeflateEngine::isal:
      return default_isal_level;
    default:
      return default_zlib_level;
  }
}

int highest_deflate_level(DeflateEngine engine) {
  switch (engine) {
    case DeflateEngine::libdeflate:
      return 12;
    case DeflateEngine::isal:
      return 3;
    default:
      return 9;
  }
}

DeflateEngine deflate_engine_for(bool level_is_given) {
#ifdef WEIR_WITH_LIBDEFLATE
  (void)level_is_given;
  return DeflateEngine::libdeflate;
#elif defined(WEIR_WITH_ISAL)
  return level_is_given ? DeflateEngine::zlib : DeflateEngine::isal;  // ISA-L's levels mean something else
#else
  (void)level_is_given;
  return DeflateEngine::zlib;
#endif
}

namespace codec_parts {
namespace {

using namespace deflate_memory;

constexpr std::size_t zlib_step = std::numeric_limits<uInt>::max();  // zlib counts in 32 bits

Error cannot_encode(std::size_t raw, DeflateEngine engine, std::string_view reason) {
  return Error("encode", fmt::format("{} bytes with deflate engine {}", raw, name_of(engine)), reason);
}

// ---- zlib ----

// zlib's defaults: what zlib's bounds and everybody's files assume.
int start_deflate(z_stream& stream, const DeflateSpec& spec) {
  const int bits = spec.container == DeflateContainer::gzip ? MAX_WBITS + 16 : MAX_WBITS;
  return deflateInit2(&stream, spec.level, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
}

// zlib names the system it was built for in gzip's header, libdeflate and ISA-L none (RFC 1952 section 2.3.1).
void set_no_system(std::span<std::byte> gzip) {
  constexpr std::size_t system_at = 9;
  if (gzip.size() > system_at) gzip[system_at] = std::byte{255};
}

// What a zlib stream takes, asked from the library itself: it differs between zlib versions and their
// replacements.
std::uint64_t zlib_encoder_bytes(const DeflateSpec& spec) {
  std::uint64_t counted = 0;
  z_stream stream = {};
  stream.zalloc = zlib_count;
  stream.zfree = zlib_count_release;
  stream.opaque = &counted;
  if (start_deflate(stream, spec) != Z_OK || deflateEnd(&stream) != Z_OK)
    throw Error("prepare", "a zlib stream", "zlib refuses to start");
  return counted;
}

std::uint64_t zlib_decoder_bytes() {
  std::uint64_t counted = 0;
  z_stream stream = {};
  stream.zalloc = zlib_count;
  stream.zfree = zlib_count_release;
  stream.opaque = &counted;
  if (inflateInit(&stream) != Z_OK || inflateEnd(&stream) != Z_OK)
    throw Error("prepare", "a zlib stream", "zlib refuses to start");
  // The window comes later: 32 KiB, and what zlib-ng pads it with.
  return counted + scratch_block_bytes((1u << MAX_WBITS) + 4096);
}

class ZlibEncoder : public Encoder {
 public:
  ZlibEncoder(const DeflateSpec& spec, const Scratch& scratch)
      : scratch_(scratch), container_(spec.container) {
    stream_.zalloc = zlib_allocate;
    stream_.zfree = zlib_release;
    stream_.opaque = &scratch_;
    if (start_deflate(stream_, spec) != Z_OK) throw Error("allocate", "a zlib stream", "out of memory");
  }
  ZlibEncoder(const ZlibEncoder&) = delete;
  ZlibEncoder& operator=(const ZlibEncoder&) = delete;
  ~ZlibEncoder() override { (void)deflateEnd(&stream_); }  // says only that data was pending

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    if (deflateReset(&stream_) != Z_OK)
      throw cannot_encode(raw.size(), DeflateEngine::zlib, "the stream is broken");
    std::size_t taken = 0, made = 0;
    for (;;) {
      const std::size_t in_step = std::min(raw.size() - taken, zlib_step);
      const std::size_t out_step = std::min(out.size() - made, zlib_step);
      stream_.next_in = reinterpret_cast<const Bytef*>(raw.data() + taken);
      stream_.avail_in = static_cast<uInt>(in_step);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + made);
      stream_.avail_out = static_cast<uInt>(out_step);
      const int status = deflate(&stream_, taken + in_step == raw.size() ? Z_FINISH : Z_NO_FLUSH);
      taken += in_step - stream_.avail_in;
      made += out_step - stream_.avail_out;
      if (status == Z_STREAM_END) {
        if (container_ == DeflateContainer::gzip) set_no_system(out.first(made));
        return made;
      }
      if (status != Z_OK || made == out.size())
        throw cannot_encode(raw.size(), DeflateEngine::zlib, "the result is larger than its bound");
    }
  }

 private:
  Scratch scratch_;
  DeflateContainer container_;
  z_stream stream_ = {};
};

// ---- libdeflate ----

#ifdef WEIR_WITH_LIBDEFLATE

std::uint64_t libdeflate_encoder_bytes(int level) {
  std::uint64_t counted = 0;
  LibdeflateMemory memory(nullptr, &counted);
  libdeflate_free_compressor(libdeflate_alloc_compressor(level));
  return counted;
}

class LibdeflateEncoder : public Encoder {
 public:
  LibdeflateEncoder(const DeflateSpec& spec, const Scratch& scratch)
      : scratch_(scratch), container_(spec.container) {
    LibdeflateMemory memory(&scratch_);
    compressor_ = libdeflate_alloc_compressor(spec.level);
    if (compressor_ == nullptr) throw Error("allocate", "a libdeflate compressor", "out of memory");
  }
  LibdeflateEncoder(const LibdeflateEncoder&) = delete;
  LibdeflateEncoder& operator=(const LibdeflateEncoder&) = delete;
  ~LibdeflateEncoder() override {
    LibdeflateMemory memory(&scratch_);
    libdeflate_free_compressor(compressor_);
  }

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    const auto compress =
        container_ == DeflateContainer::gzip ? libdeflate_gzip_compress : libdeflate_zlib_compress;
    const std::size_t made = compress(compressor_, raw.data(), raw.size(), out.data(), out.size());
    if (made == 0)
      throw cannot_encode(raw.size(), DeflateEngine::libdeflate, "the result is larger than its bound");
    return made;
  }

 private:
  Scratch scratch_;
  DeflateContainer container_;
  libdeflate_compressor* compressor_ = nullptr;
};

#endif

// ---- ISA-L ----

#ifdef WEIR_WITH_ISAL

std::size_t isal_level_bytes(int level) {
  switch (level) {
    case 1:
      return ISAL_DEF_LVL1_DEFAULT;
    case 2:
      return ISAL_DEF_LVL2_DEFAULT;
    default:
      return ISAL_DEF_LVL3_DEFAULT;
  }
}

class IsalEncoder : public Encoder {
 public:
  IsalEncoder(const DeflateSpec& spec, const Scratch& scratch)
      : spec_(spec),
        stream_(scratch, sizeof(isal_zstream), "an ISA-L stream"),
        tables_(scratch, isal_level_bytes(spec.level), "an ISA-L level buffer") {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
    if (raw.size() > most)
      throw cannot_encode(raw.size(), DeflateEngine::isal, "ISA-L takes at most 4 GiB at once");
    auto* stream = static_cast<isal_zstream*>(stream_.data());
    isal_deflate_stateless_init(stream);
    // The default window; ISA-L 2.30 leaves it as it was in memory, and smaller ones make other bytes.
    stream->hist_bits = 0;
    stream->level = static_cast<std::uint32_t>(spec_.level);
    stream->level_buf = static_cast<std::uint8_t*>(tables_.data());
    stream->level_buf_size = static_cast<std::uint32_t>(tables_.size());
    stream->gzip_flag = spec_.container == DeflateContainer::gzip ? IGZIP_GZIP : IGZIP_ZLIB;
    stream->flush = NO_FLUSH;
    stream->end_of_stream = 1;
    // ISA-L reads only; its interface has no const.
    stream->next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(raw.data()));
    stream->avail_in = static_cast<std::uint32_t>(raw.size());
    stream->next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream->avail_out = static_cast<std::uint32_t>(std::min(out.size(), most));
    const int status = isal_deflate_stateless(stream);
    if (status == STATELESS_OVERFLOW)
      throw cannot_encode(raw.size(), DeflateEngine::isal, "the result is larger than its bound");
    if (status != COMP_OK)
      throw cannot_encode(raw.size(), DeflateEngine::isal, fmt::format("ISA-L error {}", status));
    if (spec_.container == DeflateContainer::gzip) set_no_system(out.first(stream->total_out));
    return stream->total_out;
  }

 private:
  DeflateSpec spec_;
  ScratchBlock stream_, tables_;
};

#endif

// ---- decoding ----

// zlib: slower, but it says how far it came.
class Inflater {
 public:
  explicit Inflater(const Scratch& scratch) : scratch_(scratch) {
    stream_.zalloc = zlib_allocate;
    stream_.zfree = zlib_release;
    stream_.opaque = &scratch_;
    if (inflateInit(&stream_) != Z_OK) throw Error("allocate", "a zlib stream", "out of memory");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { (void)inflateEnd(&stream_); }

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) {
    if (inflateReset(&stream_) != Z_OK) throw Error("decode", "deflate data", "the zlib stream is broken");
    std::size_t taken = 0, filled = 0;
    for (;;) {
      const std::size_t in_step = std::min(encoded.size() - taken, zlib_step);
      const std::size_t out_step = std::min(out.size() - filled, zlib_step);
      stream_.next_in = reinterpret_cast<const Bytef*>(encoded.data() + taken);
      stream_.avail_in = static_cast<uInt>(in_step);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
      stream_.avail_out = static_cast<uInt>(out_step);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      taken += in_step - stream_.avail_in;
      filled += out_step - stream_.avail_out;
      switch (status) {
        case Z_OK:
          continue;  // it moved; once more, also with `out` full: the checksum may come next
        case Z_STREAM_END:
        case Z_BUF_ERROR:
          return filled;  // it cannot move: the data is at its end, or there is no more room
        case Z_NEED_DICT:
          throw Error("decode", "deflate data", "it needs a preset dictionary");
        case Z_MEM_ERROR:
          throw Error("allocate", "a zlib window", "out of memory");
        default:
          throw Error("decode", "deflate data", stream_.msg != nullptr ? stream_.msg : "it is broken");
      }
    }
  }

 private:
  Scratch scratch_;
  z_stream stream_ = {};
};

// libdeflate where it is built in (2 to 3 times zlib's speed): it takes whole streams that fit, which all
// tiles in order are. Anything else goes to zlib, which knows whether data ends early, is too long, or is
// broken, and where.
class DeflateDecoder : public Decoder {
 public:
  explicit DeflateDecoder(const Scratch& scratch) : scratch_(scratch) {
#ifdef WEIR_WITH_LIBDEFLATE
    LibdeflateMemory memory(&scratch_);
    decompressor_ = libdeflate_alloc_decompressor();
    if (decompressor_ == nullptr) throw Error("allocate", "a libdeflate decompressor", "out of memory");
#endif
  }
  DeflateDecoder(const DeflateDecoder&) = delete;
  DeflateDecoder& operator=(const DeflateDecoder&) = delete;
  ~DeflateDecoder() override {
#ifdef WEIR_WITH_LIBDEFLATE
    LibdeflateMemory memory(&scratch_);
    libdeflate_free_decompressor(decompressor_);
#endif
  }

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    if (encoded.empty() || out.empty()) return 0;
#ifdef WEIR_WITH_LIBDEFLATE
    std::size_t taken = 0, filled = 0;
    if (libdeflate_zlib_decompress_ex(decompressor_, encoded.data(), encoded.size(), out.data(), out.size(),
                                      &taken, &filled) == LIBDEFLATE_SUCCESS)
      return filled;
#endif
    if (!inflater_) inflater_ = std::make_unique<Inflater>(scratch_);
    return inflater_->decode(encoded, out);
  }

 private:
  Scratch scratch_;
#ifdef WEIR_WITH_LIBDEFLATE
  libdeflate_decompressor* decompressor_ = nullptr;
#endif
  std::unique_ptr<Inflater> inflater_;  // made when first needed
};

}  // namespace

std::uint64_t deflate_decoder_scratch_bytes() {
  std::uint64_t bytes = zlib_decoder_bytes();
#ifdef WEIR_WITH_LIBDEFLATE
  bytes += deflate_memory::libdeflate_decoder_bytes();
#endif
  return bytes;
}

std::unique_ptr<Decoder> make_deflate_decoder(const Scratch& scratch) {
  return std::make_unique<DeflateDecoder>(scratch);
}

}  // namespace codec_parts

std::uint64_t max_deflate_bytes(const DeflateSpec& spec, std::uint64_t raw) {
  // gzip has 18 bytes around the data, zlib's container 6.
  const std::uint64_t more = spec.container == DeflateContainer::gzip ? 12 : 0;
#ifdef WEIR_WITH_LIBDEFLATE
  if (spec.engine == DeflateEngine::libdeflate) return libdeflate_zlib_compress_bound(nullptr, raw) + more;
#endif
  // compressBound also covers ISA-L, which has no bound of its own: it stores what it cannot compress, 5
  // bytes per 65535, and zlib's formula allows 16.
  return compressBound(raw) + more;
}

std::uint64_t deflate_encoder_scratch_bytes(const DeflateSpec& spec) {
  switch (spec.engine) {
#ifdef WEIR_WITH_LIBDEFLATE
    case DeflateEngine::libdeflate:
      return codec_parts::libdeflate_encoder_bytes(spec.level);
#endif
#ifdef WEIR_WITH_ISAL
    case DeflateEngine::isal:
      return scratch_block_bytes(sizeof(isal_zstream)) +
             scratch_block_bytes(codec_parts::isal_level_bytes(spec.level));
#endif
    default:
      return codec_parts::zlib_encoder_bytes(spec);
  }
}

std::unique_ptr<Encoder> make_deflate_encoder(const DeflateSpec& spec, const Scratch& scratch) {
  switch (spec.engine) {
#ifdef WEIR_WITH_LIBDEFLATE
    case DeflateEngine::libdeflate:
      return std::make_unique<codec_parts::LibdeflateEncoder>(spec, scratch);
#endif
#ifdef WEIR_WITH_ISAL
    case DeflateEngine::isal:
      return std::make_unique<codec_parts::IsalEncoder>(spec, scratch);
#endif
    default:
      return std::make_unique<codec_parts::ZlibEncoder>(spec, scratch);
  }
}

}  // namespace weir
