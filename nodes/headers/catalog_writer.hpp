#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "framework/buffer.hpp"
#include "framework/file.hpp"
#include "nodes/headers/header_row.hpp"
#include "nodes/headers/old_catalog.hpp"

namespace weir {

enum class CatalogSchema {
  weir,         ///< all columns, see catalog_schema.hpp
  tiff_dumper,  ///< exactly tiff-dumper's 33
};

struct CatalogOptions {
  CatalogSchema schema = CatalogSchema::weir;
  std::uint64_t rows_per_part = 100'000;
  std::uint64_t rows_per_group = 50'000;
  /// A row group ends, too, once Arrow holds so many bytes of it: pages, most of them compressed, and dictionaries.
  std::uint64_t group_bytes = 8 << 20;
  int zstd_level = 3;
};

/// Where the work of a catalog stands: what a part's commit makes durable, and a later run goes on from.
struct CatalogProgress {
  std::uint64_t units = 0;  ///< units of the listing that are in finished parts, all of each
  std::string cursor;       ///< of the listing behind those units, as the lister wrote it; UTF-8
};

/// Writes a catalog into a folder of its own (columns: catalog_schema.hpp):
///
///   part-00000.parquet ...  rows; the last one may have none, so that there is always a schema to read
///   errors.parquet          path, stage, code, reason, offset, http_status, tries
///   vanished.parquet        of an update: path, size, etag and last_modified of the earlier catalog's rows that are listed no longer
///   manifest.json           which parts there are, where the listing stands, whether all is done
///
/// Rows come in order, those that an update takes over behind all others, in their old order. A part ends with the first unit that makes
/// it rows_per_part rows and errors or more (or 64 row groups, or 16 x rows_per_part old rows), so that the files depend on rows and
/// units alone. Each file appears whole (framework's AtomicFile). finish() writes errors.parquet of all parts; until then the errors
/// and the old rows of a finished part wait in files of their own beside it (errors-00000.parquet, old-00000.bin), which is why a
/// killed run loses none. One thread at a time, on the I/O lane.
class CatalogWriter {
 public:
  /// Makes the folder, and reads the manifest that is there: `identity` names configuration and schema, and a manifest of another one
  /// is a usage Error, as is a finished catalog, files of one without a manifest, and a folder that another process is writing to.
  /// With `overwrite` it starts anew. Removes what a killed run left unfinished. A usage Error that says what is missing where this
  /// build has no Parquet.
  CatalogWriter(std::string folder, std::string identity, const CatalogOptions& options,
                bool overwrite = false, FileSystem& files = FileSystem::real());
  ~CatalogWriter();
  CatalogWriter(const CatalogWriter&) = delete;
  CatalogWriter& operator=(const CatalogWriter&) = delete;

  /// What earlier runs finished; units below `units` are not to be added again.
  CatalogProgress progress() const;
  /// Where Arrow's memory comes from: a run's (Context::scratch). Before the first add().
  void draw_from(Scratch scratch);
  /// All rows and errors of the next unit, and of an update what it listed that the earlier catalog has, changed or not. `cursor`: of
  /// the listing behind it. Rows take at most largest_row bytes each.
  void add(std::span<const HeaderRow> rows, std::span<const HeaderError> errors, std::string cursor,
           std::span<const OldRow> old = {});
  static constexpr std::uint64_t largest_row = 1 << 20;
  /// Ends the last part, takes over what did not change in `old`, writes errors.parquet, marks the manifest as complete.
  void finish(const OldCatalog* old = nullptr);

  std::uint64_t rows() const;    ///< of all parts, earlier runs included
  std::uint64_t errors() const;  ///< the same
  /// That it and Arrow hold at most, whatever comes: reserved before the run. `old_rows`: of the earlier catalog in an update.
  static std::uint64_t standing_bytes(const CatalogOptions& options, std::uint64_t old_rows = 0);

  class State;  ///< parquet_module.hpp

 private:
  std::unique_ptr<State> state_;
};

/// Why Parquet cannot be written or read here: it is not built in, its module cannot be loaded, or Arrow is not the one that it was built
/// with. Empty: it can; and Arrow is loaded then. Any thread.
std::string why_no_parquet();
inline bool has_parquet() {
  return why_no_parquet().empty();
}

}  // namespace weir
