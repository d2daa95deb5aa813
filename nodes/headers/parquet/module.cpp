// The one function that libweir_parquet.so shows (framework/cmake/parquet_module.map).
#include <arrow/config.h>

#include "nodes/headers/parquet/catalog_files.hpp"

namespace weir {
namespace {

/// Arrow's libraries carry the first two numbers of their version in their names, so that others are not even loaded; the third
/// one is not there, and classes may change with it.
std::string why_not() {
  const std::string& here = arrow::GetBuildInfo().version_string;
  if (here == ARROW_VERSION_STRING) return "";
  return fmt::format("it was built with Arrow {}, and runs with Arrow {}", ARROW_VERSION_STRING, here);
}

}  // namespace
}  // namespace weir

extern "C" const weir::ParquetModule* weir_parquet_module() {
  static const std::string boundary = weir::parquet_boundary();
  static const weir::ParquetModule module{boundary.c_str(), weir::why_not, weir::write_catalog_files,
                                          weir::read_catalog_objects, weir::read_error_paths};
  return &module;
}
