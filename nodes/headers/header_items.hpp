#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "nodes/headers/header_row.hpp"
#include "nodes/headers/header_rows.hpp"
#include "nodes/headers/old_catalog.hpp"
#include "nodes/headers/tiff_header.hpp"

namespace weir {

/// Keys of a work unit, at most: some 300 us of work, so that the graph's own cost (rule 14 of the design) does not show.
constexpr std::size_t keys_of_unit = 32;
/// Of a key: Linux's paths, S3's have 1024. And of an entity tag.
constexpr std::uint64_t largest_key = 4096, largest_etag = 256;
/// What one header may hold on its way from fetching to parsing, and a row on its way to the file. What is larger is fetched and parsed
/// alone, and a larger row loses its longest texts. A header of a GeoTIFF takes 1 to 8 KB.
constexpr std::uint64_t largest_header = 32 << 10, largest_row = 64 << 10;

/// What flows from list to fetch. The last ones of a run may be empty.
struct KeyBatch {
  struct Key {
    ListedObject object;
    std::uint32_t range = 0;  ///< that it was listed in: keys of one range look alike
  };
  std::vector<Key> keys;
  std::string cursor;  ///< of the listing behind them
  std::vector<OldRow> old =
      {};  ///< of an update: listed objects that the earlier catalog has; those that are the same are no keys
  static constexpr std::uint64_t item_bytes =
      keys_of_unit * (sizeof(Key) + largest_key + largest_etag) + 32 * largest_key;
};

/// What flows from fetch to parse: for each key, in their order, a header to make a row of, or what it came to already.
struct FetchedBatch {
  struct Header {
    ListedObject object;
    TiffHeader header;
    std::int64_t tries = 1;
    std::int64_t status = 0;  ///< of HTTP; 0: none
  };
  /// HeaderRows: of what was fetched and parsed alone, or could not be fetched.
  std::vector<std::variant<HeaderRows, Header>> headers;
  std::string cursor;
  std::vector<OldRow> old;
};

/// What flows from parse to the catalog.
struct RowBatch {
  std::vector<HeaderRow> rows;
  std::vector<HeaderError> errors;
  std::uint64_t keys = 0;
  std::string cursor;
  std::vector<OldRow> old;
  bool is_empty() const { return keys == 0 && old.empty(); }
  static constexpr std::uint64_t item_bytes = keys_of_unit * (largest_row + 8192) + 32 * largest_key;
};

}  // namespace weir
