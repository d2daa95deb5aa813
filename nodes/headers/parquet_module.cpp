#include "nodes/headers/parquet_module.hpp"

#ifdef WEIR_WITH_PARQUET

#include <dlfcn.h>

#include <string_view>

namespace weir {
namespace {

struct Loaded {
  const ParquetModule* module = nullptr;
  std::string why_not = {};
};

/// By its name alone: it lies where the run path of the program (or of our shared library) leads, which CMake sees to. All of its functions
/// are bound at once, so that what Arrow lacks is told here. It stays: Arrow's threads do not end.
Loaded load() {
  const auto because = [](std::string_view reason) {
    return Loaded{nullptr, fmt::format("Parquet cannot be loaded: {}", reason)};
  };
  void* library = ::dlopen("libweir_parquet.so", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return because(::dlerror());
  const auto module_of =
      reinterpret_cast<const ParquetModule* (*)()>(::dlsym(library, "weir_parquet_module"));
  if (module_of == nullptr) return because(::dlerror());
  const ParquetModule* module = module_of();
  const std::string wanted = parquet_boundary();
  if (module->boundary != wanted)
    return because(fmt::format("libweir_parquet.so is of {}, this is {}", module->boundary, wanted));
  if (std::string reason = module->why_not(); !reason.empty()) return because(reason);
  return {module};
}

const Loaded& loaded() {
  static const Loaded loaded = load();
  return loaded;
}

}  // namespace

std::string why_no_parquet() {
  return loaded().why_not;
}

const ParquetModule& parquet_module(std::string_view action, const std::string& folder) {
  if (loaded().module == nullptr) throw Error::usage(action, "the catalog " + folder, why_no_parquet());
  return *loaded().module;
}

}  // namespace weir

#else

namespace weir {

std::string why_no_parquet() {
  return "Parquet is not built in (WEIR_WITH_PARQUET)";
}

const ParquetModule& parquet_module(std::string_view action, const std::string& folder) {
  throw Error::usage(action, "the catalog " + folder, why_no_parquet());
}

}  // namespace weir

#endif
