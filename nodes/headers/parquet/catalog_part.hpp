#pragma once

// A part of a catalog that is being written.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "nodes/headers/catalog_writer.hpp"
#include "nodes/headers/parquet/footprint_columns.hpp"
#include "nodes/headers/parquet/held_folder.hpp"
#include "nodes/headers/parquet/parquet_file.hpp"
#include "nodes/headers/parquet/row_columns.hpp"

namespace weir {

/// Rows, errors and what an update met of the earlier catalog, each on the way to its file; none is there before commit(). One thread at
/// a time.
class CatalogPart {
 public:
  /// The next part of the folder's manifest. Builders are kept from part to part.
  CatalogPart(HeldFolder& folder, const CatalogOptions& options, RowColumns<HeaderRow>& rows,
              RowColumns<HeaderError>& errors, ArrowPool& pool);

  void add(const HeaderRow& row);
  void add(const HeaderError& error);
  void add(OldRow old);
  /// Rows of an earlier catalog, behind all others; `largest`: what its file says of them.
  void add(const arrow::RecordBatch& batch, std::uint64_t largest);

  bool is_full() const;
  std::uint64_t rows() const { return file_.rows() + rows_.rows(); }
  std::uint64_t errors() const { return counts_.errors; }
  /// Gives the files their names, and returns what the manifest is to say of them.
  CatalogManifest::Part commit();

  /// Of a row group's footer and of what it takes to write it: so many of them at most in a part.
  static constexpr std::uint64_t most_row_groups = 64;
  /// Rows of an earlier catalog for one of this: they cost some 30 ns and 8 bytes each.
  static constexpr std::uint64_t old_per_row = 16;
  static constexpr std::size_t old_buffer = 8192;  ///< OldRows that are written at once

 private:
  void flush_rows();
  void flush_errors();
  void flush_old();

  HeldFolder& folder_;
  const CatalogOptions& options_;
  RowColumns<HeaderRow>& rows_;
  RowColumns<HeaderError>& errors_;
  ArrowPool& pool_;
  const std::uint64_t part_;
  ParquetWriter file_;
  std::optional<ParquetWriter> error_file_;  ///< with the first error
  std::uint64_t largest_row_ = 0, largest_error_ = 0;
  std::optional<AtomicFile> old_file_;  ///< with the first of them
  std::vector<std::uint64_t> old_;
  FootprintExtent extent_;
  CatalogManifest::Part counts_;
};

/// What the catalog's files say of themselves.
std::vector<std::pair<std::string, std::string>> catalog_metadata(CatalogSchema schema,
                                                                  std::uint64_t largest_row);
ParquetOptions parquet_options(const CatalogOptions& options);
std::string_view name_of(CatalogSchema schema);

/// The OldRows of a part's file, in order.
void read_old_rows(const std::string& path, FileSystem& files, const std::function<void(OldRow)>& each);

}  // namespace weir
