// Helper of header_catalog_test.cpp and of tests/foreign/headers_parquet_agree.py: writes a catalog of made-up rows, or goes on with it.
//
//   header_catalog_child FOLDER UNITS SCHEMA KILL_AT [OLD]
//
//   SCHEMA   weir or tiff-dumper
//   KILL_AT  number of the file call at which SIGKILL comes; 0: none, and syncs are real
//   OLD      a catalog of the bucket's first version: this one is an update of it to the second
//
// Exit code 0: written; 1: an Error, on stderr; 2: bad usage; 3: this build has no Parquet.
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "tests/faulty_file_system.hpp"
#include "tests/made_header_rows.hpp"

using namespace weir;
using namespace weir::test;

int main(int count, char** arguments) {
  if (count != 5 && count != 6) return 2;
  if (!has_parquet()) return 3;
  // Not left behind where the test is ended.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return 2;
  const std::string folder = arguments[1];
  const std::uint64_t units = std::strtoull(arguments[2], nullptr, 10);
  const std::uint64_t kill_at = std::strtoull(arguments[4], nullptr, 10);
  CatalogOptions options = small_parts();
  if (std::string(arguments[3]) == "tiff-dumper") options.schema = CatalogSchema::tiff_dumper;
  FaultyFileSystem files;
  files.skip_sync = kill_at != 0;
  if (kill_at != 0) files.kill_at = kill_at;
  try {
    std::optional<OldCatalog> old;
    if (count == 6) old.emplace(arguments[5]);
    CatalogWriter writer(folder, "made up", options, false, files);
    write_units(writer, units, old ? 2 : 1, old ? &*old : nullptr);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
