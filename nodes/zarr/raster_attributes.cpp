#include "nodes/zarr/raster_attributes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/number_text.hpp"
#include "nodes/stores/store.hpp"
#include "nodes/zarr/fill_value.hpp"
#include "nodes/zarr/raster_crs.hpp"
#include "nodes/zarr/weir_attribute.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {
namespace {

constexpr std::string_view epsg = "EPSG:";
constexpr std::string_view epsg_url = "http://www.opengis.net/def/crs/EPSG/0/";

JsonValue parsed(const std::string& attributes, const std::string& name) {
  const ZarrLimits limits;
  JsonValue value = parse_json(attributes, name, limits.metadata_bytes, limits.depth);
  if (value.object() == nullptr) JsonPlace(value, name).refuse("the attributes are no object");
  return value;
}

/// geo-proj, spatial, multiscales.
constexpr const char* our_conventions[] = {"f17cb550-5864-4468-aeb7-f3180cfb622f",
                                           "689b58e2-cf7b-45e0-9fff-9cfc0883d6b4",
                                           "d35379db-88df-4056-af3a-620245f8e347"};

/// The uuid is what tells a convention; the rest is for people. https://github.com/zarr-conventions/zarr-conventions-spec
JsonValue convention(const char* name, const char* uuid, const char* repository, const char* description) {
  return JsonValue::Object{
      {"schema_url",
       fmt::format("https://raw.githubusercontent.com/zarr-conventions/{}/refs/tags/v1/schema.json",
                   repository)},
      {"spec_url", fmt::format("https://github.com/zarr-conventions/{}/blob/v1/README.md", repository)},
      {"uuid", uuid},
      {"name", name},
      {"description", description}};
}
JsonValue proj_convention() {
  return convention("proj:", our_conventions[0], "geo-proj",
                    "Coordinate reference system information for geospatial data");
}
JsonValue spatial_convention() {
  return convention("spatial:", our_conventions[1], "spatial", "Spatial coordinate information");
}
JsonValue multiscales_convention() {
  return convention("multiscales", our_conventions[2], "multiscales", "Multiscale layout of zarr datasets");
}

/// Adds to `zarr_conventions`, once each.
void register_conventions(JsonValue& attributes, const std::vector<JsonValue>& conventions) {
  const JsonValue* there = attributes.find("zarr_conventions");
  JsonValue::Array list =
      there != nullptr && there->array() != nullptr ? *there->array() : JsonValue::Array{};
  for (const JsonValue& one : conventions) {
    bool is_new = true;
    for (const JsonValue& other : list) {
      const JsonValue* uuid = other.find("uuid");
      is_new = is_new && (uuid == nullptr || *uuid != *one.find("uuid"));
    }
    if (is_new) list.push_back(one);
  }
  if (!list.empty()) attributes.set("zarr_conventions", std::move(list));
}

/// x_per_col, x_per_row, x_origin and the same of y: the order of `affine`, not GDAL's.
JsonValue transform_json(const GeoTransform& transform) {
  return JsonValue::Array{transform.x_per_col, transform.x_per_row, transform.x_origin,
                          transform.y_per_col, transform.y_per_row, transform.y_origin};
}

JsonValue shape_json(std::uint64_t height, std::uint64_t width) {
  return JsonValue::Array{height, width};
}

/// The spatial: and proj: members of a raster; says which conventions these are.
std::vector<JsonValue> set_place(JsonValue& attributes, const RasterInfo& info, const std::string& rows,
                                 const std::string& cols) {
  std::vector<JsonValue> conventions;
  if (const auto code = epsg_code_of(info.georeferencing)) {
    attributes.set("proj:code", fmt::format("{}{}", epsg, *code));
    conventions.push_back(proj_convention());
  }
  const auto transform = geo_transform_of(info.georeferencing);
  if (!transform) return conventions;
  attributes.set("spatial:dimensions", JsonValue::Array{rows, cols});
  attributes.set("spatial:shape", shape_json(info.height, info.width));
  attributes.set("spatial:transform", transform_json(*transform));
  const Bounds box = bounds_of(*transform, info.height, info.width);
  attributes.set("spatial:bbox", JsonValue::Array{box.min_x, box.min_y, box.max_x, box.max_y});
  attributes.set("spatial:registration", "pixel");
  conventions.push_back(spatial_convention());
  return conventions;
}

/// CF's attributes, and the roles that GDAL's items have of the same meaning.
struct CfName {
  const char *attribute, *role, *key;  ///< `key`: of parse_band_items
  bool is_number;
};
constexpr CfName cf_names[] = {{"scale_factor", "scale", "scale", true},
                               {"add_offset", "offset", "offset", true},
                               {"units", "unittype", "unit", false},
                               {"long_name", "description", "name", false}};

/// What all samples say of it, or nothing.
std::optional<std::string> shared_text(const RasterInfo& info, std::string_view role) {
  std::optional<std::string> text;
  std::uint32_t samples = 0;
  for (const MetadataItem& item : info.metadata) {
    if (!item.sample || item.role != role || !item.domain.empty()) continue;
    if (text && *text != item.text) return std::nullopt;
    text = item.text;
    ++samples;
  }
  return samples == info.samples ? text : std::nullopt;
}

void set_cf(JsonValue& attributes, const RasterInfo& info) {
  for (const CfName& name : cf_names) {
    const auto text = shared_text(info, name.role);
    if (!text) continue;
    const auto number = number_in<double>(*text);
    attributes.erase(name.attribute);  // what was kept of another kind
    if (name.is_number && number) attributes.set(name.attribute, *number);
    if (!name.is_number) attributes.set(name.attribute, *text);
  }
}

/// xarray's FillValueCoder: floats as base64 of a little-endian double, as JSON has no NaN.
JsonValue nodata_json(const RasterInfo& info) {
  if (!info.nodata || is_complex(info.type)) return {};
  if (is_floating(info.type)) {
    const auto value = info.nodata_value();
    if (!value) return {};
    std::vector<std::byte> bytes;
    for (int i = 0; i < 8; ++i)
      bytes.push_back(static_cast<std::byte>(std::bit_cast<std::uint64_t>(*value) >> 8 * i & 255));
    return base64(bytes);
  }
  JsonValue value;
  with_sample_type(info.type, [&](auto sample) {
    using Sample = decltype(sample);
    if constexpr (std::is_integral_v<Sample>)
      if (const auto number = sample_in<Sample>(*info.nodata)) value = JsonNumber{std::to_string(*number)};
  });
  return value;
}

/// A place that another program may have written, or changed.
class PlaceReader {
 public:
  PlaceReader(RasterInfo& info, const JsonPlace& attributes, std::vector<std::string>& notes)
      : info_(info), attributes_(attributes), notes_(notes) {}

  void read() {
    read_crs();
    read_transform();
  }

 private:
  std::optional<JsonPlace> find(std::string_view name) const {
    auto found = attributes_.find(name);
    if (found && found->value().is_null()) return std::nullopt;
    return found;
  }

  void read_crs() {
    std::optional<std::string> crs;
    if (const auto code = find("proj:code")) {
      crs = code->text();
    } else if (const auto wkt = find("proj:wkt2")) {
      crs = wkt->text();
    } else if (const auto json = find("proj:projjson")) {
      json->object();
      crs = to_text(json->value());
    } else if (const auto gdal = find("_CRS")) {
      const auto url = gdal->value().object() != nullptr ? gdal->find("url") : std::nullopt;
      if (url && url->text().starts_with(epsg_url)) {
        crs = fmt::format("{}{}", epsg, url->text().substr(epsg_url.size()));
      } else if (const auto gdal_wkt =
                     url || gdal->value().object() == nullptr ? std::nullopt : gdal->find("wkt")) {
        crs = gdal_wkt->text();
      }
    }
    if (!crs) return;
    const auto own = epsg_code_of(info_.georeferencing);
    if (own && *crs == fmt::format("{}{}", epsg, *own)) return;
    set_crs(info_, *crs, notes_);
  }

  void read_transform() {
    const auto found = find("spatial:transform");
    if (!found) return;
    if (const auto type = find("spatial:transform_type"); type && type->text() != "affine") {
      notes_.push_back(fmt::format("spatial:transform_type '{}' is not known", type->text().substr(0, 80)));
      return;
    }
    const auto numbers = found->items();
    if (numbers.size() != 6) found->refuse("has not 6 numbers");
    GeoTransform transform{numbers[2].number(), numbers[0].number(), numbers[1].number(),
                           numbers[5].number(), numbers[3].number(), numbers[4].number()};
    const auto registration = find("spatial:registration");
    const bool is_node = registration && registration->text() == "node";
    if (is_node) {  // of centres: the corner is half a pixel before
      const ModelPoint corner = transform.at(-0.5, -0.5);
      transform.x_origin = corner.x, transform.y_origin = corner.y;
    }
    if (!transform.is_invertible()) found->refuse("its pixels have no area");
    const auto own = geo_transform_of(info_.georeferencing);
    if (own && *own == transform) return;
    info_.georeferencing = placed(info_.georeferencing, transform);
    if (is_node) info_.georeferencing = with_pixel_is(info_.georeferencing, PixelIs::point);
  }

  RasterInfo& info_;
  const JsonPlace& attributes_;
  std::vector<std::string>& notes_;
};

void read_cf(RasterInfo& info, const JsonPlace& attributes) {
  for (const CfName& name : cf_names) {
    const auto found = attributes.find(name.attribute);
    if (!found || (name.is_number ? found->value().number() == nullptr : found->value().text() == nullptr))
      continue;
    const auto own = shared_text(info, name.role);
    if (own && (name.is_number ? number_in<double>(*own) == found->number() : *own == found->text()))
      continue;
    const std::string text = name.is_number ? found->value().number()->text : found->text();
    for (std::uint32_t sample = 0; sample < info.samples; ++sample) {
      auto items =
          parse_band_items(fmt::format("{}:{}={}", sample + 1, name.key, name.is_number ? text : ""));
      for (MetadataItem& item : items) item.text = text;
      info.metadata = with_items(std::move(info.metadata), items);
    }
  }
}

/// xarray's, see nodata_json; nothing where it is no such.
std::optional<std::string> number_of_base64(const std::string& text) {
  const auto bytes = bytes_of_base64(text);
  if (!bytes || bytes->size() != 8) return std::nullopt;
  std::uint64_t bits = 0;
  for (int i = 7; i >= 0; --i)
    bits = bits << 8 | std::to_integer<std::uint64_t>((*bytes)[static_cast<std::size_t>(i)]);
  return fmt::format("{}", std::bit_cast<double>(bits));
}

/// What an attribute says of nodata; nothing where it is no number.
std::optional<std::string> nodata_in(const JsonValue& value, SampleType type) {
  if (const JsonNumber* number = value.number()) return number->text == "NaN" ? "nan" : number->text;
  const std::string* text = value.text();
  return text != nullptr && is_floating(type) ? number_of_base64(*text) : std::nullopt;
}

/// CF's `missing_value` is an older way to say it, and counts where there is no other.
void read_nodata(RasterInfo& info, const JsonPlace& attributes) {
  auto found = attributes.find("_FillValue");
  if (!found && !info.nodata) found = attributes.find("missing_value");
  if (!found || found->value() == nodata_json(info)) return;
  if (auto nodata = nodata_in(found->value(), info.type)) info.nodata = std::move(nodata);
}

/// Without those that are written anew where they hold.
JsonValue other_conventions(const JsonValue& all) {
  JsonValue::Array others;
  for (const JsonValue& one : *all.array()) {
    const JsonValue* uuid = one.find("uuid");
    const bool is_ours = uuid != nullptr && uuid->text() != nullptr &&
                         std::ranges::find(our_conventions, *uuid->text()) != std::end(our_conventions);
    if (!is_ours) others.push_back(one);
  }
  return others;
}

/// Whether something of the info says what this attribute did, or it is of the array alone that had it.
bool is_taken_over(const std::string& name, const JsonValue& value, const RasterInfo& info) {
  constexpr std::string_view others[] = {"weir",         "_ARRAY_DIMENSIONS", "_CRS",
                                         "grid_mapping", "coordinates",       "multiscales"};
  if (std::ranges::find(others, name) != std::end(others) || name.starts_with("proj:") ||
      name.starts_with("spatial:"))
    return true;
  for (const CfName& cf : cf_names)
    if (name == cf.attribute) return cf.is_number ? value.number() != nullptr : value.text() != nullptr;
  if (name == "zarr_conventions") return value.array() == nullptr;  // else others' stay
  if (name == "_FillValue" || name == "missing_value") {
    const auto nodata = nodata_in(value, info.type);
    return nodata && (name == "_FillValue" || nodata == info.nodata);
  }
  return false;
}

std::vector<RawAttribute> other_attributes(const JsonValue& document, const RasterInfo& info) {
  std::vector<RawAttribute> others;
  for (const auto& [name, value] : *document.object()) {
    if (is_taken_over(name, value, info)) continue;
    const bool is_conventions = name == "zarr_conventions";
    const JsonValue kept = is_conventions ? other_conventions(value) : value;
    if (!is_conventions || !kept.array()->empty()) others.push_back({name, to_text(kept)});
  }
  return others;
}

}  // namespace

std::optional<std::uint16_t> epsg_code_of(const Georeferencing& place) {
  const GeoKeys keys = geo_keys_of(place);
  constexpr std::uint16_t projected = 1;  // GTModelTypeGeoKey
  const bool is_projected =
      keys.code(geo_key::model_type) == projected || keys.values.contains(geo_key::projected_crs);
  const auto code = keys.code(is_projected ? geo_key::projected_crs : geo_key::geodetic_crs);
  return code && *code != 0 && *code != geo_key::user_defined ? code : std::nullopt;
}

std::string raster_attributes(const RasterInfo& info, int format, const std::vector<std::string>& dimensions,
                              const std::string& rows, const std::string& cols) {
  const ZarrLimits limits;
  JsonValue::Object kept;
  for (const RawAttribute& each : info.attributes)
    kept.emplace_back(each.name, parse_json(each.json, each.name, limits.metadata_bytes, limits.depth));
  JsonValue attributes = std::move(kept);
  if (format == 2) {
    JsonValue::Array names;
    for (const std::string& name : dimensions) names.emplace_back(name);
    attributes.set("_ARRAY_DIMENSIONS", std::move(names));
    if (const auto code = epsg_code_of(info.georeferencing))
      attributes.set("_CRS", JsonValue::Object{{"url", fmt::format("{}{}", epsg_url, *code)}});
  }
  register_conventions(attributes, set_place(attributes, info, rows, cols));
  set_cf(attributes, info);
  // v2's readers take the array's fill_value for it.
  if (JsonValue nodata = nodata_json(info); format == 3 && !nodata.is_null()) {
    attributes.erase("_FillValue");
    attributes.set("_FillValue", std::move(nodata));
  }
  if (JsonValue own = weir_attribute(info); !own.is_null()) attributes.set("weir", std::move(own));
  return to_text(attributes);
}

std::vector<std::string> read_raster_attributes(RasterInfo& info, const std::string& attributes,
                                                const std::string& name) {
  const JsonValue document = parsed(attributes, name);
  const JsonPlace place(document, name);
  std::vector<std::string> notes;
  if (const auto own = place.find("weir")) read_weir_attribute(info, *own);
  PlaceReader(info, place, notes).read();
  read_cf(info, place);
  read_nodata(info, place);
  info.attributes = other_attributes(document, info);
  return notes;
}

std::string multiscales_attributes(const RasterInfo& full, const std::vector<ZarrLevel>& levels,
                                   const std::string& resampling, const std::string& rows,
                                   const std::string& cols) {
  JsonValue attributes = JsonValue::Object{};
  JsonValue::Array layout;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const ZarrLevel &level = levels[i], &from = levels[i == 0 ? 0 : i - 1];
    JsonValue entry = JsonValue::Object{{"asset", level.path}};
    if (i != 0) entry.set("derived_from", from.path);
    const auto ratio = [](std::uint64_t larger, std::uint64_t smaller) {
      return static_cast<double>(larger) / static_cast<double>(smaller);
    };
    entry.set("transform", JsonValue::Object{{"scale", JsonValue::Array{ratio(from.height, level.height),
                                                                        ratio(from.width, level.width)}},
                                             {"translation", JsonValue::Array{0.0, 0.0}}});
    if (i != 0) entry.set("resampling_method", resampling);
    entry.set("spatial:shape", shape_json(level.height, level.width));
    const Georeferencing place =
        scaled(full.georeferencing, full.height, full.width, level.height, level.width);
    if (const auto transform = geo_transform_of(place))
      entry.set("spatial:transform", transform_json(*transform));
    layout.push_back(std::move(entry));
  }
  std::vector<JsonValue> conventions{multiscales_convention()};
  attributes.set("zarr_conventions", JsonValue::Array{});
  attributes.set("multiscales", JsonValue::Object{{"layout", std::move(layout)}});
  for (JsonValue& one : set_place(attributes, full, rows, cols)) conventions.push_back(std::move(one));
  register_conventions(attributes, conventions);
  // Each level has its own.
  attributes.erase("spatial:shape");
  attributes.erase("spatial:transform");
  return to_text(attributes);
}

std::vector<ZarrLevel> multiscales_of(const std::string& attributes, const std::string& name) {
  const JsonValue document = parsed(attributes, name);
  const auto multiscales = JsonPlace(document, name).find("multiscales");
  std::vector<ZarrLevel> levels;
  // OME-Zarr's are an array of that name: something else.
  if (!multiscales || multiscales->value().object() == nullptr) return levels;
  for (const JsonPlace& entry : multiscales->member("layout").items()) {
    const JsonPlace asset = entry.member("asset");
    ZarrLevel level;
    level.path = asset.text();
    try {
      check_key(level.path);
    } catch (const Error& error) {
      asset.refuse(error.reason());
    }
    if (const auto shape = entry.find("spatial:shape")) {
      const auto sizes = shape->items();
      if (sizes.size() != 2) shape->refuse("has not 2 sizes");
      level.height = sizes[0].size(1), level.width = sizes[1].size(1);
    }
    levels.push_back(std::move(level));
  }
  return levels;
}

}  // namespace weir
