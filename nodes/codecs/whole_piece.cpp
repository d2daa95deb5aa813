#define ZLIB_CONST  // zlib only reads its input, and says so when asked
#include "nodes/codecs/whole_piece.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>

#include "framework/error.hpp"
#include "nodes/codecs/lzw_decode.hpp"
#ifdef WEIR_WITH_LZMA
#include "nodes/codecs/lzma_stream.hpp"
#endif

namespace weir {
namespace {

[[noreturn]] void fail(std::string_view reason) {
  throw Error("decode", "a piece", reason);
}
[[noreturn]] void fail_too_long(std::size_t room) {
  fail(fmt::format("its data goes on behind its {} bytes", room));
}
void require_all(std::size_t filled, std::size_t needed) {
  if (filled < needed) fail(fmt::format("its data ends after {} of {} bytes", filled, needed));
}

/// zlib throughout, the one engine that says how far it came: 2 to 3 times libdeflate's time.
void inflate_whole(std::span<const std::byte> encoded, std::span<std::byte> out, std::size_t needed) {
  constexpr std::size_t step = std::numeric_limits<uInt>::max();  // zlib counts in 32 bits
  z_stream stream = {};
  if (inflateInit(&stream) != Z_OK) fail("out of memory");
  const auto end = [](z_stream* open) { (void)inflateEnd(open); };
  const std::unique_ptr<z_stream, decltype(end)> closing(&stream, end);
  std::size_t taken = 0, filled = 0;
  for (;;) {
    const std::size_t in_step = std::min(encoded.size() - taken, step);
    const std::size_t out_step = std::min(out.size() - filled, step);
    stream.next_in = reinterpret_cast<const Bytef*>(encoded.data() + taken);
    stream.avail_in = static_cast<uInt>(in_step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
    stream.avail_out = static_cast<uInt>(out_step);
    const int status = inflate(&stream, Z_NO_FLUSH);
    taken += in_step - stream.avail_in;
    filled += out_step - stream.avail_out;
    switch (status) {
      case Z_OK:
        continue;
      case Z_STREAM_END:
        return require_all(filled, needed);
      case Z_BUF_ERROR:  // it cannot move
        if (taken < encoded.size()) fail_too_long(out.size());
        require_all(filled, needed);
        fail("its data ends before the end of the deflate stream, which has the checksum");
      case Z_NEED_DICT:
        fail("it needs a preset dictionary");
      default:
        fail(stream.msg != nullptr ? stream.msg : "it is broken");
    }
  }
}

/// Frames until all is there, as writers that know no better make several of them.
void decode_zstd_whole(std::span<const std::byte> encoded, std::span<std::byte> out, std::size_t needed) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  if (!context) fail("out of memory");
  std::size_t taken = 0, filled = 0;
  while (filled < needed && taken < encoded.size()) {
    const std::byte* const from = encoded.data() + taken;
    const std::size_t frame = ZSTD_findFrameCompressedSize(from, encoded.size() - taken);
    if (ZSTD_isError(frame) != 0)
      fail(ZSTD_getErrorCode(frame) == ZSTD_error_srcSize_wrong
               ? "its data ends before the end of a zstd frame"
               : ZSTD_getErrorName(frame));
    const std::size_t made =
        ZSTD_decompressDCtx(context.get(), out.data() + filled, out.size() - filled, from, frame);
    if (ZSTD_isError(made) != 0) {
      if (ZSTD_getErrorCode(made) == ZSTD_error_dstSize_tooSmall) fail_too_long(out.size());
      fail(ZSTD_getErrorName(made));
    }
    taken += frame;
    filled += made;
  }
  require_all(filled, needed);
}

#ifdef WEIR_WITH_LZMA
/// False where the stream asks for more memory than a check should take.
bool decode_lzma_whole(std::span<const std::byte> encoded, std::span<std::byte> out, std::size_t needed) {
  std::uint64_t memory = std::uint64_t{72}
                         << 20;  // the dictionary of preset 9, 64 MiB, and what is beside it
  std::size_t taken = 0, filled = 0;
  const lzma_ret status = lzma_stream_buffer_decode(
      &memory, 0, nullptr, reinterpret_cast<const std::uint8_t*>(encoded.data()), &taken, encoded.size(),
      reinterpret_cast<std::uint8_t*>(out.data()), &filled, out.size());
  switch (status) {
    case LZMA_MEMLIMIT_ERROR:
      return false;
    case LZMA_OK:
      require_all(filled, needed);
      return true;
    case LZMA_BUF_ERROR:
      fail_too_long(out.size());
    case LZMA_DATA_ERROR:
      fail("its data is broken, or ends before the end of the .xz stream");
    default:
      fail(lzma_stream_parts::reason_of(status));
  }
}
#endif

bool has_jpeg_end(std::span<const std::byte> data) {
  // Nothing else is 0xff 0xd9: behind 0xff, compressed data has 0 or a restart marker.
  constexpr std::byte marker[] = {std::byte{0xff}, std::byte{0xd9}};
  return std::search(data.begin(), data.end(), std::begin(marker), std::end(marker)) != data.end();
}

}  // namespace

void decode_whole_piece(const DecodeSpec& spec, Decoder& decoder, std::span<const std::byte> encoded,
                        std::span<std::byte> out, std::size_t needed) {
  if (!spec.custom && spec.id == CodecId::deflate) return inflate_whole(encoded, out, needed);
  if (!spec.custom && spec.id == CodecId::zstd) return decode_zstd_whole(encoded, out, needed);
#ifdef WEIR_WITH_LZMA
  if (!spec.custom && spec.id == CodecId::lzma && decode_lzma_whole(encoded, out, needed)) return;
#endif
  const std::size_t filled = decoder.decode(encoded, out.first(needed));
  require_all(filled, needed);
  if (spec.custom) return;
  const bool is_reversed =
      encoded.size() > 1 && encoded[0] == std::byte{0} && (encoded[1] & std::byte{1}) != std::byte{0};
  if (spec.id == CodecId::lzw && !is_reversed && !codec_parts::lzw_ends(encoded, needed, out.size()))
    fail("there is no EndOfInformation code behind its LZW data");
  if (spec.id == CodecId::jpeg && !has_jpeg_end(encoded)) fail("its JPEG data has no EOI marker");
}

}  // namespace weir
