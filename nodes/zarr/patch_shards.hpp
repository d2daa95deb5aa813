#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "nodes/zarr/dense_slots.hpp"
#include "nodes/zarr/shard_journal.hpp"
#include "nodes/zarr/write_runs.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

/// Changes shards in place, on stores that can put ranges; an ordered sink. Of a shard only what its touched chunks are now, and the
/// index where it has changed, is written, through a journal (nodes/zarr/shard_journal.hpp). A chunk goes
///
///   where it lies, by the stored index, where it is not longer than it was;
///   else, where all chunks have one size, to its slot of the dense layout (all chunks side by side, in `order`), where that is free;
///   else behind the last byte of chunks, over an index at the end, which moves behind it.
///
/// Of an index that stays where it is only the bytes that differ are written; one that moves follows the chunk that moved it, in one
/// write. So the layout depends on the updates and their order, on nothing else. Nothing becomes shorter: what is unused stays until
/// compact_zarr. A shard that is not there yet, or is overwritten whole, is written as a new object; one without chunks is erased.
/// While a shard changes, and after a crash until the journal is replayed, readers that know nothing of it may see a shard whose
/// parts do not fit together.
class PatchShards {
 public:
  PatchShards(std::shared_ptr<const ZarrArray> array, std::shared_ptr<const WriteRuns> runs, ShardOrder order)
      : array_(std::move(array)), runs_(std::move(runs)), order_(order), whole_(array_, runs_) {}
  void operator()(const EncodedRun& run);
  static std::uint64_t standing_bytes(const ZarrLayout& layout);

 private:
  void begin(const ObjectClaim& claim);
  std::uint64_t place(std::uint32_t number, std::uint64_t bytes);
  void change_index(const ObjectClaim& claim);
  void finish(const ObjectClaim& claim);

  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WriteRuns> runs_;
  ShardOrder order_;
  StoreShards whole_;  // those that are new objects
  // Of the shard that is being changed:
  std::optional<ShardJournal> journal_;
  std::vector<ShardEntry> entries_;
  std::optional<DenseSlots> slots_;
  std::uint64_t end_ = 0;  // of its chunks
  bool index_has_changed_ = false;
};

}  // namespace weir
