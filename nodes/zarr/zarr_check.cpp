#include "nodes/zarr/zarr_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>

#include "framework/error.hpp"
#include "nodes/zarr/codec_configuration.hpp"
#include "nodes/zarr/numcodecs_configuration.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;
using Shape = std::vector<std::uint64_t>;

/// Signed sizes of files and strides end here.
constexpr std::uint64_t most_bytes = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t index_entry_bytes = 16;

/// Bytes of a box of elements, or nothing beyond 2^63 - 1. Axes of 0 count as 1: products of the others are asked for, too.
std::optional<std::uint64_t> bytes_of(const Shape& shape, std::uint64_t element) {
  std::uint64_t bytes = element;
  for (const std::uint64_t size : shape) {
    const std::uint64_t count = std::max<std::uint64_t>(size, 1);
    if (bytes > most_bytes / count) return std::nullopt;
    bytes *= count;
  }
  return bytes;
}

bool is_permutation_of_axes(const std::vector<std::uint32_t>& order, std::size_t rank) {
  std::vector<std::uint32_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0u);
  return order.size() == rank && std::is_permutation(order.begin(), order.end(), axes.begin());
}

/// Follows one chain of codecs, from the elements of a chunk to its bytes.
class Chain {
 public:
  Chain(const ZarrArrayMetadata& array, const ZarrLimits& limits) : array_(array), limits_(limits) {}

  /// `shape` is the chunk's, `where` the member that the chain is.
  std::optional<std::string> wrong_with(const std::vector<ZarrCodecSpec>& codecs, Shape shape,
                                        const std::string& where) {
    ZarrType type = array_.type;
    int stage = 0;
    bool has_shards = false;
    for (const ZarrCodecSpec& codec : codecs) {
      const auto wrong = [&](std::string_view reason) {
        return fmt::format("{}: {}: {}", where, name_of(codec.id), reason);
      };
      const int own = stage_of(codec.id);
      if (array_.format == 3 && (own < stage || (own == 1 && stage == 1)))
        return wrong("codecs go from arrays to arrays, then once to bytes, then from bytes to bytes");
      if (array_.format == 3 && own == 2 && stage == 0) return wrong("no codec in front of it makes bytes");
      // A codec of stage 1 leaves nothing but bytes to bytes behind it; so does v2's `shuffle` for elements.
      stage = std::max(own, stage);
      if (auto reason = wrong_numbers(codec)) return wrong(*reason);
      if (auto reason = wrong_filter(codec, type)) return wrong(*reason);
      if (codec.id == Id::transpose) {
        if (!is_permutation_of_axes(codec.order, shape.size()))
          return wrong(fmt::format("order is no permutation of the {} axes", shape.size()));
        Shape turned;
        for (const std::uint32_t axis : codec.order) turned.push_back(shape[axis]);
        shape = std::move(turned);
      }
      if (codec.id == Id::sharding_indexed) {
        if (!codec.sharding) return wrong("it has no configuration");
        if (auto reason =
                wrong_shards(*codec.sharding, shape, fmt::format("{}: {}", where, name_of(codec.id))))
          return reason;
        has_shards = true;
      }
    }
    if (has_shards) return std::nullopt;  // of inner chunks, wrong_shards has looked at the bytes
    if (stage == 0) return fmt::format("{}: no codec makes bytes", where);
    const auto bytes = bytes_of(shape, array_.type.bytes);
    if (!bytes || *bytes > limits_.chunk_bytes)
      return fmt::format("{}: a chunk has {} bytes, and {} are allowed", where,
                         bytes ? fmt::to_string(*bytes) : "more than 2^63", limits_.chunk_bytes);
    return std::nullopt;
  }

 private:
  static std::optional<std::string> wrong_numbers(const ZarrCodecSpec& codec) {
    const LevelRange range = level_range(codec.id);
    if (codec.level && (*codec.level < range.least || *codec.level > range.most))
      return fmt::format("level {} is not from {} to {}", *codec.level, range.least, range.most);
    if (codec.id != Id::blosc) return std::nullopt;
    constexpr std::string_view compressors[] = {"lz4", "lz4hc", "blosclz", "zstd", "zlib", "snappy"};
    if (std::find(std::begin(compressors), std::end(compressors), codec.compressor) == std::end(compressors))
      return fmt::format("'{}' is no compressor of blosc", codec.compressor);
    if (codec.shuffling < 0 || codec.shuffling > 2 || codec.element_bytes > 255 ||
        codec.block_bytes > 1 << 30)
      return "shuffling is 0, 1 or 2, elements have up to 255 bytes, and blocks up to 2^30";
    return std::nullopt;
  }

  /// `type` is what the codec gets, and becomes what it makes.
  static std::optional<std::string> wrong_filter(const ZarrCodecSpec& codec, ZarrType& type) {
    const auto is_number = [](const ZarrType& one) {
      return one.kind != ZarrType::Kind::raw && one.kind != ZarrType::Kind::boolean;
    };
    if (codec.id == Id::pack_bits) {
      if (type.kind != ZarrType::Kind::boolean)
        return fmt::format("it packs bool, and elements are {}", name_of(type));
      type = {};
    }
    if (codec.id != Id::delta && codec.id != Id::fixed_scale_offset) return std::nullopt;
    if (codec.type.bytes != type.bytes)
      return fmt::format("it takes {}, and elements are {}", name_of(codec.type), name_of(type));
    if (!is_number(codec.type) || !is_number(codec.as_type))
      return fmt::format("no arithmetic from {} to {}", name_of(codec.type), name_of(codec.as_type));
    if (!std::isfinite(codec.scale) || codec.scale == 0 || !std::isfinite(codec.offset))
      return "scale and offset must be finite, and scale not 0";
    type = codec.as_type;
    return std::nullopt;
  }

  std::optional<std::string> wrong_shards(const ZarrSharding& sharding, const Shape& shard,
                                          const std::string& where) {
    if (sharding.chunk_shape.size() != shard.size())
      return fmt::format("{}: chunk_shape has {} sizes, and the array {} axes", where,
                         sharding.chunk_shape.size(), shard.size());
    Shape chunks;
    for (std::size_t i = 0; i < shard.size(); ++i) {
      const std::uint64_t size = sharding.chunk_shape[i];
      if (size == 0 || shard[i] % size != 0)
        return fmt::format("{}: chunk_shape: {} does not divide the shard's {}", where, size, shard[i]);
      chunks.push_back(shard[i] / size);
    }
    const auto index = bytes_of(chunks, index_entry_bytes);
    if (!index || *index > limits_.chunk_bytes)
      return fmt::format("{}: the index has {} bytes, and {} are allowed", where,
                         index ? fmt::to_string(*index) : "more than 2^63", limits_.chunk_bytes);
    const auto& codecs = sharding.index_codecs;
    if (codecs.empty() || codecs.size() > 2 || codecs[0].id != Id::bytes ||
        (codecs.size() == 2 && codecs[1].id != Id::crc32c))
      return fmt::format("{}: index_codecs: only bytes, and crc32c behind it, keep an index at one size",
                         where);
    return wrong_with(sharding.codecs, sharding.chunk_shape, where + ": codecs");
  }

  const ZarrArrayMetadata& array_;
  const ZarrLimits& limits_;
};

/// v2: filters, then order F as a transpose, then bytes, then at most one compressor.
std::optional<std::string> wrong_v2_order(const ZarrArrayMetadata& array) {
  const auto bytes = std::find_if(array.codecs.begin(), array.codecs.end(),
                                  [](const ZarrCodecSpec& codec) { return codec.id == Id::bytes; });
  if (bytes == array.codecs.end()) return "codecs: bytes is missing";
  if (array.codecs.end() - bytes > 2) return "compressor: v2 has one, and the others are filters";
  if (bytes + 1 != array.codecs.end() && (stage_of(bytes[1].id) != 2 || bytes[1].id == Id::crc32c))
    return fmt::format("compressor: {} is none of v2's", name_of(bytes[1].id));
  bool made_bytes = false;
  for (auto codec = array.codecs.begin(); codec != bytes; ++codec) {
    const bool is_last = codec + 1 == bytes;
    if (codec->id == Id::transpose && is_last) {
      if (!std::is_sorted(codec->order.rbegin(), codec->order.rend()))
        return "order: v2 has only C and F (all axes the other way round)";
    } else if (codec->id == Id::shuffle || codec->id == Id::pack_bits) {
      made_bytes = true;
    } else if (stage_of(codec->id) != 0 || codec->id == Id::transpose) {
      return fmt::format("filters: {} is none of v2's", name_of(codec->id));
    } else if (made_bytes && codec->id != Id::bit_round) {
      return fmt::format("filters: {} gets bytes, and takes numbers", name_of(codec->id));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> wrong_with(const ZarrArrayMetadata& array, const ZarrLimits& limits) {
  const bool is_v2 = array.format == 2;
  const std::string_view grid = is_v2 ? "chunks" : "chunk_grid.configuration.chunk_shape";
  if (array.format != 2 && array.format != 3) return "zarr_format: only 2 and 3 are known";
  if (array.rank() > limits.rank)
    return fmt::format("shape: has {} axes, and {} are allowed", array.rank(), limits.rank);
  if (array.chunk_shape.size() != array.rank())
    return fmt::format("{}: has {} sizes, and the array {} axes", grid, array.chunk_shape.size(),
                       array.rank());
  if (std::find(array.chunk_shape.begin(), array.chunk_shape.end(), 0u) != array.chunk_shape.end())
    return fmt::format("{}: a size is 0", grid);
  if (array.type.bytes == 0) return "data_type: elements have no bytes";
  if (!bytes_of(array.shape, array.type.bytes)) return "shape: more than 2^63 bytes";
  if (!bytes_of(array.chunk_shape, array.type.bytes)) return fmt::format("{}: more than 2^63 bytes", grid);
  if (array.fill.size() != array.type.bytes && !(is_v2 && array.fill.empty()))
    return fmt::format("fill_value: has {} bytes, and an element {}", array.fill.size(), array.type.bytes);
  if (array.keys.separator != '.' && array.keys.separator != '/')
    return "chunk_key_encoding: separators are '.' and '/'";
  if (is_v2 && array.keys.has_prefix) return "chunk_key_encoding: v2's keys have no 'c' in front";
  if (is_v2 && !array.dimension_names.empty())
    return "dimension_names: v2 has them as attribute _ARRAY_DIMENSIONS";
  if (!array.dimension_names.empty() && array.dimension_names.size() != array.rank())
    return fmt::format("dimension_names: has {} names, and the array {} axes", array.dimension_names.size(),
                       array.rank());
  if (is_v2)
    if (auto wrong = wrong_v2_order(array)) return wrong;
  return Chain(array, limits).wrong_with(array.codecs, array.chunk_shape, is_v2 ? "chunks" : "codecs");
}

void check(const ZarrArrayMetadata& array, const std::string& name, const ZarrLimits& limits) {
  if (const auto wrong = wrong_with(array, limits)) throw Error::usage("write", name, *wrong);
}

}  // namespace weir
