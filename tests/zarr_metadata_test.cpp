#include "nodes/zarr/zarr_metadata.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "tests/zarr_metadata_support.hpp"

using namespace weir;
using Id = ZarrCodecSpec::Id;

TEST_CASE("v3 metadata that is written is read as the same") {
  const ZarrArrayMetadata array = parse_zarr_v3_array(v3_array(), "a/zarr.json");
  CHECK(array.shape == std::vector<std::uint64_t>{10, 20, 30});
  CHECK(array.chunk_shape == std::vector<std::uint64_t>{4, 6, 8});
  CHECK(name_of(array.type) == "int16");
  CHECK(array.keys.key(std::vector<std::uint64_t>{1, 2, 3}) == "c/1/2/3");
  CHECK(array.codecs.size() == 1);
  CHECK(array.dimension_names == std::vector<std::optional<std::string>>{"z", std::nullopt, "x"});
  REQUIRE(array.sharding() != nullptr);
  CHECK(array.sharding()->chunk_shape == std::vector<std::uint64_t>{2, 3, 4});
  CHECK(array.sharding()->codecs[0].order == std::vector<std::uint32_t>{2, 0, 1});
  CHECK(array.sharding()->codecs[1].big_endian);
  CHECK(array.sharding()->codecs[2].compressor == "zstd");
  CHECK(array.sharding()->codecs[2].shuffling == 2);
  CHECK(!array.sharding()->index_at_end);
  const std::string text = to_json(array);
  CHECK(parse_zarr_v3_array(text, "again") == array);
  CHECK(to_json(parse_zarr_v3_array(text, "again")) == text);
}

TEST_CASE("every codec of v3 is written as it is read") {
  for (
      const std::string codec :
      {R"({"name": "gzip", "configuration": {"level": 0}})",
       R"({"name": "zstd", "configuration": {"level": -5, "checksum": true}})",
       R"({"name": "blosc", "configuration": {"typesize": 4, "cname": "lz4hc", "clevel": 9, "shuffle": "noshuffle", "blocksize": 65536}})",
       R"("crc32c")", R"({"name": "numcodecs.zlib", "configuration": {"level": 3}})",
       R"({"name": "numcodecs.lz4", "configuration": {"acceleration": 2}})",
       R"({"name": "numcodecs.bz2", "configuration": {"level": 2}})",
       R"({"name": "numcodecs.lzma", "configuration": {"format": 1, "check": -1, "preset": 4, "filters": null}})",
       R"({"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}})"}) {
    CAPTURE(codec);
    const auto array = parse_zarr_v3_array(v3_with("codecs", R"(["bytes", )" + codec + "]", "uint8"), "a");
    REQUIRE(array.codecs.size() == 2);
    CHECK(parse_zarr_v3_array(to_json(array), "again") == array);
  }
  const auto filtered = parse_zarr_v3_array(
      v3_with("codecs",
              R"([{"name": "numcodecs.delta", "configuration": {"dtype": "<i2", "astype": "int32"}},
                  {"name": "bytes", "configuration": {"endian": "big"}}])",
              "int16"),
      "a");
  CHECK(filtered.codecs[0].as_type.bytes == 4);
  CHECK(filtered.codecs[0].as_type_is_big);  // as `bytes` behind it turns what it made
  CHECK(parse_zarr_v3_array(to_json(filtered), "again") == filtered);
}

TEST_CASE("names alone stand for extensions without configuration, and the long form is written") {
  const auto array = parse_zarr_v3_array(
      v3_with("codecs", R"(["bytes", "crc32c"])", "uint8", R"("chunk_key_encoding": "v2")"), "a");
  CHECK(array.keys == ZarrKeys{false, '.'});
  const std::string text = to_json(array);
  CHECK(text.find(R"("name": "crc32c")") != std::string::npos);
  CHECK(text.find(R"("name": "v2")") != std::string::npos);
  const auto defaults = parse_zarr_v3_array(
      v3_with("codecs", R"(["bytes"])", "uint8", R"("chunk_key_encoding": "default")"), "a");
  CHECK(defaults.keys == ZarrKeys{true, '/'});
  CHECK(parse_zarr_v3_array(v3_with("codecs", R"(["bytes"])", R"({"name": "int8"})"), "a").type ==
        zarr_type_named("int8"));
}

TEST_CASE("chunks are called as their key encoding says") {
  const std::vector<std::uint64_t> chunk{1, 20, 3}, none;
  CHECK(ZarrKeys{true, '/'}.key(chunk) == "c/1/20/3");
  CHECK(ZarrKeys{true, '.'}.key(chunk) == "c.1.20.3");
  CHECK(ZarrKeys{false, '/'}.key(chunk) == "1/20/3");
  CHECK(ZarrKeys{false, '.'}.key(chunk) == "1.20.3");
  CHECK(ZarrKeys{true, '/'}.key(none) == "c");
  CHECK(ZarrKeys{false, '.'}.key(none) == "0");
}

TEST_CASE("attributes keep the order of members, numbers to the last digit, and Python's NaN") {
  const std::string attributes =
      R"({"z": 1, "a": [18446744073709551615, 0.10000000000000000001, 1e-400, NaN, -Infinity],
          "NaN": "NaN \" NaN", "nested": {"b": true, "a": null, "ü": "\u0001\\"}})";
  const auto array =
      parse_zarr_v3_array(v3_with("codecs", R"(["bytes"])", "uint8", R"("attributes": )" + attributes), "a");
  CHECK(array.attributes ==
        "{\n  \"z\": 1,\n"
        "  \"a\": [18446744073709551615, 0.10000000000000000001, 1e-400, NaN, -Infinity],\n"
        "  \"NaN\": \"NaN \\\" NaN\",\n"
        "  \"nested\": {\n    \"b\": true,\n    \"a\": null,\n    \"ü\": \"\\u0001\\\\\"\n  }\n}");
  CHECK(parse_zarr_v3_array(to_json(array), "again") == array);
}

TEST_CASE("unknown members are refused unless they may be ignored") {
  CHECK(v3_refusal(v3_with("codecs", R"(["bytes"])", "uint8", R"("novelty": {"must_understand": false})")) ==
        "");
  CHECK(v3_refusal(v3_with("codecs", R"(["bytes"])", "uint8", R"("novelty": {"must_understand": true})")) ==
        "novelty: is not known, and does not say that it may be ignored");
  for (const std::string value : {"{}", "1", "false", "null", R"({"must_understand": 0})"}) {
    CAPTURE(value);
    CHECK(v3_refusal(v3_with("codecs", R"(["bytes"])", "uint8", R"("novelty": )" + value)) != "");
  }
  CHECK(v3_refusal(v3_with("codecs", R"(["bytes"])", "uint8", R"("storage_transformers": [])")) == "");
  CHECK(v3_refusal(v3_with("codecs", R"(["bytes"])", "uint8", R"("storage_transformers": ["chopped"])")) ==
        "storage_transformers[0]: 'chopped' is not known");
}

TEST_CASE("v2 metadata that is written is read as the same") {
  for (const auto& both : std::vector<std::pair<std::string, std::string>>{
           {"order", R"("F")"},
           {"dtype", R"(">f4")"},
           {"fill_value", "null"},
           {"dimension_separator", R"("/")"},
           {"compressor", "null"},
           {"compressor", R"({"id": "zlib", "level": 1})"},
           {"compressor", R"({"id": "gzip", "level": 9})"},
           {"compressor", R"({"id": "zstd", "level": 3})"},
           {"compressor", R"({"id": "zstd", "level": 3, "checksum": true})"},
           {"compressor", R"({"id": "lz4", "acceleration": 1})"},
           {"compressor", R"({"id": "bz2", "level": 9})"},
           {"compressor", R"({"id": "lzma", "format": 1, "check": -1, "preset": null, "filters": null})"},
           {"compressor", R"({"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": -1, "blocksize": 0})"},
           {"filters", "[]"},
           {"filters",
            R"([{"id": "delta", "dtype": "<u2", "astype": "<i4"}, {"id": "shuffle", "elementsize": 4}])"},
           {"filters",
            R"([{"id": "fixedscaleoffset", "dtype": "<u2", "astype": "|u1", "scale": 10, "offset": 1000}])"},
           {"filters", R"([{"id": "bitround", "keepbits": 3}])"}}) {
    const auto& member = both.first;  // clang 14 captures no structured bindings
    const auto& value = both.second;
    CAPTURE(member);
    CAPTURE(value);
    const auto array = parse_zarr_v2_array(v2_with(member, value), R"({"answer": 42})", "a/.zarray");
    CHECK(array.attributes == "{\n  \"answer\": 42\n}");
    auto again = parse_zarr_v2_array(to_json(array), array.attributes, "again");
    CHECK(again == array);
  }
}

TEST_CASE("what v2 says becomes a chain of codecs") {
  const auto array = parse_zarr_v2_array(
      R"({"zarr_format": 2, "shape": [7, 9], "chunks": [2, 3], "dtype": ">u2", "fill_value": 65535, "order": "F",
          "filters": [{"id": "delta", "dtype": ">u2"}], "compressor": {"id": "zlib", "level": 1}, "unknown": 1})",
      "", "a/.zarray");
  REQUIRE(array.codecs.size() == 4);
  CHECK(array.codecs[0].id == Id::delta);
  CHECK(array.codecs[0].type_is_big);
  CHECK(array.codecs[0].as_type == zarr_type_named("uint16"));
  CHECK(array.codecs[1].id == Id::transpose);
  CHECK(array.codecs[1].order == std::vector<std::uint32_t>{1, 0});
  CHECK(array.codecs[2].id == Id::bytes);
  CHECK(array.codecs[2].big_endian);
  CHECK(array.codecs[3].id == Id::zlib);
  CHECK(array.keys.key(std::vector<std::uint64_t>{1, 2}) == "1.2");
  CHECK(array.fill == std::vector<std::byte>(2, std::byte{255}));
}

TEST_CASE("dtypes that are no numbers are refused with what they are") {
  const std::map<std::string, std::string> reasons = {
      {R"("|O")", "dtype: '|O': objects are not read: only numbers, bool and raw bytes"},
      {R"("<U7")", "dtype: '<U7': strings are not read: only numbers, bool and raw bytes"},
      {R"("|S7")", "dtype: '|S7': strings are not read: only numbers, bool and raw bytes"},
      {R"("<M8[ns]")", "dtype: '<M8[ns]': times are not read: only numbers, bool and raw bytes"},
      {R"([["x", "<i4"]])", "dtype: structures are not read: only numbers, bool and raw bytes"},
      {R"("<f16")", "dtype: '<f16': there is no such number"},
      {R"("|i4")", "dtype: '|i4': it has no byte order"},
      {R"("u2")", "dtype: 'u2': it is no numpy type string, such as \"<u2\""},
  };
  for (const auto& both : reasons) {
    const auto& dtype = both.first;  // clang 14 captures no structured bindings
    const auto& reason = both.second;
    CAPTURE(dtype);
    CHECK(v2_refusal(v2_with("dtype", dtype)) == reason);
  }
}

TEST_CASE("all metadata of other implementations is read and written again, or refused as no numbers") {
  std::size_t arrays = 0, groups = 0, refused = 0;
  for (const auto& both : stored_metadata("v2.json", "metadata")) {
    const auto& key = both.first;  // clang 14 captures no structured bindings
    const auto& text = both.second;
    CAPTURE(key);
    if (key.ends_with(".zgroup")) {
      CHECK_NOTHROW(parse_zarr_v2_group(text, "", key));
      ++groups;
    }
    if (!key.ends_with(".zarray")) continue;
    try {
      const auto array = parse_zarr_v2_array(text, "", key);
      CHECK(parse_zarr_v2_array(to_json(array), "", key) == array);
      ++arrays;
    } catch (const Error& error) {
      CHECK(error.reason().find("not read: only numbers") != std::string::npos);
      ++refused;
    }
  }
  CHECK(arrays == 25);
  CHECK(groups == 2);
  CHECK(refused == 7);
  arrays = groups = refused = 0;
  for (const auto& both : stored_metadata("v3.json", "")) {
    const auto& key = both.first;  // clang 14 captures no structured bindings
    const auto& text = both.second;
    CAPTURE(key);
    if (text.find(R"("group")") != std::string::npos && text.find("codecs") == std::string::npos) {
      CHECK_NOTHROW(parse_zarr_v3_group(text, key));
      ++groups;
      continue;
    }
    if (key == "consolidated") {
      CHECK(parse_zarr_v3_group(text, key).attributes == "{\n  \"answer\": 42\n}");
      continue;
    }
    try {
      const auto array = parse_zarr_v3_array(text, key);
      CHECK(parse_zarr_v3_array(to_json(array), key) == array);
      ++arrays;
    } catch (const Error& error) {
      CHECK(error.reason().find("data_type: 'string'") != std::string::npos);
      ++refused;
    }
  }
  CHECK(arrays == 39);
  CHECK(groups == 3);
  CHECK(refused == 6);
}
