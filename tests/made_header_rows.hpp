#pragma once

// Header rows that are made up, in two versions of a bucket, and their way into a catalog.

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "nodes/headers/catalog_writer.hpp"

namespace weir::test {

/// Keys of a unit.
constexpr std::uint64_t made_keys = 32;

inline std::uint64_t made_bits(std::uint64_t seed) {
  seed = (seed + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebU;
  return seed ^ (seed >> 31);
}

/// Object n of a bucket in its first or second version. In the second, every tenth has changed, and every fiftieth is gone.
inline bool has_changed(std::uint64_t n) {
  return n % 10 == 3;
}
inline bool is_gone(std::uint64_t n, int version) {
  return version == 2 && n % 50 == 7;
}
/// What has no row, and what has an error beside its row.
inline bool is_broken(std::uint64_t n) {
  return n % 97 == 11;
}
inline bool is_damaged(std::uint64_t n) {
  return n % 89 == 12;
}

inline ListedObject made_object(std::uint64_t n, int version = 1) {
  const std::uint64_t bits = made_bits(n * 2 + (version == 2 && has_changed(n) ? 1 : 0));
  ListedObject object;
  object.path = fmt::format("sentinel-s2-l2a-cogs/{}/U/FQ/2023/{}/S2B_31UFQ_{:08}_0_L2A/B{:02}.tif",
                            n / 40000 % 60, n / 3000 % 12 + 1, n / 12, n % 12);
  object.size = 50'000'000 + bits % 200'000'000;
  if (n % 7 != 5) object.etag = fmt::format("{:016x}{:016x}", made_bits(bits), bits);
  object.last_modified = 1'690'000'000'000 + static_cast<std::int64_t>(bits % 10'000'000) * 1000;
  return object;
}

/// Like the header of a Sentinel-2 COG; with what is rare now and then.
inline HeaderRow made_row(std::uint64_t n, int version = 1) {
  HeaderRow row;
  row.object = made_object(n, version);
  const auto step = static_cast<double>(n % 3600);
  row.bits_per_sample = {16};
  row.compression = 8;
  row.image_height = 10980;
  row.image_width = 10980;
  row.model_pixel_scale = {10, 10, 0};
  row.model_tiepoint = {0, 0, 0, 600000 + step * 10, 5800020, 0};
  row.photometric_interpretation = 1;
  row.planar_configuration = 1;
  row.predictor = 2;
  row.sample_format = {1};
  row.samples_per_pixel = 1;
  row.tile_height = 1024;
  row.tile_width = 1024;
  row.geokeys.set(1024, std::uint16_t{1});
  row.geokeys.set(1025, std::uint16_t{1});
  row.geokeys.set(1026, "WGS 84 / UTM zone 31N");
  row.geokeys.set(2049, "WGS 84");
  row.geokeys.set(2054, std::uint16_t{9102});
  row.geokeys.set(3072, std::uint16_t{32631});
  row.geokeys.set(3076, std::uint16_t{9001});
  row.other_tags = {{42113, "0"}};
  row.directories = 5;
  row.overviews = 4;
  row.header_end = 2000 + n % 300;
  row.transform = {600000 + step * 10, 10, 0, 5800020, 0, -10};
  row.epsg = 32631;
  row.bounds = {600000 + step * 10, 5690220, 709800 + step * 10, 5800020};
  const double west = 4.4 + step / 7200;
  row.lon_lat = {west, 51.3, west + 1.6, 52.4};
  row.footprint = {{west, 52.35, west + 0.03, 51.3, west + 1.6, 51.31, west + 1.59, 52.4, west, 52.35}};
  if (n % 13 == 4) {
    row.artist = "Gérard";
    row.image_description = fmt::format("tile {}", n);
    row.software = "GDAL";
    row.x_resolution = 72.5;
    row.new_subfile_type = 0;
    row.jpeg_tables = std::vector<std::byte>(20, std::byte{7});
    row.other_tags[42112] = "<GDALMetadata/>";
    row.other_tags[34735 + 1] = "1.5, 2.5";
    row.geokeys.set(2057, 6378137.0);
    row.warnings = {"tag 306 comes twice", "tag 315 is not UTF-8, and was read as Latin-1"};
  }
  if (n % 17 == 6) {  // no georeferencing, big-endian, BigTIFF, strips
    row.geokeys = {};
    row.other_tags.clear();
    row.model_pixel_scale.reset();
    row.model_tiepoint.reset();
    row.transform.reset();
    row.epsg.reset();
    row.bounds.reset();
    row.lon_lat.reset();
    row.footprint.clear();
    row.is_little_endian = false;
    row.is_bigtiff = true;
    row.bits_per_sample = {8, 8, 8, 8};
    row.extra_samples = {2};
    row.tile_height.reset();
    row.tile_width.reset();
    row.rows_per_strip = 1;
  }
  if (n % 101 == 50) {  // across the antimeridian
    row.lon_lat = {179.5, -17, -179.5, -16};
    row.footprint = {{179.5, -16, 179.5, -17, 180, -17, 180, -16, 179.5, -16},
                     {-180, -16, -180, -17, -179.5, -17, -179.5, -16, -180, -16}};
  }
  return row;
}

inline HeaderError made_error(std::uint64_t n) {
  HeaderError error{
      made_object(n).path, "fetch", "not_found", "the server answers with status 404", {}, 404, 2};
  if (is_damaged(n))
    error = {error.path, "parse", "directory_cycle", "directory 3 leads to directory 1", 4711, {}, 1};
  return error;
}

struct MadeUnit {
  std::vector<HeaderRow> rows;
  std::vector<HeaderError> errors;
  std::vector<OldRow> old;
  std::string cursor;
};
inline MadeUnit made_unit(std::uint64_t unit, int version = 1, const OldCatalog* old = nullptr) {
  MadeUnit made;
  for (std::uint64_t n = unit * made_keys; n < (unit + 1) * made_keys; ++n) {
    if (is_gone(n, version)) continue;
    if (old != nullptr) {
      const auto found = old->find(made_object(n, version));
      if (found) made.old.push_back(*found);
      if (found && found->is_unchanged) continue;
    }
    if (is_broken(n) || is_damaged(n)) made.errors.push_back(made_error(n));
    if (!is_broken(n)) made.rows.push_back(made_row(n, version));
  }
  made.cursor = fmt::format(R"({{"after": "{}"}})", made_object((unit + 1) * made_keys - 1).path);
  return made;
}

inline CatalogOptions small_parts() {
  CatalogOptions options;
  options.rows_per_part = 200;
  options.rows_per_group = 90;
  return options;
}

/// The units from where the writer stands, up to `units`; finished, where `until` is not before that.
inline void write_units(CatalogWriter& writer, std::uint64_t units, int version = 1,
                        const OldCatalog* old = nullptr, std::uint64_t until = ~std::uint64_t{0}) {
  for (std::uint64_t unit = writer.progress().units; unit < units; ++unit) {
    if (unit == until) return;
    const MadeUnit made = made_unit(unit, version, old);
    writer.add(made.rows, made.errors, made.cursor, made.old);
  }
  writer.finish(old);
}

}  // namespace weir::test
