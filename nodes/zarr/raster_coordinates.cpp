#include "nodes/zarr/raster_coordinates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/number_text.hpp"
#include "nodes/raster/sample_type.hpp"
#include "nodes/stores/store.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/raster_crs.hpp"
#include "nodes/zarr/stored_chunks.hpp"
#include "nodes/zarr/strided_copy.hpp"

namespace weir {
namespace {

/// 32 MiB of float64 at most, while the array is opened; OpenStreetMap's zoom 14 is as wide.
constexpr std::uint64_t most_centres = 1 << 22, most_chunk_bytes = most_centres * sizeof(double);
/// One request each, one after the other. xarray and GDAL keep coordinates in one.
constexpr std::uint64_t most_chunks = 256;
constexpr double pixel_tolerance = 0.01, most_rounding = 0.1;

JsonValue parsed(const std::string& attributes) {
  const ZarrLimits limits;
  return parse_json(attributes, "the attributes", limits.metadata_bytes, limits.depth);
}

std::string text_in(const JsonValue& attributes, std::string_view name) {
  const JsonValue* found = attributes.find(name);
  return found != nullptr && found->text() != nullptr ? *found->text() : std::string();
}

/// The store did not answer: another thing than what it holds being broken.
struct NotFetched : Error {
  explicit NotFetched(const Error& error) : Error(error) {}
};

/// The arrays that lie in the same group as another.
class Beside {
 public:
  Beside(const ZarrArray& array, const ZarrNode* group, std::vector<std::string>& notes)
      : array_(array), group_(group), notes_(notes) {
    limits_.chunk_bytes = most_chunk_bytes;
    const std::string& path = array.path();
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos) folder_ = path.substr(0, slash + 1);
    if (group_ != nullptr && !group_->path.empty() && !folder_.starts_with(group_->path + "/"))
      group_ = nullptr;
  }

  /// Nothing where there is none, or it cannot be understood, which is a note then: nobody said that there is one.
  std::optional<ZarrArrayMetadata> find(const std::string& name) const {
    return understood<ZarrArrayMetadata>(name, [&]() -> std::optional<ZarrArrayMetadata> {
      const auto json = document(name, is_v2() ? ".zarray" : "zarr.json");
      if (!json) return std::nullopt;
      if (is_v2()) return parse_zarr_v2_array(*json, document(name, ".zattrs").value_or(""), name, limits_);
      return parse_zarr_v3_array(*json, name, limits_);
    });
  }

  /// Those of an array whose elements do not matter, of whatever type they are.
  std::optional<JsonValue> attributes(const std::string& name) const {
    return understood<JsonValue>(name, [&]() -> std::optional<JsonValue> {
      const auto json = document(name, is_v2() ? ".zattrs" : "zarr.json");
      if (!json || json->empty()) return std::nullopt;
      JsonValue said = parsed(*json);
      if (is_v2()) return said;
      const JsonValue* found = said.find("attributes");
      return found != nullptr ? std::optional(*found) : std::nullopt;
    });
  }

  /// The numbers of an array of one axis; nothing, and a note, where it holds none that can be used.
  std::optional<std::vector<double>> numbers(const std::string& name,
                                             const ZarrArrayMetadata& metadata) const {
    try {
      ZarrOpenOptions options = array_.options();
      options.limits = limits_;
      const std::shared_ptr<const Store> store(std::shared_ptr<void>(), &array_.store());
      const ZarrArray centres(store, folder_ + name, metadata, options);
      const SampleType type = sample_type_of(metadata.type);
      if (!is_arithmetic(type)) throw Error("use", name, "its elements are no numbers of 8 to 64 bits");
      return scaled_by(parsed(metadata.attributes), doubles_of(elements_of(centres), type));
    } catch (const NotFetched& error) {
      throw Error(error);
    } catch (const Error& error) {  // no reason to keep the pixels back
      note(name, error.reason());
      return std::nullopt;
    }
  }

  void note(const std::string& name, std::string_view reason) const {
    notes_.push_back(fmt::format("the array {} beside it says no place: {}", name.substr(0, 80), reason));
  }

 private:
  bool is_v2() const { return array_.metadata().format == 2; }

  template <class Value, class Read>
  std::optional<Value> understood(const std::string& name, const Read& read) const {
    if (name.find('/') != std::string::npos || !is_key(name)) return std::nullopt;
    try {
      return read();
    } catch (const NotFetched& error) {
      throw Error(error);
    } catch (const Error& error) {
      note(name, error.reason());
      return std::nullopt;
    }
  }

  /// One of an array's documents, from the group's consolidated metadata where it has that.
  std::optional<std::string> document(const std::string& name, const char* file) const {
    if (group_ != nullptr && group_->consolidated != nullptr) {
      const std::size_t skipped = group_->path.empty() ? 0 : group_->path.size() + 1;
      const auto found = group_->consolidated->find(folder_.substr(skipped) + name);
      if (found == group_->consolidated->end() || !found->second.is_array) return std::nullopt;
      return std::string_view(file) == ".zattrs" ? found->second.zattrs : found->second.json;
    }
    try {
      const auto bytes = get_small(array_.store(), folder_ + name + "/" + file, limits_.metadata_bytes);
      if (!bytes) return std::nullopt;
      return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    } catch (const Error& error) {
      throw NotFetched(error);
    }
  }

  static std::vector<std::byte> elements_of(const ZarrArray& array) {
    const ZarrLayout& layout = *array.layout();
    const ChunkCodec& codec = layout.codec();
    const std::uint64_t length = layout.shape()[0], size = layout.chunk_shape()[0];
    const std::uint32_t bytes = layout.type().bytes;
    if ((length - 1) / size >= most_chunks)
      throw Error("read", array.name(), fmt::format("it has more than {} chunks", most_chunks));
    std::vector<std::byte> elements(length * bytes), stored, raw;
    const auto decoder = codec.make_decoder({}, array.options().check_sums);
    const std::int64_t stride = bytes;
    for (std::uint64_t first = 0; first < length; first += size) {
      const ZarrIndex chunk{first / size};
      const std::uint64_t start = 0, count = std::min(size, length - first);
      StoredPiece piece;
      const auto room = [&](std::uint64_t room_bytes) {
        stored.resize(room_bytes);
        return std::span(stored);
      };
      try {
        fetch_chunks(array, {&chunk, 1}, false, {&piece, 1}, codec.max_encoded_bytes(), room, {});
      } catch (const Error& error) {
        throw NotFetched(error);
      }
      std::byte* target = elements.data() + first * bytes;
      if (!piece.is_there) {
        fill_box(target, {&stride, 1}, {&count, 1}, layout.fill(), bytes);
        continue;
      }
      std::span<const std::byte> elements_there(stored.data() + piece.offset, piece.bytes);
      if (codec.is_raw()) {
        check_raw_chunk(array, chunk, elements_there);
      } else {
        raw.resize(codec.raw_bytes());
        decode_chunk(array, chunk, *decoder, elements_there, raw);
        elements_there = raw;
      }
      scatter_box(codec.layout(), layout.chunk_shape(), elements_there, {{&start, 1}, {&count, 1}}, target,
                  {&stride, 1});
    }
    return elements;
  }

  static std::vector<double> doubles_of(const std::vector<std::byte>& elements, SampleType type) {
    std::vector<double> numbers(elements.size() / bytes_of(type));
    with_sample_type(type, [&](auto sample) {
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        std::memcpy(&sample, elements.data() + i * sizeof sample, sizeof sample);
        numbers[i] = static_cast<double>(sample);
      }
    });
    return numbers;
  }

  /// CF's packing, section 8.1.
  static std::vector<double> scaled_by(const JsonValue& attributes, std::vector<double> numbers) {
    const auto number = [&](const char* name, double otherwise) {
      const JsonValue* found = attributes.find(name);
      const bool is_number = found != nullptr && found->number() != nullptr;
      return is_number ? number_in<double>(found->number()->text).value_or(otherwise) : otherwise;
    };
    const double scale = number("scale_factor", 1), offset = number("add_offset", 0);
    if (scale != 1 || offset != 0)
      for (double& each : numbers) each = each * scale + offset;
    return numbers;
  }

  const ZarrArray& array_;
  const ZarrNode* group_;
  std::vector<std::string>& notes_;
  ZarrLimits limits_;
  std::string folder_;  ///< with its slash
};

constexpr std::string_view row_standards[] = {"projection_y_coordinate", "latitude", "grid_latitude"};
constexpr std::string_view col_standards[] = {"projection_x_coordinate", "longitude", "grid_longitude"};

/// Units of coordinates in which hardly a CRS is: of geostationary and polar products. Taken for metres, pixels would lie elsewhere.
constexpr std::string_view other_units[] = {"km",         "kilometer", "kilometre", "kilometers",
                                            "kilometres", "rad",       "radian",    "radians"};

/// Of rows or columns.
struct Axis {
  std::string name;
  char letter = 'Y';
  ZarrArrayMetadata metadata = {};
  std::vector<double> centres = {};

  bool is_said_by(const JsonValue& attributes) const {
    if (const std::string axis = text_in(attributes, "axis"); !axis.empty())
      return axis == std::string(1, letter);
    const std::string standard = text_in(attributes, "standard_name");
    const bool is_row = letter == 'Y';
    for (const std::string_view known : is_row ? row_standards : col_standards)
      if (standard == known) return true;
    return is_row ? is_row_name(name) : is_col_name(name);
  }

  /// float32 has 24 bits; the others that are usual lose nothing that counts.
  double rounding() const {
    if (metadata.type != ZarrType{ZarrType::Kind::floating, 4}) return 0;
    return std::max(std::abs(centres.front()), std::abs(centres.back())) * 0x1p-23;
  }
};

/// Finds the coordinates of an axis; false where there are none.
bool find_axis(const Beside& beside, Axis& axis, std::uint64_t extent) {
  auto found = beside.find(axis.name);
  if (!found || found->rank() != 1 || !axis.is_said_by(parsed(found->attributes))) return false;
  if (found->shape[0] != extent || extent > most_centres) {
    beside.note(axis.name, fmt::format("it has {} coordinates of {} pixels, and {} are the most",
                                       found->shape[0], extent, most_centres));
    return false;
  }
  const std::string units = text_in(parsed(found->attributes), "units");
  if (std::ranges::find(other_units, units) != std::end(other_units)) {
    beside.note(axis.name, fmt::format("its coordinates are in {}, which is not the unit of the CRS", units));
    return false;
  }
  axis.metadata = std::move(*found);
  return true;
}

bool is_near(const Axis& axis, double origin, double step) {
  const double allowed = std::abs(step) * most_rounding;
  for (std::size_t i = 0; i < axis.centres.size(); ++i)
    if (!(std::abs(axis.centres[i] - (origin + (static_cast<double>(i) + 0.5) * step)) <= allowed))
      return false;
  return true;
}

/// What coordinates say; `said`: the GeoTransform, named `name`.
std::optional<GeoTransform> transform_by(const Axis& rows, const Axis& cols,
                                         const std::optional<GeoTransform>& said, const std::string& name,
                                         const Beside& beside, std::vector<std::string>& notes) {
  if (said && said->x_per_row == 0 && said->y_per_col == 0 &&
      is_near(cols, said->x_origin, said->x_per_col) && is_near(rows, said->y_origin, said->y_per_row))
    return said;
  if (said)
    notes.push_back(
        fmt::format("the GeoTransform of {} does not fit the coordinates {} and {}: these are taken",
                    name.substr(0, 80), rows.name.substr(0, 80), cols.name.substr(0, 80)));
  std::optional<EvenCentres> even[2];
  for (const auto& [axis, of] : {std::pair(&rows, &even[0]), std::pair(&cols, &even[1])}) {
    *of = even_centres(axis->centres, axis->rounding());
    if (!*of)
      beside.note(axis->name, axis->centres.size() < 2 ? "one coordinate has no distance to the next"
                                                       : "its coordinates are not evenly spaced");
  }
  if (!even[0] || !even[1]) return std::nullopt;
  const GeoTransform transform{even[1]->first - even[1]->step / 2,
                               even[1]->step,
                               0,
                               even[0]->first - even[0]->step / 2,
                               0,
                               even[0]->step};
  return transform.is_invertible() ? std::optional(transform) : std::nullopt;
}

bool has_crs(const Georeferencing& place) {
  const GeoKeys keys = geo_keys_of(place);
  return keys.code(geo_key::model_type) || keys.code(geo_key::projected_crs) ||
         keys.code(geo_key::geodetic_crs);
}

/// "crs", of "crs" or CF's longer "crs: x y".
std::string grid_mapping_of(const JsonValue& attributes) {
  std::string name = text_in(attributes, "grid_mapping");
  if (name.empty()) {  // rioxarray's, among the coordinates without an axis
    const std::string coordinates = " " + text_in(attributes, "coordinates") + " ";
    return coordinates.find(" spatial_ref ") == std::string::npos ? "" : "spatial_ref";
  }
  return name.substr(0, name.find_first_of(": "));
}

}  // namespace

std::optional<EvenCentres> even_centres(std::span<const double> centres, double rounding) {
  if (centres.size() < 2) return std::nullopt;
  const double first = centres.front();
  const double step = (centres.back() - first) / static_cast<double>(centres.size() - 1);
  if (!std::isfinite(first) || !std::isfinite(step) || step == 0) return std::nullopt;
  const double allowed =
      std::max(std::abs(step) * pixel_tolerance, std::min(rounding, std::abs(step) * most_rounding));
  for (std::size_t i = 0; i < centres.size(); ++i)  // NaN is not near
    if (!(std::abs(centres[i] - (first + static_cast<double>(i) * step)) <= allowed)) return std::nullopt;
  return EvenCentres{first, step};
}

std::optional<GeoTransform> geo_transform_in(const std::string& text) {
  double numbers[6];
  std::size_t count = 0;
  for (std::size_t begin = text.find_first_not_of(' '); begin != std::string::npos;) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const auto number = number_in<double>(std::string_view(text).substr(begin, end - begin));
    if (!number || count == std::size(numbers)) return std::nullopt;
    numbers[count++] = *number;
    begin = text.find_first_not_of(' ', end);
  }
  const GeoTransform transform{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
  if (count != std::size(numbers) || !transform.is_invertible()) return std::nullopt;
  return transform;
}

void read_place_beside(RasterInfo& info, const ZarrArray& array, const RasterAxes& axes,
                       const ZarrNode* group, std::vector<std::string>& notes) {
  const bool needs_crs = !has_crs(info.georeferencing);
  const bool needs_transform =
      !geo_transform_of(info.georeferencing) && control_points_of(info.georeferencing).empty();
  if (array.path().empty() || (!needs_crs && !needs_transform)) return;
  const Beside beside(array, group, notes);
  const std::string mapping = grid_mapping_of(parsed(array.metadata().attributes));
  std::optional<GeoTransform> said;
  std::string wkt;
  if (!mapping.empty())
    if (const auto attributes = beside.attributes(mapping)) {
      wkt = text_in(*attributes, "crs_wkt");
      if (wkt.empty()) wkt = text_in(*attributes, "spatial_ref");
      said = geo_transform_in(text_in(*attributes, "GeoTransform"));
    }
  if (needs_crs && !wkt.empty()) set_crs(info, wkt, notes);
  if (!needs_transform) return;

  const std::vector<std::string> names = dimensions_of(array.metadata());
  std::optional<GeoTransform> transform = said;
  if (!names.empty()) {
    Axis rows{names[axes.row], 'Y'}, cols{names[axes.col], 'X'};
    if (find_axis(beside, rows, info.height) && find_axis(beside, cols, info.width)) {
      auto row_centres = beside.numbers(rows.name, rows.metadata);
      auto col_centres = row_centres ? beside.numbers(cols.name, cols.metadata) : std::nullopt;
      if (col_centres) {
        rows.centres = std::move(*row_centres);
        cols.centres = std::move(*col_centres);
        transform = transform_by(rows, cols, said, mapping, beside, notes);
      }
    }
  }
  const bool is_no_place = transform == GeoTransform() && !has_crs(info.georeferencing);
  if (transform && !is_no_place) info.georeferencing = placed(info.georeferencing, *transform);
}

}  // namespace weir
