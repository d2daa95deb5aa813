#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/headers/header_row.hpp"

namespace weir {

/// Reads what a finished catalog says of its objects: path, size, tag, time, part by part in the order of its rows. For listing from a
/// catalog instead of a bucket, and for an update. Its manifest says which files are parts. One thread at a time; waits.
class CatalogReader {
 public:
  /// A usage Error where the folder has no finished catalog of `schema: weir` (tiff-dumper's says no sizes), or where this build has no
  /// Parquet.
  explicit CatalogReader(std::string folder, FileSystem& files = FileSystem::real());
  ~CatalogReader();
  CatalogReader(const CatalogReader&) = delete;
  CatalogReader& operator=(const CatalogReader&) = delete;

  std::uint64_t rows() const;
  /// The next objects, at most `most`; empty: there are no more. Throws Error where a file is not as it should be.
  std::vector<ListedObject> next(std::size_t most);
  /// next() goes on with this row.
  void seek(std::uint64_t row);

  /// That it and Arrow hold at most, beside what next() returns.
  static std::uint64_t standing_bytes();

  class State;  ///< parquet_module.hpp

 private:
  std::unique_ptr<State> state_;
};

/// Calls for each row of a finished catalog's errors.parquet.
void each_error_path(const std::string& folder, FileSystem& files,
                     const std::function<void(const std::string& path)>& each);

}  // namespace weir
