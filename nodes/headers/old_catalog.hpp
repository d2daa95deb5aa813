#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/headers/header_row.hpp"

namespace weir {

/// Where an earlier catalog has an object that is listed now.
struct OldRow {
  std::uint32_t row = 0;      ///< of all its parts together
  bool is_unchanged = false;  ///< its row can be taken over; else the object is to be fetched again
};

/// What an update knows of the earlier catalog: for each row 24 bytes, hashes of the path and of what says that the object is the same.
/// That is its size together with its tag, or where it has none with its time. What had an error then counts as changed. The
/// rows themselves are read once more when the new catalog is finished (CatalogWriter::finish). find: any thread.
class OldCatalog {
 public:
  /// Reads it. A usage Error as for CatalogReader, and where it has 2^32 rows or more.
  explicit OldCatalog(std::string folder, FileSystem& files = FileSystem::real());

  std::optional<OldRow> find(const ListedObject& object) const;
  std::uint64_t rows() const { return objects_.size(); }
  const std::string& folder() const { return folder_; }
  /// Differs for a catalog that was written anew: belongs into the identity of the catalog that an update writes, as what a killed one
  /// noted are rows of this one.
  const std::string& identity() const { return identity_; }

  /// That the one in the folder holds at most, while it is read and after: its manifest says how many rows it has.
  static std::uint64_t standing_bytes(const std::string& folder, FileSystem& files = FileSystem::real());

 private:
  struct Object {
    std::uint64_t path;   ///< a hash
    std::uint64_t state;  ///< a hash; 0: had an error, or nothing is known of it
    std::uint32_t row;
  };

  std::string folder_, identity_;
  std::vector<Object> objects_;  ///< ascending by path
};

}  // namespace weir
