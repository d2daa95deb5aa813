#include "nodes/headers/parquet/geokey_columns.hpp"

#include <algorithm>

namespace weir {
namespace {

enum class Kind { code, number, text };

struct Column {
  std::uint16_t key;
  const char* name;
  Kind kind;
};

/// tiff-dumper's names, ascending by key (GeoTIFF 1.1, annex B).
constexpr Column columns[] = {
    {1024, "model_type", Kind::code},
    {1025, "raster_type", Kind::code},
    {1026, "citation", Kind::text},
    {2048, "geographic_type", Kind::code},
    {2049, "geog_citation", Kind::text},
    {2050, "geog_geodetic_datum", Kind::code},
    {2051, "geog_prime_meridian", Kind::code},
    {2052, "geog_linear_units", Kind::code},
    {2053, "geog_linear_unit_size", Kind::number},
    {2054, "geog_angular_units", Kind::code},
    {2055, "geog_angular_unit_size", Kind::number},
    {2056, "geog_ellipsoid", Kind::code},
    {2057, "geog_semi_major_axis", Kind::number},
    {2058, "geog_semi_minor_axis", Kind::number},
    {2059, "geog_inv_flattening", Kind::number},
    {2060, "geog_azimuth_units", Kind::code},
    {2061, "geog_prime_meridian_long", Kind::number},
    {3072, "projected_type", Kind::code},
    {3073, "proj_citation", Kind::text},
    {3074, "projection", Kind::code},
    {3075, "proj_coord_trans", Kind::code},
    {3076, "proj_linear_units", Kind::code},
    {3077, "proj_linear_unit_size", Kind::number},
    {3078, "proj_std_parallel1", Kind::number},
    {3079, "proj_std_parallel2", Kind::number},
    {3080, "proj_nat_origin_long", Kind::number},
    {3081, "proj_nat_origin_lat", Kind::number},
    {3082, "proj_false_easting", Kind::number},
    {3083, "proj_false_northing", Kind::number},
    {3084, "proj_false_origin_long", Kind::number},
    {3085, "proj_false_origin_lat", Kind::number},
    {3086, "proj_false_origin_easting", Kind::number},
    {3087, "proj_false_origin_northing", Kind::number},
    {3088, "proj_center_long", Kind::number},
    {3089, "proj_center_lat", Kind::number},
    {3090, "proj_center_easting", Kind::number},
    {3091, "proj_center_northing", Kind::number},
    {3092, "proj_scale_at_nat_origin", Kind::number},
    {3093, "proj_scale_at_center", Kind::number},
    {3094, "proj_azimuth_angle", Kind::number},
    {3095, "proj_straight_vert_pole_long", Kind::number},
    {4096, "vertical", Kind::code},
    {4097, "vertical_citation", Kind::text},
    {4098, "vertical_datum", Kind::code},
    {4099, "vertical_units", Kind::code},
};
static_assert(std::ranges::is_sorted(columns, {}, &Column::key));

ArrowType type_of(Kind kind) {
  return kind == Kind::code ? arrow::int64() : kind == Kind::number ? arrow::float64() : arrow::utf8();
}

void append_key(arrow::ArrayBuilder& to, Kind kind, const GeoKeyValue& value) {
  const auto* code = std::get_if<std::uint16_t>(&value);
  const auto* numbers = std::get_if<std::vector<double>>(&value);
  const auto* text = std::get_if<std::string>(&value);
  if (kind == Kind::code && code != nullptr)
    append_value(to, std::int64_t{*code});
  else if (kind == Kind::number && numbers != nullptr && !numbers->empty())
    append_value(to, numbers->front());
  else if (kind == Kind::number && code != nullptr)
    append_value(to, double{static_cast<double>(*code)});
  else if (kind == Kind::text && text != nullptr)
    append_value(to, *text);
  else
    appended(to.AppendNull());
}

}  // namespace

ArrowType type_of(const GeoKeys&) {
  arrow::FieldVector fields;
  for (const Column& column : columns) fields.push_back(arrow::field(column.name, type_of(column.kind)));
  return arrow::struct_(fields);
}

void append_value(arrow::ArrayBuilder& to, const GeoKeys& keys) {
  auto& fields = static_cast<arrow::StructBuilder&>(to);
  if (keys.empty()) return appended(fields.AppendNull());
  appended(fields.Append());
  auto key = keys.values.begin();  // both ascend
  int index = 0;
  for (const Column& column : columns) {
    while (key != keys.values.end() && key->first < column.key) ++key;
    arrow::ArrayBuilder& field = *fields.field_builder(index++);
    if (key != keys.values.end() && key->first == column.key)
      append_key(field, column.kind, key->second);
    else
      appended(field.AppendNull());
  }
}

}  // namespace weir
