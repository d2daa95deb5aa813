#include "nodes/zarr/zarr_hierarchy.hpp"

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/memory_store.hpp"
#include "tests/zarr_metadata_support.hpp"

using namespace weir;

namespace {

void put(const Store& store, const std::string& key, const std::string& text) {
  store.put(key, std::as_bytes(std::span(text)));
}

/// A group with an array, and a group with another array below it.
void make_tree(const Store& store, const std::string& root, int format) {
  auto array = format == 3 ? parse_zarr_v3_array(v3_with("codecs", R"(["bytes"])"), "a")
                           : parse_zarr_v2_array(v2_with("order", R"("F")"), "", "a");
  const std::string at = root.empty() ? "" : root + "/";
  create_zarr(store, root, ZarrGroupMetadata{format, "{\n  \"answer\": 42\n}"});
  create_zarr(store, at + "a", array);
  create_zarr(store, at + "b", ZarrGroupMetadata{format, "{}"});
  array.attributes = "{\n  \"deep\": true\n}";
  create_zarr(store, at + "b/a", array);
  put(store, at + "a/c/0/0", "a chunk");
}

std::string refusal(const Store& store, const std::string& path) {
  try {
    open_zarr(store, path);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("nodes that are made are found with their children, consolidated or not") {
  for (const int format : {2, 3})
    for (const std::string root : {"", "some/where"})
      for (const bool consolidated : {false, true}) {
        CAPTURE(format);
        CAPTURE(root);
        CAPTURE(consolidated);
        const MemoryStore store;
        make_tree(store, root, format);
        if (consolidated) consolidate_zarr(store, root);
        const ZarrNode group = open_zarr(store, root);
        CHECK(group.format() == format);
        REQUIRE(group.group() != nullptr);
        CHECK(group.group()->attributes == "{\n  \"answer\": 42\n}");
        CHECK((group.consolidated != nullptr) == consolidated);
        CHECK(zarr_children(store, group) == std::vector<ZarrChild>{{"a", true}, {"b", false}});
        if (consolidated)
          store.erase((root.empty() ? "" : root + "/") + (format == 3 ? "b/a/zarr.json" : "b/a/.zarray"));
        const ZarrNode below = open_zarr(store, group, "b");
        CHECK(zarr_children(store, below) == std::vector<ZarrChild>{{"a", true}});
        for (const ZarrNode& array : {open_zarr(store, group, "b/a"), open_zarr(store, below, "a")}) {
          REQUIRE(array.array() != nullptr);
          CHECK(array.path == (root.empty() ? "b/a" : root + "/b/a"));
          CHECK(array.array()->attributes == "{\n  \"deep\": true\n}");
          CHECK(array.array()->format == format);
        }
      }
}

TEST_CASE("consolidating leaves what else a group says, and can be done again") {
  const MemoryStore store;
  make_tree(store, "", 3);
  put(store, "zarr.json",
      with_member(R"({"zarr_format": 3, "node_type": "group", "attributes": {"z": 1, "a": NaN}})", "novelty",
                  R"({"must_understand": false, "x": 0.10})"));
  consolidate_zarr(store, "");
  const auto text = [&] {
    const auto bytes = get_small(store, "zarr.json", 1 << 20);
    return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  };
  const std::string once = text();
  CHECK(once.find("\"x\": 0.10") != std::string::npos);
  CHECK(once.find("\"a\": NaN") != std::string::npos);
  CHECK(open_zarr(store, "").consolidated->size() == 3);
  consolidate_zarr(store, "b");
  consolidate_zarr(store, "");
  CHECK(text() == once);
}

TEST_CASE("v3 is taken before v2, and no node is an Error that says where it was looked for") {
  const MemoryStore store("the store");
  make_tree(store, "", 2);
  CHECK(open_zarr(store, "").format() == 2);
  create_zarr(store, "", ZarrGroupMetadata{3, "{}"});
  CHECK(open_zarr(store, "").format() == 3);
  CHECK(!find_zarr(store, "nothing"));
  CHECK(refusal(store, "nothing") ==
        "cannot open nothing in the store: there is no array and no group: neither zarr.json nor .zarray nor "
        ".zgroup");
  put(store, "a/zarr.json", R"({"zarr_format": 3, "node_type": "tree"})");
  CHECK(refusal(store, "a") ==
        "cannot read a/zarr.json in the store: node_type: is neither \"array\" nor \"group\"");
  CHECK_THROWS_AS(consolidate_zarr(store, "b/a"), Error);
}

TEST_CASE("attributes of v2 that are gone are gone") {
  const MemoryStore store;
  create_zarr(store, "g", ZarrGroupMetadata{2, "{\n  \"a\": 1\n}"});
  create_zarr(store, "g", ZarrGroupMetadata{2, "{}"});
  CHECK(open_zarr(store, "g").group()->attributes == "{}");
  CHECK(!store.size("g/.zattrs"));
}

TEST_CASE(
    "consolidated metadata of other implementations is read, and arrays that are not read leave the others "
    "alone") {
  const MemoryStore store;
  for (const auto& [key, text] : stored_metadata("v3.json", ""))
    if (key == "consolidated") put(store, "zarr.json", text);
  const ZarrNode v3 = open_zarr(store, "");
  CHECK(zarr_children(store, v3) ==
        std::vector<ZarrChild>{{"1d.chunked.i2", true}, {"2d.contiguous.i2", true}, {"nested", false}});
  CHECK(open_zarr(store, v3, "nested/1d.i2").array()->shape == std::vector<std::uint64_t>{4});

  const MemoryStore old;
  std::ifstream in(std::string(WEIR_TEST_DATA) + "/zarr/metadata/v2.json");
  put(old, ".zmetadata", std::string{std::istreambuf_iterator<char>(in), {}});
  put(old, ".zgroup", R"({"zarr_format": 2})");
  const ZarrNode v2 = open_zarr(old, "");
  CHECK(zarr_children(old, v2).size() == 33);
  CHECK(open_zarr(old, v2, "2d.chunked.i2").array()->rank() == 2);
  CHECK(open_zarr(old, v2, "my group with spaces").group()->attributes.find("spaces") != std::string::npos);
  CHECK_THROWS_AS(open_zarr(old, v2, "1d.contiguous.U7"), Error);
}

TEST_CASE("consolidated metadata does not lead out of its group") {
  const MemoryStore store;
  for (const std::string path : {"../a", "/a", "a//b", ""}) {
    CAPTURE(path);
    put(store, "zarr.json",
        R"({"zarr_format": 3, "node_type": "group", "consolidated_metadata": {"kind": "inline",
      "must_understand": false, "metadata": {")" +
            path + R"(": {"zarr_format": 3, "node_type": "group"}}}})");
    CHECK(refusal(store, "").find("consolidated_metadata.metadata: path '") != std::string::npos);
  }
}
