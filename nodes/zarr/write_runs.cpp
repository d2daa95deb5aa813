#include "nodes/zarr/write_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/shard_journal.hpp"
#include "nodes/zarr/stored_chunks.hpp"
#include "nodes/zarr/strided_copy.hpp"

namespace weir {
std::string item_name(const ClaimedRun& run) {
  return run.chunks.empty() ? fmt::format("run {}", run.run) : chunk_name(run.chunks.front());
}

// Planning -----------------------------------------------------------------------------------------------------------

WriteRuns::WriteRuns(std::shared_ptr<const ZarrLayout> layout, ZarrSelection selection, ShardOrder order,
                     std::uint64_t chunks_per_run, ZarrUpdate update, std::uint64_t shards_at_once)
    : layout_(std::move(layout)),
      selection_(std::move(selection)),
      chunks_per_run_(std::max<std::uint64_t>(chunks_per_run, 1)),
      shards_at_once_(std::max<std::uint64_t>(shards_at_once, 1)) {
  assert(shards_at_once_ == 1 || (layout_->index() && update == ZarrUpdate::copy_on_write));
  for (std::size_t axis = 0; axis < layout_->rank(); ++axis) {
    walks_.emplace_back(selection_[axis], layout_->object_shape()[axis]);
    objects_ *= walks_.back().count();
  }
  if (layout_->index() && update == ZarrUpdate::in_place) {
    touched_.emplace(layout_, selection_, chunks_per_run_);
    runs_per_object_ = touched_->runs_per_object();
  } else if (layout_->index()) {
    order_ = shard_order(order, layout_->chunks_of_object());
    runs_per_object_ = (layout_->chunk_count() + chunks_per_run_ - 1) / chunks_per_run_;
  }
}

std::uint64_t WriteRuns::count() const {
  return layout_->index() ? objects_ * runs_per_object_ : (objects_ + chunks_per_run_ - 1) / chunks_per_run_;
}

/// Shards in groups of shards_at_once_, of which the last may have fewer; in each run 0 of every shard, run 1 of every shard ...
WriteRuns::Place WriteRuns::place_of(std::uint64_t run) const {
  const std::uint64_t first = run / (shards_at_once_ * runs_per_object_) * shards_at_once_;
  const std::uint64_t shards = std::min(shards_at_once_, objects_ - first);
  const std::uint64_t at = run - first * runs_per_object_;
  return {first + at % shards, at / shards};
}

ZarrIndex WriteRuns::nth_object(std::uint64_t number) const {
  ZarrIndex object(layout_->rank());
  for (std::size_t axis = layout_->rank(); axis-- > 0;) {
    const std::uint64_t pieces = walks_[axis].count();
    assert(pieces > 0);
    object[axis] = walks_[axis].piece(number % pieces);
    number /= pieces;
  }
  return object;
}

std::vector<ZarrIndex> WriteRuns::chunks_of(std::uint64_t run) const {
  if (touched_) return touched_->chunks_of(run);
  std::vector<ZarrIndex> chunks;
  if (!layout_->index()) {
    const std::uint64_t first = run * chunks_per_run_, end = std::min(first + chunks_per_run_, objects_);
    for (std::uint64_t i = first; i < end; ++i) chunks.push_back(nth_object(i));
    return chunks;
  }
  const Place place = place_of(run);
  const ZarrIndex object = nth_object(place.object);
  const std::uint64_t first = place.run * chunks_per_run_;
  const std::uint64_t end = std::min(first + chunks_per_run_, layout_->chunk_count());
  const std::vector<std::uint64_t>& counts = layout_->chunks_of_object();
  for (std::uint64_t i = first; i < end; ++i) {
    ZarrIndex chunk(layout_->rank());
    std::uint64_t number = order_[i];
    for (std::size_t axis = layout_->rank(); axis-- > 0;) {
      chunk[axis] = object[axis] * counts[axis] + number % counts[axis];
      number /= counts[axis];
    }
    chunks.push_back(std::move(chunk));
  }
  return chunks;
}

bool WriteRuns::touches(const ZarrIndex& chunk) const {
  for (std::size_t axis = 0; axis < layout_->rank(); ++axis)
    if (AxisWalk(selection_[axis], layout_->chunk_shape()[axis]).elements(chunk[axis]).count == 0)
      return false;
  return true;
}

bool WriteRuns::overwrites(const ZarrIndex& object) const {
  for (std::size_t axis = 0; axis < layout_->rank(); ++axis) {
    const std::uint64_t extent = layout_->object_shape()[axis], corner = object[axis] * extent;
    if (walks_[axis].elements(object[axis]).count < std::min(extent, layout_->shape()[axis] - corner))
      return false;
  }
  return true;
}

// claim --------------------------------------------------------------------------------------------------------------

std::shared_ptr<ObjectClaim> ClaimRun::claim(const ZarrIndex& object, const std::stop_token& stop) const {
  auto claim = std::make_shared<ObjectClaim>();
  claim->key = array_->key(object);
  if (ownership_ == ObjectOwnership::locked) claim->lock = array_->store().lock(claim->key, stop);
  if (!array_->layout()->index()) return claim;
  const Store& store = array_->store();
  if (can_patch(store) && replay_journal(store, array_->path(), claim->key, stop))
    array_->indexes().forget(claim->key);
  if (runs_->overwrites(object)) return claim;
  claim->index = array_->indexes().renew(store, claim->key, stop);
  if (ownership_ == ObjectOwnership::compared) claim->replaces = claim->index->version;
  return claim;
}

ClaimedRun ClaimRun::operator()(const WriteRequest& request, const Context& context) {
  ClaimedRun claimed{request.run, runs_->chunks_of(request.run), {}};
  const ZarrLayout& layout = *array_->layout();
  if (!layout.index()) {
    for (const ZarrIndex& chunk : claimed.chunks) claimed.claims.push_back(claim(chunk, context.stop()));
    return claimed;
  }
  std::shared_ptr<ObjectClaim>& current = current_[runs_->stream_of(request.run)];
  if (runs_->is_first_of_object(request.run))
    current = claim(layout.object_of(claimed.chunks.front()), context.stop());
  claimed.claims.push_back(current);
  if (runs_->is_last_of_object(request.run)) current.reset();
  return claimed;
}

// fetch --------------------------------------------------------------------------------------------------------------

ExistingRun FetchExisting::operator()(ClaimedRun&& run, const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  ExistingRun existing{std::move(run), {}, {}};
  const std::vector<ZarrIndex>& chunks = existing.claimed.chunks;
  existing.pieces.resize(chunks.size());
  if (layout.index() && existing.claimed.claims.front()->is_lost) {
    existing.pieces.assign(chunks.size(), {ChunkFate::empty, false, 0, 0});
    return existing;
  }
  const std::uint64_t most = layout.codec().max_encoded_bytes();
  std::vector<std::size_t> wanted;  // chunks whose old elements are needed
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    ExistingRun::Piece& piece = existing.pieces[i];
    const bool is_touched = runs_->touches(chunks[i]);
    const bool is_whole = is_touched && part_of(layout, runs_->selection(), chunks[i]).is_whole;
    if (is_whole) continue;
    if (!layout.index()) {
      wanted.push_back(i);
      bytes += most;
      continue;
    }
    const ObjectClaim& claim = *existing.claimed.claims.front();
    const ShardEntry entry = claim.index && claim.index->is_there()
                                 ? claim.index->entries[layout.number_in_object(chunks[i])]
                                 : ShardEntry{};
    if (!is_touched) {
      piece.fate = entry.is_empty() ? ChunkFate::empty : ChunkFate::kept;
      piece.offset = entry.offset;
      piece.bytes = entry.bytes;
    } else if (!entry.is_empty()) {
      piece = {ChunkFate::made, true, bytes, entry.bytes};
      bytes += entry.bytes;
      wanted.push_back(i);
    }
  }
  if (wanted.empty()) return existing;
  existing.data = context.buffer(bytes);
  if (layout.index())
    get_inner_chunks(existing, wanted, context);
  else
    get_chunks(existing, wanted, context);
  return existing;
}

void FetchExisting::get_inner_chunks(ExistingRun& existing, const std::vector<std::size_t>& wanted,
                                     const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  const Store& store = array_->store();
  ObjectClaim& claim = *existing.claimed.claims.front();
  std::vector<ObjectRange> ranges;
  for (const std::size_t i : wanted) {
    const ExistingRun::Piece& piece = existing.pieces[i];
    ranges.push_back({claim.index->entries[layout.number_in_object(existing.claimed.chunks[i])].offset,
                      existing.data.span().subspan(piece.offset, piece.bytes)});
  }
  ObjectVersion version;
  std::string reason;
  try {
    if (store.get_ranges(claim.key, ranges, context.stop(), &version) && version == claim.index->version)
      return;
    reason = "it was replaced since its index was read, by one who holds no lock of it";
  } catch (const Error& error) {  // also: what is there now is shorter
    if (!claim.replaces || error.kind() != ErrorKind::failed) throw;
    ObjectVersion now;
    std::byte one{};
    if (store.get(claim.key, {&one, 1}, context.stop(), &now) && now == claim.index->version) throw;
  }
  if (!claim.replaces) throw Error("update", fmt::format("{}: {}", store.name(), claim.key), reason);
  claim.is_lost = true;
  existing.pieces.assign(existing.pieces.size(), {ChunkFate::empty, false, 0, 0});
}

void FetchExisting::get_chunks(ExistingRun& existing, const std::vector<std::size_t>& wanted,
                               const Context& context) const {
  const std::uint64_t most = array_->layout()->codec().max_encoded_bytes();
  const Store& store = array_->store();
  std::uint64_t at = 0;
  for (const std::size_t i : wanted) {
    ObjectClaim& claim = *existing.claimed.claims[i];
    const std::string& key = claim.key;
    ObjectVersion version;
    const auto size = store.get(key, existing.data.span().subspan(at, most), context.stop(), &version);
    if (ownership_ == ObjectOwnership::compared) claim.replaces = version;
    if (!size) continue;
    if (*size > most)
      throw Error(
          "read", fmt::format("{}: {}", store.name(), key),
          fmt::format("it has {} bytes, and {} is the most that its codecs make of a chunk", *size, most));
    existing.pieces[i] = {ChunkFate::made, true, at, *size};
    at += *size;
  }
}

// merge --------------------------------------------------------------------------------------------------------------

std::unique_ptr<MergeRun::Local> MergeRun::make_local(const Scratch& scratch) const {
  return std::make_unique<Local>(
      Local{array_->layout()->codec().make_decoder(scratch, array_->options().check_sums)});
}

MergedRun MergeRun::operator()(ExistingRun&& run, Local& local, const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  const ChunkCodec& codec = layout.codec();
  MergedRun merged{std::move(run.claimed), std::move(run.pieces), {}};
  const auto made = static_cast<std::uint64_t>(
      std::ranges::count(merged.pieces, ChunkFate::made, &ExistingRun::Piece::fate));
  if (made == 0) return merged;
  merged.raw = context.buffer(made * codec.raw_bytes());
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < merged.pieces.size(); ++i) {
    ExistingRun::Piece& piece = merged.pieces[i];
    if (piece.fate != ChunkFate::made) continue;
    const ZarrIndex& chunk = merged.claimed.chunks[i];
    const std::span<std::byte> raw = merged.raw.span().subspan(at, codec.raw_bytes());
    const ChunkPart part = part_of(layout, runs_->selection(), chunk);
    if (piece.has_old) {
      decode_chunk(*array_, chunk, *local.decoder, run.data.span().subspan(piece.offset, piece.bytes), raw);
    } else if (!part.covers_chunk) {
      fill_chunk(codec.layout(), raw, layout.fill());
    }
    gather_box(codec.layout(), layout.chunk_shape(), raw, {part.begin, part.shape, part.step},
               origin_.data + part.offset(origin_.strides), origin_.strides);
    piece.offset = at;
    piece.bytes = codec.raw_bytes();
    at += codec.raw_bytes();
  }
  return merged;
}

// encode -------------------------------------------------------------------------------------------------------------

std::unique_ptr<EncodeRun::Local> EncodeRun::make_local(const Scratch& scratch) const {
  return std::make_unique<Local>(Local{array_->layout()->codec().make_encoder(scratch)});
}

EncodedRun EncodeRun::operator()(MergedRun&& run, Local& local, const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  const ChunkCodec& codec = layout.codec();
  EncodedRun encoded{std::move(run.claimed), std::move(run.pieces), {}};
  std::uint64_t room = 0;
  for (std::size_t i = 0; i < encoded.pieces.size(); ++i) {
    ExistingRun::Piece& piece = encoded.pieces[i];
    if (piece.fate != ChunkFate::made) continue;
    const auto raw = run.raw.span().subspan(piece.offset, piece.bytes);
    // An object that replaces one version alone is not erased: that knows no conditions.
    const bool stays = stores_empty_chunks_ || (!layout.index() && encoded.claimed.claims[i]->replaces &&
                                                encoded.claimed.claims[i]->replaces->is_known());
    if (!stays && is_all_fill(codec.layout(), raw, layout.fill()))
      piece.fate = ChunkFate::empty;
    else
      room += codec.max_encoded_bytes();
  }
  if (room == 0) return encoded;
  if (codec.is_raw()) {  // its elements are what is stored
    encoded.data = std::move(run.raw);
    return encoded;
  }
  encoded.data = context.buffer(room);
  std::uint64_t at = 0;
  for (ExistingRun::Piece& piece : encoded.pieces) {
    if (piece.fate != ChunkFate::made) continue;
    const auto raw = run.raw.span().subspan(piece.offset, piece.bytes);
    piece.bytes = local.encoder->encode(raw, encoded.data.span().subspan(at, codec.max_encoded_bytes()));
    piece.offset = at;
    at += piece.bytes;
  }
  encoded.data.resize(at);
  return encoded;
}

// store --------------------------------------------------------------------------------------------------------------

void StoreChunks::operator()(const EncodedRun& run) const {
  for (std::size_t i = 0; i < run.pieces.size(); ++i) {
    const ExistingRun::Piece& piece = run.pieces[i];
    const ObjectClaim& claim = *run.claimed.claims[i];
    // Of an empty piece there are no bytes: its place is that of its elements, which are gone.
    const auto bytes = [&] { return run.data.span().subspan(piece.offset, piece.bytes); };
    if (claim.replaces && piece.fate == ChunkFate::empty)
      continue;  // there was none, and there is none to make
    if (claim.replaces) {
      try {
        array_->store().replace(claim.key, *claim.replaces, bytes());
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::outdated) throw;
        lost_->add({run.claimed.chunks[i], *claim.replaces});
      }
    } else if (piece.fate == ChunkFate::empty) {
      array_->store().erase(claim.key);
    } else {
      array_->store().put(claim.key, bytes());
    }
  }
}

void StoreShards::operator()(const EncodedRun& run) {
  if (runs_->stream_of(run.claimed.run) != stream_) return;
  const std::uint64_t number = run.claimed.run;
  ObjectClaim& claim = *run.claimed.claims.front();
  if (!claim.is_lost) {
    try {
      if (runs_->is_first_of_object(number)) begin(claim);
      add(run);
      if (runs_->is_last_of_object(number) && !claim.is_lost) finish(claim);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::outdated) throw;
      claim.is_lost = true;
    }
  }
  if (!claim.is_lost) return;
  writer_.reset();
  if (!runs_->is_last_of_object(number)) return;
  array_->indexes().forget(claim.key);
  if (lost_) lost_->add({array_->layout()->object_of(run.claimed.chunks.front()), *claim.replaces});
}

void StoreShards::begin(const ObjectClaim& claim) {
  const ZarrLayout& layout = *array_->layout();
  const Store& store = array_->store();
  entries_.assign(layout.chunk_count(), {});
  has_chunks_ = false;
  writer_ = claim.replaces ? store.replacer(claim.key, *claim.replaces) : store.writer(claim.key);
  if (!layout.index()->is_at_end()) writer_->append(std::vector<std::byte>(layout.index()->encoded_bytes()));
}

void StoreShards::add(const EncodedRun& run) {
  const ZarrLayout& layout = *array_->layout();
  // Neighbours in the old object, and in the data, go in one call.
  for (std::size_t i = 0; i < run.pieces.size();) {
    const ExistingRun::Piece& first = run.pieces[i];
    if (first.fate == ChunkFate::empty) {
      ++i;
      continue;
    }
    const std::uint64_t at = writer_->size();
    std::uint64_t bytes = 0;
    for (; i < run.pieces.size() && run.pieces[i].fate == first.fate &&
           run.pieces[i].offset == first.offset + bytes;
         ++i) {
      entries_[layout.number_in_object(run.claimed.chunks[i])] = {at + bytes, run.pieces[i].bytes};
      bytes += run.pieces[i].bytes;
    }
    has_chunks_ = true;
    if (first.fate == ChunkFate::kept)
      writer_->copy(first.offset, bytes);
    else
      writer_->append(run.data.span().subspan(first.offset, bytes));
  }
}

void StoreShards::finish(const ObjectClaim& claim) {
  const ZarrLayout& layout = *array_->layout();
  ShardIndex index;
  {
    const ForgetIndex forget(array_->indexes(), claim.key);
    const bool has_none = claim.replaces && !claim.replaces->is_known();  // and stays so
    if (!has_chunks_ && (!claim.replaces || has_none)) {
      writer_.reset();
      if (!has_none) array_->store().erase(claim.key);
      return;
    }
    const std::vector<std::byte> encoded = layout.index()->encode(entries_);
    if (layout.index()->is_at_end())
      writer_->append(encoded);
    else
      writer_->patch(0, encoded);
    index.object_bytes = writer_->size();
    index.version = writer_->commit();
    writer_.reset();
  }
  index.entries = std::exchange(entries_, {});
  array_->indexes().replace(claim.key, std::make_shared<const ShardIndex>(std::move(index)));
}

}  // namespace weir
