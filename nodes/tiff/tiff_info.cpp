#include "nodes/tiff/tiff_info.hpp"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <type_traits>

#include "framework/error.hpp"
#include "nodes/tiff/fail_read.hpp"
#include "nodes/tiff/gdal_metadata.hpp"
#include "nodes/tiff/tiff_decode.hpp"
#include "nodes/tiff/tiff_directory.hpp"
#include "nodes/tiff/tiff_samples.hpp"

namespace weir {
namespace {

// libtiff

/// What libtiff's callbacks work on; belongs to one handle, which is used by one thread.
struct Client {
  const ReadableFile* file;
  std::uint64_t position = 0;
  std::string first_error;  // of libtiff; the ones after it only say that the callers failed, too
  bool has_failed_read = false;
};

Client& client_of(thandle_t handle) {
  return *static_cast<Client*>(handle);
}

// No exception may cross libtiff's frames: a failed read is kept as text, and reported as a short read.
tmsize_t read_some(thandle_t handle, void* data, tmsize_t bytes) {
  Client& client = client_of(handle);
  try {
    if (bytes < 0) return -1;
    const std::size_t got = client.file->read_at(
        client.position, {static_cast<std::byte*>(data), static_cast<std::size_t>(bytes)});
    client.position += got;
    return static_cast<tmsize_t>(got);
  } catch (const Error& error) {
    if (!client.has_failed_read) client.first_error = error.reason();
    client.has_failed_read = true;
    return -1;
  }
}

tmsize_t write_none(thandle_t, void*, tmsize_t) {
  return -1;
}

toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
  Client& client = client_of(handle);
  switch (whence) {
    case SEEK_SET:
      client.position = offset;
      break;
    case SEEK_CUR:
      client.position += offset;
      break;
    case SEEK_END:
      client.position = client.file->size() + offset;
      break;
    default:
      return static_cast<toff_t>(-1);
  }
  return client.position;
}

int close_none(thandle_t) {
  return 0;
}
toff_t size_of(thandle_t handle) {
  return client_of(handle).file->size();
}

// Non-zero: the process-wide handlers, which print, are not called.
int keep_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& client = *static_cast<Client*>(user);
  if (!client.first_error.empty()) return 1;
  char text[512];
  if (std::vsnprintf(text, sizeof text, format, arguments) < 0) return 1;
  client.first_error = text;
  while (!client.first_error.empty() &&
         (client.first_error.back() == '.' || client.first_error.back() == '\n'))
    client.first_error.pop_back();
  return 1;
}
int drop_warning(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
struct FreeOptions {
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};

/// The directory as libtiff understands it, with its defaults and consistency checks. Open as long as this
/// lives; pixels and offset arrays are not touched through it.
class TiffHandle {
 public:
  /// `number` in the main chain; absent: wherever the directory is.
  TiffHandle(const ReadableFile& file, const TiffDirectory& directory, std::optional<unsigned> number)
      : client_{&file, 0, {}} {
    std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
    if (!options) fail_read(file, "out of memory");
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(),
                                        64 << 20);  // above any tag that read_tiff_directory admits
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &client_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), drop_warning, nullptr);
    // h: the first directory is not read unasked; m: no mapping; O: no offset arrays; c: strips as they are
    // stored (libtiff would show a large one as many).
    tiff_.reset(TIFFClientOpenExt(file.path().c_str(), "rhmOc", &client_, read_some, write_none, seek_to,
                                  close_none, size_of, nullptr, nullptr, options.get()));
    if (!tiff_ ||
        (number ? TIFFSetDirectory(tiff_.get(), *number)
                : TIFFSetSubDirectory(tiff_.get(), directory.position)) != 1 ||
        TIFFCurrentDirOffset(tiff_.get()) != directory.position ||
        client_.has_failed_read)  // libtiff goes on without a tag that it could not read
      fail_read(file,
                client_.first_error.empty() ? "libtiff cannot read its directory" : client_.first_error);
  }

  TIFF* get() const { return tiff_.get(); }

  /// A tag of one value, or `absent`.
  template <class Value>
  Value value(std::uint32_t tag, Value absent) const {
    Value value = absent;
    return TIFFGetField(tiff_.get(), tag, &value) == 1 ? value : absent;
  }

 private:
  Client client_;
  std::unique_ptr<TIFF, CloseTiff> tiff_;
};

// Tags

enum Tag : std::uint16_t {
  tag_predictor = 317,
  tag_strip_offsets = 273,
  tag_strip_byte_counts = 279,
  tag_tile_offsets = 324,
  tag_tile_byte_counts = 325,
  tag_pixel_scale = 33550,
  tag_tiepoint = 33922,
  tag_transformation = 34264,
  tag_geo_keys = 34735,
  tag_geo_doubles = 34736,
  tag_geo_ascii = 34737,
  tag_nodata = 42113,
};

// How the pixels are stored, or what RasterInfo has a member for: a copy has its own.
constexpr std::uint16_t structural_tags[] = {
    254,                       // NewSubfileType
    255,                       // SubfileType
    256,   257,   258,   259,  // ImageWidth, ImageLength, BitsPerSample, Compression
    262,                       // PhotometricInterpretation
    266,                       // FillOrder
    273,                       // StripOffsets
    277,   278,   279,         // SamplesPerPixel, RowsPerStrip, StripByteCounts
    284,                       // PlanarConfiguration
    288,   289,                // FreeOffsets, FreeByteCounts
    292,   293,                // T4Options, T6Options
    317,                       // Predictor
    322,   323,   324,   325,  // TileWidth, TileLength, TileOffsets, TileByteCounts
    338,   339,                // ExtraSamples, SampleFormat
    347,                       // JPEGTables
    512,   513,   514,   515,   517,   518,   519, 520, 521,  // old-style JPEG
    529,   530,   531,                         // YCbCrCoefficients, YCbCrSubSampling, YCbCrPositioning
    32997, 32998,                              // ImageDepth, TileDepth
    33550, 33922, 34264, 34735, 34736, 34737,  // georeferencing
    42113,                                     // GDAL_NODATA
    50674,                                     // LercParameters
};

// SubIFDs, GlobalParametersIFD, EXIF, GPS, Interoperability: offsets of directories, which a copy would make
// dangle.
constexpr std::uint16_t pointer_tags[] = {330, 400, 34665, 34853, 40965};
constexpr std::uint16_t type_ifd = 13, type_ifd8 = 18;

template <class Range>
bool contains(const Range& range, std::uint16_t id) {
  return std::ranges::find(range, id) != std::end(range);
}

/// The values of a tag that must have one type.
template <class Value>
std::vector<Value> values_of(const ReadableFile& file, const TiffDirectory& directory, std::uint16_t id) {
  const TiffEntry* entry = directory.find(id);
  if (entry == nullptr) return {};
  constexpr std::uint16_t type = std::is_same_v<Value, double> ? TIFF_DOUBLE : TIFF_SHORT;
  if (entry->type != type)
    fail_read(file,
              fmt::format("its tag {} has field type {}, and it should have {}", id, entry->type, type));
  const RawTag tag = read_tag(file, directory, *entry);
  std::vector<Value> values(tag.count);
  if (!values.empty()) std::memcpy(values.data(), tag.bytes.data(), tag.bytes.size());
  return values;
}

/// A text tag without the NULs at its end.
std::string text_of(const ReadableFile& file, const TiffDirectory& directory, std::uint16_t id) {
  const TiffEntry* entry = directory.find(id);
  if (entry == nullptr) return {};
  if (tiff_type_bytes(entry->type) != 1)  // ASCII; some writers say BYTE
    fail_read(file, fmt::format("its tag {} has field type {}, and it should be text", id, entry->type));
  const RawTag tag = read_tag(file, directory, *entry);
  std::string text(tag.bytes.size(), '\0');
  if (!text.empty()) std::memcpy(text.data(), tag.bytes.data(), text.size());
  text.erase(text.find_last_not_of('\0') + 1);
  return text;
}

void read_georeferencing(const ReadableFile& file, const TiffDirectory& directory, Georeferencing& to) {
  to.pixel_scale = values_of<double>(file, directory, tag_pixel_scale);
  to.tiepoints = values_of<double>(file, directory, tag_tiepoint);
  to.transformation = values_of<double>(file, directory, tag_transformation);
  to.key_directory = values_of<std::uint16_t>(file, directory, tag_geo_keys);
  to.key_doubles = values_of<double>(file, directory, tag_geo_doubles);
  to.key_ascii = text_of(file, directory, tag_geo_ascii);
}

std::optional<std::string> read_nodata(const ReadableFile& file, const TiffDirectory& directory) {
  std::string text = text_of(file, directory, tag_nodata);
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return std::nullopt;
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// GDAL_METADATA as items, where it is text of that form; otherwise it stays a tag.
bool read_metadata(const RawTag& tag, RasterInfo& info) {
  if (tag.id != gdal_metadata_tag || tiff_type_bytes(tag.type) != 1) return false;
  std::optional<std::vector<MetadataItem>> items =
      parse_gdal_metadata({reinterpret_cast<const char*>(tag.bytes.data()), tag.bytes.size()});
  if (items) info.metadata = std::move(*items);
  return items.has_value();
}

// Pixels

using CustomCodecs = std::vector<std::shared_ptr<const CustomCodec>>;

CodecId codec(const ReadableFile& file, unsigned compression, const CustomCodecs& codecs) {
  for (const auto& custom : codecs)
    if (custom->tiff_compression() == compression) return static_cast<CodecId>(compression);
  switch (compression) {
    case COMPRESSION_NONE:
      return CodecId::none;
    case COMPRESSION_LZW:
      return CodecId::lzw;
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
      return CodecId::deflate;  // 32946, the number before Adobe's
    case COMPRESSION_PACKBITS:
      return CodecId::packbits;
    case COMPRESSION_ZSTD:
      return CodecId::zstd;
    case COMPRESSION_JPEG:
      return CodecId::jpeg;
    case COMPRESSION_LERC:
      return CodecId::lerc;
    case COMPRESSION_LZMA:
      return CodecId::lzma;
    case COMPRESSION_WEBP:
      return CodecId::webp;
    case COMPRESSION_OJPEG:
      fail_read(
          file,
          "Compression (tag 259) is 6, the JPEG of TIFF 6.0 itself, which is not read; its successor, 7, is");
    default:
      fail_read(file,
                fmt::format(
                    "Compression (tag 259) is {}; none (1), LZW (5), JPEG (7), deflate (8, 32946), PackBits "
                    "(32773), LERC (34887), LZMA (34925), ZSTD (50000) and WebP (50001) are read",
                    compression));
  }
}

Predictor predictor(const ReadableFile& file, const TiffDirectory& directory, CodecId id,
                    const TiffSamples& samples) {
  // libtiff, and GDAL with it, knows the tag only with codecs that use it; with others it has no effect
  // there.
  if (!takes_predictor(id)) return Predictor::none;
  const std::vector<std::uint16_t> values = values_of<std::uint16_t>(file, directory, tag_predictor);
  const unsigned value = values.empty() ? 1 : values.front();
  if (value < 1 || value > 3)
    fail_read(file, fmt::format("Predictor (tag 317) is {}; 1, 2 and 3 are read", value));
  const auto predictor = static_cast<Predictor>(value);
  check_predictor(file, predictor, samples, directory.is_swapped);
  return predictor;
}

std::optional<StrileArray> strile_array(const ReadableFile& file, const TiffDirectory& directory,
                                        std::uint16_t id, std::uint16_t other_id, std::uint64_t striles) {
  const TiffEntry* entry = directory.find(id);
  if (entry == nullptr) entry = directory.find(other_id);  // libtiff takes either for both
  if (entry == nullptr) return std::nullopt;
  if (entry->type != TIFF_SHORT && entry->type != TIFF_LONG && entry->type != TIFF_LONG8)
    fail_read(file, fmt::format("its tag {} has field type {}; SHORT, LONG and LONG8 are read", entry->id,
                                entry->type));
  if (entry->count < striles)
    fail_read(file, fmt::format("its tag {} has {} values, and its {} tiles or strips need one each",
                                entry->id, entry->count, striles));
  return StrileArray{entry->position, striles, tiff_type_bytes(entry->type), directory.is_swapped};
}

TiffLayout read_layout(const ReadableFile& file, const TiffDirectory& directory, const TiffHandle& tiff,
                       const RasterInfo& info, const StoredSamples& samples, const CustomCodecs& codecs) {
  TiffLayout layout;
  layout.is_swapped = directory.is_swapped;
  layout.samples = samples;
  layout.is_tiled = TIFFIsTiled(tiff.get()) != 0;
  if (layout.is_tiled) {
    layout.strile_width = tiff.value<std::uint32_t>(TIFFTAG_TILEWIDTH, 0);
    layout.strile_height = tiff.value<std::uint32_t>(TIFFTAG_TILELENGTH, 0);
    if (layout.strile_width == 0 || layout.strile_height == 0)
      fail_read(file, fmt::format("its tiles (tags 322 and 323) are {} wide and {} high", layout.strile_width,
                                  layout.strile_height));
  } else {
    // Absent: one strip. 2^32 - 1 says the same.
    const auto rows = tiff.value<std::uint32_t>(TIFFTAG_ROWSPERSTRIP, 0xffffffffu);
    if (rows == 0) fail_read(file, "RowsPerStrip (tag 278) is 0");
    layout.strile_width = info.width;
    layout.strile_height = std::min<std::uint64_t>(rows, info.height);
  }

  const auto planar = tiff.value<std::uint16_t>(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  if (planar != PLANARCONFIG_CONTIG && planar != PLANARCONFIG_SEPARATE)
    fail_read(file, fmt::format("PlanarConfiguration (tag 284) is {}; 1 and 2 are read", planar));
  layout.planes = planar == PLANARCONFIG_SEPARATE ? info.samples : 1;
  layout.codec = codec(file, tiff.value<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE), codecs);
  for (const auto& custom : codecs)
    if (static_cast<CodecId>(custom->tiff_compression()) == layout.codec) layout.custom_codec = custom;
  layout.predictor = predictor(file, directory, layout.codec, {info.type, samples});

  // libtiff turns the bits of what is stored, whatever the codec, but for JPEG.
  const auto fill_order = tiff.value<std::uint16_t>(TIFFTAG_FILLORDER, FILLORDER_MSB2LSB);
  if (fill_order != FILLORDER_MSB2LSB && fill_order != FILLORDER_LSB2MSB)
    fail_read(file, fmt::format("FillOrder (tag 266) is {}; 1 and 2 are read", fill_order));
  layout.is_bit_reversed = fill_order == FILLORDER_LSB2MSB && layout.codec != CodecId::jpeg;
  layout.decode = decode_spec_of(file, tiff.get(), info, layout);

  // Each factor is below 2^32, and there are at most 65535 planes.
  const std::uint64_t rows = (info.height + layout.strile_height - 1) / layout.strile_height;
  const std::uint64_t cols = (info.width + layout.strile_width - 1) / layout.strile_width;
  std::uint64_t striles = 0;
  if (__builtin_mul_overflow(rows * cols, std::uint64_t{layout.planes}, &striles))
    fail_read(file, fmt::format("it has {} x {} tiles or strips in {} planes", rows, cols, layout.planes));

  const std::optional<StrileArray> offsets =
      layout.is_tiled ? strile_array(file, directory, tag_tile_offsets, tag_strip_offsets, striles)
                      : strile_array(file, directory, tag_strip_offsets, tag_tile_offsets, striles);
  if (!offsets) fail_read(file, fmt::format("it has no offsets (tag {})", layout.is_tiled ? 324 : 273));
  layout.offsets = *offsets;
  layout.byte_counts =
      layout.is_tiled ? strile_array(file, directory, tag_tile_byte_counts, tag_strip_byte_counts, striles)
                      : strile_array(file, directory, tag_strip_byte_counts, tag_tile_byte_counts, striles);
  if (!layout.byte_counts && striles > layout.planes)
    fail_read(file, fmt::format("it has no byte counts (tag {})", layout.is_tiled ? 325 : 279));
  return layout;
}

RasterInfo read_info(const ReadableFile& file, const TiffDirectory& directory, const TiffHandle& tiff,
                     SampleType type) {
  RasterInfo info;
  info.width = tiff.value<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
  info.height = tiff.value<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0);
  info.samples = tiff.value<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL, 1);
  if (info.width == 0 || info.height == 0 || info.samples == 0)
    fail_read(file,
              fmt::format("it is {} wide and {} high (tags 256 and 257), with {} samples per pixel (tag 277)",
                          info.width, info.height, info.samples));
  info.type = type;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(info.width * info.height, info.pixel_bytes(), &bytes))
    fail_read(file, fmt::format("its {} x {} pixels of {} bytes are too many", info.width, info.height,
                                info.pixel_bytes()));

  if (const auto depth = std::max(tiff.value<std::uint32_t>(TIFFTAG_IMAGEDEPTH, 1),
                                  tiff.value<std::uint32_t>(TIFFTAG_TILEDEPTH, 1));
      depth != 1)
    fail_read(file, fmt::format("ImageDepth or TileDepth (tags 32997 and 32998) is {}; 1 is read", depth));

  info.photometric = tiff.value<std::uint16_t>(TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  if (info.photometric == PHOTOMETRIC_YCBCR) {
    // Subsampled: its tiles hold fewer samples than pixels say. JPEG's decoder makes RGB of them.
    if (tiff.value<std::uint16_t>(TIFFTAG_COMPRESSION, COMPRESSION_NONE) != COMPRESSION_JPEG)
      fail_read(
          file,
          "PhotometricInterpretation (tag 262) is 6, YCbCr, which is read with JPEG (compression 7) only");
    info.photometric = PHOTOMETRIC_RGB;
  }
  std::uint16_t extra_count = 0;
  const std::uint16_t* extra = nullptr;
  if (TIFFGetField(tiff.get(), TIFFTAG_EXTRASAMPLES, &extra_count, &extra) == 1 && extra != nullptr)
    info.extra_samples.assign(extra, extra + extra_count);

  info.nodata = read_nodata(file, directory);
  read_georeferencing(file, directory, info.georeferencing);
  return info;
}

/// Grey of less than 8 bits, in uint8, would be all but black, or white: a colour table has the shades that the file says.
void add_grey_table(RasterInfo& info, const StoredSamples& stored) {
  const bool is_grey =
      info.photometric == PHOTOMETRIC_MINISWHITE || info.photometric == PHOTOMETRIC_MINISBLACK;
  if (!is_grey || info.samples != 1 || stored.storage != SampleStorage::packed_bits || stored.bits >= 8)
    return;
  const auto place = std::ranges::lower_bound(info.tags, std::uint16_t{TIFFTAG_COLORMAP}, {}, &RawTag::id);
  if (place != info.tags.end() && place->id == TIFFTAG_COLORMAP) return;
  const std::uint32_t shades = 1u << stored.bits;
  std::vector<std::uint16_t> table(3 * shades);  // all reds, all greens, all blues
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    const std::uint32_t shade = i % shades;
    const std::uint32_t light = info.photometric == PHOTOMETRIC_MINISWHITE ? shades - 1 - shade : shade;
    table[i] = static_cast<std::uint16_t>(light * 65535 / (shades - 1));
  }
  RawTag tag{TIFFTAG_COLORMAP, TIFF_SHORT, table.size(), std::vector<std::byte>(2 * table.size())};
  std::memcpy(tag.bytes.data(), table.data(), tag.bytes.size());
  info.tags.insert(place, std::move(tag));
}

TiffImage read_image(const ReadableFile& file, const TiffDirectory& directory, std::optional<unsigned> number,
                     const CustomCodecs& codecs, bool keep_half) {
  const TiffHandle tiff(file, directory, number);

  TiffImage image;
  // libtiff refuses samples of different sizes or formats.
  const bool is_little_endian = (std::endian::native == std::endian::little) != directory.is_swapped;
  const TiffSamples samples = tiff_samples(file, tiff.value<std::uint16_t>(TIFFTAG_BITSPERSAMPLE, 1),
                                           tiff.value<std::uint16_t>(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT),
                                           is_little_endian, keep_half);
  image.info = read_info(file, directory, tiff, samples.type);
  image.layout = read_layout(file, directory, tiff, image.info, samples.stored, codecs);
  for (const TiffEntry& entry : directory.entries) {
    if (contains(structural_tags, entry.id)) continue;
    if (image.layout.decode.ycbcr_across != 0 && entry.id == TIFFTAG_REFERENCEBLACKWHITE)
      continue;  // of YCbCr
    const bool is_pointer =
        contains(pointer_tags, entry.id) || entry.type == type_ifd || entry.type == type_ifd8;
    if (is_pointer || tiff_type_bytes(entry.type) == 0 || entry.count == 0) {
      image.dropped_tags.push_back(entry.id);
      continue;
    }
    RawTag tag = read_tag(file, directory, entry);
    if (!read_metadata(tag, image.info)) image.info.tags.push_back(std::move(tag));
  }
  add_grey_table(image.info, samples.stored);
  return image;
}

}  // namespace

TiffImage read_tiff_image(const ReadableFile& file, unsigned number, const CustomCodecs& codecs,
                          bool keep_half) {
  return read_image(file, read_tiff_directory(file, number), number, codecs, keep_half);
}

TiffImage read_tiff_image_at(const ReadableFile& file, std::uint64_t position, const CustomCodecs& codecs,
                             bool keep_half) {
  return read_image(file, read_tiff_directory_at(file, position), std::nullopt, codecs, keep_half);
}

}  // namespace weir
