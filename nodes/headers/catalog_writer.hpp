#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/headers/header_row.hpp"

namespace weir {

enum class CatalogSchema {
  weir,         ///< all columns, see catalog_schema.hpp
  tiff_dumper,  ///< exactly tiff-dumper's 33
};

struct CatalogOptions {
  CatalogSchema schema = CatalogSchema::weir;
  std::uint64_t rows_per_part = 100'000;
  std::uint64_t rows_per_group = 50'000;
  /// A row group ends, too, where its rows hold so many bytes (HeaderRow::bytes).
  std::uint64_t group_bytes = 16 << 20;
  int zstd_level = 3;
};

/// Where the work of a catalog stands: what a part's commit makes durable, and a later run goes on from.
struct CatalogProgress {
  std::uint64_t units = 0;  ///< units of the listing that are in finished parts, all of each
  std::string cursor;       ///< of the listing behind those units, as the lister wrote it (JSON)
};

/// Writes a catalog into a folder of its own: part-00000.parquet ..., errors.parquet, manifest.json. Rows come in order; a part ends
/// with the first unit that makes it rows_per_part or more, so the files depend on rows and units alone. Each file appears whole
/// (framework's AtomicFile). finish() writes errors.parquet of all parts; until then the errors of a finished part wait in a
/// file of their own beside it, which is why a killed run loses none. One thread at a time, on the I/O lane.
class CatalogWriter {
 public:
  /// Reads the manifest that is there: `identity` names configuration and schema, and a manifest of another one is a usage Error, as
  /// is a folder that has files of a finished catalog without `overwrite`. Removes what a killed run left unfinished. A usage Error
  /// that says what is missing where this build has no Parquet.
  CatalogWriter(std::string folder, std::string identity, const CatalogOptions& options,
                bool overwrite = false, FileSystem& files = FileSystem::real());
  ~CatalogWriter();

  /// What earlier runs finished; units below `units` are not to be added again.
  CatalogProgress progress() const;
  /// All rows and errors of the next unit. `cursor`: of the listing behind it.
  void add(std::span<const HeaderRow> rows, std::span<const HeaderError> errors, std::string cursor);
  /// Ends the last part, writes errors.parquet, marks the manifest as complete.
  void finish();

  std::uint64_t rows() const;  ///< of all parts, earlier runs included
  /// That it and Arrow hold at most, whatever comes: reserved before the run.
  static std::uint64_t standing_bytes(const CatalogOptions& options);

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// Why Parquet cannot be written or read here: it is not built in, or Arrow is not the one that it was built with. Empty: it can.
std::string why_no_parquet();
inline bool has_parquet() { return why_no_parquet().empty(); }

}  // namespace weir
