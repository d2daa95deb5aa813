// LZMA2 by liblzma: one .xz stream per piece, as libtiff makes and reads them (tif_lzma.c): one block, no check. libtiff puts
// a delta filter in front, at the distance of a sample; here the predictor has taken that place. With both, files are
// mostly larger (256x256 tiles, preset 6, against GDAL's: terrain of uint16 and float32 by 27 and 59 %, a Landsat
// scene by 13 %; a small upsampled DEM is 14 % smaller).
//
// Without liblzma the codec is refused, although libtiff may have it: it decodes with whatever dictionary a
// stream asks for, up to 4 GiB for a piece of a few bytes, and no declared bound of memory would be true. Here the
// dictionary is never larger than the piece, in both directions: no match reaches further back.
#include "nodes/codecs/codec_parts.hpp"

#ifdef WEIR_WITH_LZMA

#include <fmt/format.h>
#include <lzma.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>

#include "framework/error.hpp"
#include "nodes/codecs/lzma_stream.hpp"

namespace weir::codec_parts {
namespace {

using namespace lzma_stream_parts;

lzma_options_lzma options_for(int preset, std::uint64_t raw) {
  lzma_options_lzma options;
  if (lzma_lzma_preset(&options, static_cast<std::uint32_t>(preset)) != 0)
    throw Error("prepare", fmt::format("lzma preset {}", preset), "liblzma does not know it");
  options.dict_size = dictionary_for(options.dict_size, raw);
  return options;
}

class LzmaEncoder : public Encoder {
 public:
  LzmaEncoder(int preset, std::uint64_t raw, const Scratch& scratch)
      : options_(options_for(preset, raw)), stream_(scratch) {
    start();  // all memory is taken now, and used again for every piece
  }

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(out.size() >= max_lzma_bytes(raw.size()));
    start();
    stream_->next_in = reinterpret_cast<const std::uint8_t*>(raw.data());
    stream_->avail_in = raw.size();
    stream_->next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_->avail_out = out.size();
    const lzma_ret status = lzma_code(stream_.get(), LZMA_FINISH);
    if (status != LZMA_STREAM_END)
      throw Error("encode", fmt::format("{} bytes with lzma", raw.size()),
                  stream_->avail_out == 0 ? "the result is larger than its bound" : reason_of(status));
    return out.size() - stream_->avail_out;
  }

 private:
  void start() {
    const std::array<lzma_filter, 2> filters = {lzma_filter{LZMA_FILTER_LZMA2, &options_},
                                                lzma_filter{LZMA_VLI_UNKNOWN, nullptr}};
    const lzma_ret status = lzma_stream_encoder(stream_.get(), filters.data(), LZMA_CHECK_NONE);
    if (status == LZMA_MEM_ERROR) throw Error("allocate", "an lzma encoder", reason_of(status));
    if (status != LZMA_OK) throw Error("prepare", "an lzma encoder", reason_of(status));
  }

  lzma_options_lzma options_;
  Stream stream_;
};

/// Goes through the container itself, block by block (https://tukaani.org/xz/xz-file-format.txt). The index behind the blocks is not read: like libtiff, it stops
/// where the piece is full.
class LzmaDecoder : public Decoder {
 public:
  explicit LzmaDecoder(const Scratch& scratch) : stream_(scratch) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const std::span in(reinterpret_cast<const std::uint8_t*>(encoded.data()), encoded.size());
    if (in.size() < LZMA_STREAM_HEADER_SIZE || out.empty()) return 0;
    lzma_stream_flags flags;
    require(lzma_stream_header_decode(&flags, in.data()));
    std::size_t at = LZMA_STREAM_HEADER_SIZE, filled = 0;
    while (filled < out.size() && at < in.size() && in[at] != 0) {  // 0: the index
      lzma_block block;
      Filters filters(stream_.allocator());
      const std::size_t header =
          start_block(stream_, block, filters, flags.check, in.subspan(at), out.size());
      if (header == 0) break;
      at += header;
      stream_->next_in = in.data() + at;
      stream_->avail_in = in.size() - at;
      stream_->next_out = reinterpret_cast<std::uint8_t*>(out.data()) + filled;
      stream_->avail_out = out.size() - filled;
      const lzma_ret status = lzma_code(stream_.get(), LZMA_RUN);
      filled = out.size() - stream_->avail_out;
      at = in.size() - stream_->avail_in;
      if (status == LZMA_STREAM_END) continue;
      // Ends early, or holds more than was asked for.
      if (status == LZMA_OK || status == LZMA_BUF_ERROR) break;
      require(status);
    }
    return filled;
  }

 private:
  Stream stream_;
};

}  // namespace

std::uint64_t max_lzma_bytes(std::uint64_t raw) {
  // What does not shrink is stored in chunks of up to 64 KiB, in practice never below 32, with a header of 3 bytes; the
  // container takes 12 + 12 bytes, a block header and an index of some 20 each.
  return raw + raw / 8192 + 256;
}

std::uint64_t lzma_encoder_scratch_bytes(int level, std::uint64_t raw) {
  lzma_options_lzma options = options_for(level, raw);
  const std::array<lzma_filter, 2> filters = {lzma_filter{LZMA_FILTER_LZMA2, &options},
                                              lzma_filter{LZMA_VLI_UNKNOWN, nullptr}};
  const std::uint64_t bytes = lzma_raw_encoder_memusage(filters.data());
  if (bytes == std::numeric_limits<std::uint64_t>::max())
    throw Error("prepare", fmt::format("lzma preset {}", level), "liblzma cannot say what it takes");
  // Stream, block, index and the buffer of an LZMA2 chunk, of 64 KiB, are beside it.
  return bytes + 96 * 1024;
}

std::unique_ptr<Encoder> make_lzma_encoder(int level, std::uint64_t raw, const Scratch& scratch) {
  return std::make_unique<LzmaEncoder>(level, raw, scratch);
}

std::uint64_t lzma_decoder_scratch_bytes(std::uint64_t raw) {
  lzma_options_lzma options = options_for(6, raw);
  options.dict_size = dictionary_for(std::numeric_limits<std::uint32_t>::max(), raw);
  const std::array<lzma_filter, 2> filters = {lzma_filter{LZMA_FILTER_LZMA2, &options},
                                              lzma_filter{LZMA_VLI_UNKNOWN, nullptr}};
  const std::uint64_t bytes = lzma_raw_decoder_memusage(filters.data());
  if (bytes == std::numeric_limits<std::uint64_t>::max())
    throw Error("prepare", "lzma decoding", "liblzma cannot say what it takes");
  // Up to three filters in front, of a few hundred bytes each, and the block around them.
  return bytes + 16 * scratch_block_bytes(0);
}

std::unique_ptr<Decoder> make_lzma_decoder(const Scratch& scratch) {
  return std::make_unique<LzmaDecoder>(scratch);
}

}  // namespace weir::codec_parts

#else

#include "framework/error.hpp"

// codec.cpp refuses the codec before any of these is called.
namespace weir::codec_parts {

std::uint64_t max_lzma_bytes(std::uint64_t raw) {
  return raw;
}
std::uint64_t lzma_encoder_scratch_bytes(int, std::uint64_t) {
  return 0;
}
std::unique_ptr<Encoder> make_lzma_encoder(int, std::uint64_t, const Scratch&) {
  throw Error::usage("use", "codec lzma", missing_reason(CodecId::lzma));
}
std::uint64_t lzma_decoder_scratch_bytes(std::uint64_t) {
  return 0;
}
std::unique_ptr<Decoder> make_lzma_decoder(const Scratch&) {
  throw Error::usage("use", "codec lzma", missing_reason(CodecId::lzma));
}

}  // namespace weir::codec_parts

#endif
