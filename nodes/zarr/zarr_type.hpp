#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nodes/raster/sample_type.hpp"

namespace weir {

/// A data type of Zarr v3's core, or what a v2 dtype says that is one of them. "r24" is raw with 3 bytes.
struct ZarrType {
  enum class Kind : std::uint8_t { boolean, integer, unsigned_integer, floating, complex, raw };
  Kind kind = Kind::unsigned_integer;
  std::uint32_t bytes = 1;  ///< of an element

  bool operator==(const ZarrType&) const = default;
  /// What a change of byte order turns round: an element, each half of a complex one, nothing of raw bytes.
  std::uint32_t word_bytes() const {
    return kind == Kind::raw ? 1 : kind == Kind::complex ? bytes / 2 : bytes;
  }
};

std::string name_of(const ZarrType& type);  ///< "uint16", "complex64", "r24": v3's name
/// Throws a usage Error for what is no such type.
ZarrType zarr_type_named(const std::string& name);

/// The sample type of rasters, and back. Throws an Error where there is none: bool and raw have none.
SampleType sample_type_of(const ZarrType& type);
ZarrType zarr_type_of(SampleType type);

}  // namespace weir
