#pragma once

#include <string>

#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/zarr_type.hpp"

namespace weir {

/// A numpy type string, as v2's metadata has it: byte order, kind, bytes. "<u2", "|b1", ">c8", "|V3".
struct DtypeV2 {
  ZarrType type;
  bool big_endian = false;
};

/// Throws, with the reason, for strings, objects, times and structures, too.
DtypeV2 dtype_v2(const JsonPlace& place);
std::string dtype_text(const ZarrType& type, bool big_endian);

}  // namespace weir
