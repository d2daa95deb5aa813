#include "nodes/zarr/compact_shard.hpp"

#include <utility>

#include "nodes/zarr/shard_journal.hpp"

namespace weir {
namespace {

/// Chunks whose places are held at a time.
constexpr std::uint64_t chunks_at_once = 1024;

}  // namespace

CompactShard::CompactShard(std::shared_ptr<const ZarrArray> array, ShardOrder order,
                           std::shared_ptr<Compaction> done)
    : array_(std::move(array)),
      runs_(std::make_shared<const WriteRuns>(array_->layout(), all_of(*array_->layout()), order,
                                              chunks_at_once)),
      store_(array_, runs_),
      done_(std::move(done)) {}

std::uint64_t CompactShard::standing_bytes() const {
  const ZarrLayout& layout = *array_->layout();
  return array_->standing_bytes() + runs_->standing_bytes() + StoreShards::standing_bytes(layout) +
         layout.chunk_count() * sizeof(ShardEntry) + chunks_at_once * write_item_bytes(layout) +
         journal_buffer_bytes;
}

void CompactShard::operator()(const WriteRequest& request, const Context& context) {
  const ZarrLayout& layout = *array_->layout();
  const Store& store = array_->store();
  const std::uint64_t runs = runs_->count() / runs_->objects();
  auto claim = std::make_shared<ObjectClaim>();
  claim->key = array_->key(layout.object_of(runs_->chunks_of(request.run * runs).front()));
  if (!store.size(claim->key, context.stop())) return;  // most of a sparse array: no lock for these
  if (store.abilities().lock) claim->lock = store.lock(claim->key, context.stop());
  if (can_patch(store)) replay_journal(store, array_->path(), claim->key, context.stop());
  claim->index = array_->indexes().renew(store, claim->key, context.stop());
  if (!claim->index->is_there()) return;
  if (!store.abilities().lock && store.abilities().compare) claim->replaces = claim->index->version;
  std::uint64_t used = 0;
  for (const ShardEntry& entry : claim->index->entries) used += entry.is_empty() ? 0 : entry.bytes;
  // A shard without chunks is erased, where that is no other writer's loss.
  if (used > 0 || claim->replaces) used += layout.index()->encoded_bytes();
  const std::uint64_t bytes = claim->index->object_bytes;
  done_->shards += 1;
  done_->bytes += bytes;
  if (used == bytes) return;
  for (std::uint64_t run = request.run * runs; run < (request.run + 1) * runs; ++run) {
    EncodedRun kept{{run, runs_->chunks_of(run), {claim}}, {}, {}};
    for (const ZarrIndex& chunk : kept.claimed.chunks) {
      const ShardEntry& entry = claim->index->entries[layout.number_in_object(chunk)];
      if (entry.is_empty())
        kept.pieces.push_back({ChunkFate::empty, false, 0, 0});
      else
        kept.pieces.push_back({ChunkFate::kept, false, entry.offset, entry.bytes});
    }
    store_(kept);
  }
  if (claim->is_lost)
    return;  // replaced meanwhile: by one without unused room, as nobody writes in place there
  done_->rewritten += 1;
  done_->saved += bytes - used;
}

}  // namespace weir
