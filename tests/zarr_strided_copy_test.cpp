#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "nodes/zarr/strided_copy.hpp"
#include "tests/codec_support.hpp"

namespace weir {
namespace {

using namespace codec_support;
using Counts = std::vector<std::uint64_t>;
using Strides = std::vector<std::int64_t>;

// Everything that scatter_box and gather_box are told, and memory with a border around the box.
struct CopyCase {
  StoredLayout layout;
  Counts chunk_shape, start, shape, step;
  Strides strides;
  std::int64_t first = 0;  ///< of the box in memory
  std::size_t memory_bytes = 0;

  ChunkBox box() const { return {start, shape, step}; }
  std::uint64_t chunk_bytes() const {
    return std::accumulate(chunk_shape.begin(), chunk_shape.end(), std::uint64_t{layout.element_bytes},
                           std::multiplies<>());
  }
};

CopyCase random_case(std::mt19937& random, std::size_t rank, std::uint64_t longest) {
  const auto up_to = [&](std::uint64_t most) { return random() % (most + 1); };
  CopyCase it;
  constexpr std::pair<std::uint32_t, std::uint32_t> elements[] = {{1, 1},  {2, 2}, {4, 4}, {8, 8}, {8, 4},
                                                                  {16, 8}, {4, 2}, {3, 1}, {5, 1}, {16, 1}};
  const auto [bytes, word] = elements[random() % std::size(elements)];
  it.layout.element_bytes = bytes;
  it.layout.word_bytes = word;
  it.layout.swapped = word > 1 && random() % 2 == 0;
  it.layout.axes.resize(rank);
  std::iota(it.layout.axes.begin(), it.layout.axes.end(), 0u);
  if (random() % 3 != 0) std::shuffle(it.layout.axes.begin(), it.layout.axes.end(), random);
  std::vector<std::size_t> order(rank);  // of the axes in memory
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (random() % 3 == 0) std::shuffle(order.begin(), order.end(), random);
  it.strides.resize(rank);
  const bool is_whole = random() % 4 == 0;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::uint64_t side = 1 + up_to(longest - 1),
                        step = is_whole || random() % 2 == 0 ? 1 : 1 + up_to(3);
    const std::uint64_t start = is_whole ? 0 : up_to(side - 1), room = (side - start + step - 1) / step;
    it.chunk_shape.push_back(side);
    it.step.push_back(step);
    it.start.push_back(start);
    it.shape.push_back(is_whole ? side : random() % 20 == 0 ? 0 : 1 + up_to(room - 1));
  }
  if (random() % 2 == 0 && std::all_of(it.step.begin(), it.step.end(), [](auto step) { return step == 1; }))
    it.step.clear();
  // Memory is packed, or has gaps; some axes run backwards.
  std::int64_t stride = bytes;
  const bool has_gaps = random() % 2 == 0;
  for (std::size_t i = rank; i-- > 0;) {
    const std::size_t axis = order[i];
    if (has_gaps) stride += static_cast<std::int64_t>(up_to(3));
    it.strides[axis] = stride;
    stride *= static_cast<std::int64_t>(std::max<std::uint64_t>(it.shape[axis], 1));
    if (random() % 4 == 0 && it.shape[axis] > 0) {
      it.first += it.strides[axis] * static_cast<std::int64_t>(it.shape[axis] - 1);
      it.strides[axis] = -it.strides[axis];
    }
  }
  constexpr std::size_t border = 16;
  it.first += std::int64_t{border};
  it.memory_bytes = static_cast<std::size_t>(stride) + 2 * border;
  return it;
}

// Element by element, as the words say: where each lies in the chunk and in memory.
template <class Work>
void for_each_element(const CopyCase& it, Work&& work) {
  const std::size_t rank = it.chunk_shape.size();
  Counts at(rank, 0);
  if (std::find(it.shape.begin(), it.shape.end(), 0u) != it.shape.end()) return;
  for (;;) {
    std::uint64_t in_chunk = 0;
    for (const std::uint32_t axis : it.layout.axes)
      in_chunk =
          in_chunk * it.chunk_shape[axis] + it.start[axis] + at[axis] * (it.step.empty() ? 1 : it.step[axis]);
    std::int64_t in_memory = it.first;
    for (std::size_t axis = 0; axis < rank; ++axis)
      in_memory += static_cast<std::int64_t>(at[axis]) * it.strides[axis];
    work(static_cast<std::size_t>(in_chunk * it.layout.element_bytes), static_cast<std::size_t>(in_memory));
    std::size_t axis = rank;
    while (axis > 0 && ++at[axis - 1] == it.shape[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

void move_element(const StoredLayout& layout, std::byte* to, const std::byte* from) {
  for (std::size_t i = 0; i < layout.element_bytes; ++i) {
    const std::size_t word = i / layout.word_bytes * layout.word_bytes, within = i - word;
    to[i] = from[word + (layout.swapped ? layout.word_bytes - 1 - within : within)];
  }
}

void check_case(const CopyCase& it, std::uint32_t seed) {
  const Bytes chunk = random_bytes(it.chunk_bytes(), seed), memory = random_bytes(it.memory_bytes, seed + 1);
  Bytes expected = memory;
  for_each_element(it, [&](std::size_t in_chunk, std::size_t in_memory) {
    move_element(it.layout, &expected[in_memory], &chunk[in_chunk]);
  });
  Bytes scattered = memory;
  scatter_box(it.layout, it.chunk_shape, chunk, it.box(), scattered.data() + it.first, it.strides);
  REQUIRE(scattered == expected);

  Bytes expected_chunk = chunk;
  for_each_element(it, [&](std::size_t in_chunk, std::size_t in_memory) {
    move_element(it.layout, &expected_chunk[in_chunk], &memory[in_memory]);
  });
  Bytes gathered = chunk;
  gather_box(it.layout, it.chunk_shape, gathered, it.box(), memory.data() + it.first, it.strides);
  REQUIRE(gathered == expected_chunk);

  const Bytes element = random_bytes(it.layout.element_bytes, seed + 2);
  for (const Bytes& fill : {element, Bytes{}, Bytes(it.layout.element_bytes, std::byte{7})}) {
    Bytes filled = memory, expected_fill = memory;
    for_each_element(it, [&](std::size_t, std::size_t in_memory) {
      for (std::size_t i = 0; i < it.layout.element_bytes; ++i)
        expected_fill[in_memory + i] = fill.empty() ? std::byte{0} : fill[i];
    });
    fill_box(filled.data() + it.first, it.strides, it.shape, fill, it.layout.element_bytes);
    REQUIRE(filled == expected_fill);
  }
}

TEST_CASE(
    "boxes of chunks in any axis order and byte order go to strided memory and back as element by element") {
  std::mt19937 random(1);
  for (std::uint32_t i = 0; i < 4000; ++i) {
    CAPTURE(i);
    const std::size_t rank = random() % 6;
    check_case(random_case(random, rank, rank <= 2 ? 40 : rank == 3 ? 12 : 5), i);
  }
}

TEST_CASE("rank 32 is copied as any other") {
  std::mt19937 random(2);
  for (std::uint32_t i = 0; i < 20; ++i) check_case(random_case(random, most_strided_axes, i % 2 + 1), i);
}

TEST_CASE("one element of the source may stand for a whole axis") {
  StoredLayout layout;
  layout.axes = {0, 1};
  layout.element_bytes = layout.word_bytes = 2;
  const Counts shape = {3, 4}, start = {0, 0};
  Bytes chunk(24);
  const Bytes source = random_bytes(8, 3);
  gather_box(layout, shape, chunk, {start, shape}, source.data(), Strides{0, 2});
  for (std::size_t row = 0; row < 3; ++row)
    CHECK(std::equal(source.begin(), source.end(), chunk.begin() + static_cast<std::ptrdiff_t>(8 * row)));
}

TEST_CASE("a chunk is all fill only bit for bit, in its own byte order, down to its last element") {
  StoredLayout layout;
  layout.axes = {0};
  const auto bytes_of_value = [](auto value) {
    Bytes bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
  };
  const Bytes zero = bytes_of_value(0.0), minus_zero = bytes_of_value(-0.0);
  const Bytes nan = bytes_of_value(std::numeric_limits<double>::quiet_NaN());
  const Bytes other_nan = bytes_of_value(std::nan("7"));
  layout.element_bytes = layout.word_bytes = 8;
  for (const bool swapped : {false, true}) {
    layout.swapped = swapped;
    for (const std::size_t elements : {1u, 2u, 1000u})
      for (const Bytes& fill : {zero, minus_zero, nan, other_nan, Bytes{}}) {
        Bytes chunk(8 * elements, std::byte{0xee});
        fill_chunk(layout, chunk, fill);
        Bytes last(chunk.end() - 8, chunk.end());
        if (swapped) std::reverse(last.begin(), last.end());
        REQUIRE(last == (fill.empty() ? zero : fill));
        for (const Bytes& asked : {zero, minus_zero, nan, other_nan, Bytes{}})
          CHECK(is_all_fill(layout, chunk, asked) ==
                ((asked.empty() ? zero : asked) == (fill.empty() ? zero : fill)));
        for (const std::size_t at : {std::size_t{0}, chunk.size() / 2, chunk.size() - 1}) {
          chunk[at] ^= std::byte{1};
          CHECK_FALSE(is_all_fill(layout, chunk, fill));
          chunk[at] ^= std::byte{1};
        }
      }
  }
  CHECK(is_all_fill(layout, {}, zero));
}

TEST_CASE("filling repeats elements of every size to the last byte") {
  for (const std::uint32_t element : {1u, 2u, 3u, 7u, 16u, 300u}) {
    StoredLayout layout;
    layout.axes = {0};
    layout.element_bytes = element;
    const Bytes fill = random_bytes(element, element);
    Bytes chunk(element * 10007);
    fill_chunk(layout, chunk, fill);
    for (std::size_t i = 0; i < chunk.size(); ++i)
      if (chunk[i] != fill[i % element]) REQUIRE(i == chunk.size());
    CHECK(is_all_fill(layout, chunk, fill));
  }
}

}  // namespace
}  // namespace weir
