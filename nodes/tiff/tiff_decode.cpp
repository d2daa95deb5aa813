#include "nodes/tiff/tiff_decode.hpp"

#include <fmt/format.h>

#include "nodes/tiff/fail_read.hpp"

namespace weir {
namespace {

// Two quantization tables of 16 bits, and Huffman tables of all kinds, take 3 KiB. Every decoder keeps a copy.
constexpr std::uint32_t largest_tables = 64 << 10;

void read_jpeg(const ReadableFile& file, TIFF* tiff, const RasterInfo& info, const TiffLayout& layout,
               DecodeSpec& spec) {
  if (info.type != SampleType::uint8)
    fail_read(file, fmt::format("Compression (tag 259) is 7, JPEG, of {} samples; uint8 is read",
                                name_of(info.type)));
  std::uint32_t bytes = 0;
  const void* tables = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_JPEGTABLES, &bytes, &tables) == 1 && tables != nullptr) {
    if (bytes > largest_tables)
      fail_read(file,
                fmt::format("JPEGTables (tag 347) has {} bytes; up to {} are read", bytes, largest_tables));
    const auto* first = static_cast<const std::byte*>(tables);
    spec.jpeg_tables.assign(first, first + bytes);
  }
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
  if (TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric) != 1 || photometric != PHOTOMETRIC_YCBCR) return;
  if (layout.planes > 1 || info.samples != 3)
    fail_read(
        file,
        fmt::format("PhotometricInterpretation (tag 262) is 6, YCbCr, with {} samples{}; 3 interleaved ones "
                    "are read",
                    info.samples, layout.planes > 1 ? " in planes" : ""));
  // Where the file has no YCbCrSubSampling, libtiff has looked into the first tile or strip.
  if (TIFFGetFieldDefaulted(tiff, TIFFTAG_YCBCRSUBSAMPLING, &spec.ycbcr_across, &spec.ycbcr_down) != 1)
    fail_read(file, "libtiff does not tell its YCbCrSubSampling (tag 530)");
  const auto is_read = [](std::uint16_t shared) { return shared == 1 || shared == 2 || shared == 4; };
  if (!is_read(spec.ycbcr_across) || !is_read(spec.ycbcr_down))
    fail_read(file, fmt::format("YCbCrSubSampling (tag 530) is {}, {}; 1, 2 and 4 are read",
                                spec.ycbcr_across, spec.ycbcr_down));
}

void read_lerc(const ReadableFile& file, TIFF* tiff, DecodeSpec& spec) {
  std::uint32_t count = 0;
  const std::uint32_t* parameters = nullptr;
  if (TIFFGetField(tiff, TIFFTAG_LERC_PARAMETERS, &count, &parameters) != 1 || parameters == nullptr ||
      count < 2)
    return;  // LERC 2.4, bare
  spec.lerc_version = parameters[0];
  spec.lerc_compression = parameters[1];
  if (spec.lerc_compression > LERC_ADD_COMPRESSION_ZSTD)
    fail_read(file,
              fmt::format("LercParameters (tag 50674) has additional compression {}; 0, 1 and 2 are read",
                          spec.lerc_compression));
}

}  // namespace

DecodeSpec decode_spec_of(const ReadableFile& file, TIFF* tiff, const RasterInfo& info,
                          const TiffLayout& layout) {
  DecodeSpec spec;
  spec.id = layout.codec;
  spec.custom = layout.custom_codec;
  spec.format = {layout.strile_width, layout.planes > 1 ? 1 : info.samples, info.type};
  spec.rows = layout.strile_height;
  spec.is_padded = layout.is_tiled;
  if (spec.custom) return spec;
  if (const std::string_view reason = missing_reason(spec.id); !reason.empty())
    fail_read(file, fmt::format("its codec, {}, cannot be used: {}", name_of(spec.id), reason));
  const bool sees_samples = spec.id == CodecId::jpeg || spec.id == CodecId::webp || spec.id == CodecId::lerc;
  if (sees_samples && !layout.samples.is_plain())
    fail_read(file, fmt::format("BitsPerSample (tag 258) is {}, which is not read with {}",
                                layout.samples.bits, name_of(spec.id)));
  // LERC of one plane has no alpha beside it.
  spec.ends_in_alpha = layout.planes == 1 && !info.extra_samples.empty() &&
                       info.extra_samples.back() == EXTRASAMPLE_UNASSALPHA;
  if (spec.id == CodecId::jpeg) read_jpeg(file, tiff, info, layout, spec);
  if (spec.id == CodecId::lerc) read_lerc(file, tiff, spec);
  if (spec.id == CodecId::webp &&
      (info.type != SampleType::uint8 || layout.planes > 1 || info.samples < 3 || info.samples > 4))
    fail_read(
        file,
        fmt::format("Compression (tag 259) is 50001, WebP, of {} {} samples{}; 3 or 4 interleaved uint8 ones "
                    "are read",
                    info.samples, name_of(info.type), layout.planes > 1 ? " in planes" : ""));
  return spec;
}

}  // namespace weir
