#include "nodes/headers/parquet/geokey_columns.hpp"

#include <algorithm>

namespace weir {
namespace {

enum class Kind { code, number, text };

struct Column {
  std::uint16_t key;
  Kind kind;
  const char* name;
};

/// tiff-dumper's names, ascending by key (GeoTIFF 1.1, annex B).
constexpr Column columns[] = {
    {1024, Kind::code, "model_type"},
    {1025, Kind::code, "raster_type"},
    {1026, Kind::text, "citation"},
    {2048, Kind::code, "geographic_type"},
    {2049, Kind::text, "geog_citation"},
    {2050, Kind::code, "geog_geodetic_datum"},
    {2051, Kind::code, "geog_prime_meridian"},
    {2052, Kind::code, "geog_linear_units"},
    {2053, Kind::number, "geog_linear_unit_size"},
    {2054, Kind::code, "geog_angular_units"},
    {2055, Kind::number, "geog_angular_unit_size"},
    {2056, Kind::code, "geog_ellipsoid"},
    {2057, Kind::number, "geog_semi_major_axis"},
    {2058, Kind::number, "geog_semi_minor_axis"},
    {2059, Kind::number, "geog_inv_flattening"},
    {2060, Kind::code, "geog_azimuth_units"},
    {2061, Kind::number, "geog_prime_meridian_long"},
    {3072, Kind::code, "projected_type"},
    {3073, Kind::text, "proj_citation"},
    {3074, Kind::code, "projection"},
    {3075, Kind::code, "proj_coord_trans"},
    {3076, Kind::code, "proj_linear_units"},
    {3077, Kind::number, "proj_linear_unit_size"},
    {3078, Kind::number, "proj_std_parallel1"},
    {3079, Kind::number, "proj_std_parallel2"},
    {3080, Kind::number, "proj_nat_origin_long"},
    {3081, Kind::number, "proj_nat_origin_lat"},
    {3082, Kind::number, "proj_false_easting"},
    {3083, Kind::number, "proj_false_northing"},
    {3084, Kind::number, "proj_false_origin_long"},
    {3085, Kind::number, "proj_false_origin_lat"},
    {3086, Kind::number, "proj_false_origin_easting"},
    {3087, Kind::number, "proj_false_origin_northing"},
    {3088, Kind::number, "proj_center_long"},
    {3089, Kind::number, "proj_center_lat"},
    {3090, Kind::number, "proj_center_easting"},
    {3091, Kind::number, "proj_center_northing"},
    {3092, Kind::number, "proj_scale_at_nat_origin"},
    {3093, Kind::number, "proj_scale_at_center"},
    {3094, Kind::number, "proj_azimuth_angle"},
    {3095, Kind::number, "proj_straight_vert_pole_long"},
    {4096, Kind::code, "vertical"},
    {4097, Kind::text, "vertical_citation"},
    {4098, Kind::code, "vertical_datum"},
    {4099, Kind::code, "vertical_units"},
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
