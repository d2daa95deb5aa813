#pragma once

// Where a row lies, as columns and as GeoParquet's metadata.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/headers/parquet/append_value.hpp"

namespace weir {

ArrowType type_of(const BoundingBox& box);
void append_value(arrow::ArrayBuilder& to, const BoundingBox& box);

/// Rings of a row as well-known binary (OGC 06-103r4, section 8.2), little-endian: a polygon, of several rings a multi-polygon.
struct Footprint {
  const std::vector<std::vector<double>>& rings;
};
ArrowType type_of(const Footprint& footprint);
/// Null where there are no rings.
void append_value(arrow::ArrayBuilder& to, const Footprint& footprint);

/// Where the footprints of a file lie together: GeoParquet 1.1's metadata.
class FootprintExtent {
 public:
  void add(const HeaderRow& row);
  /// The same of a row that has been written already.
  void add(std::string_view wkb, const std::optional<BoundingBox>& box);
  /// The value of "geo".
  std::string geo_metadata() const;

 private:
  void add_box(const std::optional<BoundingBox>& box);

  double west_ = 180, south_ = 90, east_ = -180, north_ = -90;
  bool has_box_ = false, has_polygons_ = false, has_several_ = false;
};

}  // namespace weir
