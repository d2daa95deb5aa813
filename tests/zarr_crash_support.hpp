#pragma once

// What an update is that a process dies in, and what must be true after it.

#include <memory>
#include <string>
#include <vector>

#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "tests/faulty_file_system.hpp"
#include "tests/zarr_update_support.hpp"

namespace weir::test {

struct CrashCase {
  std::string name;
  std::size_t array;  ///< of sharded_arrays()
  ZarrUpdate update;
  bool one_shard;  ///< it stays in one: the whole array is then as before or after
};
inline std::vector<CrashCase> crash_cases() {
  using enum ZarrUpdate;
  return {{"copy-on-write, index at the end", 4, copy_on_write, false},
          {"copy-on-write, index at the start", 5, copy_on_write, true},
          {"in place, one size, index at the end", 0, in_place, true},
          {"in place, one size, index at the start", 3, in_place, true},
          {"in place, many sizes, index at the end", 4, in_place, true},
          {"in place, many sizes, index at the start", 5, in_place, true},
          {"in place, many shards", 2, in_place, false}};
}

inline batched::Elements noise(std::uint64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::uint16_t> values(count);
  for (std::uint16_t& value : values) value = static_cast<std::uint16_t>(random());
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

/// Makes the array as it is before: even elements, so that they take little room, and some chunks of fill.
inline void crash_create(const std::shared_ptr<const Store>& store, const CrashCase& it) {
  const ZarrArrayMetadata metadata = sharded_arrays()[it.array].metadata;
  create_zarr(*store, "a", metadata);
  const auto array = open_zarr(store, "a");
  const ZarrSelection all = everything(*array);
  update(array, all, batched::Elements(2 * count_of(all), std::byte{5}), copy_on_write());
  const ZarrSelection hole{{4, 8, 1}, {2, 4, 1}};
  update(array, hole, batched::Chunks(metadata, false).all_fill({8, 4}), copy_on_write());
}

/// Chunks change in part and whole, become longer, one becomes empty, empty ones get elements.
inline void crash_update(const std::shared_ptr<const ZarrArray>& array, const CrashCase& it) {
  const ZarrSelection selection =
      it.one_shard ? ZarrSelection{{0, 10, 1}, {0, 7, 1}} : ZarrSelection{{0, 23, 1}, {0, 15, 1}};
  batched::Elements elements = noise(count_of(selection), 3);
  for (std::uint64_t row = 0; row < 4; ++row)
    for (std::uint64_t column = 0; column < 2; ++column) {
      const std::uint64_t at = 2 * (row * selection[1].count + column);
      elements[at] = std::byte{7};
      elements[at + 1] = std::byte{1};
    }
  WriteZarrOptions options = copy_on_write();
  options.update = it.update;
  update(array, selection, elements, options);
}

}  // namespace weir::test
