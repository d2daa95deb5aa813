#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "nodes/zarr/shard_journal.hpp"
#include "nodes/zarr/zarr_array.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "pipelines/read_zarr.hpp"
#include "pipelines/write_zarr.hpp"
#include "tests/zarr_batched.hpp"
#include "tests/zarr_support.hpp"

namespace weir::test {

using Index = std::vector<std::uint64_t>;

/// Sharded arrays of uint16 whose fill is 0x0107, with inner chunks of one size and of many.
struct ShardedArray {
  std::string name;
  ZarrArrayMetadata metadata;
};
inline ZarrArrayMetadata sharded(Index shape, Index shards, Index inner, std::vector<ZarrCodecSpec> codecs,
                                 bool index_at_end) {
  ZarrArrayMetadata array =
      zarr_array(std::move(shape), std::move(shards), std::move(inner), {ZarrType::Kind::unsigned_integer, 2},
                 std::move(codecs), index_at_end);
  array.fill = {std::byte{7}, std::byte{1}};
  return array;
}
inline std::vector<ShardedArray> sharded_arrays() {
  using Id = ZarrCodecSpec::Id;
  ZarrCodecSpec bytes, big, zstd = codec_of(Id::zstd), turned = codec_of(Id::transpose);
  big.big_endian = true;
  zstd.level = 1;
  turned.order = {1, 0};
  const Index shape{23, 17}, shards{12, 8}, inner{4, 2};
  return {{"raw, index at the end", sharded(shape, shards, inner, {bytes}, true)},
          {"raw, index at the start", sharded(shape, shards, inner, {bytes}, false)},
          {"crc32c, index at the end", sharded(shape, shards, inner, {big, codec_of(Id::crc32c)}, true)},
          {"crc32c, index at the start",
           sharded(shape, shards, inner, {turned, bytes, codec_of(Id::crc32c)}, false)},
          {"zstd, index at the end", sharded(shape, shards, inner, {bytes, zstd}, true)},
          {"zstd, index at the start", sharded(shape, shards, inner, {turned, big, zstd}, false)},
          {"gzip, one inner chunk", sharded({37}, {10}, {10}, {bytes, codec_of(Id::gzip)}, true)},
          {"raw, 1-d", sharded({100}, {24}, {3}, {bytes}, true)}};
}

inline std::uint64_t count_of(const ZarrSelection& selection) {
  std::uint64_t count = 1;
  for (const ZarrAxis& axis : selection) count *= axis.count;
  return count;
}

inline ZarrSelection random_selection(const Index& shape, std::mt19937& random) {
  const auto number = [&](std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
  };
  ZarrSelection selection;
  const bool is_cell = number(0, 3) == 0;
  for (const std::uint64_t extent : shape) {
    ZarrAxis axis;
    axis.begin = number(0, extent - 1);
    axis.step = number(0, 2) == 0 ? number(1, 5) : 1;
    axis.count = is_cell ? 1 : number(1, (extent - 1 - axis.begin) / axis.step + 1);
    selection.push_back(axis);
  }
  return selection;
}

/// All fill; all the same; or noise, which no codec makes smaller.
inline batched::Elements random_elements(std::uint64_t count, std::mt19937& random) {
  const unsigned kind = random() % 4;
  std::vector<std::uint16_t> values(count, kind == 0 ? 0x0107 : static_cast<std::uint16_t>(random()));
  if (kind >= 2)
    for (std::uint16_t& value : values) value = static_cast<std::uint16_t>(random());
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

inline RunReport update(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                        const batched::Elements& elements, const WriteZarrOptions& options) {
  return write_zarr(std::move(array), selection, {elements.data(), packed_strides(selection, 2)}, options);
}
inline WriteZarrOptions in_place(Engine engine = Engine::serial, unsigned threads = 1) {
  WriteZarrOptions options;
  options.update = ZarrUpdate::in_place;
  options.graph.engine = engine;
  options.graph.threads = threads;
  return options;
}
inline WriteZarrOptions copy_on_write() {
  WriteZarrOptions options = in_place();
  options.update = ZarrUpdate::copy_on_write;
  return options;
}

inline batched::Elements read_all(std::shared_ptr<const ZarrArray> array) {
  const ZarrSelection all = everything(*array);
  batched::Elements elements(count_of(all) * 2, std::byte{0xEE});
  ReadZarrOptions options;
  options.graph.threads = 1;
  read_zarr(array, all, {elements.data(), packed_strides(all, 2)}, options);
  return elements;
}

using batched::objects_of;

}  // namespace weir::test
