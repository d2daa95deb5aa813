// Any bytes as GDAL_METADATA: items that print and read back the same, or none; no crash, no more memory than a few
// hundred bytes for each byte of input. Seeds: seeds/gdal_metadata_fuzz, made by GDAL and by hand.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "nodes/tiff/gdal_metadata.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto items = weir::parse_gdal_metadata({reinterpret_cast<const char*>(data), size});
  if (items && weir::parse_gdal_metadata(weir::print_gdal_metadata(*items)) != items) std::abort();
  return 0;
}
