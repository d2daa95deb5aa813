#pragma once

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/zarr_update_support.hpp"

namespace weir::test {

/// Every shard's index is one that a reader takes, and no journal is left.
inline void check_shards(const ZarrArray& array) {
  for (const auto& object : objects_of(array.store())) {
    const auto& key = object.first;  // no structured bindings: clang 14 does not capture them
    const auto& bytes = object.second;
    CAPTURE(key);
    CHECK(key.find(".weir-journal") == std::string::npos);
    if (key.find("/c/") == std::string::npos) continue;
    const auto index = array.indexes().parse(bytes, key);
    CHECK_FALSE(std::ranges::all_of(index->entries, &ShardEntry::is_empty));
  }
}

}  // namespace weir::test
