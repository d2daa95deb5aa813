#pragma once

// Shards whose elements say which version of the shard they are of, each version of another size.

#include <random>
#include <span>

#include "tests/zarr_update_support.hpp"

namespace weir::test {

inline constexpr std::uint64_t cells_of_shard = 1024, cells_of_chunk = 64;

/// Shards of 16 inner chunks of uint32, zstd.
inline ZarrArrayMetadata versioned_array(std::uint64_t shards) {
  ZarrCodecSpec zstd = codec_of(ZarrCodecSpec::Id::zstd);
  zstd.level = 1;
  return zarr_array({shards * cells_of_shard}, {cells_of_shard}, {cells_of_chunk},
                    {ZarrType::Kind::unsigned_integer, 4}, {ZarrCodecSpec{}, zstd});
}

/// Of a shard: the upper half of a cell is its version; the lower half is noise in some inner chunks, and nothing in the
/// others, so that versions differ in their index. Versions are from 1 on: 0 is fill.
inline std::vector<std::uint32_t> version_cells(std::uint16_t version) {
  std::mt19937 random(version);
  std::vector<std::uint32_t> cells(cells_of_shard);
  for (std::uint64_t first = 0; first < cells_of_shard; first += cells_of_chunk) {
    const bool is_noise = random() % 2 == 0;
    for (std::uint64_t i = first; i < first + cells_of_chunk; ++i)
      cells[i] = std::uint32_t{version} << 16 | (is_noise ? random() & 0xffff : 0);
  }
  return cells;
}

inline void write_version(const std::shared_ptr<const ZarrArray>& array, std::uint64_t shard,
                          std::uint16_t version) {
  const std::vector<std::uint32_t> cells = version_cells(version);
  write_zarr(array, {{shard * cells_of_shard, cells_of_shard, 1}},
             {std::as_bytes(std::span(cells)).data(), {4}}, copy_on_write());
}

/// Cells [first, first + count) of the array.
inline std::vector<std::uint32_t> read_cells(const std::shared_ptr<const ZarrArray>& array,
                                             std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint32_t> cells(count, 0xeeeeeeee);
  ReadZarrOptions options;
  options.graph.threads = 1;
  read_zarr(array, {{first, count, 1}}, {std::as_writable_bytes(std::span(cells)).data(), {4}}, options);
  return cells;
}

/// The version that all cells are of, where they are those of one; they begin at a cell of a shard.
inline std::optional<std::uint16_t> version_of(std::span<const std::uint32_t> cells, std::uint64_t first) {
  const auto version = static_cast<std::uint16_t>(cells.front() >> 16);
  if (version == 0) return std::nullopt;
  const std::vector<std::uint32_t> wanted = version_cells(version);
  if (!std::equal(cells.begin(), cells.end(), wanted.begin() + static_cast<std::ptrdiff_t>(first)))
    return std::nullopt;
  return version;
}

}  // namespace weir::test
