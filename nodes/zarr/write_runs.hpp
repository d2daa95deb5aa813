#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/context.hpp"
#include "framework/item.hpp"
#include "nodes/zarr/chunk_runs.hpp"
#include "nodes/zarr/zarr_array.hpp"

// The nodes that write into an array: what is there is fetched where only a part of it changes, merged with the caller's elements,
// encoded, and stored object by object.
//
//   plan ──► claim ──► fetch ──► merge ──► encode ──► store

namespace weir {

/// How a shard is changed in part.
enum class ZarrUpdate : std::uint8_t {
  copy_on_write,  ///< a new object takes its place: every reader sees before or after
  in_place,  ///< only the inner chunks that are touched, and the index, are written (nodes/zarr/patch_shards.hpp)
};

/// How the chunks of a selection are written, run by run: all chunks of the objects (shards) that it touches, in the order in which
/// they are stored; in place: only the chunks that it touches, row-major. Shards may go side by side, so many at once: a run of each
/// in turn, until all of these are done. A formula. Const and thread-safe.
class WriteRuns {
 public:
  WriteRuns(std::shared_ptr<const ZarrLayout> layout, ZarrSelection selection, ShardOrder order,
            std::uint64_t chunks_per_run, ZarrUpdate update = ZarrUpdate::copy_on_write,
            std::uint64_t shards_at_once = 1);

  const ZarrLayout& layout() const { return *layout_; }
  const ZarrSelection& selection() const { return selection_; }
  std::uint64_t count() const;
  std::uint64_t chunks_per_run() const { return chunks_per_run_; }
  std::uint64_t objects() const { return objects_; }
  std::uint64_t standing_bytes() const { return order_.size() * sizeof(std::uint32_t); }

  /// Where shards are.
  bool is_first_of_object(std::uint64_t run) const { return place_of(run).run == 0; }
  bool is_last_of_object(std::uint64_t run) const { return place_of(run).run + 1 == runs_per_object_; }
  /// Which of those that go side by side its shard is: 0 to shards_at_once() - 1.
  std::uint64_t stream_of(std::uint64_t run) const { return place_of(run).object % shards_at_once_; }
  std::uint64_t shards_at_once() const { return shards_at_once_; }
  /// Its chunks, in the order in which they are stored; some of a shard's may lie outside of the array. None in the last runs of
  /// a shard at the rim of a selection, in place.
  std::vector<ZarrIndex> chunks_of(std::uint64_t run) const;
  /// Whether the selection touches a chunk.
  bool touches(const ZarrIndex& chunk) const;
  /// Whether all of an object that lies in the array is overwritten.
  bool overwrites(const ZarrIndex& object) const;

 private:
  struct Place {
    std::uint64_t object, run;  // which one of the selection's, and of its runs
  };
  Place place_of(std::uint64_t run) const;
  ZarrIndex nth_object(std::uint64_t number) const;

  std::shared_ptr<const ZarrLayout> layout_;
  ZarrSelection selection_;
  std::vector<AxisWalk> walks_;       // over objects, per axis
  std::vector<std::uint32_t> order_;  // of the chunks of a shard
  std::optional<ChunkRuns> touched_;  // in place
  std::uint64_t chunks_per_run_, shards_at_once_, objects_ = 1, runs_per_object_ = 1;
};

/// A run that is to be written.
struct WriteRequest {
  std::uint64_t run = 0;
};
inline std::string item_name(const WriteRequest& request) {
  return "run " + std::to_string(request.run);
}

/// What all runs of one object share, from claim to store.
struct ObjectClaim {
  std::string key;
  std::unique_ptr<ObjectLock> lock;         ///< none where the store has no locks
  std::shared_ptr<const ShardIndex> index;  ///< of what is there; none: nothing of it is needed
  /// Without locks: the version that it is made from, not known where there was no object; it replaces that one alone
  /// (Store::replacer). None: whatever is there.
  std::optional<ObjectVersion> replaces;
  std::atomic<bool> is_lost = false;  ///< another writer was faster: what is made is of no use
};

/// The objects of a write whose updates were lost to other writers (ObjectClaim::is_lost): to be made again from what is there
/// now. Needed where claims have ObjectClaim::replaces. Thread-safe.
class LostUpdates {
 public:
  struct Lost {
    ZarrIndex object;
    ObjectVersion replaced;  ///< that it was to replace
  };
  void add(Lost lost) {
    const std::lock_guard guard(mutex_);
    lost_.push_back(std::move(lost));
  }
  std::vector<Lost> take() {
    const std::lock_guard guard(mutex_);
    return std::exchange(lost_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Lost> lost_;
};

/// Its objects are kept from others.
struct ClaimedRun {
  std::uint64_t run = 0;
  std::vector<ZarrIndex> chunks;
  std::vector<std::shared_ptr<ObjectClaim>> claims;  ///< one, where shards are; else one per chunk
};
std::string item_name(const ClaimedRun& run);

/// What a chunk of a run becomes.
enum class ChunkFate : std::uint8_t {
  empty,  ///< not stored: all fill
  kept,   ///< as it is stored: a range of the old shard
  made,   ///< encoded
};

/// With what was there of the chunks that change in part, encoded.
struct ExistingRun {
  struct Piece {
    ChunkFate fate = ChunkFate::made;
    bool has_old = false;                 ///< made from old elements, too
    std::uint64_t offset = 0, bytes = 0;  ///< kept: in the old object; with old elements: in `data`
  };
  ClaimedRun claimed;
  std::vector<Piece> pieces;
  Buffer data;
};
inline std::uint64_t payload_bytes(const ExistingRun& run) {
  return run.data.size();
}
inline std::string item_name(const ExistingRun& run) {
  return item_name(run.claimed);
}

/// Plain bytes that an item takes for each of its chunks.
inline std::uint64_t write_item_bytes(const ZarrLayout& layout) {
  return sizeof(ExistingRun::Piece) + sizeof(ZarrIndex) + layout.rank() * sizeof(std::uint64_t) +
         (layout.index() ? 0 : sizeof(std::shared_ptr<ObjectClaim>) + sizeof(ObjectClaim) + 128);
}

/// With the elements of those that are made, packed in the stored layout.
struct MergedRun {
  ClaimedRun claimed;
  std::vector<ExistingRun::Piece> pieces;  ///< made: offset is that in `raw`
  Buffer raw;
};
inline std::uint64_t payload_bytes(const MergedRun& run) {
  return run.raw.size();
}
inline std::string item_name(const MergedRun& run) {
  return item_name(run.claimed);
}

/// With those that are made encoded.
struct EncodedRun {
  ClaimedRun claimed;
  std::vector<ExistingRun::Piece> pieces;  ///< made: offset and bytes in `data`
  Buffer data;
};
inline std::uint64_t payload_bytes(const EncodedRun& run) {
  return run.data.size();
}
inline std::string item_name(const EncodedRun& run) {
  return item_name(run.claimed);
}

/// Elements of the caller: element (i, j, ...) of the selection lies at data + i * strides[0] + ...; bytes, in the machine's byte
/// order. Neither changed nor kept.
struct ZarrOrigin {
  const std::byte* data = nullptr;
  std::vector<std::ptrdiff_t> strides;
};

/// How a writer of an object treats others of it.
enum class ObjectOwnership : std::uint8_t {
  none,     ///< the last one wins
  locked,   ///< others wait (Store::lock)
  compared  ///< what changes in part replaces the version that it was made from, or is lost (Store::replacer)
};

/// Keeps the objects of a run from other writers, in the order of the runs; on the I/O lane, ordered. All writers claim in
/// the same order (row-major), so none waits for one that waits for it. A dead writer's update in place is done first.
class ClaimRun {
 public:
  ClaimRun(std::shared_ptr<const ZarrArray> array, std::shared_ptr<const WriteRuns> runs,
           ObjectOwnership ownership)
      : array_(std::move(array)),
        runs_(std::move(runs)),
        ownership_(ownership),
        current_(runs_->shards_at_once()) {}
  ClaimedRun operator()(const WriteRequest& request, const Context& context);

 private:
  std::shared_ptr<ObjectClaim> claim(const ZarrIndex& object, const std::stop_token& stop) const;

  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WriteRuns> runs_;
  ObjectOwnership ownership_;
  std::vector<std::shared_ptr<ObjectClaim>> current_;  // of the shards whose runs come
};

/// Gets the stored bytes of chunks that change in part; for the I/O lane. Complete chunks are not read, those that stay are kept as
/// they are.
class FetchExisting {
 public:
  FetchExisting(std::shared_ptr<const ZarrArray> array, std::shared_ptr<const WriteRuns> runs,
                ObjectOwnership ownership)
      : array_(std::move(array)), runs_(std::move(runs)), ownership_(ownership) {}
  ExistingRun operator()(ClaimedRun&& run, const Context& context) const;
  static std::uint64_t run_bytes(const ZarrLayout& layout, std::uint64_t chunks) {
    return BufferPool::charge(chunks * layout.codec().max_encoded_bytes());
  }

 private:
  void get_inner_chunks(ExistingRun& run, const std::vector<std::size_t>& wanted,
                        const Context& context) const;
  void get_chunks(ExistingRun& run, const std::vector<std::size_t>& wanted, const Context& context) const;

  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WriteRuns> runs_;
  ObjectOwnership ownership_;
};

/// Decodes what was there, and puts the caller's elements over it. Elements of a chunk outside of the array are fill.
class MergeRun {
 public:
  struct Local {
    std::unique_ptr<ZarrDecoder> decoder;
  };
  MergeRun(std::shared_ptr<const ZarrArray> array, std::shared_ptr<const WriteRuns> runs, ZarrOrigin origin)
      : array_(std::move(array)), runs_(std::move(runs)), origin_(std::move(origin)) {}
  std::unique_ptr<Local> make_local(const Scratch& scratch) const;
  MergedRun operator()(ExistingRun&& run, Local& local, const Context& context) const;

 private:
  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WriteRuns> runs_;
  ZarrOrigin origin_;
};

/// Encodes; chunks that are all fill (bit for bit) become empty, unless they are to be stored.
class EncodeRun {
 public:
  struct Local {
    std::unique_ptr<ZarrEncoder> encoder;
  };
  EncodeRun(std::shared_ptr<const ZarrArray> array, bool stores_empty_chunks)
      : array_(std::move(array)), stores_empty_chunks_(stores_empty_chunks) {}
  std::unique_ptr<Local> make_local(const Scratch& scratch) const;
  EncodedRun operator()(MergedRun&& run, Local& local, const Context& context) const;

 private:
  std::shared_ptr<const ZarrArray> array_;
  bool stores_empty_chunks_;
};

/// Stores chunks that are objects; in any order, on the I/O lane.
class StoreChunks {
 public:
  explicit StoreChunks(std::shared_ptr<const ZarrArray> array, std::shared_ptr<LostUpdates> lost = nullptr)
      : array_(std::move(array)), lost_(std::move(lost)) {}
  void operator()(const EncodedRun& run) const;

 private:
  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<LostUpdates> lost_;
};

/// Stores shards, chunk after chunk in their order, the index last; an ordered sink. A shard that has no chunk any more is erased; where it
/// replaces one version alone, it is stored with an index of no chunks, as erasing knows no conditions.
/// Of shards that go side by side each is one sink's; all of these sinks take all runs.
class StoreShards {
 public:
  StoreShards(std::shared_ptr<const ZarrArray> array, std::shared_ptr<const WriteRuns> runs,
              std::uint64_t stream = 0, std::shared_ptr<LostUpdates> lost = nullptr)
      : array_(std::move(array)), runs_(std::move(runs)), stream_(stream), lost_(std::move(lost)) {}
  void operator()(const EncodedRun& run);
  /// The index of the shard that is being written.
  static std::uint64_t standing_bytes(const ZarrLayout& layout) {
    return layout.index() ? layout.chunk_count() * sizeof(ShardEntry) + layout.index()->scratch_bytes() : 0;
  }

 private:
  void begin(const ObjectClaim& claim);
  void add(const EncodedRun& run);
  void finish(const ObjectClaim& claim);

  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WriteRuns> runs_;
  std::uint64_t stream_;
  std::shared_ptr<LostUpdates> lost_;
  std::unique_ptr<ObjectWriter> writer_;
  std::vector<ShardEntry> entries_;
  bool has_chunks_ = false;
};

}  // namespace weir
