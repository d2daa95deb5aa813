#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// An array of shards with all that can be said.
inline std::string v3_array() {
  return R"({"zarr_format": 3, "node_type": "array", "shape": [10, 20, 30], "data_type": "int16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4, 6, 8]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "fill_value": -1,
    "codecs": [{"name": "sharding_indexed", "configuration": {"chunk_shape": [2, 3, 4], "index_location": "start",
      "codecs": [{"name": "transpose", "configuration": {"order": [2, 0, 1]}},
                 {"name": "bytes", "configuration": {"endian": "big"}},
                 {"name": "blosc", "configuration":
                   {"typesize": 2, "cname": "zstd", "clevel": 5, "shuffle": "bitshuffle", "blocksize": 0}}],
      "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, "crc32c"]}}],
    "attributes": {"answer": 42}, "dimension_names": ["z", null, "x"]})";
}

/// `base` with a member in place of its own, or beside it; `value` is JSON.
inline std::string with_member(const std::string& base, const std::string& member, const std::string& value) {
  JsonValue document = parse_json(base, "base", 1 << 20, 64);
  document.set(member, parse_json(value, "value", 1 << 20, 64));
  return to_text(document);
}

/// A plain 2-d array of `type` (a name, or JSON), with one member set, and perhaps `more` ("name": value).
inline std::string v3_with(const std::string& member, const std::string& value,
                           const std::string& type = "uint8",
                           const std::string& more = R"("attributes": {})") {
  JsonValue document = parse_json(
      R"({"zarr_format": 3, "node_type": "array", "shape": [7, 9], "data_type": null,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "fill_value": 0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]})",
      "base", 1 << 20, 64);
  document.set("data_type", type.starts_with("{") ? parse_json(type, "type", 1 << 20, 64) : JsonValue(type));
  const JsonValue extra = parse_json("{" + more + "}", "more", 1 << 20, 64);
  for (const auto& [name, one] : *extra.object()) document.set(name, one);
  return with_member(to_text(document), member, value);
}

inline std::string v2_with(const std::string& member, const std::string& value) {
  return with_member(R"({"zarr_format": 2, "shape": [7, 9], "chunks": [2, 3], "dtype": "<u2", "fill_value": 0,
    "order": "C", "filters": null, "compressor": null})",
                     member, value);
}

/// Why it is refused, or nothing.
inline std::string v3_refusal(const std::string& json, const ZarrLimits& limits = {}) {
  try {
    parse_zarr_v3_array(json, "the store/zarr.json", limits);
    return "";
  } catch (const Error& error) {
    return error.object() == "the store/zarr.json" ? error.reason() : "an Error of another object";
  }
}
inline std::string v2_refusal(const std::string& json, const ZarrLimits& limits = {}) {
  try {
    parse_zarr_v2_array(json, "", "the store/.zarray", limits);
    return "";
  } catch (const Error& error) {
    return error.object() == "the store/.zarray" ? error.reason() : "an Error of another object";
  }
}

/// Keys and documents of a stored collection: those of `member`, or of the whole file.
inline std::vector<std::pair<std::string, std::string>> stored_metadata(const std::string& file,
                                                                        const std::string& member) {
  std::ifstream in(std::string(WEIR_TEST_DATA) + "/zarr/metadata/" + file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const JsonValue all = parse_json(text, file, 1 << 20, 64);
  std::vector<std::pair<std::string, std::string>> list;
  for (const auto& [key, value] : *(member.empty() ? all : *all.find(member)).object())
    list.emplace_back(key, to_text(value));
  return list;
}

}  // namespace weir
