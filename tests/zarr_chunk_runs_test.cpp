#include <doctest/doctest.h>

#include <map>
#include <set>

#include "framework/error.hpp"
#include "nodes/zarr/chunk_runs.hpp"
#include "nodes/zarr/write_runs.hpp"
#include "zarr_support.hpp"

namespace weir {
namespace {

constexpr ZarrType uint8_type{ZarrType::Kind::unsigned_integer, 1};

struct Drawn {
  std::shared_ptr<const ZarrLayout> layout;
  ZarrSelection selection;
};

Drawn drawn(std::mt19937& random) {
  const auto number = [&](std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
  };
  std::vector<std::uint64_t> shape, chunks, inner;
  Drawn made;
  const bool is_sharded = number(0, 2) > 0;
  for (std::uint64_t rank = number(0, 3), axis = 0; axis < rank; ++axis) {
    shape.push_back(number(1, 40));
    inner.push_back(number(1, 6));
    chunks.push_back(is_sharded ? inner.back() * number(1, 4) : number(1, 9));
    ZarrAxis it;
    it.begin = number(0, shape.back() - 1);
    it.step = number(1, number(1, 2) == 1 ? 1 : 20);
    it.count = number(1, (shape.back() - 1 - it.begin) / it.step + 1);
    made.selection.push_back(it);
  }
  if (!is_sharded) inner.clear();
  made.layout = std::make_shared<const ZarrLayout>(zarr_array(shape, chunks, inner, uint8_type), "an array");
  return made;
}

/// Calls with every selected element: its place in the array, and its number along each axis of the selection.
template <class Each>
void each_element(const ZarrSelection& selection, Each each) {
  std::vector<std::uint64_t> number(selection.size());
  for (;;) {
    ZarrIndex at(selection.size());
    for (std::size_t axis = 0; axis < at.size(); ++axis)
      at[axis] = selection[axis].begin + number[axis] * selection[axis].step;
    each(at, number);
    std::size_t axis = selection.size();
    while (axis > 0 && ++number[axis - 1] == selection[axis - 1].count) number[--axis] = 0;
    if (axis == 0) return;
  }
}

std::set<ZarrIndex> touched(const Drawn& it) {
  std::set<ZarrIndex> chunks;
  each_element(it.selection, [&](ZarrIndex at, const auto&) {
    for (std::size_t axis = 0; axis < at.size(); ++axis) at[axis] /= it.layout->chunk_shape()[axis];
    chunks.insert(at);
  });
  return chunks;
}

TEST_CASE("the runs of a selection have each chunk that it touches once, and no other") {
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    const Drawn it = drawn(random);
    const ChunkRuns runs(it.layout, it.selection, std::uniform_int_distribution<std::uint64_t>(1, 9)(random));
    std::set<ZarrIndex> seen;
    for (std::uint64_t run = 0; run < runs.count(); ++run) {
      const std::vector<ZarrIndex> chunks = runs.chunks_of(run);
      REQUIRE(chunks.size() == runs.size(run));
      REQUIRE(chunks.size() <= runs.chunks_per_run());
      for (const ZarrIndex& chunk : chunks) {
        REQUIRE(seen.insert(chunk).second);
        if (it.layout->index()) REQUIRE(it.layout->object_of(chunk) == it.layout->object_of(chunks.front()));
      }
    }
    REQUIRE(seen == touched(it));
    REQUIRE(runs.chunks() == seen.size());
  }
}

TEST_CASE("the part of a chunk is the selected elements in it, at their places") {
  std::mt19937 random(6);
  for (int i = 0; i < 1000; ++i) {
    const Drawn it = drawn(random);
    std::map<ZarrIndex, std::uint64_t> elements;
    each_element(it.selection, [&](const ZarrIndex& at, const std::vector<std::uint64_t>& number) {
      ZarrIndex chunk = at;
      for (std::size_t axis = 0; axis < at.size(); ++axis) chunk[axis] /= it.layout->chunk_shape()[axis];
      const ChunkPart part = part_of(*it.layout, it.selection, chunk);
      ++elements[chunk];
      for (std::size_t axis = 0; axis < at.size(); ++axis) {
        REQUIRE(number[axis] >= part.target[axis]);
        const std::uint64_t nth = number[axis] - part.target[axis];
        REQUIRE(nth < part.shape[axis]);
        REQUIRE(chunk[axis] * it.layout->chunk_shape()[axis] + part.begin[axis] + nth * part.step[axis] ==
                at[axis]);
      }
    });
    for (const auto& [chunk, count] : elements) {
      const ChunkPart part = part_of(*it.layout, it.selection, chunk);
      std::uint64_t size = 1, in_array = 1, whole = 1;
      for (std::size_t axis = 0; axis < chunk.size(); ++axis) {
        const std::uint64_t extent = it.layout->chunk_shape()[axis];
        size *= part.shape[axis];
        in_array *= std::min(extent, it.layout->shape()[axis] - chunk[axis] * extent);
        whole *= extent;
      }
      REQUIRE(size == count);
      REQUIRE(part.is_whole == (size == in_array));
      REQUIRE(part.covers_chunk == (size == whole));
    }
  }
}

TEST_CASE("the runs of a write have all chunks of each shard that it touches, in the order of the shard") {
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) {
    const Drawn it = drawn(random);
    const std::uint64_t at_once = it.layout->index() ? 1 + random() % 4 : 1;
    const WriteRuns runs(it.layout, it.selection, ShardOrder::morton,
                         std::uniform_int_distribution<std::uint64_t>(1, 9)(random),
                         ZarrUpdate::copy_on_write, at_once);
    const std::set<ZarrIndex> chunks = touched(it);
    std::set<ZarrIndex> wanted;
    for (const ZarrIndex& chunk : chunks) {
      const ZarrIndex object = it.layout->object_of(chunk);
      const auto& counts = it.layout->chunks_of_object();
      for (std::uint64_t number = 0; number < it.layout->chunk_count(); ++number) {
        ZarrIndex sibling(object.size());
        std::uint64_t rest = number;
        for (std::size_t axis = object.size(); axis-- > 0; rest /= counts[axis])
          sibling[axis] = object[axis] * counts[axis] + rest % counts[axis];
        wanted.insert(sibling);
      }
    }
    std::set<ZarrIndex> seen;
    struct Open {
      ZarrIndex object;
      std::uint64_t chunks = 0;
    };
    std::map<std::uint64_t, Open> open;  // by stream
    std::optional<ZarrIndex> last;       // that was opened
    const std::vector<std::uint32_t> order =
        it.layout->index() ? shard_order(ShardOrder::morton, it.layout->chunks_of_object())
                           : std::vector<std::uint32_t>();
    for (std::uint64_t run = 0; run < runs.count(); ++run) {
      const std::vector<ZarrIndex> of_run = runs.chunks_of(run);
      for (const ZarrIndex& chunk : of_run) {
        REQUIRE(seen.insert(chunk).second);
        REQUIRE(runs.touches(chunk) == chunks.contains(chunk));
      }
      if (!it.layout->index()) continue;
      const std::uint64_t stream = runs.stream_of(run);
      REQUIRE(stream < at_once);
      const ZarrIndex object = it.layout->object_of(of_run.front());
      REQUIRE(runs.is_first_of_object(run) == !open.contains(stream));
      if (!open.contains(stream)) {
        open[stream].object = object;
        if (last) REQUIRE(*last < object);  // row-major, which is how locks are taken
        last = object;
      }
      for (const ZarrIndex& chunk : of_run) {
        REQUIRE(it.layout->object_of(chunk) == open[stream].object);
        REQUIRE(it.layout->number_in_object(chunk) == order[open[stream].chunks++]);
      }
      REQUIRE(runs.is_last_of_object(run) == (open[stream].chunks == order.size()));
      if (runs.is_last_of_object(run)) open.erase(stream);
    }
    REQUIRE(seen == wanted);
    REQUIRE(open.empty());
  }
}

TEST_CASE("a selection outside of the array is refused with its axis") {
  const auto said = [](const ZarrSelection& selection) -> std::string {
    try {
      check(selection, {10, 20}, "a.zarr");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
      return error.what();
    }
    return "";
  };
  CHECK(said({{0, 10, 1}, {0, 20, 1}}) == "");
  CHECK(said({{9, 1, 1}, {1, 7, 3}}) == "");
  CHECK(said({{0, 10, 1}}) == "cannot select from a.zarr: the selection has 1 axes, and the array 2");
  CHECK(said({{0, 0, 1}, {0, 20, 1}}) == "cannot select from a.zarr: nothing is selected of axis 0");
  CHECK(said({{0, 1, 0}, {0, 20, 1}}) == "cannot select from a.zarr: the step of axis 0 is 0");
  CHECK(said({{0, 10, 1}, {2, 7, 3}}) ==
        "cannot select from a.zarr: axis 1 has 20 elements, and 7 from 2 on in steps of 3 are wanted");
  CHECK(said({{10, 1, 1}, {0, 20, 1}}) != "");
  CHECK(said({{0, 3, ~0ull / 2 + 1}, {0, 20, 1}}) != "");
}

}  // namespace
}  // namespace weir
