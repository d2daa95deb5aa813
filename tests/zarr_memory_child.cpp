// Helper of zarr_memory_test.cpp: shards larger than the budget are written, updated both ways, compacted, passed on and read back, and what the
// process really takes meanwhile is measured.
//
//   zarr_memory_child FOLDER CODEC CHUNK SIDE SHARD_DEPTH DEPTH MEMORY
//
//   CODEC        raw or zstd
//   CHUNK        side of chunks
//   SIDE         of planes of uint16
//   SHARD_DEPTH  planes of a shard
//   DEPTH        planes of the array, a multiple of 64
//   MEMORY       bytes
//
// Prints a line for each run: its name, bytes planned, bytes that the buffers' allocator saw, bytes by which the process grew.
// Exit code 0: all elements are as written; 1: an Error, or others are, on stderr; 2: bad usage.
#include <malloc.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "nodes/stores/folder_store.hpp"
#include "pipelines/compact_zarr.hpp"
#include "pipelines/copy_zarr.hpp"
#include "tests/zarr_update_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// A line of /proc/self/status, bytes.
std::uint64_t status(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) << 10;
  return 0;
}

void measure(const char* name, const std::function<RunReport()>& run) {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): forget the peak
  const std::uint64_t before = status("VmRSS");
  const RunReport report = run();
  const std::uint64_t peak = status("VmHWM");
  std::printf("%s %lu %lu %lu\n", name, report.peak_planned, report.peak_payload,
              peak > before ? peak - before : 0);
}

/// Planes along the first axis are all the same but for what was updated: none of this takes memory here.
struct Planes {
  std::uint64_t side;
  batched::Elements plane;
  std::ptrdiff_t row_bytes() const { return static_cast<std::ptrdiff_t>(2 * side); }
  ZarrOrigin from(std::uint64_t row, std::uint64_t column) const {
    return {plane.data() + 2 * (row * side + column), {0, row_bytes(), 2}};
  }
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 8) return 2;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return 2;
  const auto number = [&](int i) { return std::strtoull(arguments[i], nullptr, 10); };
  const std::uint64_t chunk = number(3), side = number(4), shard_depth = number(5), depth = number(6);
  try {
    std::mt19937 random(9);
    Planes first{side, {}}, second{side, {}};
    for (std::uint64_t i = 0; i < 2 * side * side; ++i) {
      first.plane.push_back(static_cast<std::byte>(random()));
      second.plane.push_back(static_cast<std::byte>(random() % 16));
    }
    std::vector<ZarrCodecSpec> codecs{ZarrCodecSpec{}};
    if (std::string(arguments[2]) == "zstd") {
      codecs.push_back(codec_of(ZarrCodecSpec::Id::zstd));
      codecs.back().level = 1;
    }
    const auto store =
        std::make_shared<FolderStore>(arguments[1], FolderStoreOptions{.create = true, .durable = false});
    create_zarr(*store, "a",
                sharded({depth, side, side}, {shard_depth, side, side}, {chunk, chunk, chunk}, codecs, true));
    const auto array = open_zarr(store, "a");
    WriteZarrOptions options, patching;
    options.graph.memory = number(7);
    options.graph.threads = 2;
    patching = options;
    patching.update = ZarrUpdate::in_place;
    ReadZarrOptions reading;
    reading.graph = options.graph;

    measure("write", [&] { return write_zarr(array, everything(*array), first.from(0, 0), options); });
    // Parts of all chunks of the left half; in the middle of it once more, by copying.
    const ZarrSelection left{{0, depth, 1}, {0, side, 1}, {5, side / 2, 1}};
    measure("patch", [&] { return write_zarr(array, left, second.from(0, 5), patching); });
    const ZarrSelection middle{{0, depth, 1}, {70, 9, 1}, {70, 9, 1}};
    measure("copy", [&] { return write_zarr(array, middle, first.from(70, 70), options); });
    CompactZarrOptions compacting;
    compacting.graph = options.graph;
    measure("compact", [&] { return compact_zarr(array, compacting).run; });
    // Two shards become one, as they are stored.
    CopyZarrOptions copying;
    copying.graph = options.graph;
    measure("pass", [&] {
      const ZarrStoredAs wanted{.format = 3,
                                .shard = std::vector<std::uint64_t>{2 * shard_depth, side, side}};
      return copy_zarr(array, stored_as(array->metadata(), wanted), std::string(arguments[1]) + "/b", copying)
          .run;
    });
    const auto passed = open_zarr(store, "b");

    batched::Elements wanted = first.plane, window(2 * 64 * side * side);
    for (std::uint64_t row = 0; row < side; ++row)
      std::copy_n(second.plane.begin() + static_cast<std::ptrdiff_t>(2 * (row * side + 5)), side,
                  wanted.begin() + static_cast<std::ptrdiff_t>(2 * (row * side + 5)));
    for (std::uint64_t row = 70; row < 79; ++row)
      std::copy_n(first.plane.begin() + static_cast<std::ptrdiff_t>(2 * (row * side + 70)), 18,
                  wanted.begin() + static_cast<std::ptrdiff_t>(2 * (row * side + 70)));
    for (std::uint64_t at = 0; at < depth; at += 64) {
      const ZarrSelection slab{{at, 64, 1}, {0, side, 1}, {0, side, 1}};
      measure("read", [&] {
        return read_zarr(array, slab, {window.data(), packed_strides(slab, 2)}, reading);
      });
      for (std::uint64_t i = 0; i < 64; ++i)
        if (!std::equal(wanted.begin(), wanted.end(),
                        window.begin() + static_cast<std::ptrdiff_t>(i * wanted.size()))) {
          std::fprintf(stderr, "plane %lu is not as it was written\n", at + i);
          return 1;
        }
    }
    for (int window_number = 0; window_number < 10; ++window_number) {
      const std::uint64_t at = random() % (depth / 2), row = random() % (side - 20),
                          column = random() % (side - 30);
      const ZarrSelection part{{at, depth / 2, 1}, {row, 20, 1}, {column, 30, 1}};
      measure("window", [&] {
        return read_zarr(passed, part, {window.data(), packed_strides(part, 2)}, reading);
      });
      for (std::uint64_t i = 0; i < depth / 2 * 20; ++i)
        if (!std::equal(window.begin() + static_cast<std::ptrdiff_t>(i * 60),
                        window.begin() + static_cast<std::ptrdiff_t>(i * 60 + 60),
                        wanted.begin() + static_cast<std::ptrdiff_t>(2 * ((row + i % 20) * side + column)))) {
          std::fprintf(stderr, "a window is not as it was written\n");
          return 1;
        }
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
