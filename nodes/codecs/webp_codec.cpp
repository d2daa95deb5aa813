// WebP by libtiff and its libwebp.
#include <fmt/format.h>

#include <cassert>
#include <cstring>
#include <optional>
#include <utility>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"
#include "nodes/codecs/tiff_memory.hpp"

namespace weir::codec_parts {
namespace {

constexpr std::uint64_t largest_side = 16383;  // WebP's own

// libtiff 4.5.1 and later: colours under alpha 0 are kept, too. tiff.h of 4.5.0 has no name for it.
constexpr std::uint32_t tag_lossless_exact = 65571;

// What handle and libwebp take at most, measured over noise and terrain of 16 to 1024 pixels a side
// (tests/codec_memory_child.cpp): per pixel, and for any piece.
constexpr std::uint64_t webp_handle_bytes = 1280 * 1024;
constexpr std::uint64_t lossy_pixel_bytes = 56, lossless_pixel_bytes = 176, decoded_pixel_bytes = 16;

/// Pixels in the macroblocks of 16 x 16 that an image has.
std::uint64_t padded_pixels(std::uint64_t width, std::uint64_t rows) {
  return ((width + 15) / 16) * ((rows + 15) / 16) * 256;
}

void set(MemoryTiff& tiff, std::uint32_t tag, int value) {
  if (TIFFSetField(tiff.get(), tag, value) != 1)
    throw Error("prepare", "a WebP encoder", tiff.message().empty() ? "libtiff refuses" : tiff.message());
}

/// Whether a pixel of alpha 0 has a colour.
bool has_hidden_colours(std::span<const std::byte> rgba) {
  for (std::size_t at = 0; at + 4 <= rgba.size(); at += 4) {
    if (rgba[at + 3] != std::byte{0}) continue;
    if ((rgba[at] | rgba[at + 1] | rgba[at + 2]) != std::byte{0}) return true;
  }
  return false;
}

class WebpEncoder : public Encoder {
 public:
  explicit WebpEncoder(const CodecSpec& spec) : spec_(spec) {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(out.size() >= max_webp_bytes(raw.size()));
    if (raw.empty()) return 0;
    MemoryTiff tiff(out, webp_handle_bytes + raw.size());
    tiff.describe(image_of(spec_.id, spec_.format, raw.size()));
    if (!spec_.lossless) {
      set(tiff, TIFFTAG_WEBP_LEVEL, spec_.quality.value());
    } else {
      set(tiff, TIFFTAG_WEBP_LOSSLESS, 1);
      if (TIFFFindField(tiff.get(), tag_lossless_exact, TIFF_ANY) != nullptr)
        set(tiff, tag_lossless_exact, 1);
      else if (spec_.format.samples == 4 && has_hidden_colours(raw))
        throw Error("encode", fmt::format("{} bytes with lossless webp", raw.size()),
                    "there are colours under an alpha of 0, which this libtiff (below 4.5.1) would lose");
    }
    return tiff.encode(raw);
  }

 private:
  CodecSpec spec_;
};

/// Width and height of a WebP file (RFC 9649), or nothing where it does not start as one. libtiff 4.5.0 would
/// leave the rest of a piece as it was where the image is narrower.
std::optional<std::pair<std::uint64_t, std::uint64_t>> size_of(std::span<const std::byte> file) {
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value |= std::to_integer<std::uint64_t>(file[at + i]) << (8 * i);
    return value;
  };
  constexpr std::size_t header_bytes = 30;  // RIFF and WEBP, a chunk's name and size, the start of its data
  if (file.size() < 21 || std::memcmp(file.data(), "RIFF", 4) != 0 ||
      std::memcmp(file.data() + 8, "WEBP", 4) != 0)
    return std::nullopt;
  const auto chunk_is = [&](const char* name) { return std::memcmp(file.data() + 12, name, 4) == 0; };
  if (chunk_is("VP8L") && file.size() >= 25) {  // a byte of signature, 14 bits each, minus 1
    const std::uint64_t bits = number(21, 4);
    return std::pair{(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
  }
  if (file.size() < header_bytes) return std::nullopt;
  if (chunk_is("VP8X")) return std::pair{number(24, 3) + 1, number(27, 3) + 1};
  if (chunk_is("VP8 ")) return std::pair{number(26, 2) & 0x3fff, number(28, 2) & 0x3fff};
  return std::nullopt;
}

class WebpDecoder : public Decoder {
 public:
  explicit WebpDecoder(const DecodeSpec& spec) : spec_(spec) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    PieceImage image = image_of(spec_.id, spec_.format, out.size());
    const std::size_t wanted = image.rows * image.width * image.samples;
    if (encoded.empty() || wanted == 0) return 0;
    if (spec_.is_padded) image.rows = spec_.rows;
    const auto size = size_of(encoded);
    if (!size) throw Error("decode", "webp data", "it does not start as WebP");
    if (size->first != image.width || size->second != image.rows)
      throw Error("decode", "webp data",
                  fmt::format("its image has {} x {} pixels, and {} x {} are expected", size->first,
                              size->second, image.width, image.rows));
    image.photometric = PHOTOMETRIC_RGB;
    const std::vector<std::byte> file = directory_file(image);
    MemoryTiff tiff(file, webp_handle_bytes + image.rows * image.width * image.samples, nullptr);
    if (!tiff.decode(encoded, out.first(wanted)))
      throw Error("decode", "webp data", tiff.message().empty() ? "it is broken" : tiff.message());
    return wanted;
  }

 private:
  DecodeSpec spec_;
};

}  // namespace

void check_webp(const CodecSpec& spec, std::uint64_t rows) {
  if (spec.format.type != SampleType::uint8)
    throw Error::usage("use", fmt::format("webp for {} samples", name_of(spec.format.type)),
                       "it is for uint8");
  if (spec.format.samples != 3 && spec.format.samples != 4)
    throw Error::usage("use",
                       fmt::format("webp for {} interleaved sample{} per pixel", spec.format.samples,
                                   spec.format.samples == 1 ? "" : "s"),
                       "it is for 3 or 4: colours, or colours and alpha");
  if (spec.format.width > largest_side || rows > largest_side)
    throw Error::usage("use", fmt::format("webp for pieces of {} x {} pixels", spec.format.width, rows),
                       fmt::format("its sides end at {}", largest_side));
}

std::uint64_t max_webp_bytes(std::uint64_t raw) {
  // libwebp has no bound. Noise of four kinds, 1 to 512 pixels a side, takes its own size and up to 260 bytes lossless,
  // from 16 pixels a side on at most 0.76 of it at quality 100.
  return raw + raw / 8 + 1024;
}

std::uint64_t webp_encoder_bytes(const CodecSpec& spec, std::uint64_t raw) {
  const PieceImage image = image_of(spec.id, spec.format, raw);
  return webp_handle_bytes +
         padded_pixels(image.width, image.rows) * (spec.lossless ? lossless_pixel_bytes : lossy_pixel_bytes);
}

std::unique_ptr<Encoder> make_webp_encoder(const CodecSpec& spec) {
  return std::make_unique<WebpEncoder>(spec);
}

std::uint64_t webp_decoder_bytes(const DecodeSpec& spec) {
  return webp_handle_bytes + padded_pixels(spec.format.width, spec.rows) * decoded_pixel_bytes;
}

std::unique_ptr<Decoder> make_webp_decoder(const DecodeSpec& spec) {
  return std::make_unique<WebpDecoder>(spec);
}

}  // namespace weir::codec_parts
