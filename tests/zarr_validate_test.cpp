// What weir validate says of arrays and groups: nothing of good ones, each fault of damaged ones by its name and place.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>

#include "nodes/raster/terrain_source.hpp"
#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/check_zarr.hpp"
#include "pipelines/write_zarr_raster.hpp"
#include "tests/store_support.hpp"
#include "tests/tiff_helpers.hpp"
#include "tests/zarr_update_support.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;
using test::Bytes;
using test::contains;
using test::Index;

void put(const Store& store, const std::string& key, const std::string& text) {
  store.put(key, test::bytes_of(text));
}
std::string text_of(const Store& store, const std::string& key) {
  const Bytes bytes = test::whole(store, key);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
void replace(const Store& store, const std::string& key, const std::string& what, const std::string& by) {
  std::string text = text_of(store, key);
  const std::size_t at = text.find(what);
  REQUIRE_MESSAGE(at != std::string::npos, text);
  put(store, key, text.replace(at, what.size(), by));
}

/// "name where|item" of all problems.
std::vector<std::string> found(const std::shared_ptr<const Store>& store, const std::string& path = "",
                               bool decode = false) {
  ZarrCheckOptions options;
  options.decode = decode;
  const FileCheck check = check_zarr(store, path, options);
  std::vector<std::string> names;
  for (const FileProblem& problem : check.problems()) {
    CHECK(!problem.text.empty());
    CHECK(!problem.text.ends_with('.'));
    names.push_back(fmt::format("{} {}|{}", problem.name, problem.where, problem.item));
  }
  return names;
}
using Names = std::vector<std::string>;

ZarrArrayMetadata zstd_array(const Index& shard) {
  ZarrCodecSpec zstd = codec_of(Id::zstd);
  zstd.level = 1;
  zstd.checksum = true;
  ZarrArrayMetadata array = shard.empty()
                                ? zarr_array({20, 20}, {8, 8}, {}, uint16_type, {ZarrCodecSpec{}, zstd})
                                : zarr_array({20, 20}, shard, {8, 8}, uint16_type, {ZarrCodecSpec{}, zstd});
  return array;
}

void fill_in(const std::shared_ptr<const Store>& store, const std::string& path,
             const ZarrArrayMetadata& metadata) {
  create_zarr(*store, path, metadata);
  const auto array = open_zarr(store, path);
  std::vector<std::uint16_t> values;
  for (std::uint32_t i = 0; i < 400; ++i) values.push_back(static_cast<std::uint16_t>(i * 40503));
  const ZarrSelection all = everything(*array);
  write_zarr(array, all, {reinterpret_cast<const std::byte*>(values.data()), packed_strides(all, 2)});
}

/// A v3 group with an array of zstd, one in shards, one raw, and a group in it with one of v2... of its own kind.
std::shared_ptr<MemoryStore> good_store() {
  auto store = std::make_shared<MemoryStore>();
  create_zarr(*store, "", ZarrGroupMetadata{3, "{}"});
  fill_in(store, "plain", zstd_array({}));
  fill_in(store, "shards", zstd_array({16, 16}));
  create_zarr(*store, "in", ZarrGroupMetadata{3, "{}"});
  fill_in(store, "in/raw", zarr_array({20, 20}, {8, 8}, {}, uint16_type));
  fill_in(store, "in/summed",
          zarr_array({20, 20}, {16, 16}, {8, 8}, uint16_type, {ZarrCodecSpec{}, codec_of(Id::crc32c)}));
  consolidate_zarr(*store, "");
  return store;
}
std::shared_ptr<MemoryStore> good_v2_store() {
  auto store = std::make_shared<MemoryStore>();
  create_zarr(*store, "", ZarrGroupMetadata{2, R"({"of": "v2"})"});
  ZarrArrayMetadata array =
      zarr_array({20, 20}, {8, 8}, {}, uint16_type, {ZarrCodecSpec{}, codec_of(Id::zlib)});
  array.format = 2;
  array.keys = {false, '.'};
  array.attributes = R"({"_ARRAY_DIMENSIONS": ["y", "x"]})";
  fill_in(store, "a", array);
  consolidate_zarr(*store, "");
  return store;
}

TEST_CASE(
    "a sound hierarchy has no problems, of v3 and of v2, with and without decoding, from the root and from a "
    "node") {
  for (const bool decode : {false, true}) {
    CHECK(found(good_store(), "", decode) == Names{});
    CHECK(found(good_store(), "in", decode) == Names{});
    CHECK(found(good_store(), "in/summed", decode) == Names{});
    CHECK(found(good_v2_store(), "", decode) == Names{});
  }
  // A pyramid with a place, as it is written.
  const auto store = std::make_shared<MemoryStore>();
  TerrainOptions terrain;
  terrain.width = 300;
  terrain.height = 200;
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 64;
  options.pyramid.emplace();
  ZarrRasterWrite(std::make_shared<const TerrainSource>(terrain), store, "", options).run();
  CHECK(found(store, "", true) == Names{});
  CHECK(check_zarr(store, "").is_valid(true));
}

TEST_CASE(
    "every broken member of a document is named, not only the first, and those that follow from none are "
    "not") {
  const std::string good = to_json(zstd_array({16, 16}));
  const auto problems = [&](std::vector<std::pair<std::string, std::string>> changes) {
    const auto store = std::make_shared<MemoryStore>();
    put(*store, "zarr.json", good);
    for (const auto& [what, by] : changes) replace(*store, "zarr.json", what, by);
    std::vector<std::string> texts;
    const FileCheck check = check_zarr(store, "");
    for (const FileProblem& problem : check.problems()) {
      CHECK(problem.name == "metadata");
      CHECK(problem.item == "zarr.json");
      texts.push_back(problem.text.substr(0, problem.text.find_first_of(".:[")));
    }
    return texts;
  };
  CHECK(problems({}) == Names{});
  CHECK(problems({{"\"uint16\"", "\"uint17\""}}) == Names{"data_type"});
  CHECK(problems({{"\"uint16\"", "\"uint17\""}, {"\"fill_value\": 0", "\"fill_value\": 300"}}) ==
        Names{"data_type"});
  CHECK(problems({{"[20, 20]", "[20, -1]"}}) == Names{"shape"});
  CHECK(problems({{"\"regular\"", "\"oblique\""}}) == Names{"chunk_grid"});
  CHECK(problems({{"\"crc32c\"", "\"crc33\""}}) == Names{"codecs"});
  CHECK(problems({{"[8, 8]", "[8, 7]"}}) == Names{"codecs"});
  CHECK(problems({{"\"fill_value\": 0", "\"fill_value\": 70000"}}) == Names{"fill_value"});
  CHECK(problems({{"\"attributes\": {}", "\"attributes\": []"}}) == Names{"attributes"});
  CHECK(problems({{"\"separator\": \"/\"", "\"separator\": \"-\""}}) == Names{"chunk_key_encoding"});
  CHECK(problems({{"\"attributes\"", "\"other\": 1, \"attributes\""}}) == Names{"other"});
  CHECK(problems({{"\"attributes\"", "\"dimension_names\": [\"y\"], \"attributes\""}}) ==
        Names{"dimension_names"});
  CHECK(problems({{"\"uint16\"", "\"uint17\""},
                  {"[20, 20]", "[20, \"x\"]"},
                  {"\"regular\"", "\"oblique\""},
                  {"\"crc32c\"", "\"crc33\""},
                  {"\"separator\": \"/\"", "\"separator\": \"-\""},
                  {"\"attributes\": {}", "\"attributes\": [], \"dimension_names\": [\"y\"]"}})
            .size() == 7);
  CHECK(problems({{"}", ""}}).size() == 1);  // no JSON

  const auto v2 = good_v2_store();
  replace(*v2, "a/.zarray", "\"<u2\"", "\"<u3\"");
  replace(*v2, "a/.zarray", "\"zlib\"", "\"zlob\"");
  replace(*v2, "a/.zarray", "\"C\"", "\"D\"");
  put(*v2, "a/.zattrs", "{");
  int metadata = 0;
  for (const std::string& name : found(v2)) metadata += name.starts_with("metadata a|") ? 1 : 0;
  CHECK(metadata == 4);
}

TEST_CASE(
    "consolidated metadata is held against the documents of the nodes: other words, nodes that are not "
    "there, nodes left out") {
  for (const auto& make : {good_store, good_v2_store}) {
    const bool is_v2 = make == good_v2_store;
    const std::string of = is_v2 ? ".zmetadata" : "zarr.json",
                      array = is_v2 ? "a/.zarray" : "plain/zarr.json";
    const auto said = [&](const std::function<void(const Store&)>& change) {
      const auto store = make();
      change(*store);
      const FileCheck check = check_zarr(store, "");
      REQUIRE(!check.problems().empty());
      std::string texts;
      for (const FileProblem& problem : check.problems()) {
        CHECK(problem.name == "consolidated");
        CHECK(problem.item == of);
        texts += problem.text + "\n";
      }
      return texts;
    };
    CHECK(
        contains(said([&](const Store& store) { replace(store, array, "20", "21"); }), "otherwise of shape"));
    CHECK(said([&](const Store& store) {
            for (const auto& [key, size] : test::listed(store, is_v2 ? "a" : "plain")) store.erase(key);
          }) == (is_v2 ? "it has a/.zarray, which is not there\nit has a/.zattrs, which is not there\n"
                       : "it has plain, which is not there\n"));
    CHECK(said([&](const Store& store) {
            create_zarr(store, "new", ZarrGroupMetadata{is_v2 ? 2 : 3, "{}"});
          }) == (is_v2 ? "it leaves new/.zgroup out\n" : "it leaves new/zarr.json out\n"));
    CHECK(said([&](const Store& store) {
            if (is_v2)
              replace(store, of, "\"a/.zarray\"", "\"../.zarray\"");
            else
              replace(store, of, "\"plain\"", "\"../plain\"");
          }) == (is_v2 ? "'../.zarray' is no key\nit leaves a/.zarray out\n"
                       : "'../plain' is no key\nit leaves plain/zarr.json out\n"));
  }
}

TEST_CASE(
    "chunks that are called otherwise, lie outside, or have lengths that nothing makes are named with their "
    "keys") {
  const auto store = good_store();
  const auto move = [&](const std::string& from, const std::string& to) {
    store->put(to, test::whole(*store, from));
    store->erase(from);
  };
  move("plain/c/0/0", "plain/0.0");
  move("plain/c/0/1", "plain/c.0.1");
  move("plain/c/0/2", "plain/c/00/2");
  move("plain/c/1/0", "plain/c/3/0");
  move("plain/c/1/1", "plain/c/1/1/0");
  put(*store, "plain/notes.txt", "mine");
  put(*store, "plain/c/2/2", std::string(8 * 8 * 2 * 9 / 8 + 1025, 'x'));
  Bytes raw = test::whole(*store, "in/raw/c/1/1");
  raw.pop_back();
  store->put("in/raw/c/1/1", raw);
  store->put("in/raw/c/0/0", {});
  CHECK(found(store) == Names{"chunk-size in/raw|c/0/0", "chunk-size in/raw|c/1/1", "chunk-name plain|0.0",
                              "chunk-name plain|c.0.1", "stray-object plain|c/00/2",
                              "stray-object plain|c/1/1/0", "chunk-size plain|c/2/2",
                              "chunk-outside plain|c/3/0", "stray-object plain|notes.txt"});
}

TEST_CASE(
    "an index of a shard that cannot be true is an error of its shard: byte by byte, no damage goes unseen") {
  // 4 chunks: 64 bytes of entries, 4 of their sum, at the end.
  const auto store = good_store();
  const Bytes good = test::whole(*store, "in/summed/c/0/0");
  const auto problems = [&](const Bytes& object, bool decode) {
    store->put("in/summed/c/0/0", object);
    return found(store, "in/summed", decode);
  };
  for (std::size_t at = 0; at < good.size(); ++at) {
    CAPTURE(at);
    Bytes bad = good;
    bad[at] ^= std::byte{0x10};
    const bool is_index = at >= good.size() - 68;
    CHECK(problems(bad, false) == (is_index ? Names{"shard-index |c/0/0"} : Names{}));
    const Names deep = problems(bad, true);
    REQUIRE(deep.size() == 1);
    CHECK(deep.front().starts_with(is_index ? "shard-index |c/0/0" : "chunk-decode |c/0/0, chunk ("));
  }
  for (std::size_t size = 0; size < good.size(); size += 7) {
    CAPTURE(size);
    CHECK(problems({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}, false) ==
          Names{"shard-index |c/0/0"});
  }
  // Entries with a right checksum that point where they must not.
  const auto array = open_zarr(store, "in/summed");
  const ShardIndexCodec& codec = *array->layout()->index();
  const std::uint64_t size = good.size(), bytes = array->layout()->codec().max_encoded_bytes();
  struct Case {
    ShardEntry entry;
    std::string text;
  };
  store->put("in/summed/c/0/0", good);
  const ShardEntry first = array->indexes().get(*store, "in/summed/c/0/0", {})->entries[0];
  for (const Case& one : std::vector<Case>{{{size, bytes}, "the object has"},
                                           {{size - 68 - bytes + 1, bytes}, "in the index"},
                                           {{~std::uint64_t{0} - 1, bytes}, "the object has"},
                                           {{first.offset + 1, bytes}, "overlap"},
                                           {{0, bytes + 1}, "most that its codecs"}}) {
    Bytes bad(good.begin(), good.end() - 68);
    std::vector<ShardEntry> entries(4);
    entries[0] = first;
    entries[3] = one.entry;
    if (one.text == "most that its codecs") entries[0] = {};
    const std::vector<std::byte> index = codec.encode(entries);
    bad.insert(bad.end(), index.begin(), index.end());
    store->put("in/summed/c/0/0", bad);
    const FileCheck check = check_zarr(store, "in/summed");
    REQUIRE(check.problems().size() == 1);
    CHECK(contains(check.problems().front().text, one.text));
  }
}

TEST_CASE("an inner chunk of a length that its codecs do not make is named, also without decoding") {
  const auto store = good_store();
  const auto array = open_zarr(store, "in/summed");
  const Bytes good = test::whole(*store, "in/summed/c/0/0");
  std::vector<ShardEntry> entries = array->indexes().get(*store, "in/summed/c/0/0", {})->entries;
  entries[2].bytes -= 1;
  Bytes bad(good.begin(), good.end() - 68);
  const std::vector<std::byte> index = array->layout()->index()->encode(entries);
  bad.insert(bad.end(), index.begin(), index.end());
  store->put("in/summed/c/0/0", bad);
  CHECK(found(store) == Names{"chunk-size in/summed|c/0/0, chunk (1, 0)"});
}

TEST_CASE("chunks that do not decode are named each, up to ten of an array, with a count of the rest") {
  const auto store = good_store();
  for (const auto& [key, size] : test::listed(*store, "plain/c")) {
    Bytes bytes = test::whole(*store, key);
    bytes.back() ^= std::byte{1};  // of zstd's checksum
    store->put(key, bytes);
  }
  CHECK(found(store) == Names{});
  ZarrCheckOptions options;
  options.decode = true;
  options.listed = 4;
  const FileCheck check = check_zarr(store, "", options);
  CHECK(check.problems().size() == 4);
  CHECK(check.errors() == 9);
  CHECK(check.problems().back().more == 5);
}

TEST_CASE(
    "places: no node, nodes in arrays, folders that are no groups, two formats, null and its missing chunks, "
    "journals") {
  CHECK(found(std::make_shared<MemoryStore>()) == Names{"no-node |"});
  CHECK(found(good_store(), "nothing") == Names{"no-node |"});
  auto store = good_store();
  fill_in(store, "plain/deep/er", zstd_array({}));
  put(*store, "plain/.zgroup", "{\"zarr_format\": 2}");
  put(*store, "plain/.weir-journal/c.0.0", "x");
  const Names names = found(store);
  const auto has = [&](const std::string& name) {
    CAPTURE(name);
    CHECK(std::ranges::find(names, name) != names.end());
  };
  has("node-in-array plain/deep/er|");
  has("missing-group plain/deep|");
  has("two-formats plain|");
  has("journal plain|.weir-journal/c.0.0");
  auto v2 = good_v2_store();
  replace(*v2, "a/.zarray", "\"fill_value\": 0", "\"fill_value\": null");
  v2->erase(".zmetadata");
  CHECK(found(v2) == Names{});
  v2->erase("a/1.1");
  CHECK(found(v2) == Names{"undefined-chunks a|"});
  put(*v2, "a/.zattrs", R"({"_ARRAY_DIMENSIONS": ["y"]})");
  CHECK(found(v2).front() == "dimension-names a|.zattrs");
  put(*v2, "a/.zattrs", R"({"_ARRAY_DIMENSIONS": "y, x"})");
  CHECK(found(v2).front() == "dimension-names a|.zattrs");
}

TEST_CASE("levels of a pyramid: missing ones, other sizes, larger ones, other fractions") {
  const auto pyramid = [&](const std::vector<Index>& shapes, const std::string& said) {
    const auto store = std::make_shared<MemoryStore>();
    std::string layout;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (!shapes[i].empty())
        create_zarr(*store, std::to_string(i), zarr_array(shapes[i], {8, 8}, {}, uint16_type));
      layout += fmt::format(R"({}{{"asset": "{}"{}}})", i == 0 ? "" : ", ", i, i == 1 ? said : "");
    }
    create_zarr(*store, "",
                ZarrGroupMetadata{3, fmt::format(R"({{"multiscales": {{"layout": [{}]}}}})", layout)});
    return found(store);
  };
  CHECK(pyramid({{41, 30}, {21, 15}, {11, 8}}, "") == Names{});
  CHECK(pyramid({{41, 30}, {20, 15}, {10, 7}}, R"(, "spatial:shape": [20, 15])") == Names{});
  CHECK(pyramid({{41, 30}, {21, 15}, {11, 8}}, R"(, "spatial:shape": [20, 15])") == Names{"level-shape |1"});
  CHECK(pyramid({{41, 30}, {}, {11, 8}}, "") == Names{"level-missing |1"});
  CHECK(pyramid({{41, 30}, {42, 15}, {11, 8}}, "") == Names{"level-larger |1"});
  CHECK(pyramid({{41, 30}, {21, 5}}, "") == Names{"level-ratio |1"});
  CHECK(pyramid({{1, 1}, {1, 1}}, "") == Names{});
}

TEST_CASE("what a store cannot do is said once, and what it hides in a folder is found") {
  const test::Folder folder;
  const auto store =
      std::make_shared<FolderStore>(folder / "a.zarr", FolderStoreOptions{.create = true, .durable = false});
  fill_in(store, "", zstd_array({16, 16}));
  const auto leftovers = [&] {
    FileCheck check("Zarr", 10);
    check_leftovers(folder / "a.zarr/", check);
    Names names;
    for (const FileProblem& problem : check.problems()) names.push_back(problem.name + " " + problem.item);
    std::ranges::sort(names);
    return names;
  };
  CHECK(leftovers() == Names{});
  for (const char* name :
       {"a.zarr/c/0/.1.weir-0123456789abcdef.tmp", "a.zarr/.weir-lock", ".a.zarr.weir-0123456789abcdef.tmp",
        ".b.zarr.weir-0123456789abcdef.tmp", "a.zarr/.hidden"})
    std::ofstream(folder / name) << "x";
  CHECK(leftovers() == Names{"leftover ../.a.zarr.weir-0123456789abcdef.tmp", "leftover .weir-lock",
                             "leftover c/0/.1.weir-0123456789abcdef.tmp"});
  CHECK(found(store) == Names{"stray-object |.hidden"});
}

/// A store that lists nothing, as servers do, and that fails where it is asked for a key that has `broken` in it.
class OneByOne : public CountingStore {
 public:
  OneByOne(std::shared_ptr<const Store> store, std::string broken, bool can_list)
      : CountingStore(std::move(store)), broken_(std::move(broken)), can_list_(can_list) {}
  StoreAbilities abilities() const override {
    StoreAbilities has = CountingStore::abilities();
    has.list = can_list_;
    return has;
  }
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop, ObjectVersion* version) const override {
    if (!broken_.empty() && key.find(broken_) != std::string_view::npos)
      throw failure("read", key, "the disk is gone");
    return CountingStore::get(key, out, stop, version);
  }

 private:
  std::string broken_;
  bool can_list_;
};

TEST_CASE(
    "where keys are not listed, nodes are those that consolidated metadata names, and chunks are asked for "
    "one by one") {
  const auto inside = good_store();
  inside->put("plain/c/9/9", {});  // nobody can see it
  Bytes bad = test::whole(*inside, "in/raw/c/2/2");
  bad.pop_back();
  inside->put("in/raw/c/2/2", bad);
  Bytes index = test::whole(*inside, "shards/c/1/1");
  index.back() ^= std::byte{1};
  inside->put("shards/c/1/1", index);
  const auto store = std::make_shared<OneByOne>(inside, "", false);
  CHECK(found(store) == Names{});
  CHECK(check_zarr(store, "").notes().size() == 2);
  CHECK(found(store, "", true) == Names{"chunk-decode in/raw|c/2/2", "shard-index shards|c/1/1"});
  CHECK(found(store, "plain/none") == Names{"no-node |"});
}

TEST_CASE("what cannot be read is an error of its node, and the others are looked at all the same") {
  const auto inside = good_store();
  Bytes bad = test::whole(*inside, "in/raw/c/2/2");
  bad.pop_back();
  inside->put("in/raw/c/2/2", bad);
  for (const char* broken : {"plain/zarr.json", "in/summed/zarr.json"}) {
    const Names names = found(std::make_shared<OneByOne>(inside, broken, true));
    CAPTURE(broken);
    CHECK(std::ranges::count_if(names,
                                [](const auto& name) { return name.starts_with("unreadable-store"); }) >= 1);
    CHECK(std::ranges::count(names, "chunk-size in/raw|c/2/2") == 1);
  }
  CHECK(found(std::make_shared<OneByOne>(inside, "c/0/0", true), "plain", true) ==
        Names{"chunk-decode |c/0/0"});
}

TEST_CASE(
    "a shard that is shorter than its index is not asked for it, whatever size the metadata says that it "
    "has") {
  const auto inside = good_store();
  const auto store = std::make_shared<CountingStore>(inside);
  CHECK(found(store, "shards") == Names{});
  CHECK(store->take().get_end == 4);
  inside->put("shards/c/0/1", test::made_bytes(3, 1));
  CHECK(found(store, "shards") == Names{"shard-index |c/0/1"});
  CHECK(store->take().get_end == 3);
}

TEST_CASE("a check is stopped when it is asked to, and changes nothing") {
  const auto store = good_store();
  std::stop_source stop;
  stop.request_stop();
  CHECK(test::error_of([&] { check_zarr(store, "", {}, stop.get_token()); }).kind() == ErrorKind::cancelled);
  const auto before = test::listed(*store, "");
  static_cast<void>(found(store, "", true));
  CHECK(test::listed(*store, "") == before);
}

}  // namespace
}  // namespace weir
