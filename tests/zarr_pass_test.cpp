// Chunks that pass from one array to another as they are stored, against decoding and encoding them.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "pipelines/copy_zarr.hpp"
#include "tests/store_support.hpp"
#include "tests/tiff_helpers.hpp"
#include "tests/zarr_update_support.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;
using test::contains;
using test::count_of;
using test::Index;
using test::objects_of;
using test::reason_of;

constexpr std::uint16_t fill = 0x0107;

ZarrCodecSpec big_endian() {
  ZarrCodecSpec bytes;
  bytes.big_endian = true;
  return bytes;
}
ZarrCodecSpec zstd_of(int level) {
  ZarrCodecSpec codec = codec_of(Id::zstd);
  codec.level = level;
  return codec;
}

/// Ways of storing an array of 23 x 17 in chunks of 4 x 2; and one of another rank.
struct Storage {
  const char* name;
  Index shape, shard, chunk;  // shard: empty where there is none
  bool index_at_end = true;
};
const std::vector<std::vector<Storage>> storages{
    {{"no shards", {23, 17}, {}, {4, 2}},
     {"shards", {23, 17}, {12, 8}, {4, 2}},
     {"larger shards", {23, 17}, {24, 18}, {4, 2}},
     {"smaller shards that overlap others", {23, 17}, {8, 6}, {4, 2}},
     {"one chunk a shard", {23, 17}, {4, 2}, {4, 2}},
     {"index at the start", {23, 17}, {12, 8}, {4, 2}, false}},
    {{"4-d, no shards", {3, 1, 7, 9}, {}, {2, 1, 3, 2}},
     {"4-d, shards", {3, 1, 7, 9}, {2, 1, 6, 10}, {2, 1, 3, 2}}},
    {{"1-d", {100}, {}, {3}}, {"1-d, shards", {100}, {24}, {3}}},
    {{"0-d", {}, {}, {}}},
};

ZarrArrayMetadata described(const Storage& layout, const std::vector<ZarrCodecSpec>& codecs) {
  ZarrArrayMetadata array =
      layout.shard.empty()
          ? zarr_array(layout.shape, layout.chunk, {}, uint16_type, codecs)
          : zarr_array(layout.shape, layout.shard, layout.chunk, uint16_type, codecs, layout.index_at_end);
  array.fill = {std::byte{7}, std::byte{1}};
  return array;
}

/// Two thirds hold no element but fill, here and there.
batched::Elements some_elements(const Index& shape) {
  std::vector<std::uint16_t> values(batched::product(shape));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = i / 40 % 3 == 0 ? static_cast<std::uint16_t>(i * 40503u) : fill;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

/// An array in a store of its own, written chunk by chunk.
std::shared_ptr<const ZarrArray> made(const ZarrArrayMetadata& metadata, const batched::Elements& elements,
                                      std::shared_ptr<const Store> store = std::make_shared<MemoryStore>(),
                                      bool keeps_empty = false) {
  create_zarr(*store, "a", metadata);
  const auto array = open_zarr(store, "a");
  WriteZarrOptions options;
  options.stores_empty_chunks = keeps_empty;
  const ZarrSelection all = everything(*array);
  write_zarr(array, all, {elements.data(), packed_strides(all, metadata.type.bytes)}, options);
  return array;
}

batched::Elements elements_of(const std::shared_ptr<const ZarrArray>& array) {
  const ZarrSelection all = everything(*array);
  batched::Elements elements(count_of(all) * array->metadata().type.bytes);
  read_zarr(array, all, {elements.data(), packed_strides(all, array->metadata().type.bytes)});
  return elements;
}

CopyZarrOptions options_of(unsigned threads, std::uint64_t memory) {
  CopyZarrOptions options;
  options.graph.threads = threads;
  options.graph.memory = memory;
  return options;
}

TEST_CASE(
    "chunks pass into all kinds of shards and out of them: the bytes are those of decoding and encoding") {
  std::vector<std::vector<ZarrCodecSpec>> chains{
      {ZarrCodecSpec{}}, {big_endian(), codec_of(Id::crc32c)}, {ZarrCodecSpec{}, zstd_of(3)}};
  int copies = 0;
  for (const auto& group : storages) {
    const batched::Elements elements = some_elements(group.front().shape);
    for (const auto& codecs : chains)
      for (const Storage& from : group)
        for (const Storage& to : group) {
          CAPTURE(from.name);
          CAPTURE(to.name);
          CAPTURE(codecs.size());
          const auto source = made(described(from, codecs), elements);
          const auto wanted = made(described(to, codecs), elements);
          for (const unsigned threads : {1u, 3u}) {
            const auto store = std::make_shared<MemoryStore>();
            ZarrCopy copy(source, described(to, codecs), store, "a", options_of(threads, 64 << 20));
            const CopyZarrReport report = copy.run();
            CHECK(objects_of(*store) == objects_of(wanted->store()));
            CHECK(elements_of(open_zarr(store, "a")) == elements);
            REQUIRE(report.run.nodes.size() == 3);  // none decodes, none encodes
            CHECK(report.run.node("fetch").items_in == report.run.units);
            CHECK(report.run.peak_payload <= report.run.peak_planned);
            std::uint64_t bytes = 0;
            for (const auto& [key, object] : objects_of(*store))
              bytes += key.ends_with("json") ? 0 : object.size();
            CHECK(report.run.output_bytes == bytes);
            ++copies;
          }
        }
  }
  CHECK(copies == 2 * 3 * (36 + 4 + 4 + 1));
}

TEST_CASE("what is in a chunk is not looked at: bytes that nothing decodes pass, and their count") {
  const Storage shards = storages[0][1], none = storages[0][0];
  const std::vector<ZarrCodecSpec> codecs{ZarrCodecSpec{}, zstd_of(1)};
  const auto store = std::make_shared<MemoryStore>();
  create_zarr(*store, "a", described(none, codecs));
  std::map<std::string, std::vector<std::byte>> chunks;
  for (std::uint32_t i = 0; i < 6; ++i)
    for (std::uint32_t j = 0; j < 9; ++j)
      if ((i + j) % 3 != 0) chunks[fmt::format("a/c/{}/{}", i, j)] = test::made_bytes(3 + i * 9 + j, i + j);
  chunks["a/c/0/0"] = {};  // one without bytes is one all the same
  for (const auto& [key, bytes] : chunks) store->put(key, bytes);
  store->put("a/c/6/0", test::made_bytes(5, 1));  // outside of the array
  const auto source = open_zarr(store, "a");
  CHECK(contains(test::error_of([&] { elements_of(source); }).what(), "decode"));

  const auto sharded = std::make_shared<MemoryStore>(), back = std::make_shared<MemoryStore>();
  CHECK(ZarrCopy(source, described(shards, codecs), sharded, "a").run().passed == chunks.size());
  CHECK(ZarrCopy(open_zarr(sharded, "a"), described(none, codecs), back, "a").run().passed == chunks.size());
  auto objects = objects_of(*back);
  objects.erase("a/zarr.json");
  CHECK(objects == chunks);
}

TEST_CASE("each stored chunk is read once: of objects with one request each, of shards with one or two") {
  const std::vector<ZarrCodecSpec> codecs{ZarrCodecSpec{}, zstd_of(1)};
  const batched::Elements elements = some_elements({23, 17});
  const auto count = [&](const Storage& from, const Storage& to, std::uint64_t memory) {
    const auto counting = std::make_shared<CountingStore>(std::make_shared<MemoryStore>());
    static_cast<void>(made(described(from, codecs), elements, counting, true));
    const auto source = open_zarr(counting, "a");
    static_cast<void>(counting->take());
    ZarrCopy(source, described(to, codecs), std::make_shared<MemoryStore>(), "a", options_of(2, memory))
        .run();
    return counting->take();
  };
  const StoreCount merged = count(storages[0][0], storages[0][1], 0);
  CHECK(merged.get == 6 * 9);
  CHECK(merged.read_requests() == 6 * 9);
  // Two by three shards; of two of them all chunks lie in the array. The others: index and ranges, of which neighbours are one.
  const StoreCount split = count(storages[0][1], storages[0][0], 0);
  CHECK(split.get + split.get_end == 6);
  CHECK(split.get >= 2);
  CHECK(split.bytes_read < 2 * count(storages[0][0], storages[0][0], 0).bytes_read + 6 * 200);
}

TEST_CASE("v2 becomes v3, in shards or not, and v3 becomes v2; names of dimensions and null come along") {
  ZarrCodecSpec turned = codec_of(Id::transpose);
  turned.order = {1, 0};
  for (const auto& codecs : std::vector<std::vector<ZarrCodecSpec>>{{ZarrCodecSpec{}},
                                                                    {turned, big_endian(), zstd_of(2)},
                                                                    {big_endian(), codec_of(Id::zlib)},
                                                                    {ZarrCodecSpec{}, codec_of(Id::gzip)}}) {
    CAPTURE(codecs.size());
    ZarrArrayMetadata metadata = zarr_array({23, 17}, {4, 2}, {}, uint16_type, codecs);
    metadata.format = 2;
    metadata.keys = {false, '/'};
    metadata.fill.clear();
    metadata.attributes = R"({"_ARRAY_DIMENSIONS": ["lat", "lon"], "other": 1})";
    const batched::Elements elements = some_elements({23, 17});
    const auto source = made(metadata, elements);
    const Index shard{8, 8};
    const ZarrArrayMetadata three = stored_as(source->metadata(), {.format = 3, .shard = shard});
    CHECK(three.dimension_names == std::vector<std::optional<std::string>>{"lat", "lon"});
    CHECK(!contains(three.attributes, "_ARRAY"));
    CHECK(three.fill == std::vector<std::byte>(2));
    const auto store = std::make_shared<MemoryStore>();
    CHECK(ZarrCopy(source, three, store, "b").run().passed == 6 * 9);
    const auto sharded = open_zarr(store, "b");
    CHECK(sharded->metadata().chunk_shape == shard);
    CHECK(elements_of(sharded) == elements);
    // Back, but for null, which is 0 now, and for keys.
    ZarrArrayMetadata two = stored_as(sharded->metadata(), {.format = 2});
    ZarrCopy(sharded, two, store, "c").run();
    CHECK(elements_of(open_zarr(store, "c")) == elements);
    two.keys = metadata.keys;
    two.fill.clear();
    ZarrCopy(sharded, two, store, "d").run();
    auto before = objects_of(source->store()), after = objects_of(*store);
    for (const auto& object : before) {  // clang 14 captures no structured binding, and CHECK is a lambda
      CAPTURE(object.first);
      if (!object.first.ends_with(".zattrs")) CHECK(after["d" + object.first.substr(1)] == object.second);
    }
  }
  const ZarrArrayMetadata summed = described(storages[0][0], {ZarrCodecSpec{}, codec_of(Id::crc32c)});
  CHECK(contains(reason_of([&] { stored_as(summed, {.format = 2}); }, ErrorKind::usage), "crc32c"));
  CHECK(contains(reason_of([&] { stored_as(summed, {.shard = Index{6, 2}}); }, ErrorKind::usage), "divide"));
}

TEST_CASE(
    "chunks that are not there stay so, or are stored as one of fill; v2's null never stands for another "
    "fill") {
  const std::vector<ZarrCodecSpec> codecs{ZarrCodecSpec{}, zstd_of(1)};
  const batched::Elements elements = some_elements({23, 17});
  for (const Storage& from : storages[0])
    for (const Storage& to : storages[0]) {
      CAPTURE(from.name);
      CAPTURE(to.name);
      const auto source = made(described(from, codecs), elements);
      const auto store = std::make_shared<MemoryStore>();
      CopyZarrOptions options;
      options.stores_empty_chunks = true;
      const std::uint64_t passed = ZarrCopy(source, described(to, codecs), store, "a", options).run().passed;
      CHECK(passed > 0);
      CHECK(passed < 6 * 9);
      CHECK(elements_of(open_zarr(store, "a")) == elements);
      // Also chunks of a shard that lie outside of the array are stored by those who encode.
      if (to.shard.empty())
        CHECK(objects_of(*store) ==
              objects_of(
                  made(described(to, codecs), elements, std::make_shared<MemoryStore>(), true)->store()));
      const auto array = open_zarr(store, "a");
      CHECK(ZarrCopy(array, described(storages[0][0], codecs), std::make_shared<MemoryStore>(), "a")
                .run()
                .passed == 6 * 9);
    }
  ZarrArrayMetadata zero = described(storages[0][0], codecs), null = zero;
  zero.fill = null.fill = {std::byte{0}, std::byte{0}};
  null = stored_as(null, {.format = 2});
  null.fill.clear();
  const auto store = std::make_shared<MemoryStore>();
  const auto source = made(zero, batched::Elements(23 * 17 * 2));
  CHECK(test::listed(source->store(), "a/c").empty());
  CHECK(ZarrCopy(source, null, store, "a").run().passed == 0);
  CHECK(test::listed(*store, "a").size() == 6 * 9 + 1);  // .zarray
}

TEST_CASE("where a chunk would mean something else it does not pass, and the reason says what") {
  const Storage plain = storages[0][0];
  const std::vector<ZarrCodecSpec> codecs{ZarrCodecSpec{}, zstd_of(1)};
  const auto source = made(described(plain, codecs), some_elements({23, 17}));
  const auto reason = [&](const std::function<void(ZarrArrayMetadata&)>& change) {
    ZarrArrayMetadata wanted = described(plain, codecs);
    change(wanted);
    const auto store = std::make_shared<MemoryStore>();
    const Error error = test::error_of([&] { ZarrCopy(source, wanted, store, "a"); });
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(test::listed(*store, "").empty());
    return error.reason();
  };
  CHECK(reason([](auto& a) { a.shape = {23, 18}; }) == "its shape is 23 x 17, and 23 x 18 is wanted");
  CHECK(reason([](auto& a) { a.type.kind = ZarrType::Kind::integer; }) ==
        "its elements are uint16, and int16 is wanted");
  CHECK(reason([](auto& a) { a.chunk_shape = {4, 4}; }) == "its chunks are 4 x 2, and 4 x 4 is wanted");
  CHECK(reason([](auto& a) { a.codecs.pop_back(); }) == "its codecs are bytes, zstd, and bytes is wanted");
  CHECK(reason([](auto& a) { a.codecs[0] = big_endian(); }) ==
        "its codecs are bytes, zstd, and bytes (big-endian), zstd is wanted");
  CHECK(contains(reason([](auto& a) { a.codecs.push_back(codec_of(Id::crc32c)); }), "crc32c"));
  CHECK(contains(reason([](auto& a) {
                   a.codecs[1].id = Id::gzip;
                   a.codecs[1].level = 1;
                 }),
                 "gzip"));
  CHECK(contains(reason([](auto& a) {
                   ZarrCodecSpec turned = codec_of(Id::transpose);
                   turned.order = {1, 0};
                   a.codecs.insert(a.codecs.begin(), turned);
                 }),
                 "transpose (1, 0)"));
  CHECK(reason([](auto& a) { a.fill[0] = std::byte{8}; }) == "its fill value is another than is wanted");
  // How they were set, and a transpose that moves nothing, are the same.
  ZarrArrayMetadata like = described(plain, codecs);
  like.codecs[1].level = 19;
  like.codecs[1].checksum = true;
  ZarrCodecSpec kept = codec_of(Id::transpose);
  kept.order = {0, 1};
  like.codecs.insert(like.codecs.begin(), kept);
  CHECK(why_not_passed(*source, like, ZarrLayout(like, "a")).empty());
}

TEST_CASE("shards in shards pass as a whole, where they are the same shards") {
  ZarrArrayMetadata inner = zarr_array({12, 8}, {6, 4}, {3, 2}, uint16_type);
  ZarrArrayMetadata nested = zarr_array({23, 17}, {12, 8}, {6, 4}, uint16_type, inner.codecs);
  const batched::Elements elements = some_elements({23, 17});
  const auto source = made(nested, elements);
  const auto store = std::make_shared<MemoryStore>();
  ZarrArrayMetadata wanted = nested;
  wanted.keys = {false, '.'};
  CHECK(ZarrCopy(source, wanted, store, "a").run().passed > 0);
  CHECK(elements_of(open_zarr(store, "a")) == elements);
  CHECK(
      contains(reason_of([&] { ZarrCopy(source, described(storages[0][0], {ZarrCodecSpec{}}), store, "b"); },
                         ErrorKind::usage),
               "chunks"));
}

TEST_CASE("a shard larger than the memory goes through in runs, and its bytes are those of much memory") {
  const test::Folder folder;
  const std::vector<ZarrCodecSpec> codecs{ZarrCodecSpec{}, codec_of(Id::crc32c)};
  const auto array = [&](Index shard) {
    ZarrArrayMetadata metadata = shard.empty()
                                     ? zarr_array({2048, 2100}, {64, 64}, {}, uint16_type, codecs)
                                     : zarr_array({2048, 2100}, shard, {64, 64}, uint16_type, codecs);
    metadata.fill = {std::byte{7}, std::byte{1}};
    return metadata;
  };
  const batched::Elements elements = some_elements({2048, 2100});
  const auto store =
      std::make_shared<FolderStore>(folder.path, FolderStoreOptions{.create = true, .durable = false});
  const auto source = made(array({1024, 1024}), elements, store, true);
  std::map<std::uint64_t, std::vector<std::byte>> whole;
  for (const std::uint64_t memory : {std::uint64_t{2} << 20, std::uint64_t{64} << 20}) {
    CAPTURE(memory);
    for (const char* to : {"merged", "split", "back"}) {
      const auto from = std::string(to) == "back" ? open_zarr(store, "split") : source;
      CopyZarrOptions options = options_of(2, memory);
      options.overwrite = true;
      const Index shard = std::string(to) == "merged"  ? Index{2048, 2112}
                          : std::string(to) == "split" ? Index{}
                                                       : Index{1024, 1024};
      const CopyZarrReport report = copy_zarr(from, array(shard), folder / to, options);
      CHECK(report.passed == 32 * 33);
      CHECK(report.run.peak_planned <= memory);
      CHECK(report.run.peak_payload <= report.run.peak_planned);
      CHECK(report.run.standing_bytes + report.run.largest_unit <= memory);
    }
    whole[memory] = test::whole(*store, "merged/c/0/0");
    CHECK(whole[memory].size() > 8 << 20);
    CHECK(test::whole(*store, "back/c/1/2") == test::whole(*store, "a/c/1/2"));
  }
  CHECK(whole.begin()->second == whole.rbegin()->second);
  CHECK(elements_of(open_zarr(store, "merged")) == elements);
}

TEST_CASE("an array without elements has no chunks to pass, and is made all the same") {
  for (const Index& shard : {Index{}, Index{8, 8}}) {
    const ZarrArrayMetadata empty = shard.empty() ? zarr_array({0, 5}, {4, 4}, {}, uint16_type)
                                                  : zarr_array({0, 5}, shard, {4, 4}, uint16_type);
    const auto store = std::make_shared<MemoryStore>();
    create_zarr(*store, "a", empty);
    CHECK(ZarrCopy(open_zarr(store, "a"), empty, store, "b").run().passed == 0);
    CHECK(open_zarr(store, "b")->metadata() == empty);
  }
}

TEST_CASE(
    "a chunk of a length that its codecs do not make, or a missing key that is an error, leaves nothing "
    "behind") {
  const test::Folder folder;
  const std::vector<ZarrCodecSpec> codecs{ZarrCodecSpec{}, codec_of(Id::crc32c)};
  const auto store = std::make_shared<MemoryStore>();
  static_cast<void>(made(described(storages[0][0], codecs), some_elements({23, 17}), store, true));
  const auto copy = [&](const ZarrOpenOptions& options) {
    copy_zarr(open_zarr(store, "a", options), described(storages[0][1], codecs), folder / "out.zarr");
  };
  const auto was = test::whole(*store, "a/c/3/4");
  store->put("a/c/3/4", std::span(was).first(was.size() - 1));
  const std::string text = test::error_of([&] { copy({}); }).what();
  CHECK(contains(text, "chunk (3, 4)"));
  CHECK(contains(text, "fetch"));
  CHECK(folder.names().empty());
  store->erase("a/c/3/4");
  ZarrOpenOptions strict;
  strict.missing_is_error = true;
  CHECK(contains(test::error_of([&] { copy(strict); }).what(), "a/c/3/4"));
  CHECK(folder.names().empty());
  copy({});
  CHECK(folder.names() == std::vector<std::string>{"out.zarr"});
  CHECK(test::error_of([&] { copy({}); }).kind() == ErrorKind::usage);  // it exists
}

}  // namespace
}  // namespace weir
