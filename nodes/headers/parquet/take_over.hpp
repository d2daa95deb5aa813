#pragma once

// What the end of an update does with the earlier catalog.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "nodes/headers/catalog_manifest.hpp"
#include "nodes/headers/parquet/parquet_file.hpp"

namespace weir {

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
