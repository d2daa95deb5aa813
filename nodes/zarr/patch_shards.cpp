#include "nodes/zarr/patch_shards.hpp"

#include <algorithm>
#include <utility>

namespace weir {

void PatchShards::operator()(const EncodedRun& run) {
  const ObjectClaim& claim = *run.claimed.claims.front();
  if (claim.index == nullptr || !claim.index->is_there()) {
    whole_(run);
    return;
  }
  const ZarrLayout& layout = *array_->layout();
  if (runs_->is_first_of_object(run.claimed.run)) begin(claim);
  // Neighbours in the shard and in the data are one change.
  std::uint64_t from = 0, to = 0, bytes = 0;
  const auto change = [&] {
    if (bytes > 0) journal_->change(to, run.data.span().subspan(from, bytes));
    bytes = 0;
  };
  for (std::size_t i = 0; i < run.pieces.size(); ++i) {
    const ExistingRun::Piece& piece = run.pieces[i];
    const auto number = static_cast<std::uint32_t>(layout.number_in_object(run.claimed.chunks[i]));
    ShardEntry now;
    if (piece.fate == ChunkFate::made) now = {place(number, piece.bytes), piece.bytes};
    index_has_changed_ |= now != entries_[number];
    entries_[number] = now;
    if (now.is_empty()) continue;
    if (bytes > 0 && (to + bytes != now.offset || from + bytes != piece.offset)) change();
    if (bytes == 0) {
      from = piece.offset;
      to = now.offset;
    }
    bytes += piece.bytes;
  }
  change();
  if (runs_->is_last_of_object(run.claimed.run)) finish(claim);
}

void PatchShards::begin(const ObjectClaim& claim) {
  const ShardIndexCodec& index = *array_->layout()->index();
  entries_ = claim.index->entries;
  end_ = claim.index->object_bytes - (index.is_at_end() ? index.encoded_bytes() : 0);
  index_has_changed_ = false;
  slots_.reset();
  journal_.emplace(array_->store(), journal_key(array_->path(), claim.key), claim.key,
                   claim.index->object_bytes);
}

/// Where a chunk of so many bytes goes.
std::uint64_t PatchShards::place(std::uint32_t number, std::uint64_t bytes) {
  const ZarrLayout& layout = *array_->layout();
  const ShardEntry& old = entries_[number];
  if (!old.is_empty() && bytes <= old.bytes) return old.offset;
  if (layout.codec().is_fixed_size()) {
    // Sorting the chunks of a shard takes 3 ms for 32,768 of them: not before a chunk that was empty comes.
    if (!slots_)
      slots_.emplace(entries_, bytes, layout.index()->is_at_end() ? 0 : layout.index()->encoded_bytes(), end_,
                     shard_order(order_, layout.chunks_of_object()));
    if (const std::optional<std::uint64_t> slot = slots_->take(number)) return *slot;
  }
  return std::exchange(end_, end_ + bytes);
}

void PatchShards::finish(const ObjectClaim& claim) {
  const ShardIndexCodec& codec = *array_->layout()->index();
  ShardJournal journal = std::move(*journal_);
  journal_.reset();
  slots_.reset();
  ShardIndex index;
  {
    const ForgetIndex forget(array_->indexes(), claim.key);
    if (std::ranges::all_of(entries_, &ShardEntry::is_empty)) {
      array_->store().erase(claim.key);
      return;
    }
    index.object_bytes = end_ + (codec.is_at_end() ? codec.encoded_bytes() : 0);
    if (index_has_changed_) journal.change(codec.is_at_end() ? end_ : 0, codec.encode(entries_));
    index.version = journal.is_empty() ? claim.index->version : journal.commit();
  }
  index.entries = std::exchange(entries_, {});
  array_->indexes().replace(claim.key, std::make_shared<const ShardIndex>(std::move(index)));
}

std::uint64_t PatchShards::standing_bytes(const ZarrLayout& layout) {
  return StoreShards::standing_bytes(layout) + layout.chunk_count() * sizeof(ShardEntry) +
         DenseSlots::standing_bytes(layout.chunk_count()) + journal_buffer_bytes;
}

}  // namespace weir
