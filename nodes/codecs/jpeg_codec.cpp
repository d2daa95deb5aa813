// JPEG by libtiff and its libjpeg: the abbreviated streams of TIFF Technical Note 2, as GDAL writes them.
// Quantization tables are in the file's JPEGTables, Huffman tables are made for each piece (5 to 10 % smaller
// than the standard ones). RGB is stored as YCbCr with every second chroma sample in both directions.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"
#include "nodes/codecs/tiff_memory.hpp"

namespace weir::codec_parts {
namespace {

constexpr std::uint64_t largest_side = 65535;  // a JPEG's sides are 16-bit numbers

std::uint64_t padded(std::uint64_t side, std::uint64_t to) {
  return (side + to - 1) / to * to;
}

/// Samples in the blocks of 8 x 8 that a JPEG of that image has; `across` x `down` pixels share a chroma
/// sample, 0: there is no chroma.
std::uint64_t samples_in_blocks(const PieceImage& image, std::uint64_t across, std::uint64_t down) {
  if (across == 0 || down == 0) return padded(image.width, 8) * padded(image.rows, 8) * image.samples;
  const std::uint64_t luma = padded(image.width, 8 * across) * padded(image.rows, 8 * down);
  return luma + 2 * (luma / (across * down));
}
std::uint64_t samples_in_blocks(const CodecSpec& spec, std::uint64_t raw) {
  const std::uint64_t shared = spec.format.is_rgb ? 2 : 0;
  return samples_in_blocks(image_of(spec.id, spec.format, raw), shared, shared);
}

/// What libjpeg and the handle take for any piece, and for a row: buffers of some MCU rows (measured: up to
/// 150 KiB and 56 bytes per byte of a row).
constexpr std::uint64_t jpeg_handle_bytes = 320 * 1024, row_factor = 64;

void set(MemoryTiff& tiff, std::uint32_t tag, int value) {
  if (TIFFSetField(tiff.get(), tag, value) != 1)
    throw Error("prepare", "a JPEG encoder", tiff.message().empty() ? "libtiff refuses" : tiff.message());
}

void prepare(MemoryTiff& tiff, const CodecSpec& spec, PieceImage image) {
  if (spec.format.is_rgb) image.photometric = PHOTOMETRIC_YCBCR;
  tiff.describe(image);
  set(tiff, TIFFTAG_JPEGQUALITY, spec.quality.value());
  set(tiff, TIFFTAG_JPEGTABLESMODE, JPEGTABLESMODE_QUANT);
  if (!spec.format.is_rgb) return;
  set(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  if (TIFFSetField(tiff.get(), TIFFTAG_YCBCRSUBSAMPLING, 2, 2) != 1)
    throw Error("prepare", "a JPEG encoder", tiff.message());
}

class JpegEncoder : public Encoder {
 public:
  explicit JpegEncoder(const CodecSpec& spec) : spec_(spec) {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(out.size() >= max_jpeg_bytes(spec_, raw.size()));
    if (raw.empty()) return 0;
    MemoryTiff tiff(out, jpeg_handle_bytes);
    prepare(tiff, spec_, image_of(spec_.id, spec_.format, raw.size()));
    return tiff.encode(raw);
  }

 private:
  CodecSpec spec_;
};

/// libjpeg only warns where data is missing or damaged, and makes grey pixels of it. Three of its warnings are
/// harmless: what lies between the last block and the end marker, and what a marker of Adobe's or the scan's
/// header says for nothing (jerror.h). libtiff only warns of an image smaller than the piece.
bool is_damage(std::string_view module, std::string_view text) {
  const auto says = [&](std::string_view words) { return text.find(words) != std::string_view::npos; };
  if (module == "JPEGLib")
    return !says("extraneous bytes before marker 0xd9") && !says("Adobe") && !says("SOS parameters");
  return says("Improper JPEG strip/tile size");
}

class JpegDecoder : public Decoder {
 public:
  explicit JpegDecoder(const DecodeSpec& spec) : spec_(spec) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    PieceImage image = image_of(spec_.id, spec_.format, out.size());
    const std::size_t wanted = image.rows * image.width * image.samples;
    if (encoded.empty() || wanted == 0) return 0;
    if (spec_.is_padded) image.rows = spec_.rows;
    std::vector<RawTag> tags;
    if (!spec_.jpeg_tables.empty())
      tags.push_back({TIFFTAG_JPEGTABLES, TIFF_UNDEFINED, spec_.jpeg_tables.size(), spec_.jpeg_tables});
    const bool is_ycbcr = spec_.ycbcr_across != 0;
    if (is_ycbcr) {
      image.photometric = PHOTOMETRIC_YCBCR;
      // Two values in one entry, in the machine's order.
      const std::uint16_t shared[] = {spec_.ycbcr_across, spec_.ycbcr_down};
      const auto* bytes = reinterpret_cast<const std::byte*>(shared);
      tags.push_back({TIFFTAG_YCBCRSUBSAMPLING, TIFF_SHORT, 2, {bytes, bytes + sizeof shared}});
    }
    const std::vector<std::byte> file = directory_file(image, std::move(tags));
    MemoryTiff tiff(file, jpeg_handle_bytes + row_factor * image.width * image.samples, is_damage);
    if (is_ycbcr) set(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (!tiff.decode(encoded, out.first(wanted)))
      throw Error("decode", "jpeg data", tiff.message().empty() ? "it is broken" : tiff.message());
    return wanted;
  }

 private:
  DecodeSpec spec_;
};

}  // namespace

void check_jpeg(const CodecSpec& spec, std::uint64_t rows) {
  if (spec.format.type != SampleType::uint8)
    throw Error::usage("use", fmt::format("jpeg for {} samples", name_of(spec.format.type)),
                       "it is for uint8");
  // Four components are what libjpeg's scans hold (MAX_COMPS_IN_SCAN).
  if (spec.format.samples > 4)
    throw Error::usage("use", fmt::format("jpeg for {} samples per pixel", spec.format.samples),
                       "it holds up to 4, or any number one plane each");
  if (spec.format.width > largest_side || rows > largest_side)
    throw Error::usage("use", fmt::format("jpeg for pieces of {} x {} pixels", spec.format.width, rows),
                       fmt::format("its sides end at {}", largest_side));
}

std::uint64_t max_jpeg_bytes(const CodecSpec& spec, std::uint64_t raw) {
  // As libjpeg-turbo's tjBufSize(): two bytes for each sample of each block, and the headers.
  return 2 * samples_in_blocks(spec, raw) + 2048;
}

std::uint64_t jpeg_encoder_bytes(const CodecSpec& spec, std::uint64_t raw) {
  // To count symbols before it codes them, libjpeg keeps all coefficients, of two bytes each.
  const PieceImage image = image_of(spec.id, spec.format, raw);
  return jpeg_handle_bytes + row_factor * image.width * image.samples + 2 * samples_in_blocks(spec, raw);
}

std::unique_ptr<Encoder> make_jpeg_encoder(const CodecSpec& spec) {
  return std::make_unique<JpegEncoder>(spec);
}

// libtiff makes them when the first piece comes; a piece of one block does.
std::vector<std::byte> jpeg_tables(const CodecSpec& spec) {
  PieceFormat block = spec.format;
  block.width = 16;
  const std::vector<std::byte> raw(16 * block.row_bytes());
  CodecSpec small = spec;
  small.format = block;
  std::vector<std::byte> out(max_jpeg_bytes(small, raw.size()));
  MemoryTiff tiff(std::span<std::byte>(out), jpeg_handle_bytes);
  prepare(tiff, small, image_of(small.id, block, raw.size()));
  (void)tiff.encode(raw);
  std::uint32_t bytes = 0;
  const void* tables = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_JPEGTABLES, &bytes, &tables) != 1 || tables == nullptr)
    throw Error("prepare", "a JPEG encoder", "libtiff gives no tables");
  const auto* first = static_cast<const std::byte*>(tables);
  return {first, first + bytes};
}

std::uint64_t jpeg_decoder_bytes(const DecodeSpec& spec) {
  // A stream of several scans has all coefficients kept. Whether it is one is not known before it comes.
  const PieceImage image = image_of(spec.id, spec.format, spec.raw_bytes());
  return jpeg_handle_bytes + row_factor * image.width * image.samples +
         2 * samples_in_blocks(image, spec.ycbcr_across, spec.ycbcr_down) + spec.jpeg_tables.size();
}

std::unique_ptr<Decoder> make_jpeg_decoder(const DecodeSpec& spec) {
  return std::make_unique<JpegDecoder>(spec);
}

}  // namespace weir::codec_parts
