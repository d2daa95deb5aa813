#pragma once

#include <cstdint>
#include <vector>

#include "framework/error.hpp"
#include "nodes/headers/old_catalog.hpp"

namespace weir {

/// Which rows of an earlier catalog a listing met, and which of them are the same: two bits each. One thread at a time.
class OldRows {
 public:
  explicit OldRows(std::uint64_t rows) : rows_(rows), bits_((rows + 3) / 4) {}
  void add(OldRow old) {
    if (old.row >= rows_)
      throw Error("take over", "rows of the earlier catalog", "it has fewer rows than the update met");
    bits_[old.row / 4] |=
        static_cast<std::uint8_t>((met | (old.is_unchanged ? unchanged : 0U)) << (old.row % 4 * 2));
  }
  bool was_met(std::uint64_t row) const { return (bits_of(row) & met) != 0; }
  bool is_unchanged(std::uint64_t row) const { return (bits_of(row) & unchanged) != 0; }
  static std::uint64_t bytes(std::uint64_t rows) { return rows / 4 + 1; }

 private:
  enum : unsigned { met = 1, unchanged = 2 };
  unsigned bits_of(std::uint64_t row) const { return bits_[row / 4] >> (row % 4 * 2); }

  std::uint64_t rows_;
  std::vector<std::uint8_t> bits_;
};

}  // namespace weir
