#include "nodes/tiff/tiff_output_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/color_meanings.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/tiff/gdal_metadata.hpp"
#include "nodes/tiff/statistics_text.hpp"

namespace weir {
namespace {

namespace tag {
constexpr std::uint16_t new_subfile_type = 254, image_width = 256, image_length = 257, bits_per_sample = 258,
                        compression = 259, photometric = 262, strip_offsets = 273, samples_per_pixel = 277,
                        rows_per_strip = 278, strip_byte_counts = 279, min_sample_value = 280,
                        max_sample_value = 281, planar_configuration = 284, transfer_function = 301,
                        predictor = 317, color_map = 320, tile_width = 322, tile_length = 323,
                        tile_offsets = 324, tile_byte_counts = 325, extra_samples = 338, sample_format = 339,
                        smin_sample_value = 340, smax_sample_value = 341, ycbcr_subsampling = 530,
                        model_pixel_scale = 33550, model_tiepoint = 33922, model_transformation = 34264,
                        geo_key_directory = 34735, geo_double_params = 34736, geo_ascii_params = 34737,
                        gdal_nodata = 42113;
}  // namespace tag

// Never carried over: they tell of the stored form of the source, or point into it.
constexpr std::uint16_t structural[] = {
    255,                                                  // SubfileType
    266,                                                  // FillOrder: always 1 here
    288,   289,                                           // FreeOffsets, FreeByteCounts
    292,   293,   326,   327,   328,                      // of fax codecs
    330,                                                  // SubIFDs: offsets into the source
    347,                                                  // JPEGTables
    400,                                                  // GlobalParametersIFD: an offset
    512,   513,   514,   515,   517, 518, 519, 520, 521,  // of TIFF 6.0 JPEG
    559,                                                  // StripRowCounts
    32995, 32996, 32997, 32998,  // forerunners of ExtraSamples and SampleFormat, depths
    34665, 34853, 40965,         // Exif, GPS and interoperability directories: offsets
    50674,                       // LERC parameters
};
// Not carried over either: describe() decides them.
constexpr std::uint16_t own[] = {
    tag::new_subfile_type, tag::image_width,          tag::image_length,         tag::bits_per_sample,
    tag::compression,      tag::photometric,          tag::strip_offsets,        tag::samples_per_pixel,
    tag::rows_per_strip,   tag::strip_byte_counts,    tag::planar_configuration, tag::predictor,
    tag::tile_width,       tag::tile_length,          tag::tile_offsets,         tag::tile_byte_counts,
    tag::extra_samples,    tag::sample_format,        tag::ycbcr_subsampling,    tag::model_pixel_scale,
    tag::model_tiepoint,   tag::model_transformation, tag::geo_key_directory,    tag::geo_double_params,
    tag::geo_ascii_params, tag::gdal_nodata,
};

// Values of PhotometricInterpretation.
constexpr std::uint16_t min_is_black = 1, palette = 3, transparency_mask = 4, ycbcr = 6;

constexpr std::uint64_t largest_long = std::numeric_limits<std::uint32_t>::max();

// The interpretation that is true of the raster as it is written. A palette where greys have a colour table; grey where it
// has too few samples, no colour table, or where the interpretation belongs to a codec (LogLuv) or to one bit (masks).
std::uint16_t photometric_of(const RasterInfo& info) {
  const std::uint32_t needed = color_samples(info.photometric);
  if (needed == 0 || info.samples < needed) return min_is_black;
  if (has_color_table(info)) return palette;
  return info.photometric == palette ? min_is_black : info.photometric;
}

// One value for each sample beyond the colours (TIFF 6.0 section 18): those that are known belong to the last
// samples, the others are 0, unspecified.
std::vector<std::uint16_t> extra_samples_of(const RasterInfo& info, std::uint16_t photometric) {
  std::vector<std::uint16_t> extra(info.samples - color_samples(photometric), 0);
  const std::size_t known = std::min(extra.size(), info.extra_samples.size());
  std::copy_n(info.extra_samples.end() - static_cast<std::ptrdiff_t>(known), known,
              extra.end() - static_cast<std::ptrdiff_t>(known));
  for (std::uint16_t& value : extra)
    if (value > 2) value = 0;
  return extra;
}

// Readers take 3 x 2^bits entries. A source of fewer bits per sample has fewer: the rest is black.
RawTag full_color_map(const RawTag& map, std::uint64_t colors) {
  RawTag full{map.id, map.type, 3 * colors, std::vector<std::byte>(3 * colors * 2)};
  const std::uint64_t known = map.count / 3;
  for (std::uint64_t channel = 0; channel < 3; ++channel)
    std::copy_n(map.bytes.begin() + static_cast<std::ptrdiff_t>(channel * known * 2), known * 2,
                full.bytes.begin() + static_cast<std::ptrdiff_t>(channel * colors * 2));
  return full;
}

bool is_carried(const RawTag& raw, const RasterInfo& info) {
  const auto type = static_cast<TiffType>(raw.type);
  if (type == TiffType::ifd || type == TiffType::ifd64) return false;  // offsets into the source
  if (std::ranges::find(structural, raw.id) != std::end(structural)) return false;
  if (std::ranges::find(own, raw.id) != std::end(own)) return false;
  // Tags whose count follows from the samples: dropped where the raster has others than its source.
  switch (raw.id) {
    case tag::min_sample_value:
    case tag::max_sample_value:
    case tag::smin_sample_value:
    case tag::smax_sample_value:
      return raw.count == info.samples;
    case tag::transfer_function: {
      if (bytes_of(info.type) > 2) return false;
      const std::uint64_t values = std::uint64_t{1} << (8 * bytes_of(info.type));
      return raw.count == values || raw.count == 3 * values;
    }
    default:
      return true;
  }
}

std::uint16_t sample_format_of(SampleType type) {
  // 5 and 6 are complex integers and floats, as libtiff numbers them (tiff.h, SAMPLEFORMAT_COMPLEXINT and _COMPLEXIEEEFP).
  if (is_complex(type)) return is_floating(component_of(type)) ? 6 : 5;
  return is_floating(type) ? 3 : is_signed_integer(type) ? 2 : 1;
}

bool has_metadata_tag(const RasterInfo& info) {
  return std::ranges::any_of(info.tags, [](const RawTag& tag) { return tag.id == gdal_metadata_tag; });
}
constexpr std::string_view not_a_list =
    "that of the source (tag 42112) is not a list of items, so none can be added";

void refuse(bool condition, std::string_view object, std::string_view reason) {
  if (condition) throw Error::usage("write", object, reason);
}

void add_georeferencing(TiffDirectoryBuilder& directory, const Georeferencing& geo) {
  directory.add_doubles(tag::model_pixel_scale, geo.pixel_scale);
  directory.add_doubles(tag::model_tiepoint, geo.tiepoints);
  directory.add_doubles(tag::model_transformation, geo.transformation);
  directory.add_shorts(tag::geo_key_directory, geo.key_directory);
  directory.add_doubles(tag::geo_double_params, geo.key_doubles);
  directory.add_text(tag::geo_ascii_params, geo.key_ascii);
}

}  // namespace

TileLayout TiffOutputLayout::tiles() const {
  const std::uint32_t planes = planar_separate ? info.samples : 1;
  return {info.height, info.width, tile_height, tile_width, planes};
}

void add_metadata(RasterInfo& info, const std::vector<MetadataItem>& items) {
  if (items.empty()) return;
  refuse(has_metadata_tag(info), "metadata", not_a_list);
  for (const MetadataItem& item : items)
    refuse(item.sample && *item.sample >= info.samples,
           fmt::format("metadata of band {}", item.sample.value_or(0) + 1),
           fmt::format("the raster has {}", info.samples));
  info.metadata = with_items(std::move(info.metadata), items);
}

std::uint64_t tile_count(const TiffOutputLayout& layout) {
  const TileLayout tiles = layout.tiles();
  return tiles.tile_rows() * tiles.tile_cols() * tiles.planes;
}

TiffOutputLayout mask_of(const TiffOutputLayout& layout) {
  TiffOutputLayout mask;
  mask.info.height = layout.info.height;
  mask.info.width = layout.info.width;
  mask.info.photometric = transparency_mask;
  mask.tile_height = layout.tile_height;
  mask.tile_width = layout.tile_width;
  mask.tiled = layout.tiled;
  mask.codec = CodecId::deflate;
  mask.big = layout.big;
  mask.is_mask = true;
  mask.is_reduced = layout.is_reduced;
  mask.sparse = layout.sparse;
  mask.max_tile_bytes = layout.max_mask_bytes;
  return mask;
}

std::uint16_t offsets_tag(const TiffOutputLayout& layout) {
  return layout.tiled ? tag::tile_offsets : tag::strip_offsets;
}
std::uint16_t byte_counts_tag(const TiffOutputLayout& layout) {
  return layout.tiled ? tag::tile_byte_counts : tag::strip_byte_counts;
}

void check(const TiffOutputLayout& layout) {
  const RasterInfo& info = layout.info;
  const std::string raster = fmt::format("a TIFF of {} x {} pixels", info.width, info.height);
  refuse(info.height == 0 || info.width == 0, raster, "it has no pixels");
  refuse(info.height > largest_long || info.width > largest_long, raster, "its sides are 32-bit numbers");
  refuse(info.samples == 0 || info.samples > 65535, raster,
         fmt::format("it has 1 to 65535 samples per pixel, not {}", info.samples));

  for (const MetadataItem& item : info.metadata)
    for (const std::string* text : {&item.name, &item.text, &item.role, &item.domain})
      refuse(text->find('\0') != std::string::npos, fmt::format("the metadata item '{}'", item.name),
             "there is a NUL in it, which ends the text of a TIFF tag");

  refuse(layout.statistics && has_metadata_tag(info), "statistics", not_a_list);

  const std::string tile = fmt::format("TIFF {} of {} x {} pixels", layout.tiled ? "tiles" : "strips",
                                       layout.tile_width, layout.tile_height);
  refuse(layout.tile_height == 0 || layout.tile_width == 0, tile, "they have no pixels");
  refuse(layout.tile_height > largest_long || layout.tile_width > largest_long, tile,
         "their sides are 32-bit numbers");
  refuse(layout.tiled && (layout.tile_height % 16 != 0 || layout.tile_width % 16 != 0), tile,
         "the sides of tiles are multiples of 16");
  refuse(!layout.tiled && layout.tile_width != info.width, tile, "strips are as wide as the raster");
  const TileLayout tiles = layout.tiles();
  // Both factors are below 2^32.
  const std::uint64_t plane = tiles.tile_rows() * tiles.tile_cols();
  refuse(plane > largest_long / tiles.planes, raster,
         fmt::format(
             "{} tiles in each of {} planes are more than readers can count (4294967295); use larger ones",
             plane, tiles.planes));
  refuse(layout.max_tile_bytes > largest_long, tile,
         fmt::format("one could take {} bytes, and readers stop at 4 GiB; use smaller ones",
                     layout.max_tile_bytes));

  refuse(layout.predictor != Predictor::none && !takes_predictor(layout.codec),
         fmt::format("a TIFF with predictor {}", static_cast<int>(layout.predictor)),
         "predictors go with deflate, zstd, lzw and lzma");
  refuse(layout.codec == CodecId::jpeg && !layout.tiled && layout.tile_height < info.height &&
             layout.tile_height % 16 != 0,
         tile, "strips of jpeg have a multiple of 16 rows");
  refuse(layout.predictor != Predictor::none && is_complex(info.type),
         fmt::format("a TIFF with predictor {}", static_cast<int>(layout.predictor)),
         "predictors are for real numbers");
  refuse(layout.predictor == Predictor::floating_point && !is_floating(info.type), "a TIFF with predictor 3",
         fmt::format("it is for floating-point samples, not {}", name_of(info.type)));
}

TiffDirectoryBuilder describe(const TiffOutputLayout& layout, bool big, std::uint32_t subfile_type) {
  const RasterInfo& info = layout.info;
  const CodecTags& of_codec = layout.codec_tags;
  const std::uint16_t photometric =
      layout.is_mask ? transparency_mask : of_codec.photometric.value_or(photometric_of(info));
  const auto bits = static_cast<std::uint16_t>(layout.is_mask ? 1 : 8 * bytes_of(info.type));
  TiffDirectoryBuilder directory(big);
  if (layout.is_mask) subfile_type |= 4;
  if (layout.is_reduced) subfile_type |= 1;

  if (subfile_type != 0) directory.add_long(tag::new_subfile_type, subfile_type);
  directory.add_long(tag::image_width, static_cast<std::uint32_t>(info.width));
  directory.add_long(tag::image_length, static_cast<std::uint32_t>(info.height));
  directory.add_shorts(tag::bits_per_sample, std::vector<std::uint16_t>(info.samples, bits));
  directory.add_short(tag::compression, static_cast<std::uint16_t>(layout.codec));
  directory.add_short(tag::photometric, photometric);
  directory.add_short(tag::samples_per_pixel, static_cast<std::uint16_t>(info.samples));
  directory.add_short(tag::planar_configuration, layout.tiles().planes > 1 ? 2 : 1);
  if (layout.predictor != Predictor::none)
    directory.add_short(tag::predictor, static_cast<std::uint16_t>(layout.predictor));
  if (layout.tiled) {
    directory.add_long(tag::tile_width, static_cast<std::uint32_t>(layout.tile_width));
    directory.add_long(tag::tile_length, static_cast<std::uint32_t>(layout.tile_height));
  } else {
    directory.add_long(tag::rows_per_strip,
                       static_cast<std::uint32_t>(std::min(layout.tile_height, info.height)));
  }
  // A tile stays below 4 GiB, so that 32 bits count its bytes in a BigTIFF too.
  directory.reserve(offsets_tag(layout), big ? TiffType::long64 : TiffType::long32, tile_count(layout));
  directory.reserve(byte_counts_tag(layout), TiffType::long32, tile_count(layout));
  if (!layout.is_mask) directory.add_shorts(tag::extra_samples, extra_samples_of(info, photometric));
  directory.add_shorts(tag::sample_format,
                       std::vector<std::uint16_t>(info.samples, sample_format_of(info.type)));
  // Without jpeg our samples are never subsampled, and TIFF's default is 2 x 2.
  if (photometric == ycbcr && !of_codec.photometric)
    directory.add_shorts(tag::ycbcr_subsampling, std::vector<std::uint16_t>{1, 1});
  for (const RawTag& raw : of_codec.tags) directory.add(raw);
  add_georeferencing(directory, info.georeferencing);
  if (info.nodata) directory.add_text(tag::gdal_nodata, *info.nodata);
  if (layout.statistics)
    directory.add_text(gdal_metadata_tag, StatisticsText(info).text());
  else if (!info.metadata.empty())
    directory.add_text(gdal_metadata_tag, print_gdal_metadata(info.metadata));

  for (const RawTag& raw : info.tags) {
    if (raw.id == tag::color_map) {
      if (photometric == palette) directory.add(full_color_map(raw, std::uint64_t{1} << bits));
    } else if (is_carried(raw, info) &&
               std::ranges::find(of_codec.tags, raw.id, &RawTag::id) == of_codec.tags.end()) {
      directory.add(raw);
    }
  }
  return directory;
}

}  // namespace weir
