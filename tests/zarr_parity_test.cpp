#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <map>

#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "pipelines/read_zarr.hpp"
#include "pipelines/write_zarr.hpp"
#include "tests/file_support.hpp"
#include "zarr_batched.hpp"
#include "zarr_support.hpp"

// The graphs against the plain pipeline (zarr_batched.hpp): the same array, the same keys, each reads what the other wrote, and the same
// bytes.

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;
using Index = std::vector<std::uint64_t>;

struct Codecs {
  const char* name;
  std::vector<ZarrCodecSpec> codecs;
};
std::vector<Codecs> all_codecs(std::size_t rank) {
  ZarrCodecSpec bytes, big, zstd = codec_of(Id::zstd), transpose = codec_of(Id::transpose);
  big.big_endian = true;
  zstd.level = 1;
  for (std::size_t axis = rank; axis-- > 0;) transpose.order.push_back(static_cast<std::uint32_t>(axis));
  std::vector<Codecs> all = {{"bytes", {bytes}},          {"gzip", {bytes, codec_of(Id::gzip)}},
                             {"big-endian bytes", {big}}, {"bytes, crc32c", {bytes, codec_of(Id::crc32c)}},
                             {"zstd", {bytes, zstd}},     {"transpose, zstd", {transpose, bytes, zstd}}};
  ZarrCodecSpec blosc = codec_of(Id::blosc);
  blosc.compressor = "lz4";
  blosc.level = 5;
  try {
    const Index shape{4};
    ChunkCodec({bytes, blosc}, {ZarrType::Kind::unsigned_integer, 2}, shape);
    all.push_back({"blosc", {bytes, blosc}});
  } catch (const Error&) {
    MESSAGE("c-blosc is not built in");
  }
  return all;
}

struct Layout {
  const char* name;
  Index shape, chunks, inner, innermost;
  bool index_at_end = true;
};
const std::vector<Layout> layouts = {
    {"1-d", {37}, {10}, {}, {}},
    {"2-d", {23, 17}, {8, 5}, {}, {}},
    {"2-d, one inner chunk", {23, 17}, {8, 5}, {8, 5}, {}},
    {"1-d, many inner chunks", {100}, {24}, {3}, {}},
    {"2-d, many inner chunks", {23, 17}, {12, 8}, {4, 2}, {}},
    {"2-d, shards in shards", {23, 17}, {12, 8}, {6, 4}, {3, 2}},
    {"2-d, index at the start", {23, 17}, {12, 8}, {4, 2}, {}, false},
};

struct Write {
  ZarrSelection selection;
  int value;  // 0: fill; else what the elements are made from
};
/// full; middle; one cell; overlapping; ends in fill; partly fill
std::map<std::string, std::vector<Write>> sequences(const Index& shape) {
  const auto box = [&](double from, double to) {
    ZarrSelection selection;
    for (const std::uint64_t extent : shape) {
      const auto begin = static_cast<std::uint64_t>(from * static_cast<double>(extent));
      const auto end = static_cast<std::uint64_t>(to * static_cast<double>(extent));
      selection.push_back({begin, std::max<std::uint64_t>(end - begin, 1), 1});
    }
    return selection;
  };
  ZarrSelection every_third = box(0, 1), cell = box(0.7, 0.7);
  for (ZarrAxis& axis : every_third) axis = {1, (axis.count - 2) / 3 + 1, 3};
  return {{"full", {{box(0, 1), 1}}},
          {"middle", {{box(0.3, 0.6), 1}}},
          {"one cell", {{cell, 1}}},
          {"overlapping", {{box(0, 0.6), 1}, {box(0.4, 1), 2}, {every_third, 3}}},
          {"ends in fill", {{box(0, 1), 1}, {box(0, 1), 0}}},
          {"partly fill", {{box(0, 1), 1}, {box(0.2, 0.8), 0}, {cell, 2}}}};
}

ZarrArrayMetadata array_of(const Layout& layout, const Codecs& codecs) {
  const ZarrType type{ZarrType::Kind::unsigned_integer, 2};
  ZarrArrayMetadata array;
  if (layout.innermost.empty()) {
    array = zarr_array(layout.shape, layout.chunks, layout.inner, type, codecs.codecs, layout.index_at_end);
  } else {
    const ZarrArrayMetadata inner =
        zarr_array(layout.inner, layout.inner, layout.innermost, type, codecs.codecs);
    array = zarr_array(layout.shape, layout.chunks, layout.inner, type, inner.codecs);
  }
  array.fill = {std::byte{7}, std::byte{1}};
  return array;
}

batched::Elements elements_of(const Write& write, const ZarrArrayMetadata& array) {
  std::uint64_t count = 1;
  for (const ZarrAxis& axis : write.selection) count *= axis.count;
  batched::Elements elements;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint16_t value =
        write.value == 0
            ? 0x0107
            : static_cast<std::uint16_t>(i * 31 % 997 + static_cast<unsigned>(write.value) * 1000);
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    elements.insert(elements.end(), bytes, bytes + sizeof value);
  }
  REQUIRE(elements.size() == count * array.type.bytes);
  return elements;
}

batched::Elements read(std::shared_ptr<const ZarrArray> array, const GraphOptions& graph) {
  std::uint64_t bytes = array->metadata().type.bytes;
  for (const std::uint64_t extent : array->metadata().shape) bytes *= extent;
  batched::Elements elements(bytes, std::byte{0xEE});
  const ZarrSelection all = everything(*array);
  ReadZarrOptions options;
  options.graph = graph;
  read_zarr(array, all, {elements.data(), packed_strides(all, array->metadata().type.bytes)}, options);
  return elements;
}

void compare(const Layout& layout, const Codecs& codecs, const std::vector<Write>& writes, bool keeps_empty,
             const GraphOptions& graph) {
  const ZarrArrayMetadata metadata = array_of(layout, codecs);
  const auto ours = std::make_shared<MemoryStore>(), plain = std::make_shared<MemoryStore>();
  for (const Write& write : writes) {
    const batched::Elements elements = elements_of(write, metadata);
    const batched::Elements before = elements;
    WriteZarrOptions options;
    options.graph = graph;
    options.stores_empty_chunks = keeps_empty;
    write_zarr(std::make_shared<const ZarrArray>(ours, "a", metadata), write.selection,
               {elements.data(), packed_strides(write.selection, metadata.type.bytes)}, options);
    REQUIRE(elements == before);  // the caller's
    batched::write(*plain, "a/", metadata, write.selection, elements, keeps_empty);
  }
  const batched::Elements wanted = batched::read(*plain, "a/", metadata);
  REQUIRE(read(std::make_shared<const ZarrArray>(ours, "a", metadata), graph) == wanted);
  REQUIRE(read(std::make_shared<const ZarrArray>(plain, "a", metadata), graph) == wanted);
  REQUIRE(batched::read(*ours, "a/", metadata) == wanted);
  const auto left = batched::objects_of(*ours), right = batched::objects_of(*plain);
  std::vector<std::string> left_keys, right_keys;
  for (const auto& [key, bytes] : left) left_keys.push_back(key);
  for (const auto& [key, bytes] : right) right_keys.push_back(key);
  REQUIRE(left_keys == right_keys);
  // A shard that keeps its empty chunks: the plain pipeline stores those that were never written as well.
  if (!keeps_empty || layout.inner.empty()) REQUIRE(left == right);
}

TEST_CASE("graphs and the plain pipeline agree on arrays, keys and bytes, in every cell of the matrix") {
  std::vector<GraphOptions> graphs(3);
  graphs[0].threads = 1;
  graphs[1].threads = 3;
  graphs[1].engine = Engine::onetbb;
  graphs[2].threads = 2;
  graphs[2].tokens = 1;
  std::size_t cells = 0;
  for (const Layout& layout : layouts)
    for (const Codecs& codecs : all_codecs(layout.shape.size()))
      for (const auto& sequence : sequences(layout.shape))
        for (const bool keeps_empty : {false, true}) {
          CAPTURE(layout.name);
          CAPTURE(codecs.name);
          CAPTURE(sequence.first);
          CAPTURE(keeps_empty);
          compare(layout, codecs, sequence.second, keeps_empty, graphs[cells++ % graphs.size()]);
        }
  MESSAGE(cells << " cells");
}

TEST_CASE("stored bytes are the same for any number of threads, tokens and budget, chunks in runs or alone") {
  const Layout layout{"", {200, 300}, {64, 64}, {8, 16}, {}};
  const Codecs codecs = all_codecs(2)[4];
  std::map<std::string, std::vector<std::byte>> first;
  for (const unsigned threads : {1u, 2u, 8u})
    for (const std::uint64_t memory : {std::uint64_t{3} << 20, std::uint64_t{256} << 20}) {
      const ZarrArrayMetadata metadata = array_of(layout, codecs);
      const auto store = std::make_shared<MemoryStore>();
      WriteZarrOptions options;
      options.graph.threads = threads;
      options.graph.memory = memory;
      for (const auto& [name, writes] : sequences(layout.shape))
        for (const Write& write : writes) {
          const batched::Elements elements = elements_of(write, metadata);
          write_zarr(std::make_shared<const ZarrArray>(store, name, metadata), write.selection,
                     {elements.data(), packed_strides(write.selection, metadata.type.bytes)}, options);
        }
      if (first.empty()) first = batched::objects_of(*store);
      CHECK(batched::objects_of(*store) == first);
    }
}

TEST_CASE("shards that are written side by side have the bytes of those written one after the other") {
  struct Limits {
    unsigned threads;
    std::uint64_t memory;
    std::ptrdiff_t at_once;
  };
  constexpr std::uint64_t smallest = 1 << 20;  // stands for the smallest budget that works
  // Shards of two to 32 runs, five of them.
  const Layout layout{"", {512, 5 * 1024 - 7}, {512, 1024}, {128, 128}, {}};
  const ZarrSelection all{{0, 512, 1}, {0, 5 * 1024 - 7, 1}};
  for (const std::size_t codec : {0u, 4u}) {
    const ZarrArrayMetadata metadata = array_of(layout, all_codecs(2)[codec]);
    CAPTURE(codec);
    std::map<std::string, std::vector<std::byte>> first;
    for (const Limits& limits : {Limits{1, 256 << 20, 1},
                                 {2, 256 << 20, 2},
                                 {8, 256 << 20, 4},
                                 {3, 24 << 20, 3},
                                 {2, smallest, 1},
                                 {8, smallest, 1}}) {
      CAPTURE(limits.threads);
      CAPTURE(limits.memory);
      const test::Folder folder;
      const auto store =
          std::make_shared<FolderStore>(folder.path, FolderStoreOptions{.create = true, .durable = false});
      const auto array = std::make_shared<const ZarrArray>(store, "a", metadata);
      WriteZarrOptions options;
      options.graph.threads = limits.threads;
      const auto write = [&](const ZarrSelection& selection, unsigned seed) {
        std::mt19937 random(seed);
        std::vector<std::byte> elements(packed_bytes(selection, metadata.type.bytes));
        for (std::byte& byte : elements) byte = static_cast<std::byte>(random() % 5);
        options.graph.memory = limits.memory;
        if (limits.memory == smallest) {
          const ZarrWrite planned(array, selection, {}, options);
          options.graph.memory = planned.graph().plan().smallest_memory;
        }
        ZarrWrite writing(array, selection, {elements.data(), packed_strides(selection, metadata.type.bytes)},
                          options);
        const std::ptrdiff_t sinks =
            std::ranges::count(writing.graph().nodes(), NodeKind::ordered_sink, &NodeDescription::kind);
        const RunReport report = writing.run();
        CHECK(report.peak_payload <= options.graph.memory);
        return sinks;
      };
      CHECK(write(all, 1) == limits.at_once);
      CHECK(write({{3, 300, 1}, {100, 4000, 1}}, 2) == std::min<std::ptrdiff_t>(limits.at_once, 5));
      CHECK(write({{0, 2, 1}, {1030, 100, 1}}, 3) == 1);  // of one shard
      if (first.empty()) first = batched::objects_of(*store);
      CHECK(batched::objects_of(*store).size() == 5);
      CHECK(batched::objects_of(*store) == first);
    }
  }
}

TEST_CASE("any part of an array, with steps, is read into strided memory, and nothing beside it is touched") {
  std::mt19937 random(11);
  const auto number = [&](std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
  };
  for (const Layout& layout : layouts) {
    const ZarrArrayMetadata metadata = array_of(layout, all_codecs(layout.shape.size())[5]);
    const auto store = std::make_shared<MemoryStore>();
    const ZarrSelection all = sequences(layout.shape)["full"].front().selection;
    batched::write(*store, "", metadata, sequences(layout.shape)["middle"].front().selection,
                   elements_of({sequences(layout.shape)["middle"].front().selection, 4}, metadata), false);
    const batched::Elements whole = batched::read(*store, "", metadata);
    const auto array = std::make_shared<const ZarrArray>(store, "", metadata);
    for (int i = 0; i < 60; ++i) {
      ZarrSelection selection;
      std::vector<std::ptrdiff_t> strides(layout.shape.size());
      std::ptrdiff_t stride = 2 * static_cast<std::ptrdiff_t>(number(1, 3));
      for (const std::uint64_t extent : layout.shape) {
        ZarrAxis axis;
        axis.begin = number(0, extent - 1);
        axis.step = number(1, 4);
        axis.count = number(1, (extent - 1 - axis.begin) / axis.step + 1);
        selection.push_back(axis);
      }
      const bool is_reversed = number(0, 1) == 1;  // the first axis is the fastest
      for (std::size_t n = 0; n < strides.size(); ++n) {
        const std::size_t axis = is_reversed ? n : strides.size() - 1 - n;
        strides[axis] = stride;
        stride *= static_cast<std::ptrdiff_t>(selection[axis].count);
      }
      batched::Elements target(static_cast<std::size_t>(stride) + 2, std::byte{0xEE}), wanted = target;
      Index extents;
      for (const ZarrAxis& axis : selection) extents.push_back(axis.count);
      batched::each_index(extents, [&](const Index& at) {
        Index place = at;
        std::ptrdiff_t offset = 0;
        for (std::size_t axis = 0; axis < at.size(); ++axis) {
          place[axis] = selection[axis].begin + at[axis] * selection[axis].step;
          offset += static_cast<std::ptrdiff_t>(at[axis]) * strides[axis];
        }
        std::memcpy(wanted.data() + offset, whole.data() + batched::offset_of(place, layout.shape) * 2, 2);
      });
      read_zarr(array, selection, {target.data(), strides});
      REQUIRE(target == wanted);
    }
  }
}

}  // namespace
}  // namespace weir
