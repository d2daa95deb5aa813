#include "nodes/headers/parquet/footprint_columns.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

static_assert(std::endian::native == std::endian::little);

enum GeometryType : std::uint32_t { polygon = 3, multi_polygon = 6 };

class Wkb {
 public:
  explicit Wkb(arrow::BinaryBuilder& to) : to_(to) {}
  void begin(GeometryType type, std::size_t count) {
    constexpr std::uint8_t little_endian = 1;
    put(&little_endian, sizeof little_endian);
    number(type);
    number(static_cast<std::uint32_t>(count));
  }
  void ring(const std::vector<double>& points) {
    number(static_cast<std::uint32_t>(points.size() / 2));
    put(points.data(), points.size() * sizeof(double));
  }

 private:
  void number(std::uint32_t value) { put(&value, sizeof value); }
  void put(const void* bytes, std::size_t count) {
    appended(to_.ExtendCurrent(static_cast<const std::uint8_t*>(bytes), static_cast<std::int32_t>(count)));
  }
  arrow::BinaryBuilder& to_;
};

constexpr const char* corners[] = {"xmin", "ymin", "xmax", "ymax"};

}  // namespace

ArrowType type_of(const BoundingBox&) {
  arrow::FieldVector fields;
  for (const char* corner : corners) fields.push_back(arrow::field(corner, arrow::float64(), false));
  return arrow::struct_(fields);
}

void append_value(arrow::ArrayBuilder& to, const BoundingBox& box) {
  auto& fields = static_cast<arrow::StructBuilder&>(to);
  appended(fields.Append());
  int index = 0;
  for (const double corner : {box.west, box.south, box.east, box.north})
    append_value(*fields.field_builder(index++), corner);
}

ArrowType type_of(const Footprint&) {
  return arrow::binary();
}

void append_value(arrow::ArrayBuilder& to, const Footprint& footprint) {
  auto& binary = static_cast<arrow::BinaryBuilder&>(to);
  const auto& rings = footprint.rings;
  if (rings.empty()) return appended(binary.AppendNull());
  appended(binary.Append(std::string_view()));
  Wkb wkb(binary);
  if (rings.size() > 1) wkb.begin(multi_polygon, rings.size());
  for (const std::vector<double>& ring : rings) {
    wkb.begin(polygon, 1);
    wkb.ring(ring);
  }
}

void FootprintExtent::add(const HeaderRow& row) {
  (row.footprint.size() > 1 ? has_several_ : has_polygons_) |= !row.footprint.empty();
  add_box(row.lon_lat);
}

void FootprintExtent::add(std::string_view wkb, const std::optional<BoundingBox>& box) {
  if (wkb.size() > 1) (wkb[1] == char{multi_polygon} ? has_several_ : has_polygons_) = true;
  add_box(box);
}

void FootprintExtent::add_box(const std::optional<BoundingBox>& box) {
  if (!box) return;
  const bool is_across = box->west > box->east;  // the antimeridian: the file's box goes around the globe
  west_ = std::min(west_, is_across ? -180 : box->west);
  east_ = std::max(east_, is_across ? 180 : box->east);
  south_ = std::min(south_, box->south);
  north_ = std::max(north_, box->north);
  has_box_ = true;
}

std::string FootprintExtent::geo_metadata() const {
  nlohmann::ordered_json types = nlohmann::ordered_json::array(), covering;
  if (has_polygons_) types.push_back("Polygon");
  if (has_several_) types.push_back("MultiPolygon");
  for (const char* corner : corners) covering["bbox"][corner] = {"bbox", corner};
  nlohmann::ordered_json column = {{"encoding", "WKB"},
                                   {"geometry_types", std::move(types)},
                                   {"orientation", "counterclockwise"},
                                   {"edges", "planar"},
                                   {"covering", std::move(covering)}};
  if (has_box_) column["bbox"] = {west_, south_, east_, north_};
  return nlohmann::ordered_json{
      {"version", "1.1.0"}, {"primary_column", "footprint"}, {"columns", {{"footprint", std::move(column)}}}}
      .dump();
}

}  // namespace weir
