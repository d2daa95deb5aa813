#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "nodes/zarr/chunk_codec.hpp"

/// The one copy between a decoded chunk and where its elements belong. Memory outside chunks is strided: one distance in bytes per
/// axis of the array, negative ones too, between elements that may lie at any address. No function allocates or throws; all may run
/// side by side on memory that does not overlap. Ranks are at most 32 (ZarrLimits), which is a promise of the caller's.
namespace weir {

inline constexpr std::size_t most_strided_axes = 32;

/// A part of a chunk, on each axis of the array: elements start, start + step, ... `shape` of them, all inside the chunk.
struct ChunkBox {
  std::span<const std::uint64_t> start, shape;
  std::span<const std::uint64_t> step = {};  ///< empty: 1
};

/// Copies the elements of `box` out of a chunk in the stored layout. `target` is where the first goes, `strides` how far the next
/// one on each axis of the array lies from it.
void scatter_box(const StoredLayout& layout, std::span<const std::uint64_t> chunk_shape,
                 std::span<const std::byte> raw, const ChunkBox& box, std::byte* target,
                 std::span<const std::int64_t> strides);
/// The inverse: copies elements into the places of `box`. Strides may be 0 (one element for a whole axis).
void gather_box(const StoredLayout& layout, std::span<const std::uint64_t> chunk_shape,
                std::span<std::byte> raw, const ChunkBox& box, const std::byte* source,
                std::span<const std::int64_t> strides);

/// Whether all elements of a chunk in the stored layout are `fill` bit for bit (-0.0 is not 0.0, and a NaN only itself). `fill`: an
/// element in the machine's order, or empty, which is zeros.
bool is_all_fill(const StoredLayout& layout, std::span<const std::byte> raw, std::span<const std::byte> fill);
/// Makes all elements of a chunk in the stored layout `fill`.
void fill_chunk(const StoredLayout& layout, std::span<std::byte> raw, std::span<const std::byte> fill);
/// Makes a box of strided memory `fill`, an element in the machine's order (empty: zeros) of `element_bytes`.
void fill_box(std::byte* target, std::span<const std::int64_t> strides, std::span<const std::uint64_t> shape,
              std::span<const std::byte> fill, std::uint32_t element_bytes);

}  // namespace weir
