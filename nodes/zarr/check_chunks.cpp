#include "nodes/zarr/check_chunks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/stored_chunks.hpp"

namespace weir {
namespace {

constexpr ZarrKeys encodings[] = {{true, '/'}, {true, '.'}, {false, '/'}, {false, '.'}};

/// Objects that are asked for where they are not listed: at 100 requests a second three hours.
constexpr std::uint64_t most_asked = 1 << 20;

void stop_here(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Error::cancelled();
}

}  // namespace

ChunkCheck::ChunkCheck(std::shared_ptr<const ZarrArray> array, std::string where, FileCheck& check)
    : array_(std::move(array)), where_(std::move(where)), check_(check) {}

std::uint64_t ChunkCheck::count(std::size_t axis) const {
  const ZarrLayout& layout = *array_->layout();
  const std::uint64_t size = layout.object_shape()[axis], extent = layout.shape()[axis];
  return extent / size + (extent % size != 0 ? 1 : 0);
}

std::uint64_t ChunkCheck::objects() const {
  std::uint64_t objects = 1;  // the bytes of all elements can be counted, and so can these
  for (std::size_t axis = 0; axis < array_->layout()->rank(); ++axis) objects *= count(axis);
  return objects;
}

/// "c/1/2": just as the array would write it.
std::optional<ZarrIndex> ChunkCheck::chunk_of(std::string_view name, const ZarrKeys& keys) const {
  ZarrIndex chunk(array_->layout()->rank());
  const char *at = name.data(), *end = at + name.size();
  if (keys.has_prefix && at < end) ++at;
  for (std::uint64_t& number : chunk) {
    if (at < end && *at == keys.separator) ++at;
    at = std::from_chars(at, end, number).ptr;
  }
  if (keys.key(chunk) != name) return std::nullopt;
  return chunk;
}

void ChunkCheck::error(std::string_view name, const std::string& item, const std::string& text) {
  check_.error_of_item(name, where_, [&](FileProblem& problem) {
    problem.item = item;
    problem.text = text;
  });
}

void ChunkCheck::see(std::string_view name, std::uint64_t bytes) {
  const ZarrLayout& layout = *array_->layout();
  const std::string item(name);
  const std::optional<ZarrIndex> chunk = chunk_of(name, array_->metadata().keys);
  if (!chunk) {
    for (const ZarrKeys& keys : encodings)
      if (chunk_of(name, keys) && layout.rank() > 0)
        return error("chunk-name", item, "chunks of this array are called otherwise, and nobody finds it");
    check_.add({FileProblem::Severity::warning, "stray-object", where_, item,
                "it is neither a chunk nor metadata", 0});
    return;
  }
  std::uint64_t number = 0;
  for (std::size_t axis = 0; axis < layout.rank(); ++axis) {
    if ((*chunk)[axis] >= count(axis)) {
      check_.add({FileProblem::Severity::warning, "chunk-outside", where_, item,
                  fmt::format("along axis {} there are {} of them", axis, count(axis)), 0});
      return;
    }
    number = number * count(axis) + (*chunk)[axis];
  }
  if (layout.index() &&
      bytes < layout.index()->encoded_bytes()) {  // which may be large: no memory is taken for it
    ++broken_;
    return error("shard-index", item,
                 fmt::format("the object has {} bytes, and the index alone {}", bytes,
                             layout.index()->encoded_bytes()));
  }
  seen_.push_back(number);
  if (layout.index()) return;
  const std::uint64_t most = layout.codec().max_encoded_bytes();
  if (layout.codec().is_fixed_size() && bytes != most)
    error("chunk-size", item, fmt::format("it has {} bytes, and its elements take {}", bytes, most));
  else if (bytes > most)
    error("chunk-size", item,
          fmt::format("it has {} bytes, and {} is the most that its codecs make of a chunk", bytes, most));
}

void ChunkCheck::look_into(bool decode, bool all, const std::stop_token& stop) {
  const ZarrLayout& layout = *array_->layout();
  const bool is_raw = layout.codec().is_raw() && !layout.index();  // there is nothing more than sizes
  if (!decode && !layout.index()) return;
  if (is_raw && !all) return;
  std::ranges::sort(seen_);  // neighbours lie near each other
  if (all && objects() > most_asked) {
    check_.note(
        fmt::format("{} chunks were not asked for one by one, as the store does not list them", objects()));
    return;
  }
  const std::uint64_t objects = all ? this->objects() : seen_.size();
  for (std::uint64_t i = 0; i < objects; ++i) {
    stop_here(stop);
    std::uint64_t number = all ? i : seen_[i];
    ZarrIndex object(layout.rank());
    for (std::size_t axis = layout.rank(); axis-- > 0; number /= count(axis))
      object[axis] = number % count(axis);
    look_into(object, decode, stop);
  }
}

void ChunkCheck::look_into(const ZarrIndex& object, bool decode, const std::stop_token& stop) {
  const ZarrLayout& layout = *array_->layout();
  const std::string item = layout.key(object);
  if (!layout.index()) return this->decode(object, {object}, stop);
  std::shared_ptr<const ShardIndex> index;
  try {
    index = array_->indexes().get(array_->store(), array_->key(object), stop);
  } catch (const Error& failure) {
    if (failure.kind() == ErrorKind::cancelled) throw;
    return error("shard-index", item, failure.reason());
  }
  if (!index->is_there()) return;  // gone since it was listed
  std::vector<ZarrIndex> chunks;
  for (std::uint64_t number = 0; number < layout.chunk_count(); ++number) {
    ZarrIndex chunk(layout.rank());
    std::uint64_t rest = number;
    bool is_inside = true;
    for (std::size_t axis = layout.rank(); axis-- > 0; rest /= layout.chunks_of_object()[axis]) {
      chunk[axis] = object[axis] * layout.chunks_of_object()[axis] + rest % layout.chunks_of_object()[axis];
      is_inside &= chunk[axis] <= (layout.shape()[axis] - 1) / layout.chunk_shape()[axis];
    }
    const ShardEntry& entry = index->entries[number];
    if (!is_inside || entry.is_empty()) continue;
    if (layout.codec().is_fixed_size() && entry.bytes != layout.codec().max_encoded_bytes())
      error("chunk-size", fmt::format("{}, {}", item, chunk_name(chunk)),
            fmt::format("it has {} bytes, and its elements take {}", entry.bytes,
                        layout.codec().max_encoded_bytes()));
    else if (decode)
      chunks.push_back(std::move(chunk));
  }
  this->decode(object, chunks, stop);
}

void ChunkCheck::decode(const ZarrIndex& object, const std::vector<ZarrIndex>& chunks,
                        const std::stop_token& stop) {
  const ZarrLayout& layout = *array_->layout();
  const ChunkCodec& codec = layout.codec();
  const std::string key = layout.key(object);
  for (const ZarrIndex& chunk : chunks) {
    stop_here(stop);
    const std::string item = layout.index() ? fmt::format("{}, {}", key, chunk_name(chunk)) : key;
    try {
      if (!stored_) {
        stored_ = std::make_unique_for_overwrite<std::byte[]>(codec.max_encoded_bytes());
        raw_ = std::make_unique_for_overwrite<std::byte[]>(codec.raw_bytes());
        decoder_ = codec.make_decoder({});
      }
      StoredPiece piece;
      const auto room = [&](std::uint64_t bytes) { return std::span(stored_.get(), bytes); };
      fetch_chunks(*array_, {&chunk, 1}, false, {&piece, 1}, codec.max_encoded_bytes(), room, stop);
      if (!piece.is_there) continue;
      const std::span<const std::byte> stored(stored_.get() + piece.offset, piece.bytes);
      if (codec.is_raw())
        check_raw_chunk(*array_, chunk, stored);
      else
        decoder_->decode(stored, std::span(raw_.get(), codec.raw_bytes()));
    } catch (const Error& failure) {
      if (failure.kind() == ErrorKind::cancelled) throw;
      error("chunk-decode", item, failure.reason());
    } catch (const std::bad_alloc&) {
      stored_.reset();
      error("chunk-decode", item, "there is not enough memory for it");
    }
  }
}

}  // namespace weir
