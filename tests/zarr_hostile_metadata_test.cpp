#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "tests/zarr_metadata_support.hpp"

using namespace weir;

namespace {

constexpr const char* plain = R"(["bytes"])";

std::string grid(const std::string& sizes) {
  return R"({"name": "regular", "configuration": {"chunk_shape": )" + sizes + "}}";
}
std::string shards(const std::string& configuration) {
  return R"([{"name": "sharding_indexed", "configuration": )" + configuration + "}]";
}

}  // namespace

TEST_CASE("sizes that are none, overflow or go over a limit are refused by their member") {
  const std::vector<std::pair<std::pair<std::string, std::string>, std::string>> cases = {
      {{"shape", "[-1, 2]"}, "shape[0]: is -1, and from 0 to 9223372036854775807 is allowed"},
      {{"shape", "[1.5, 2]"}, "shape[0]: is no whole number"},
      {{"shape", "[9223372036854775808, 2]"},
       "shape[0]: is 9223372036854775808, and from 0 to 9223372036854775807 is allowed"},
      {{"shape", "[4294967296, 4294967296]"}, "shape: more than 2^63 bytes"},
      {{"shape", "[0, 9223372036854775807, 2]"},
       "chunk_grid.configuration.chunk_shape: has 2 sizes, and the array 3 axes"},
      {{"shape", "7"}, "shape: is no array"},
      {{"chunk_grid", grid("[0, 3]")},
       "chunk_grid.configuration.chunk_shape[0]: is 0, and from 1 to 9223372036854775807 is allowed"},
      {{"chunk_grid", grid("[4294967296, 4294967296]")},
       "chunk_grid.configuration.chunk_shape: more than 2^63 bytes"},
      {{"chunk_grid", grid("[65536, 32769]")},
       "codecs: a chunk has 2147549184 bytes, and 2147483648 are allowed"},
      {{"chunk_grid", grid("[2]")},
       "chunk_grid.configuration.chunk_shape: has 1 sizes, and the array 2 axes"},
      {{"chunk_grid", R"("regular")"}, "chunk_grid.configuration: is missing"},
      {{"chunk_grid", R"({"name": "rectangular"})"},
       "chunk_grid: 'rectangular' is not known, only 'regular'"},
      {{"dimension_names", R"(["y"])"}, "dimension_names: has 1 names, and the array 2 axes"},
      {{"data_type", R"("r4294967288")"}, "data_type: '"},
      {{"data_type", R"("r12")"}, "data_type: 'r12': raw types have a multiple of 8 bits, below 2^32"},
      {{"zarr_format", "2"}, "zarr_format: is not 3"},
      {{"node_type", R"("group")"}, "node_type: is not \"array\""},
      {{"attributes", "[]"}, "attributes: is no object"},
      {{"chunk_key_encoding", R"({"name": "default", "configuration": {"separator": "-"}})"},
       "chunk_key_encoding.configuration.separator: is neither \".\" nor \"/\""},
  };
  for (const auto& both : cases) {
    const auto& set = both.first;  // clang 14 captures no structured bindings
    const auto& reason = both.second;
    CAPTURE(set.second);
    const std::string said = v3_refusal(v3_with(set.first, set.second));
    CAPTURE(said);
    if (reason.ends_with("'")) {
      CHECK(said != "");
    } else {
      CHECK(said == reason);
    }
  }
  std::string axes = "[1";
  for (int i = 1; i < 33; ++i) axes += ", 1";
  CHECK(v3_refusal(v3_with("shape", axes + "]")) == "shape: has 33 axes, and 32 are allowed");
}

TEST_CASE("every member that must be there is asked for by name") {
  for (const std::string name : {"zarr_format", "node_type", "shape", "data_type", "chunk_grid",
                                 "chunk_key_encoding", "fill_value", "codecs"}) {
    JsonValue document = parse_json(v3_with("codecs", plain), "a", 1 << 20, 64);
    document.erase(name);
    CHECK(v3_refusal(to_text(document)) == name + ": is missing");
  }
  for (const std::string name :
       {"zarr_format", "shape", "chunks", "dtype", "compressor", "fill_value", "order"}) {
    JsonValue document = parse_json(v2_with("order", R"("C")"), "a", 1 << 20, 64);
    document.erase(name);
    CHECK(v2_refusal(to_text(document)) == name + ": is missing");
  }
}

TEST_CASE("codecs that are unknown, out of order or out of range are refused") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "codecs: no codec makes bytes"},
      {R"(["bytes", "bytes"])",
       "codecs: bytes: codecs go from arrays to arrays, then once to bytes, then from bytes to bytes"},
      {R"(["crc32c", "bytes"])", "codecs: crc32c: no codec in front of it makes bytes"},
      {R"(["bytes", {"name": "transpose", "configuration": {"order": [1, 0]}}])",
       "codecs: transpose: codecs go from arrays to arrays, then once to bytes, then from bytes to bytes"},
      {R"([{"name": "transpose", "configuration": {"order": [0, 0]}}, "bytes"])",
       "codecs: transpose: order is no permutation of the 2 axes"},
      {R"([{"name": "transpose", "configuration": {"order": [1, 2]}}, "bytes"])",
       "codecs: transpose: order is no permutation of the 2 axes"},
      {R"(["bytes", "gzip"])", "codecs[1].configuration: is missing"},
      {R"(["bytes", {"name": "gzip", "configuration": {}}])", "codecs[1].configuration.level: is missing"},
      {R"(["bytes", {"name": "gzip", "configuration": {"level": 10}}])",
       "codecs[1].configuration.level: is 10, and from 0 to 9 is allowed"},
      {R"(["bytes", {"name": "gzip", "configuration": {"level": 5, "x": 1}}])",
       "codecs[1].configuration.x: is not known here"},
      {R"(["bytes", {"name": "crc32c", "configuration": {"x": 1}}])",
       "codecs[1].configuration.x: is not known here"},
      {R"(["bytes", {"name": "zstd", "configuration": {"level": 23}}])",
       "codecs[1].configuration.level: is 23, and from -131072 to 22 is allowed"},
      {R"(["bytes", {"name": "zstd", "configuration": {"level": 3, "checksum": 1}}])",
       "codecs[1].configuration.checksum: is neither true nor false"},
      {R"(["bytes", {"name": "blosc", "configuration": {"cname": "lz5", "clevel": 5, "shuffle": "noshuffle", "blocksize": 0}}])",
       "codecs[1].configuration.cname: 'lz5' is no compressor of blosc"},
      {R"(["bytes", {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}}])",
       "codecs[1].configuration.typesize: is missing"},
      {R"(["bytes", {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}}])",
       "codecs[1].configuration.shuffle: is no string"},
      {R"(["bytes", "numcodecs.none"])", "codec 'none' is not known"},
      {R"(["bytes", "vlen-utf8"])", "codecs[1]: codec 'vlen-utf8' is not known"},
      {R"([{"configuration": {}}])", "codecs[0].name: is missing"},
      {R"([{"name": "bytes", "level": 1}])", "codecs[0].level: is not known here"},
      {shards(R"({"chunk_shape": [2, 2], "codecs": ["bytes"], "index_codecs": []})"),
       "codecs: sharding_indexed: chunk_shape: 2 does not divide the shard's 3"},
      {shards(R"({"chunk_shape": [2], "codecs": ["bytes"], "index_codecs": []})"),
       "codecs: sharding_indexed: chunk_shape has 1 sizes, and the array 2 axes"},
      {shards(R"({"chunk_shape": [0, 3], "codecs": ["bytes"], "index_codecs": []})"),
       "codecs[0].configuration.chunk_shape[0]: is 0, and from 1 to 9223372036854775807 is allowed"},
      {shards(R"({"chunk_shape": [2, 3], "codecs": ["bytes"], "index_codecs": ["bytes"]})"),
       "codecs[0].configuration.index_codecs[0].configuration.endian: is missing"},
      {shards(
           R"({"chunk_shape": [2, 3], "codecs": ["bytes"], "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                  {"name": "gzip", "configuration": {"level": 1}}]})"),
       "codecs: sharding_indexed: index_codecs: only bytes, and crc32c behind it, keep an index at one size"},
      {shards(
           R"({"chunk_shape": [2, 3], "codecs": [], "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]})"),
       "codecs: sharding_indexed: codecs: no codec makes bytes"},
      {shards(
           R"({"chunk_shape": [2, 3], "codecs": ["bytes"], "index_location": "middle", "index_codecs": []})"),
       "codecs[0].configuration.index_location: is neither \"start\" nor \"end\""},
  };
  for (const auto& both : cases) {
    const auto& codecs = both.first;  // clang 14 captures no structured bindings
    const auto& reason = both.second;
    CAPTURE(codecs);
    CHECK(v3_refusal(v3_with("codecs", codecs)) == reason);
  }
  CHECK(v3_refusal(v3_with("codecs", plain, "uint16")) == "codecs[0].configuration.endian: is missing");
  // 2^28 inner chunks of a byte: the index would be twice what is allowed.
  CHECK(v3_refusal(with_member(
            v3_with("codecs", shards(R"({"chunk_shape": [1, 1], "codecs": ["bytes"], "index_codecs": []})")),
            "chunk_grid", grid("[16384, 16384]"))) ==
        "codecs: sharding_indexed: the index has 4294967296 bytes, and 2147483648 are allowed");
}

TEST_CASE("filters and compressors of v2 that do not fit are refused") {
  const std::vector<std::pair<std::pair<std::string, std::string>, std::string>> cases = {
      {{"filters", R"([{"id": "delta", "dtype": "<i4"}])"},
       "chunks: delta: it takes int32, and elements are uint16"},
      {{"filters", R"([{"id": "delta"}])"}, "filters[0].dtype: is missing"},
      {{"filters", R"([{"id": "packbits"}])"}, "chunks: packbits: it packs bool, and elements are uint16"},
      {{"filters", R"([{"id": "shuffle", "elementsize": 2}, {"id": "delta", "dtype": "<u2"}])"},
       "filters: delta gets bytes, and takes numbers"},
      {{"filters", R"([{"id": "zlib", "level": 1}])"}, "filters[0]: zlib is no filter"},
      {{"filters", R"([{"id": "vlen-utf8"}])"}, "filters[0]: codec 'vlen-utf8' is not known"},
      {{"filters", R"([{"id": "fixedscaleoffset", "dtype": "<u2", "scale": 0, "offset": 0}])"},
       "chunks: fixedscaleoffset: scale and offset must be finite, and scale not 0"},
      {{"compressor", R"({"id": "delta", "dtype": "<u2"})"}, "compressor: delta is a filter"},
      {{"compressor", R"({"id": "lzma", "format": 3})"}, "compressor.format: only 1, xz, is read"},
      {{"compressor", R"({"id": "bz2", "level": 0})"}, "compressor.level: is 0, and from 1 to 9 is allowed"},
      {{"compressor", R"("zlib")"}, "compressor: is no object"},
      {{"order", R"("K")"}, "order: is neither \"C\" nor \"F\""},
      {{"chunks", "[2]"}, "chunks: has 1 sizes, and the array 2 axes"},
      {{"dtype", R"("|V4294967295")"}, "dtype: an element is larger than a chunk may be"},
  };
  for (const auto& both : cases) {
    const auto& set = both.first;  // clang 14 captures no structured bindings
    const auto& reason = both.second;
    CAPTURE(set.second);
    CHECK(v2_refusal(v2_with(set.first, set.second)) == reason);
  }
}

TEST_CASE("documents that are too long, too deep, too many or ambiguous are refused") {
  const std::string good = v3_with("codecs", plain);
  CHECK(v3_refusal(good, {.metadata_bytes = good.size() - 1}).find("bytes, and") != std::string::npos);
  CHECK(v3_refusal(good, {.metadata_bytes = good.size()}) == "");
  CHECK(v3_refusal(std::string(1 << 20, '[')) == "it is nested more than 64 deep");
  CHECK(v3_refusal("{\"a\":" + std::string(63, '[')).starts_with("no JSON at byte"));
  std::string many = "[0";
  for (int i = 0; i < 1 << 20; ++i) many += ",0";
  CHECK(v3_refusal(many + "]") == "it has more than 1048576 values");
  CHECK(v3_refusal(R"({"zarr_format": 3, "shape": [1], "shape": [2]})") == "member 'shape' is there twice");
  CHECK(v3_refusal(R"({"attributes": {"a": {"b": 1, "c": 2, "b": 3}}})") == "member 'b' is there twice");
  CHECK(v3_refusal("").starts_with("no JSON"));
  CHECK(v3_refusal("{\"a\": 1e999}").starts_with("no JSON"));
  CHECK(v3_refusal("[]") == "is no object");
  CHECK(v3_refusal("{\"a\": \"\xff\"}").find("no JSON") == 0);
}

TEST_CASE("metadata that is cut at any length is refused, and nothing else happens") {
  for (const std::string& whole : {v3_array(), v2_with("order", R"("F")")})
    for (std::size_t length = 0; length + 1 < whole.size(); ++length) {
      CHECK(v3_refusal(whole.substr(0, length)) != "");
      CHECK(v2_refusal(whole.substr(0, length)) != "");
    }
}

TEST_CASE("metadata that no reader would take is not written") {
  const auto good = parse_zarr_v3_array(v3_with("codecs", plain), "a");
  const auto refused = [&](auto change) {
    ZarrArrayMetadata array = good;
    change(array);
    try {
      to_json(array);
      return std::string();
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      return error.reason();
    }
  };
  CHECK(refused([](auto& array) { array.chunk_shape[0] = 0; }) ==
        "chunk_grid.configuration.chunk_shape: a size is 0");
  CHECK(refused([](auto& array) { array.fill.clear(); }) == "fill_value: has 0 bytes, and an element 1");
  CHECK(refused([](auto& array) { array.codecs.clear(); }) == "codecs: no codec makes bytes");
  CHECK(refused([](auto& array) { array.keys.separator = '-'; }) ==
        "chunk_key_encoding: separators are '.' and '/'");
  CHECK(refused([](auto& array) { array.format = 4; }) == "zarr_format: only 2 and 3 are known");
  CHECK(refused([](auto& array) {
          array.format = 2, array.keys = {false, '.'};
          array.codecs.insert(array.codecs.begin(), ZarrCodecSpec{.id = ZarrCodecSpec::Id::gzip, .level = 1});
        }) == "filters: gzip is none of v2's");
  CHECK(refused([](auto& array) {
          array.codecs.push_back(ZarrCodecSpec{.id = ZarrCodecSpec::Id::gzip, .level = 10});
        }) == "codecs: gzip: level 10 is not from 0 to 9");
}
