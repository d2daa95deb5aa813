#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/store.hpp"
#include "nodes/zarr/chunk_codec.hpp"
#include "nodes/zarr/chunk_runs.hpp"
#include "nodes/zarr/shard_index.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

// The plain pipeline, batch by batch: get all, decode all, scatter all; element by element, everything in memory. What the graphs must
// agree with. It shares the codecs of a chunk with them, and nothing else: shards, their nesting, edges, fill and strides are its own.

namespace weir::batched {

using Index = std::vector<std::uint64_t>;

inline std::uint64_t product(const Index& shape) {
  std::uint64_t all = 1;
  for (const std::uint64_t extent : shape) all *= extent;
  return all;
}
/// Calls with every index below a shape, row-major.
inline void each_index(const Index& shape, const std::function<void(const Index&)>& each) {
  Index at(shape.size());
  for (std::uint64_t i = 0; i < product(shape); ++i) {
    std::uint64_t rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) at[axis] = rest % shape[axis];
    each(at);
  }
}
inline std::uint64_t offset_of(const Index& at, const Index& shape) {
  std::uint64_t offset = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) offset = offset * shape[axis] + at[axis];
  return offset;
}

/// Row-major elements in the machine's byte order.
using Elements = std::vector<std::byte>;

class Chunks {
 public:
  Chunks(const ZarrArrayMetadata& array, bool keeps_empty) : type_(array.type), keeps_empty_(keeps_empty) {
    fill_ = array.fill.empty() ? std::vector<std::byte>(type_.bytes) : array.fill;
  }

  Elements all_fill(const Index& shape) const {
    Elements elements;
    for (std::uint64_t i = 0; i < product(shape); ++i)
      elements.insert(elements.end(), fill_.begin(), fill_.end());
    return elements;
  }

  Elements decode(const std::vector<ZarrCodecSpec>& codecs, const Index& shape,
                  std::span<const std::byte> encoded) const {
    if (const ZarrSharding* sharding = sharding_of(codecs)) {
      Elements elements = all_fill(shape);
      const Index counts = counts_of(shape, *sharding);
      const std::uint64_t inner = product(counts);
      const std::uint64_t index_bytes = inner * 16 + (sharding->index_codecs.size() - 1) * 4;
      const std::byte* words = encoded.data() + (sharding->index_at_end ? encoded.size() - index_bytes : 0);
      each_index(counts, [&](const Index& chunk) {
        std::uint64_t entry[2];
        std::memcpy(entry, words + offset_of(chunk, counts) * 16, 16);
        if (sharding->index_codecs.front().big_endian)
          for (std::uint64_t& word : entry) word = __builtin_bswap64(word);
        if (entry[0] == ~0ull) return;
        place(elements, shape, chunk,
              decode(sharding->codecs, sharding->chunk_shape, encoded.subspan(entry[0], entry[1])),
              sharding->chunk_shape);
      });
      return elements;
    }
    const ChunkCodec codec(codecs, type_, shape);
    std::vector<std::byte> raw(codec.raw_bytes());
    codec.make_decoder({})->decode(encoded, raw);
    Elements elements(raw.size());
    each_stored(codec.layout(), shape, [&](std::uint64_t stored, std::uint64_t plain) {
      take(codec.layout(), raw.data() + stored, elements.data() + plain);
    });
    return elements;
  }

  std::vector<std::byte> encode(const std::vector<ZarrCodecSpec>& codecs, const Index& shape,
                                const Elements& elements) const {
    if (const ZarrSharding* sharding = sharding_of(codecs)) {
      const Index counts = counts_of(shape, *sharding);
      std::vector<ShardEntry> entries(product(counts));
      const ShardIndexCodec index(*sharding, entries.size());
      std::vector<std::byte> object(sharding->index_at_end ? 0 : index.encoded_bytes());
      for (const std::uint32_t number : shard_order(ShardOrder::morton, counts)) {
        Index chunk(counts.size());
        std::uint64_t rest = number;
        for (std::size_t axis = counts.size(); axis-- > 0; rest /= counts[axis])
          chunk[axis] = rest % counts[axis];
        const Elements part = cut(elements, shape, chunk, sharding->chunk_shape);
        if (!keeps_empty_ && is_fill(part)) continue;
        const std::vector<std::byte> encoded = encode(sharding->codecs, sharding->chunk_shape, part);
        entries[number] = {object.size(), encoded.size()};
        object.insert(object.end(), encoded.begin(), encoded.end());
      }
      const std::vector<std::byte> words = index.encode(entries);
      if (sharding->index_at_end)
        object.insert(object.end(), words.begin(), words.end());
      else
        std::copy(words.begin(), words.end(), object.begin());
      return object;
    }
    const ChunkCodec codec(codecs, type_, shape);
    std::vector<std::byte> raw(codec.raw_bytes()), encoded(codec.max_encoded_bytes());
    each_stored(codec.layout(), shape, [&](std::uint64_t stored, std::uint64_t plain) {
      take(codec.layout(), elements.data() + plain, raw.data() + stored);
    });
    encoded.resize(codec.make_encoder({})->encode(raw, encoded));
    return encoded;
  }

  bool is_fill(const Elements& elements) const {
    for (std::size_t i = 0; i < elements.size(); i += fill_.size())
      if (std::memcmp(elements.data() + i, fill_.data(), fill_.size()) != 0) return false;
    return true;
  }
  /// Puts an inner chunk where it belongs, the part that lies inside.
  void place(Elements& into, const Index& shape, const Index& chunk, const Elements& part,
             const Index& part_shape) const {
    each_pair(shape, chunk, part_shape, [&](std::uint64_t whole, std::uint64_t own) {
      std::memcpy(into.data() + whole, part.data() + own, type_.bytes);
    });
  }
  Elements cut(const Elements& from, const Index& shape, const Index& chunk, const Index& part_shape) const {
    Elements part = all_fill(part_shape);
    each_pair(shape, chunk, part_shape, [&](std::uint64_t whole, std::uint64_t own) {
      std::memcpy(part.data() + own, from.data() + whole, type_.bytes);
    });
    return part;
  }

 private:
  static const ZarrSharding* sharding_of(const std::vector<ZarrCodecSpec>& codecs) {
    return codecs.size() == 1 && codecs.front().id == ZarrCodecSpec::Id::sharding_indexed
               ? codecs.front().sharding.get()
               : nullptr;
  }
  static Index counts_of(const Index& shape, const ZarrSharding& sharding) {
    Index counts = shape;
    for (std::size_t axis = 0; axis < counts.size(); ++axis) counts[axis] /= sharding.chunk_shape[axis];
    return counts;
  }
  void each_pair(const Index& shape, const Index& chunk, const Index& part_shape,
                 const std::function<void(std::uint64_t, std::uint64_t)>& each) const {
    each_index(part_shape, [&](const Index& at) {
      Index whole = at;
      for (std::size_t axis = 0; axis < at.size(); ++axis) {
        whole[axis] += chunk[axis] * part_shape[axis];
        if (whole[axis] >= shape[axis]) return;
      }
      each(offset_of(whole, shape) * type_.bytes, offset_of(at, part_shape) * type_.bytes);
    });
  }
  void each_stored(const StoredLayout& layout, const Index& shape,
                   const std::function<void(std::uint64_t, std::uint64_t)>& each) const {
    Index stored_shape;
    for (const std::uint32_t axis : layout.axes) stored_shape.push_back(shape[axis]);
    each_index(shape, [&](const Index& at) {
      Index stored;
      for (const std::uint32_t axis : layout.axes) stored.push_back(at[axis]);
      each(offset_of(stored, stored_shape) * type_.bytes, offset_of(at, shape) * type_.bytes);
    });
  }
  void take(const StoredLayout& layout, const std::byte* from, std::byte* to) const {
    for (std::uint32_t word = 0; word < type_.bytes; word += layout.word_bytes)
      for (std::uint32_t i = 0; i < layout.word_bytes; ++i)
        to[word + i] = from[word + (layout.swapped ? layout.word_bytes - 1 - i : i)];
  }

  ZarrType type_;
  bool keeps_empty_;
  std::vector<std::byte> fill_;
};

inline std::vector<std::byte> whole_object(const Store& store, const std::string& key) {
  std::vector<std::byte> object(store.size(key).value_or(0));
  store.get(key, object);
  return object;
}

/// All that a store has, by key.
inline std::map<std::string, std::vector<std::byte>> objects_of(const Store& store) {
  std::map<std::string, std::vector<std::byte>> objects;
  store.list("", [&](std::string_view key, std::uint64_t) {
    objects[std::string(key)] = whole_object(store, std::string(key));
    return true;
  });
  return objects;
}

/// All elements of the array.
inline Elements read(const Store& store, const std::string& path, const ZarrArrayMetadata& array) {
  const Chunks chunks(array, false);
  Elements elements = chunks.all_fill(array.shape);
  Index counts = array.shape;
  for (std::size_t axis = 0; axis < counts.size(); ++axis)
    counts[axis] = (counts[axis] + array.chunk_shape[axis] - 1) / array.chunk_shape[axis];
  each_index(counts, [&](const Index& object) {
    const std::string key = path + array.keys.key(object);
    if (!store.size(key)) return;
    chunks.place(elements, array.shape, object,
                 chunks.decode(array.codecs, array.chunk_shape, whole_object(store, key)), array.chunk_shape);
  });
  return elements;
}

/// Writes packed elements into a selection.
inline void write(const Store& store, const std::string& path, const ZarrArrayMetadata& array,
                  const ZarrSelection& selection, const Elements& from, bool keeps_empty) {
  const Chunks chunks(array, keeps_empty);
  Elements elements = read(store, path, array);
  Index extents;
  for (const ZarrAxis& axis : selection) extents.push_back(axis.count);
  std::vector<bool> is_touched;
  Index counts = array.shape;
  for (std::size_t axis = 0; axis < counts.size(); ++axis)
    counts[axis] = (counts[axis] + array.chunk_shape[axis] - 1) / array.chunk_shape[axis];
  is_touched.resize(product(counts));
  each_index(extents, [&](const Index& number) {
    Index at = number, object = number;
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      at[axis] = selection[axis].begin + number[axis] * selection[axis].step;
      object[axis] = at[axis] / array.chunk_shape[axis];
    }
    std::memcpy(elements.data() + offset_of(at, array.shape) * array.type.bytes,
                from.data() + offset_of(number, extents) * array.type.bytes, array.type.bytes);
    is_touched[offset_of(object, counts)] = true;
  });
  each_index(counts, [&](const Index& object) {
    if (!is_touched[offset_of(object, counts)]) return;
    const std::string key = path + array.keys.key(object);
    const Elements part = chunks.cut(elements, array.shape, object, array.chunk_shape);
    if (!keeps_empty && chunks.is_fill(part))
      store.erase(key);
    else
      store.put(key, chunks.encode(array.codecs, array.chunk_shape, part));
  });
}

}  // namespace weir::batched
