#include "nodes/headers/header_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "nodes/headers/header_values.hpp"
#include "nodes/headers/lon_lat.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/tiff_values.hpp"

namespace weir {
namespace {

namespace tag {
// TIFF 6.0 sections 8 and 15, GeoTIFF 1.1 section 7.1; with the name of the column where that is another.
constexpr std::uint16_t new_subfile_type = 254, subfile_type = 255, image_width = 256, image_height = 257,
                        bits_per_sample = 258, compression = 259, photometric = 262, document_name = 269,
                        image_description = 270, strip_offsets = 273, orientation = 274,
                        samples_per_pixel = 277, rows_per_strip = 278, min_sample_value = 280,
                        max_sample_value = 281, x_resolution = 282, y_resolution = 283,
                        planar_configuration = 284, resolution_unit = 296, software = 305, date_time = 306,
                        artist = 315, host_computer = 316, predictor = 317, tile_width = 322,
                        tile_height = 323, tile_offsets = 324, extra_samples = 338, sample_format = 339,
                        jpeg_tables = 347, copyright = 33432, pixel_scale = 33550, tiepoint = 33922,
                        transformation = 34264, geo_key_directory = 34735, geo_doubles = 34736,
                        geo_ascii = 34737;
}  // namespace tag

constexpr std::int64_t is_reduced = 1, is_mask = 4;  // bits of NewSubfileType

std::uint64_t pieces(std::uint64_t whole, std::uint64_t piece) {
  return whole / piece + (whole % piece > 0 ? 1 : 0);
}

/// Of the CRS in which the coordinates are. A projection that was put together from parameters has none, whatever
/// geographic CRS it stands on.
std::optional<std::int64_t> epsg_of(const GeoKeys& keys) {
  constexpr std::uint16_t first = 1024, last = 32766, projected = 1;  // EPSG's own codes: GeoTIFF 1.1 annex B
  const std::optional<std::uint16_t> code = keys.code(geo_key::projected_crs);
  if (!code && keys.code(geo_key::model_type) == projected) return std::nullopt;
  const std::uint16_t found = code ? *code : keys.code(geo_key::geodetic_crs).value_or(0);
  return found >= first && found <= last ? std::optional<std::int64_t>(found) : std::nullopt;
}

class RowBuilder {
 public:
  RowBuilder(ListedObject object, const TiffHeader& header) : header_(header), notes_(header.notes) {
    row_.object = std::move(object);
  }

  HeaderRows build() {
    HeaderRows rows;
    if (!header_.directories.empty()) {
      add_directories();
      for (const HeaderEntry& entry : first().entries)
        if (entry.was_read) add(entry);
      add_defaults();
      check_size();
      add_place();
    }
    for (const HeaderProblem& problem : notes_.problems)
      rows.errors.push_back(
          {row_.object.path, "parse", std::string(problem.code), problem.reason, problem.offset, {}, 1});
    if (header_.directories.empty()) return rows;
    for (HeaderProblem& problem : notes_.problems) row_.warnings.push_back(std::move(problem.reason));
    std::ranges::move(notes_.warnings, std::back_inserter(row_.warnings));
    rows.row = std::move(row_);
    return rows;
  }

 private:
  const HeaderDirectory& first() const { return header_.directories.front(); }
  HeaderValues values(const HeaderEntry& entry) const { return {header_, entry}; }

  void add(const HeaderEntry& entry) {
    switch (entry.tag) {
      case tag::artist:
        return set_text(row_.artist, entry);
      case tag::copyright:
        return set_text(row_.copyright, entry);
      case tag::date_time:
        return set_text(row_.date_time, entry);
      case tag::document_name:
        return set_text(row_.document_name, entry);
      case tag::host_computer:
        return set_text(row_.host_computer, entry);
      case tag::image_description:
        return set_text(row_.image_description, entry);
      case tag::software:
        return set_text(row_.software, entry);
      case tag::bits_per_sample:
        return set_wholes(row_.bits_per_sample, entry);
      case tag::extra_samples:
        return set_wholes(row_.extra_samples, entry);
      case tag::max_sample_value:
        return set_wholes(row_.max_sample_value, entry);
      case tag::min_sample_value:
        return set_wholes(row_.min_sample_value, entry);
      case tag::sample_format:
        return set_wholes(row_.sample_format, entry);
      case tag::compression:
        return set_whole(row_.compression, entry);
      case tag::image_height:
        return set_whole(row_.image_height, entry);
      case tag::image_width:
        return set_whole(row_.image_width, entry);
      case tag::new_subfile_type:
        return set_whole(row_.new_subfile_type, entry);
      case tag::orientation:
        return set_whole(row_.orientation, entry);
      case tag::photometric:
        return set_whole(row_.photometric_interpretation, entry);
      case tag::planar_configuration:
        return set_whole(row_.planar_configuration, entry);
      case tag::predictor:
        return set_whole(row_.predictor, entry);
      case tag::resolution_unit:
        return set_whole(row_.resolution_unit, entry);
      case tag::rows_per_strip:
        return set_whole(row_.rows_per_strip, entry);
      case tag::samples_per_pixel:
        return set_whole(row_.samples_per_pixel, entry);
      case tag::tile_height:
        return set_whole(row_.tile_height, entry);
      case tag::tile_width:
        return set_whole(row_.tile_width, entry);
      case tag::x_resolution:
        return set_real(row_.x_resolution, entry);
      case tag::y_resolution:
        return set_real(row_.y_resolution, entry);
      case tag::jpeg_tables:
        return set_bytes(row_.jpeg_tables, entry);
      case tag::pixel_scale:
        return set_reals(row_.model_pixel_scale, entry);
      case tag::tiepoint:
        return set_reals(row_.model_tiepoint, entry);
      case tag::geo_key_directory:
      case tag::geo_doubles:
      case tag::geo_ascii:
        return;  // add_place()
      default:
        row_.other_tags.emplace_hint(row_.other_tags.end(), entry.tag, values(entry).to_text());
    }
  }

  void refuse(const HeaderEntry& entry, std::string_view wanted) {
    notes_.add_problem("wrong_type", first().offset, [&] {
      return fmt::format("its tag {} has a value of type {} that is no {}", entry.tag, entry.type, wanted);
    });
  }

  void set_text(std::optional<std::string>& column, const HeaderEntry& entry) {
    const HeaderValues value = values(entry);
    if (!value.is_text()) return refuse(entry, "text");
    const std::string_view chars = value.chars();
    column = to_utf8(chars);
    if (*column != chars)
      notes_.add_warning(
          [&] { return fmt::format("tag {} is not UTF-8, and was read as Latin-1", entry.tag); });
    const auto rest = value.bytes().subspan(chars.size());
    if (std::ranges::any_of(rest, [](std::byte byte) { return byte != std::byte{0}; }))
      notes_.add_warning(
          [&] { return fmt::format("tag {} has more text behind a NUL, which was left out", entry.tag); });
  }

  void set_whole(std::optional<std::int64_t>& column, const HeaderEntry& entry) {
    if (values(entry).count() > 0) column = values(entry).whole(0);
    if (!column) refuse(entry, "whole number");
  }

  void set_wholes(std::optional<std::vector<std::int64_t>>& column, const HeaderEntry& entry) {
    const HeaderValues value = values(entry);
    std::vector<std::int64_t> numbers(value.count());
    for (std::uint64_t i = 0; i < value.count(); ++i) {
      const std::optional<std::int64_t> number = value.whole(i);
      if (!number) return refuse(entry, "whole number");
      numbers[i] = *number;
    }
    column = std::move(numbers);
  }

  void set_real(std::optional<double>& column, const HeaderEntry& entry) {
    if (values(entry).count() > 0) column = values(entry).real(0);
    if (!column)
      notes_.add_warning([&] { return fmt::format("tag {} is no number, and was left out", entry.tag); });
  }

  bool read_reals(std::vector<double>& numbers, const HeaderEntry& entry) {
    const HeaderValues value = values(entry);
    numbers.resize(value.count());
    for (std::uint64_t i = 0; i < value.count(); ++i) {
      const std::optional<double> number = value.real(i);
      if (!number) {
        numbers.clear();
        refuse(entry, "number");
        return false;
      }
      numbers[i] = *number;
    }
    return true;
  }

  void set_reals(std::optional<std::vector<double>>& column, const HeaderEntry& entry) {
    std::vector<double> numbers;
    if (read_reals(numbers, entry)) column = std::move(numbers);
  }

  void set_bytes(std::optional<std::vector<std::byte>>& column, const HeaderEntry& entry) {
    if (!values(entry).is_text()) return refuse(entry, "run of bytes");
    const std::span<const std::byte> bytes = values(entry).bytes();
    column.emplace(bytes.begin(), bytes.end());
  }

  /// What TIFF 6.0 says of absent tags; tiff-dumper fills in the same for all of these but the ones it cannot do without.
  void add_defaults() {
    constexpr std::int64_t most_samples = 65535;  // SamplesPerPixel is a SHORT
    if (!row_.bits_per_sample && !has(tag::bits_per_sample)) row_.bits_per_sample = {1};
    if (!row_.compression && !has(tag::compression)) row_.compression = 1;
    if (!row_.samples_per_pixel && !has(tag::samples_per_pixel)) row_.samples_per_pixel = 1;
    if (!row_.planar_configuration && !has(tag::planar_configuration)) row_.planar_configuration = 1;
    const std::int64_t samples = row_.samples_per_pixel.value_or(0);
    if (!row_.sample_format && !has(tag::sample_format) && samples > 0 && samples <= most_samples)
      row_.sample_format.emplace(static_cast<std::size_t>(samples), 1);
  }

  bool has(std::uint16_t wanted) const { return first().find(wanted) != nullptr; }

  void add_directories() {
    row_.is_little_endian = header_.is_little_endian;
    row_.is_bigtiff = header_.is_bigtiff;
    row_.header_end = header_.header_end;
    row_.directories = static_cast<std::int64_t>(header_.directories.size());
    bool is_of_first = true;  // until the next picture in full resolution
    for (std::size_t i = 1; i < header_.directories.size(); ++i) {
      const HeaderDirectory& directory = header_.directories[i];
      const std::int64_t kind = kind_of(directory);
      if ((kind & is_mask) != 0) {
        ++row_.masks;
        continue;
      }
      if (!directory.parent && (kind & is_reduced) == 0) is_of_first = false;
      const bool belongs = directory.parent ? directory.parent == std::size_t{0} : is_of_first;
      if ((kind & is_reduced) != 0 && belongs) ++row_.overviews;
    }
  }

  std::int64_t kind_of(const HeaderDirectory& directory) const {
    const auto number = [&](std::uint16_t wanted) -> std::optional<std::int64_t> {
      const HeaderEntry* entry = directory.find(wanted);
      return entry == nullptr || !entry->was_read || entry->count == 0 ? std::nullopt
                                                                       : values(*entry).whole(0);
    };
    if (const auto kind = number(tag::new_subfile_type)) return *kind;
    constexpr std::int64_t reduced = 2;  // SubfileType's word for it
    return number(tag::subfile_type) == reduced ? is_reduced : 0;
  }

  /// What of the image could never be read. 2^32 strips that are not there cost nothing to count.
  void check_size() {
    const std::int64_t height = row_.image_height.value_or(0), width = row_.image_width.value_or(0);
    if (height <= 0 || width <= 0) {
      notes_.add_problem("no_size", first().offset, [&] {
        return fmt::format("its first directory says {} x {} pixels", width, height);
      });
      return;
    }
    const auto size = [](std::optional<std::int64_t> said, std::int64_t whole) {
      return static_cast<std::uint64_t>(said && *said > 0 && *said < whole ? *said : whole);
    };
    const bool is_tiled = row_.tile_height && row_.tile_width;
    const std::uint64_t down = pieces(static_cast<std::uint64_t>(height),
                                      size(is_tiled ? row_.tile_height : row_.rows_per_strip, height));
    const std::uint64_t across =
        is_tiled ? pieces(static_cast<std::uint64_t>(width), size(row_.tile_width, width)) : 1;
    const std::uint64_t planes =
        row_.planar_configuration == 2
            ? static_cast<std::uint64_t>(std::max<std::int64_t>(row_.samples_per_pixel.value_or(1), 1))
            : 1;
    std::uint64_t wanted = 0;
    if (__builtin_mul_overflow(down, across, &wanted) || __builtin_mul_overflow(wanted, planes, &wanted))
      wanted = std::numeric_limits<std::uint64_t>::max();
    const HeaderEntry* offsets = first().find(is_tiled ? tag::tile_offsets : tag::strip_offsets);
    if (offsets == nullptr || offsets->count >= wanted) return;
    notes_.add_problem("too_few_offsets", first().offset, [&] {
      return fmt::format("its first directory has {} offsets of {} {}", offsets->count, wanted,
                         is_tiled ? "tiles" : "strips");
    });
  }

  void add_place() {
    Georeferencing place;
    if (row_.model_pixel_scale) place.pixel_scale = *row_.model_pixel_scale;
    if (row_.model_tiepoint) place.tiepoints = *row_.model_tiepoint;
    if (const HeaderEntry* entry = read_entry(tag::transformation)) read_reals(place.transformation, *entry);
    if (const HeaderEntry* entry = read_entry(tag::geo_key_directory)) read_keys(place, *entry);
    if (place.empty()) return;
    row_.epsg = epsg_of(row_.geokeys);

    const std::optional<GeoTransform> transform = geo_transform_of(place);
    const std::int64_t height = row_.image_height.value_or(0), width = row_.image_width.value_or(0);
    if (!transform) return;
    row_.transform = {transform->x_origin, transform->x_per_col, transform->x_per_row,
                      transform->y_origin, transform->y_per_col, transform->y_per_row};
    if (height <= 0 || width <= 0 || !transform->is_invertible()) return;
    const Bounds bounds =
        bounds_of(*transform, static_cast<std::uint64_t>(height), static_cast<std::uint64_t>(width));
    if (!std::isfinite(bounds.max_x - bounds.min_x) || !std::isfinite(bounds.max_y - bounds.min_y)) return;
    row_.bounds = {bounds.min_x, bounds.min_y, bounds.max_x, bounds.max_y};
    if (!row_.epsg) return;
    LonLatOutline outline = lon_lat_outline(static_cast<int>(*row_.epsg), *transform,
                                            static_cast<double>(height), static_cast<double>(width));
    if (!outline.reason.empty()) notes_.add_warning([&] { return std::move(outline.reason); });
    if (outline.rings.empty()) return;
    row_.lon_lat = outline.box;
    row_.footprint = std::move(outline.rings);
  }

  const HeaderEntry* read_entry(std::uint16_t wanted) const {
    const HeaderEntry* entry = first().find(wanted);
    return entry != nullptr && entry->was_read ? entry : nullptr;
  }

  void read_keys(Georeferencing& place, const HeaderEntry& directory) {
    const HeaderValues numbers = values(directory);
    constexpr std::int64_t most = std::numeric_limits<std::uint16_t>::max();
    for (std::uint64_t i = 0; i < numbers.count(); ++i) {
      const std::optional<std::int64_t> number = numbers.whole(i);
      if (!number || *number < 0 || *number > most) {
        place.key_directory.clear();
        return refuse(directory, "number of 16 bits");
      }
      place.key_directory.push_back(static_cast<std::uint16_t>(*number));
    }
    if (const HeaderEntry* entry = read_entry(tag::geo_doubles)) read_reals(place.key_doubles, *entry);
    if (const HeaderEntry* entry = read_entry(tag::geo_ascii)) {
      const std::span<const std::byte> bytes = values(*entry).bytes();
      place.key_ascii.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      while (!place.key_ascii.empty() && place.key_ascii.back() == '\0') place.key_ascii.pop_back();
    }
    row_.geokeys = geo_keys_of(place);
    for (auto& [key, value] : row_.geokeys.values)
      if (auto* text = std::get_if<std::string>(&value)) *text = to_utf8(*text);
    const bool is_unsound =
        row_.geokeys.empty() && !(place.key_directory.size() >= 4 && place.key_directory[3] == 0);
    if (row_.geokeys.broken == 0 && !is_unsound) return;
    notes_.add_problem("broken_geokeys", first().offset, [&] {
      return is_unsound ? std::string("its GeoKeyDirectory has no sound header")
                        : fmt::format("{} of its GeoKeys point outside of their tags", row_.geokeys.broken);
    });
  }

  const TiffHeader& header_;
  HeaderNotes notes_;
  HeaderRow row_;
};

}  // namespace

HeaderRows header_rows(ListedObject object, const TiffHeader& header) {
  return RowBuilder(std::move(object), header).build();
}

}  // namespace weir
