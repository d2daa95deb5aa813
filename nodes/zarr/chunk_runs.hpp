#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "nodes/zarr/axis_walk.hpp"
#include "nodes/zarr/zarr_layout.hpp"

namespace weir {

/// The chunks that a selection of an array touches, in runs: what a unit reads or writes, one or many small chunks. A run of a
/// sharded array lies in one shard. A formula: ten million chunks cost nothing. Const and thread-safe.
class ChunkRuns {
 public:
  /// The selection lies in the array and has an element on each axis. `chunks_per_run`: at most; at least 1.
  ChunkRuns(std::shared_ptr<const ZarrLayout> layout, ZarrSelection selection, std::uint64_t chunks_per_run);

  const ZarrLayout& layout() const { return *layout_; }
  const ZarrSelection& selection() const { return selection_; }
  std::uint64_t count() const { return groups_ * runs_per_group_; }
  std::uint64_t chunks_per_run() const { return chunks_per_run_; }
  std::uint64_t objects() const { return layout_->index() ? groups_ : chunks(); }  ///< touched
  std::uint64_t chunks() const;                                                    ///< touched
  std::uint64_t runs_per_object() const { return runs_per_group_; }                ///< where shards are

  /// How many chunks a run has. 0: shards at the rim of a selection have fewer runs than others.
  std::uint64_t size(std::uint64_t run) const;
  /// The chunks of a run, row-major in their shard (or in the selection).
  std::vector<ZarrIndex> chunks_of(std::uint64_t run) const;
  /// Whether a run has all chunks of its shard.
  bool is_whole_object(std::uint64_t run) const;

 private:
  /// Selected elements of each axis in the group that a run belongs to.
  std::vector<AxisRun> elements_of(std::uint64_t group) const;
  std::uint64_t chunks_in(const std::vector<AxisRun>& elements) const;

  std::shared_ptr<const ZarrLayout> layout_;
  ZarrSelection selection_;
  std::vector<AxisWalk> objects_, chunks_;  // per axis
  std::uint64_t chunks_per_run_, groups_ = 1, runs_per_group_ = 1;
};

/// The part of a chunk that a selection touches.
struct ChunkPart {
  std::vector<std::uint64_t> begin, shape, step;  ///< in elements of the chunk, from its corner
  std::vector<std::uint64_t> target;              ///< of its first element, in elements of the selection
  /// Whether it is all of the chunk that lies in the array.
  bool is_whole = false;
  bool covers_chunk = false;  ///< and none of the chunk lies outside of the array
  /// Of its first element in memory where the selection's elements lie so; bytes.
  std::ptrdiff_t offset(std::span<const std::ptrdiff_t> strides) const;
};
ChunkPart part_of(const ZarrLayout& layout, const ZarrSelection& selection, const ZarrIndex& chunk);

/// All axes of an array.
ZarrSelection all_of(const ZarrLayout& layout);

/// Row-major strides of packed memory for a selection, and all of its bytes.
std::vector<std::ptrdiff_t> packed_strides(const ZarrSelection& selection, std::uint64_t element_bytes);
std::uint64_t packed_bytes(const ZarrSelection& selection, std::uint64_t element_bytes);

/// Throws a usage Error where a selection does not lie in the array, or has no element.
void check(const ZarrSelection& selection, const std::vector<std::uint64_t>& shape, const std::string& name);

}  // namespace weir
