#pragma once

// The GeoKeys of a row as one struct column, with tiff-dumper's names.

#include "nodes/headers/parquet/append_value.hpp"
#include "nodes/raster/geo_keys.hpp"

namespace weir {

ArrowType type_of(const GeoKeys& keys);
/// Null where there are no keys. A key whose value is not of its column's type is null.
void append_value(arrow::ArrayBuilder& to, const GeoKeys& keys);

}  // namespace weir
