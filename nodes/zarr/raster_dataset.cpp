#include "nodes/zarr/raster_dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/crs.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/raster_attributes.hpp"
#include "nodes/zarr/raster_axes.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "nodes/zarr/zarr_layout.hpp"

namespace weir {
namespace {

constexpr const char* grid_mapping = "spatial_ref";
/// Coordinates of a chunk: a request each, and what is held of them at a time.
constexpr std::uint64_t centres_per_chunk = 32 << 10;

/// CF 1.11, 4.1, 4.2 and appendix F: no names but the axis where the keys do not say of what kind the CRS is.
std::string axis_attributes(bool is_row, const GeoKeys& keys, const std::string& unit) {
  constexpr std::uint16_t projected = 1, geographic = 2;  // GTModelTypeGeoKey
  const auto model = keys.code(geo_key::model_type);
  JsonValue said = JsonValue::Object{};
  said.set("axis", is_row ? "Y" : "X");
  if (model == projected) {
    said.set("standard_name", is_row ? "projection_y_coordinate" : "projection_x_coordinate");
    if (!unit.empty()) said.set("units", unit);
  } else if (model == geographic && (unit.empty() || unit == "degree")) {
    said.set("standard_name", is_row ? "latitude" : "longitude");
    said.set("units", is_row ? "degrees_north" : "degrees_east");
  }
  return to_text(said);
}

ZarrArrayMetadata array_beside(int format, const std::string& attributes,
                               const std::vector<std::string>& dimensions, std::vector<std::uint64_t> shape,
                               ZarrType type) {
  ZarrArrayMetadata array;
  array.format = format;
  array.type = type;
  array.chunk_shape = shape;
  array.shape = std::move(shape);
  for (std::uint64_t& extent : array.chunk_shape) extent = std::min(extent, centres_per_chunk);
  ZarrCodecSpec bytes;
  bytes.big_endian = std::endian::native == std::endian::big;
  array.codecs = {bytes};
  array.attributes = attributes;
  if (format == 3) {
    array.fill.resize(type.bytes);
    array.dimension_names.assign(dimensions.begin(), dimensions.end());
    return array;
  }
  // All of it is stored, and xarray takes no value for a missing one.
  array.keys = {false, '.'};
  JsonValue said = parse_json(attributes, "the attributes", ZarrLimits().metadata_bytes, ZarrLimits().depth);
  JsonValue::Array names;
  for (const std::string& name : dimensions) names.emplace_back(name);
  said.set("_ARRAY_DIMENSIONS", std::move(names));
  array.attributes = to_text(said);
  return array;
}

void put_centres(const ZarrOutput& output, int format, const std::string& name, const std::string& attributes,
                 std::uint64_t count, double origin, double step) {
  const std::string path = joined_path(output.path(), name);
  const ZarrArrayMetadata array =
      array_beside(format, attributes, {name}, {count}, {ZarrType::Kind::floating, sizeof(double)});
  const ZarrLayout layout(array, path);
  create_zarr(output.store(), path, array);
  std::vector<double> centres(array.chunk_shape[0]);
  for (std::uint64_t first = 0; first < count; first += centres.size()) {
    for (std::size_t i = 0; i < centres.size(); ++i)
      centres[i] = origin + (static_cast<double>(first + i) + 0.5) * step;
    output.store().put(joined_path(path, layout.key(ZarrIndex{first / centres.size()})),
                       std::as_bytes(std::span(centres)));
  }
}

}  // namespace

RasterDataset raster_dataset(const std::string& name, const RasterInfo& stored,
                             const ZarrArrayMetadata& array) {
  const auto refuse = [&](std::string_view reason) {
    throw Error::usage("write", fmt::format("the dataset of {}", name), reason);
  };
  RasterDataset dataset;
  dataset.name = name;
  const std::vector<std::string> dimensions = dimensions_of(array);
  const RasterAxes axes = raster_axes(array, "auto", name);
  dataset.rows = dimensions[axes.row];
  dataset.cols = dimensions[axes.col];
  const auto is_name = [](const std::string& text) {
    return is_key(text) && text.find('/') == std::string::npos;
  };
  if (!is_name(name)) refuse("that is no name of an array");
  for (const std::string& axis : {dataset.rows, dataset.cols})
    if (!is_name(axis) || axis == grid_mapping)
      refuse(fmt::format("an axis is called '{}', and no array beside it can be", axis));
  if (dataset.rows == dataset.cols) refuse("both of its axes have one name");
  if (name == grid_mapping || std::ranges::find(dimensions, name) != dimensions.end())
    refuse("an array beside it, or an axis, is called so");
  const auto transform = geo_transform_of(stored.georeferencing);
  if (!transform) refuse("the raster has no transform, so that its rows and columns have no coordinates");
  if (transform->x_per_row != 0 || transform->y_per_col != 0)
    refuse("the raster is turned, so that its rows and columns have no coordinates of their own");
  dataset.transform = *transform;
  dataset.height = stored.height;
  dataset.width = stored.width;

  const GeoKeys keys = geo_keys_of(stored.georeferencing);
  const auto code = epsg_code_of(stored.georeferencing);
  const CrsText text = code ? crs_text(*code) : CrsText{};
  JsonValue said = JsonValue::Object{};
  if (!text.wkt2.empty()) said.set("crs_wkt", text.wkt2);
  if (!text.wkt1.empty()) said.set("spatial_ref", text.wkt1);
  const GeoTransform& at = dataset.transform;
  said.set("GeoTransform", fmt::format("{} {} {} {} {} {}", at.x_origin, at.x_per_col, at.x_per_row,
                                       at.y_origin, at.y_per_col, at.y_per_row));
  dataset.crs = to_text(said);
  dataset.row_attributes = axis_attributes(true, keys, text.unit);
  dataset.col_attributes = axis_attributes(false, keys, text.unit);
  return dataset;
}

std::string with_dataset(const std::string& attributes) {
  JsonValue said = parse_json(attributes, "the attributes", ZarrLimits().metadata_bytes, ZarrLimits().depth);
  said.set("grid_mapping", grid_mapping);
  said.set("coordinates", grid_mapping);  // so that xarray has it among them
  return to_text(said);
}

void put_beside(const ZarrOutput& output, const RasterDataset& dataset, int format) {
  const GeoTransform& at = dataset.transform;
  put_centres(output, format, dataset.rows, dataset.row_attributes, dataset.height, at.y_origin,
              at.y_per_row);
  put_centres(output, format, dataset.cols, dataset.col_attributes, dataset.width, at.x_origin, at.x_per_col);
  const std::string path = joined_path(output.path(), grid_mapping);
  const ZarrArrayMetadata place =
      array_beside(format, dataset.crs, {}, {}, {ZarrType::Kind::integer, sizeof(std::int64_t)});
  create_zarr(output.store(), path, place);
  const std::int64_t zero = 0;
  output.store().put(joined_path(path, ZarrLayout(place, path).key({})), std::as_bytes(std::span(&zero, 1)));
}

std::uint64_t put_beside_bytes() {
  return centres_per_chunk * sizeof(double);
}

}  // namespace weir
