#include <string>

#include "nodes/headers/catalog_writer.hpp"

#ifdef WEIR_WITH_PARQUET
#include <arrow/config.h>
#include <fmt/format.h>
#endif

namespace weir {

/// Arrow's libraries carry the first two numbers of their version in their names, so that others are not even loaded; the third
/// one is not there, and classes may change with it.
std::string why_no_parquet() {
#ifdef WEIR_WITH_PARQUET
  const std::string& here = arrow::GetBuildInfo().version_string;
  if (here == ARROW_VERSION_STRING) return "";
  return fmt::format("it was built with Arrow {}, and runs with Arrow {}", ARROW_VERSION_STRING, here);
#else
  return "Parquet is not built in (WEIR_WITH_PARQUET)";
#endif
}

}  // namespace weir
