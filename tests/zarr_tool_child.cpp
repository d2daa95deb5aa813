#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "framework/file.hpp"
#include "nodes/stores/counting_store.hpp"
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
//   zarr_tool_child hold FOLDER PATH RAW                 memory for the elements, and nothing else
//   zarr_tool_child chunks FOLDER PATH -                 reads every (inner) chunk alone, in a random order
//   zarr_tool_child cells FOLDER PATH COUNT              writes single elements, one after the other, into random places; prints
//                                                        the median's seconds, and of the last: requests, bytes written
// In the environment: THREADS, MEMORY (bytes), REPEAT (how often; prints the seconds of each; where PATH is several, joined by
// commas, each time takes the next), PEAK=1 (prints the most memory it had, KiB), ORDER=C, KEEP=1, SYNC=0, UPDATE=in_place; of
// copy: FORMAT=2 or 3.

namespace {

using namespace weir;

std::uint64_t setting(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

/// Memory as numpy's arrays have it: untouched, in huge pages.
class Elements {
 public:
  explicit Elements(std::size_t bytes) : bytes_(bytes) {
    constexpr std::size_t huge_page = 2 << 20;
    const std::size_t whole = (std::max<std::size_t>(bytes, 1) + huge_page - 1) / huge_page * huge_page;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(huge_page, whole)));
    if (!data_) throw std::bad_alloc();
    static_cast<void>(::madvise(data_.get(), whole, MADV_HUGEPAGE));
  }
  std::span<std::byte> span() const { return {data_.get(), bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> data_;
};

std::vector<std::byte> bytes_of(const std::string& path) {
  const InputFile file(path);
  std::vector<std::byte> bytes(file.size());
  file.read_at(0, bytes);
  return bytes;
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

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char letter : text)
    if (letter == ',')
      parts.emplace_back();
    else
      parts.back() += letter;
  return parts;
}

WriteZarrOptions write_options(const GraphOptions& graph) {
  WriteZarrOptions options;
  options.graph = graph;
  if (std::getenv("ORDER") != nullptr) options.order = ShardOrder::row_major;
  options.stores_empty_chunks = setting("KEEP", 0) != 0;
  if (std::getenv("UPDATE") != nullptr) options.update = ZarrUpdate::in_place;
  return options;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// VmHWM: getrusage's maximum counts the parent's, from before exec.
void print_peak() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:" && status >> word) fmt::print("{}\n", word);
}

/// Into `out`, which holds a chunk.
void read_chunks(const std::shared_ptr<const ZarrArray>& array, const GraphOptions& graph,
                 std::span<std::byte> out) {
  const ZarrLayout& layout = *array->layout();
  std::vector<ZarrSelection> parts(1);
  for (std::size_t axis = 0; axis < layout.rank(); ++axis) {
    std::vector<ZarrSelection> longer;
    const std::uint64_t extent = layout.chunk_shape()[axis], all = layout.shape()[axis];
    for (const ZarrSelection& part : parts)
      for (std::uint64_t begin = 0; begin < all; begin += extent) {
        longer.push_back(part);
        longer.back().push_back({begin, std::min(extent, all - begin), 1});
      }
    parts = std::move(longer);
  }
  std::ranges::shuffle(parts, std::mt19937(1));
  ReadZarrOptions options;
  options.graph = graph;
  for (const ZarrSelection& part : parts)
    read_zarr(array, part, {out.data(), packed_strides(part, layout.type().bytes)}, options);
}

void write_cells(const std::shared_ptr<const CountingStore>& store, const std::string& path,
                 const GraphOptions& graph, std::size_t count) {
  const auto array = open_zarr(store, path);
  const ZarrLayout& layout = *array->layout();
  const WriteZarrOptions options = write_options(graph);
  std::mt19937_64 random(1);
  std::vector<double> seconds;
  StoreCount last;
  for (std::size_t i = 0; i < count; ++i) {
    ZarrSelection cell;
    for (const std::uint64_t extent : layout.shape()) cell.push_back({random() % extent, 1, 1});
    const std::vector<std::byte> element(layout.type().bytes, static_cast<std::byte>(random() | 1U));
    store->take();
    const auto begin = std::chrono::steady_clock::now();
    write_zarr(array, cell, {element.data(), packed_strides(cell, element.size())}, options);
    seconds.push_back(seconds_since(begin));
    last = store->take();
  }
  std::ranges::sort(seconds);
  const std::uint64_t requests = last.read_requests() + last.writer + last.put_range;
  fmt::print("{:.7f}\n{}\n{}\n", seconds.at(count / 2), requests, last.bytes_written);
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
  if (words[0] == "cells") {
    write_cells(std::make_shared<const CountingStore>(store), words[2], graph, std::stoul(words[3]));
    return 0;
  }
  const std::vector<std::string> paths = split(words[2]);
  std::shared_ptr<const ZarrArray> array = open_zarr(store, paths.front());
  const ZarrSelection selection = parse(words.size() > 4 ? words[4] : "", *array);
  std::uint64_t bytes = array->metadata().type.bytes;
  for (const ZarrAxis& axis : selection) bytes *= axis.count;
  const std::vector<std::ptrdiff_t> strides = packed_strides(selection, array->metadata().type.bytes);
  Elements elements(bytes);
  if (words[0] != "read" && words[3] != "-") {
    const InputFile file(words[3]);
    if (file.size() != bytes)
      throw Error::usage("write", words[3],
                         fmt::format("it has {} bytes, and the selection {}", file.size(), bytes));
    file.read_at(0, elements.span());
  } else if (words[0] == "hold") {
    std::ranges::fill(elements.span(), std::byte{1});
  }
  for (std::uint64_t i = 0; i < setting("REPEAT", 1) && words[0] != "hold"; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (i > 0) array = open_zarr(store, paths[i % paths.size()]);
    if (words[0] == "write") {
      write_zarr(array, selection, {elements.span().data(), strides}, write_options(graph));
    } else if (words[0] == "chunks") {
      read_chunks(array, graph, elements.span());
    } else {
      ReadZarrOptions options;
      options.graph = graph;
      if (i > 0) elements = Elements(bytes);  // the peers make a new array, too
      read_zarr(array, selection, {elements.span().data(), strides}, options);
    }
    if (std::getenv("REPEAT") != nullptr) fmt::print("{:.6f}\n", seconds_since(begin));
  }
  if (std::getenv("PEAK") != nullptr) print_peak();
  if (words[0] == "read" && words[3] != "-") {
    std::ofstream file(words[3], std::ios::binary);
    file.write(reinterpret_cast<const char*>(elements.span().data()), static_cast<std::streamsize>(bytes));
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
