#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/folder_store.hpp"
#include "pipelines/copy_zarr.hpp"
#include "pipelines/read_zarr.hpp"
#include "pipelines/write_zarr.hpp"

// What tests/foreign/zarr_agree.py and the benchmark need of C++: arrays of any rank, raw elements in files.
//
//   zarr_tool_child create FOLDER PATH METADATA          a zarr.json, or a .zarray; as Weir writes it
//   zarr_tool_child read FOLDER PATH RAW [SELECTION]     begin:count:step,... ; row-major, in the machine's byte order
//   zarr_tool_child write FOLDER PATH RAW [SELECTION]
//   zarr_tool_child copy FOLDER PATH TO [SHARD]          its stored chunks, into the new array TO; SHARD: "32,40", or "none"; prints how many
// In the environment: THREADS, MEMORY (bytes), REPEAT (how often; prints the seconds of each), ORDER=C, KEEP=1, SYNC=0,
// UPDATE=in_place; of copy: FORMAT=2 or 3.

namespace {

using namespace weir;

std::uint64_t setting(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

std::vector<std::byte> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error("read", path, "it cannot be opened");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

/// "32,40"
std::vector<std::uint64_t> numbers(const std::string& text) {
  std::vector<std::uint64_t> list;
  for (const char *at = text.c_str(), *end = at + text.size(); at < end; ++at)
    at = std::from_chars(at, end, list.emplace_back()).ptr;
  return list;
}

ZarrSelection parse(const std::string& text, const ZarrArray& array) {
  if (text.empty()) return everything(array);
  ZarrSelection selection;
  const char* at = text.c_str();
  while (*at != '\0') {
    ZarrAxis axis;
    for (std::uint64_t* value : {&axis.begin, &axis.count, &axis.step}) {
      at = std::from_chars(at, text.c_str() + text.size(), *value).ptr;
      if (*at != '\0') ++at;
    }
    selection.push_back(axis);
  }
  return selection;
}

int run(const std::vector<std::string>& words) {
  if (words.size() < 4)
    throw Error::usage("run", "zarr_tool_child", "it takes a verb, a folder, a path and a file");
  FolderStoreOptions store_options;
  store_options.create = true;
  store_options.durable = setting("SYNC", 1) != 0;
  const auto store = std::make_shared<const FolderStore>(words[1], store_options);
  if (words[0] == "create") {
    const std::vector<std::byte> json = bytes_of(words[3]);
    const std::string_view text(reinterpret_cast<const char*>(json.data()), json.size());
    const bool is_v2 = text.find("zarr_format\": 2") != std::string_view::npos;
    const ZarrArrayMetadata array =
        is_v2 ? parse_zarr_v2_array(text, "", words[3]) : parse_zarr_v3_array(text, words[3]);
    const std::string written = to_json(array);
    store->put((words[2].empty() ? "" : words[2] + "/") + (is_v2 ? ".zarray" : "zarr.json"),
               std::as_bytes(std::span(written)));
    return 0;
  }
  if (words[0] == "copy") {
    const auto array = open_zarr(store, words[2]);
    ZarrStoredAs wanted;
    wanted.format = static_cast<int>(setting("FORMAT", static_cast<std::uint64_t>(array->metadata().format)));
    if (words.size() > 4)
      wanted.shard = words[4] == "none" ? std::vector<std::uint64_t>() : numbers(words[4]);
    fmt::print("{}\n",
               copy_zarr(array, stored_as(array->metadata(), wanted), words[1] + "/" + words[3]).passed);
    return 0;
  }
  GraphOptions graph;
  graph.threads = static_cast<unsigned>(setting("THREADS", 0));
  graph.memory = setting("MEMORY", 0);
  std::shared_ptr<const ZarrArray> array = open_zarr(store, words[2]);
  const ZarrSelection selection = parse(words.size() > 4 ? words[4] : "", *array);
  std::uint64_t bytes = array->metadata().type.bytes;
  for (const ZarrAxis& axis : selection) bytes *= axis.count;
  const std::vector<std::ptrdiff_t> strides = packed_strides(selection, array->metadata().type.bytes);
  std::vector<std::byte> elements = words[0] == "write" ? bytes_of(words[3]) : std::vector<std::byte>(bytes);
  if (elements.size() != bytes)
    throw Error::usage("write", words[3],
                       fmt::format("it has {} bytes, and the selection {}", elements.size(), bytes));
  for (std::uint64_t i = 0; i < setting("REPEAT", 1); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (i > 0) array = open_zarr(store, words[2]);
    if (words[0] == "write") {
      WriteZarrOptions options;
      options.graph = graph;
      if (std::getenv("ORDER") != nullptr) options.order = ShardOrder::row_major;
      options.stores_empty_chunks = setting("KEEP", 0) != 0;
      if (std::getenv("UPDATE") != nullptr) options.update = ZarrUpdate::in_place;
      write_zarr(array, selection, {elements.data(), strides}, options);
    } else {
      ReadZarrOptions options;
      options.graph = graph;
      read_zarr(array, selection, {elements.data(), strides}, options);
    }
    if (std::getenv("REPEAT") != nullptr)
      fmt::print("{:.6f}\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  if (words[0] == "read" && words[3] != "-") {
    std::ofstream file(words[3], std::ios::binary);
    file.write(reinterpret_cast<const char*>(elements.data()), static_cast<std::streamsize>(elements.size()));
    if (!file.flush()) throw Error("write", words[3], "it cannot be written");
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  try {
    return run({words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
