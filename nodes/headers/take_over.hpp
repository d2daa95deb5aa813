#pragma once

// What the end of an update does with the earlier catalog. Empty without Parquet.

#ifdef WEIR_WITH_PARQUET

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nodes/headers/catalog_folder.hpp"
#include "nodes/headers/old_catalog.hpp"
#include "nodes/headers/parquet_file.hpp"

namespace weir {

/// Which rows of an earlier catalog a listing met, and which of them are the same: two bits each. One thread at a time.
class OldRows {
 public:
  explicit OldRows(std::uint64_t rows) : rows_(rows), bits_((rows + 3) / 4) {}
  void add(OldRow old);
  bool was_met(std::uint64_t row) const { return (bits_of(row) & met) != 0; }
  bool is_unchanged(std::uint64_t row) const { return (bits_of(row) & unchanged) != 0; }
  static std::uint64_t bytes(std::uint64_t rows) { return rows / 4 + 1; }

 private:
  enum : unsigned { met = 1, unchanged = 2 };
  unsigned bits_of(std::uint64_t row) const { return bits_[row / 4] >> (row % 4 * 2); }

  std::uint64_t rows_;
  std::vector<std::uint8_t> bits_;
};

/// Reads the rows of a catalog's parts in their order, from `first` on, in batches, and calls `take` with those of each that `wants`
/// says, and the largest that one of the part may be; `done` follows, with the row behind the batch. They are the same whatever `first` is, if it is a row that `done` was called with.
/// Columns are those of `schema`, which has them in the order of the parts; throws where a part has none of that name and type.
struct CatalogRows {
  std::string folder;
  const CatalogManifest& manifest;
  std::shared_ptr<arrow::Schema> schema;

  void each_batch(std::uint64_t first, const std::function<bool(std::uint64_t row)>& wants,
                  const std::function<void(const arrow::RecordBatch& rows, std::uint64_t largest)>& take,
                  const std::function<void(std::uint64_t behind)>& done, ArrowPool& pool,
                  FileSystem& files) const;
};

}  // namespace weir

#endif
