#include "nodes/zarr/chunk_pass.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "framework/error.hpp"
#include "framework/recording.hpp"
#include "nodes/zarr/raster_storage.hpp"
#include "nodes/zarr/read_runs.hpp"
#include "nodes/zarr/run_sizes.hpp"
#include "nodes/zarr/strided_copy.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

/// Objects that are being stored at once: making a file waits for its folder.
constexpr unsigned objects_at_once = 4;

/// Those codecs of a chain that decoding asks for something.
std::vector<const ZarrCodecSpec*> decoding_codecs(const std::vector<ZarrCodecSpec>& codecs) {
  std::vector<const ZarrCodecSpec*> found;
  for (const ZarrCodecSpec& codec : codecs) {
    const bool moves_nothing =
        codec.id == Id::transpose && std::is_sorted(codec.order.begin(), codec.order.end());
    if (!moves_nothing && codec.id != Id::bit_round) found.push_back(&codec);
  }
  return found;
}

bool decode_alike(const std::vector<ZarrCodecSpec>& some, const std::vector<ZarrCodecSpec>& others,
                  const ZarrType& type);

/// Whether the one decodes what the other has encoded.
bool decode_alike(const ZarrCodecSpec& one, const ZarrCodecSpec& other, const ZarrType& type) {
  if (one.id != other.id) return false;
  const auto element = [&](const ZarrCodecSpec& codec) {
    return codec.element_bytes != 0 ? codec.element_bytes : type.bytes;
  };
  switch (one.id) {
    case Id::bytes:
      return type.word_bytes() == 1 || one.big_endian == other.big_endian;
    case Id::sharding_indexed: {
      const ZarrSharding &a = *one.sharding, &b = *other.sharding;
      return a.chunk_shape == b.chunk_shape && a.index_at_end == b.index_at_end &&
             decode_alike(a.codecs, b.codecs, type) &&
             decode_alike(a.index_codecs, b.index_codecs, {ZarrType::Kind::unsigned_integer, 8});
    }
    case Id::shuffle:
      return element(one) == element(other);
    case Id::gzip:
    case Id::zlib:
    case Id::zstd:
    case Id::blosc:
    case Id::lz4:
    case Id::bz2:
    case Id::lzma:
      return true;  // what they have made says how
    default:
      return one == other;
  }
}

bool decode_alike(const std::vector<ZarrCodecSpec>& some, const std::vector<ZarrCodecSpec>& others,
                  const ZarrType& type) {
  return std::ranges::equal(
      decoding_codecs(some), decoding_codecs(others),
      [&](const ZarrCodecSpec* one, const ZarrCodecSpec* other) { return decode_alike(*one, *other, type); });
}

/// "bytes (big-endian), zstd".
std::string text_of(const std::vector<ZarrCodecSpec>& codecs, const ZarrType& type) {
  std::string text;
  for (const ZarrCodecSpec& codec : codecs) {
    text += (text.empty() ? "" : ", ") + std::string(name_of(codec.id));
    if (codec.id == Id::bytes && codec.big_endian && type.word_bytes() > 1) text += " (big-endian)";
    if (codec.id == Id::transpose) text += fmt::format(" ({})", fmt::join(codec.order, ", "));
  }
  return text;
}

std::string differs(std::string_view what, const std::vector<std::uint64_t>& is,
                    const std::vector<std::uint64_t>& wanted) {
  return fmt::format("{} {}, and {} is wanted", what, fmt::join(is, " x "), fmt::join(wanted, " x "));
}

bool has_elements(const ZarrLayout& layout) {
  return std::ranges::find(layout.shape(), 0u) == layout.shape().end();
}

bool is_inside(const ZarrLayout& layout, const ZarrIndex& chunk) {
  for (std::size_t axis = 0; axis < layout.rank(); ++axis)
    if (chunk[axis] > (layout.shape()[axis] - 1) / layout.chunk_shape()[axis]) return false;
  return true;
}

std::vector<std::byte> encoded_fill(const ZarrLayout& layout) {
  const ChunkCodec& codec = layout.codec();
  std::vector<std::byte> raw(codec.raw_bytes()), encoded(codec.max_encoded_bytes());
  fill_chunk(codec.layout(), raw, layout.fill());
  encoded.resize(codec.make_encoder({})->encode(raw, encoded));
  encoded.shrink_to_fit();
  return encoded;
}

/// The array as the nodes that store take it. It ends before the output is committed, and with it the store.
std::shared_ptr<const ZarrArray> opened(const NewZarr& target) {
  target.output->open();
  const std::shared_ptr<const Store> store(target.output, &target.output->store());
  const ZarrLayout& layout = *target.layout;
  require(*store, {.write = true, .patch = layout.index() && !layout.index()->is_at_end()});
  ZarrOpenOptions options;
  options.index_cache_bytes = 0;  // nobody reads it
  return std::make_shared<const ZarrArray>(store, joined_path(target.output->path(), target.path),
                                           target.metadata, options);
}

void commit(const NewZarr& target) {
  put_array(*target.output, target.path, target.metadata, target.dataset.get());
  target.output->commit();
}

std::uint64_t bytes_of(const EncodedRun& run) {
  std::uint64_t bytes = 0;
  for (const ExistingRun::Piece& piece : run.pieces) bytes += piece.fate == ChunkFate::made ? piece.bytes : 0;
  return bytes;
}

}  // namespace

std::string NewZarr::key(const ZarrIndex& object) const {
  return joined_path(joined_path(output->path(), path), layout->key(object));
}

const std::vector<ZarrCodecSpec>& chunk_codecs(const ZarrArrayMetadata& array, const ZarrLayout& layout) {
  return layout.index() ? array.sharding()->codecs : array.codecs;
}

std::string why_not_passed(const ZarrArray& source, const ZarrArrayMetadata& wanted,
                           const ZarrLayout& wanted_layout) {
  const ZarrLayout &from = *source.layout(), &to = wanted_layout;
  if (from.shape() != to.shape()) return differs("its shape is", from.shape(), to.shape());
  if (from.type() != to.type())
    return fmt::format("its elements are {}, and {} is wanted", name_of(from.type()), name_of(to.type()));
  if (from.chunk_shape() != to.chunk_shape())
    return differs("its chunks are", from.chunk_shape(), to.chunk_shape());
  const auto &has = chunk_codecs(source.metadata(), from), &wants = chunk_codecs(wanted, to);
  if (!decode_alike(has, wants, from.type()))
    return fmt::format("its codecs are {}, and {} is wanted", text_of(has, from.type()),
                       text_of(wants, from.type()));
  if (!std::ranges::equal(from.fill(), to.fill())) return "its fill value is another than is wanted";
  return "";
}

ChunkPass::ChunkPass(std::shared_ptr<const ZarrArray> source, NewZarr target, const ChunkPassOptions& options,
                     const GraphOptions& limits)
    : source_(std::move(source)), target_(std::move(target)) {
  const ZarrLayout &from = *source_->layout(), &to = *target_.layout;
  for (std::size_t axis = 0; axis < to.rank(); ++axis)
    chunks_ *= (to.shape()[axis] + to.chunk_shape()[axis] - 1) / to.chunk_shape()[axis];
  const bool is_undefined = target_.metadata.fill.empty() && !source_->metadata().fill.empty();
  if (options.stores_empty_chunks || is_undefined) fill_ = encoded_fill(to);

  std::uint64_t standing = standing_bytes();
  if (limits.recording != nullptr) standing += limits.recording->bytes();
  // item_bytes() and run_bytes() of a run, per chunk and beside.
  const std::uint64_t per_chunk = item_bytes() + from.codec().max_encoded_bytes() +
                                  (from.index() ? from.index()->encoded_bytes() / from.chunk_count() + 1 : 0);
  const RunSizes sizes =
      run_sizes(*source_, limits, per_chunk, 2 * BufferPool::charge(1) + fill_.size(), standing);
  chunks_per_run_ = to.index() ? std::min(sizes.run, to.chunk_count()) : sizes.run;
  // A shard that is fetched whole brings its index along.
  const std::uint64_t indexes =
      from.index() ? chunks_per_run_ / from.chunk_count() * from.index()->encoded_bytes() : 0;
  run_bytes_ = chunks_per_run_ * from.codec().max_encoded_bytes() + indexes + fill_.size();
  if (!has_elements(to)) return;
  if (to.index())
    shards_ = std::make_shared<const WriteRuns>(target_.layout, all_of(to), options.order, chunks_per_run_);
  else
    sources_.emplace(source_->layout(), all_of(to), chunks_per_run_);
}

std::uint64_t ChunkPass::runs() const {
  return shards_ ? shards_->count() : sources_ ? sources_->count() : 0;
}

std::uint64_t ChunkPass::item_bytes() const {
  // Of what leaves; and while it is made: places in the source, the order of its objects and their ranges.
  const std::uint64_t making = sizeof(StoredPiece) + 2 * sizeof(ZarrIndex) +
                               2 * target_.layout->rank() * sizeof(std::uint64_t) + 8 * sizeof(std::uint64_t);
  return chunks_per_run_ * (write_item_bytes(*target_.layout) + making);
}

std::uint64_t ChunkPass::standing_bytes() const {
  const ZarrLayout& layout = *target_.layout;
  return source_->standing_bytes() + target_.output->standing_bytes() + fill_.size() +
         (shards_ ? shards_->standing_bytes() : 0) + StoreShards::standing_bytes(layout) +
         2 * (layout.index() ? layout.chunk_count() * sizeof(ShardEntry) : 0) +  // ShardIndexes keeps two
         2 * target_.metadata.attributes.size() + (target_.dataset ? put_beside_bytes() : 0) +
         (layout.index() ? 1 : objects_at_once) * target_.output->writer_bytes();
}

/// Chunks of one object of the source, or objects of their own, behind what is there of `data`.
void ChunkPass::fetch(std::span<const ZarrIndex> chunks, std::span<StoredPiece> pieces, Buffer& data,
                      std::uint64_t& used, const Context& context) const {
  const ZarrLayout& layout = *source_->layout();
  const auto room = [&](std::uint64_t bytes) {
    if (data.size() == 0) data = context.buffer(run_bytes_);
    return data.span().subspan(used, bytes);
  };
  const bool is_whole = layout.index() && chunks.size() == layout.chunk_count();
  const std::uint64_t most = layout.codec().max_encoded_bytes();
  const std::uint64_t bytes =
      fetch_chunks(*source_, chunks, is_whole, pieces, chunks.size() * most, room, context.stop());
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    pieces[i].offset += used;
    if (pieces[i].is_there && layout.codec().is_fixed_size() && pieces[i].bytes != most)
      throw Error(
          "take", fmt::format("{} of {}", chunk_name(chunks[i]), source_->name()),
          fmt::format("it has {} bytes, and its codecs make {} of its elements", pieces[i].bytes, most));
  }
  used += bytes;
}

EncodedRun ChunkPass::operator()(const WriteRequest& request, const Context& context) const {
  const ZarrLayout &from = *source_->layout(), &to = *target_.layout;
  EncodedRun run;
  run.claimed.run = request.run;
  std::vector<ZarrIndex>& chunks = run.claimed.chunks;
  chunks = shards_ ? shards_->chunks_of(request.run) : sources_->chunks_of(request.run);

  // Those that lie in the array, by the object that they come from.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < chunks.size(); ++i)
    if (is_inside(to, chunks[i])) order.push_back(i);
  std::vector<ZarrIndex> wanted, objects;
  if (from.index()) {
    for (const ZarrIndex& chunk : chunks) objects.push_back(from.object_of(chunk));
    std::ranges::stable_sort(order, {}, [&](std::size_t i) -> const ZarrIndex& { return objects[i]; });
  }
  for (const std::size_t i : order) wanted.push_back(chunks[i]);
  std::vector<StoredPiece> pieces(wanted.size());
  std::uint64_t used = 0;
  for (std::size_t first = 0, end = 0; first < wanted.size(); first = end) {
    end = wanted.size();
    if (from.index())
      for (end = first + 1; end < wanted.size() && objects[order[end]] == objects[order[first]];) ++end;
    fetch(std::span(wanted).subspan(first, end - first), std::span(pieces).subspan(first, end - first),
          run.data, used, context);
  }

  std::uint64_t passed = 0;
  std::optional<std::uint64_t> fill_at;  // of all chunks that are not there
  run.pieces.assign(chunks.size(), {ChunkFate::empty, false, 0, 0});
  for (std::size_t i = 0; i < order.size(); ++i) {
    ExistingRun::Piece& piece = run.pieces[order[i]];
    if (pieces[i].is_there) {
      piece = {ChunkFate::made, false, pieces[i].offset, pieces[i].bytes};
      ++passed;
    } else if (!fill_.empty()) {
      if (!fill_at) {
        if (run.data.size() == 0) run.data = context.buffer(run_bytes_);
        std::ranges::copy(fill_, run.data.data() + used);
        fill_at = std::exchange(used, used + fill_.size());
      }
      piece = {ChunkFate::made, false, *fill_at, fill_.size()};
    }
  }
  passed_.fetch_add(passed, std::memory_order_relaxed);
  if (used > 0)
    run.data.resize(used);
  else
    run.data.reset();
  claim(run);
  return run;
}

/// Says which objects the chunks go to. Of chunks that are objects only those that are there go on: a new array has nothing to erase.
void ChunkPass::claim(EncodedRun& run) const {
  std::vector<std::shared_ptr<ObjectClaim>>& claims = run.claimed.claims;
  std::vector<ZarrIndex>& chunks = run.claimed.chunks;
  const auto add = [&](const ZarrIndex& object) {
    claims.push_back(std::make_shared<ObjectClaim>());
    claims.back()->key = target_.key(object);
  };
  if (shards_) return add(target_.layout->object_of(chunks.front()));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    if (run.pieces[i].fate == ChunkFate::empty) continue;
    add(chunks[i]);
    run.pieces[kept] = run.pieces[i];
    if (kept != i) chunks[kept] = std::move(chunks[i]);
    ++kept;
  }
  run.pieces.resize(kept);
  chunks.resize(kept);
}

// store --------------------------------------------------------------------------------------------------------------

void StorePassedChunks::open() {
  array_ = opened(target_);
}
void StorePassedChunks::operator()(const EncodedRun& run) const {
  StoreChunks{array_}(run);
  stored_->fetch_add(bytes_of(run), std::memory_order_relaxed);
}
void StorePassedChunks::close() {
  array_.reset();
  commit(target_);
}

void StorePassedShards::open() {
  array_ = opened(target_);
  store_.emplace(array_, runs_);
}
void StorePassedShards::operator()(const EncodedRun& run) {
  (*store_)(run);
  std::uint64_t bytes = bytes_of(run);
  has_chunks_ |= bytes > 0;
  if (runs_->is_last_of_object(run.claimed.run) && std::exchange(has_chunks_, false))
    bytes += target_.layout->index()->encoded_bytes();
  stored_->fetch_add(bytes, std::memory_order_relaxed);
}
void StorePassedShards::close() {
  store_.reset();
  array_.reset();
  commit(target_);
}

void add_chunk_pass(Graph& graph, const std::shared_ptr<const ChunkPass>& pass,
                    const std::shared_ptr<std::atomic<std::uint64_t>>& stored) {
  const ZarrLayout& layout = *pass->target().layout;
  auto requests = graph.source<WriteRequest>(
      "plan", [](std::uint64_t unit, Emit<WriteRequest>& emit) { emit(WriteRequest{unit}); },
      {.concurrency = 1, .units = pass->runs(), .standing_bytes = pass->standing_bytes()});
  NodeOptions fetching{.lane = Lane::io,
                       .item_bytes = pass->item_bytes(),
                       .buffer_bytes = pass->run_charge(),
                       .is_input = true};
  if (const unsigned at_once = pass->requests_at_once(); at_once > 0) fetching.concurrency = at_once;
  auto fetched = graph.transform<EncodedRun>(
      "fetch", requests,
      [pass](const WriteRequest& request, const Context& context) { return (*pass)(request, context); },
      std::move(fetching));
  if (layout.index())
    graph.ordered_sink("store", fetched, StorePassedShards(pass->target(), pass->shards(), stored));
  else
    graph.sink("store", fetched, StorePassedChunks(pass->target(), stored),
               {.concurrency = objects_at_once, .lane = Lane::io});
}

std::string explain(const ChunkPass& pass) {
  return fmt::format("chunks      up to {} pass through as they are stored, in runs of up to {}\n",
                     pass.chunks(), pass.chunks_per_run());
}

}  // namespace weir
