// What a row of a header catalog costs on its way to Parquet: one thread, rows like those of Sentinel-2 COGs.
//
//   catalog_bench [ROWS]     default 200,000
//
// Time is that of CatalogWriter::add and finish; the folder is in memory (/dev/shm), so that no disk is measured.
#include <fmt/format.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>

#include "tests/made_header_rows.hpp"

using namespace weir;
using namespace weir::test;

namespace {

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void measure(const std::string& label, const CatalogOptions& options, std::uint64_t units,
             const std::string& old_folder = {}) {
  std::string folder = "/dev/shm/weir-catalog-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) throw Error("make", folder, "the folder cannot be made");
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
  double seconds = 0;
  std::uint64_t rows = 0;
  {
    std::optional<OldCatalog> old;
    const double before_old = cpu_seconds();
    if (!old_folder.empty()) old.emplace(old_folder);
    const double old_seconds = cpu_seconds() - before_old;
    CatalogWriter writer(folder, label, options);
    writer.draw_from(Scratch(pool));
    constexpr std::uint64_t block = 64;  // units that are made before the clock runs
    for (std::uint64_t first = 0; first < units; first += block) {
      std::vector<MadeUnit> made;
      for (std::uint64_t unit = first; unit < std::min(units, first + block); ++unit)
        made.push_back(made_unit(unit, old ? 2 : 1, old ? &*old : nullptr));
      const double before = cpu_seconds();
      for (MadeUnit& unit : made) writer.add(unit.rows, unit.errors, unit.cursor, unit.old);
      seconds += cpu_seconds() - before;
    }
    const double before = cpu_seconds();
    writer.finish(old ? &*old : nullptr);
    seconds += cpu_seconds() - before;
    rows = writer.rows();
    if (old)
      std::printf("  the earlier catalog: %.2f us a row to read\n",
                  old_seconds / static_cast<double>(old->rows()) * 1e6);
  }
  std::uint64_t bytes = 0, files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    bytes += entry.file_size();
    ++files;
  }
  std::printf(
      "%-24s %8llu rows, %5.2f us and %5.1f bytes a row, %llu files; Arrow held %5.1f MiB of %5.1f "
      "declared\n",
      label.c_str(), static_cast<unsigned long long>(rows), seconds / static_cast<double>(rows) * 1e6,
      static_cast<double>(bytes) / static_cast<double>(rows), static_cast<unsigned long long>(files),
      static_cast<double>(pool->peak_bytes()) / 1048576.0,
      static_cast<double>(CatalogWriter::standing_bytes(options, old_folder.empty() ? 0 : rows)) / 1048576.0);
  if (old_folder.empty() && options.schema == CatalogSchema::weir && options.zstd_level == 3)
    measure("update, a tenth changed", options, units, folder);
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int count, char** arguments) {
  const std::uint64_t rows = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 200'000;
  try {
    CatalogOptions options;
    measure("schema weir", options, rows / made_keys);
    options.zstd_level = 1;
    measure("schema weir, zstd 1", options, rows / made_keys);
    options.zstd_level = 3;
    options.schema = CatalogSchema::tiff_dumper;
    measure("schema tiff-dumper", options, rows / made_keys);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
