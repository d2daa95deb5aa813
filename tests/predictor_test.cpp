#include "nodes/codecs/predictor.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace weir {
namespace {

using Bytes = std::vector<std::byte>;

Bytes random_bytes(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Sample by sample, as TIFF 6.0 section 14 says it.
template <class T>
Bytes horizontal_reference(const Bytes& raw, const RowLayout& layout) {
  Bytes out = raw;
  const std::size_t per_row = layout.width * layout.samples;
  for (std::size_t i = 0; i < raw.size() / sizeof(T); ++i) {
    if (i % per_row < layout.samples) continue;
    T here, before;
    std::memcpy(&here, &raw[i * sizeof(T)], sizeof(T));
    std::memcpy(&before, &raw[(i - layout.samples) * sizeof(T)], sizeof(T));
    const T difference = static_cast<T>(here - before);
    std::memcpy(&out[i * sizeof(T)], &difference, sizeof(T));
  }
  return out;
}

// Byte by byte, as Technote 3 says it.
Bytes floating_point_reference(const Bytes& raw, const RowLayout& layout) {
  Bytes planes(raw.size()), out(raw.size());
  const std::size_t row_bytes = layout.row_bytes(), count = layout.width * layout.samples;
  for (std::size_t row = 0; row < raw.size(); row += row_bytes) {
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t significance = 0; significance < layout.sample_bytes; ++significance) {
        const std::size_t byte = std::endian::native == std::endian::little
                                     ? layout.sample_bytes - 1 - significance
                                     : significance;
        planes[row + significance * count + i] = raw[row + i * layout.sample_bytes + byte];
      }
    for (std::size_t i = 0; i < row_bytes; ++i) {
      const unsigned before =
          i < layout.samples ? 0 : std::to_integer<unsigned>(planes[row + i - layout.samples]);
      out[row + i] = static_cast<std::byte>(std::to_integer<unsigned>(planes[row + i]) - before);
    }
  }
  return out;
}

Bytes reference(Predictor predictor, const Bytes& raw, const RowLayout& layout) {
  if (predictor == Predictor::none) return raw;
  if (predictor == Predictor::floating_point) return floating_point_reference(raw, layout);
  switch (layout.sample_bytes) {
    case 1:
      return horizontal_reference<std::uint8_t>(raw, layout);
    case 2:
      return horizontal_reference<std::uint16_t>(raw, layout);
    case 4:
      return horizontal_reference<std::uint32_t>(raw, layout);
    default:
      return horizontal_reference<std::uint64_t>(raw, layout);
  }
}

Bytes swapped(const Bytes& raw, std::uint32_t sample_bytes) {
  Bytes out(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i)
    out[i] = raw[i / sample_bytes * sample_bytes + (sample_bytes - 1 - i % sample_bytes)];
  return out;
}

template <class Check>
void for_each_layout(Check&& check) {
  for (std::uint64_t width : {1u, 2u, 3u, 5u, 7u, 15u, 16u, 17u, 31u, 33u, 63u, 255u, 257u})
    for (std::uint32_t samples : {1u, 2u, 3u, 4u, 5u, 7u, 16u, 17u, 19u, 33u})
      for (std::uint32_t sample_bytes : {1u, 2u, 4u, 8u})
        for (Predictor predictor : {Predictor::none, Predictor::horizontal, Predictor::floating_point})
          if (predictor != Predictor::floating_point || sample_bytes > 1)
            check(predictor, RowLayout{width, samples, sample_bytes});
}

TEST_CASE("predictors give what the specification's formula gives, for any width, samples and sample size") {
  for_each_layout([](Predictor predictor, const RowLayout& layout) {
    const Bytes raw = random_bytes(3 * layout.row_bytes(), 1);
    Bytes rows = raw, scratch(layout.row_bytes());
    apply_predictor(predictor, layout, rows, scratch);
    CAPTURE(layout.width);
    CAPTURE(layout.samples);
    CAPTURE(layout.sample_bytes);
    CAPTURE(static_cast<int>(predictor));
    CHECK(rows == reference(predictor, raw, layout));
  });
}

TEST_CASE("undoing a predictor gives the rows back, for any width, samples and sample size") {
  for_each_layout([](Predictor predictor, const RowLayout& layout) {
    const Bytes raw = random_bytes(3 * layout.row_bytes(), 2);
    Bytes rows = reference(predictor, raw, layout), scratch(layout.row_bytes());
    undo_predictor(predictor, layout, rows, scratch);
    CAPTURE(layout.width);
    CAPTURE(layout.samples);
    CAPTURE(layout.sample_bytes);
    CAPTURE(static_cast<int>(predictor));
    CHECK(rows == raw);
  });
}

TEST_CASE("differences stored in the other byte order are swapped before they are added up") {
  for_each_layout([](Predictor predictor, const RowLayout& layout) {
    if (predictor == Predictor::floating_point) return;
    const Bytes raw = random_bytes(2 * layout.row_bytes(), 3);
    Bytes rows = swapped(reference(predictor, raw, layout), layout.sample_bytes), scratch(layout.row_bytes());
    undo_predictor(predictor, layout, rows, scratch, true);
    CHECK(rows == raw);
  });
}

TEST_CASE("floating-point planes have no byte order") {
  const RowLayout layout{33, 2, 4};
  const Bytes raw = random_bytes(2 * layout.row_bytes(), 4);
  Bytes rows = reference(Predictor::floating_point, raw, layout), scratch(layout.row_bytes());
  undo_predictor(Predictor::floating_point, layout, rows, scratch, true);
  CHECK(rows == raw);
}

TEST_CASE("predictors touch nothing outside their rows") {
  for_each_layout([](Predictor predictor, const RowLayout& layout) {
    // At an odd address, with a fence on both sides of rows and scratch.
    constexpr std::size_t fence = 33;
    const std::byte mark{0xa5};
    const std::size_t bytes = 2 * layout.row_bytes();
    Bytes rows(bytes + 2 * fence, mark), scratch(layout.row_bytes() + 2 * fence, mark);
    const Bytes raw = random_bytes(bytes, 5);
    std::copy(raw.begin(), raw.end(), rows.begin() + fence);
    const std::span<std::byte> inner(rows.data() + fence, bytes),
        inner_scratch(scratch.data() + fence, layout.row_bytes());
    apply_predictor(predictor, layout, inner, inner_scratch);
    undo_predictor(predictor, layout, inner, inner_scratch);
    CHECK(std::equal(raw.begin(), raw.end(), inner.begin()));
    for (std::size_t i = 0; i < fence; ++i) {
      REQUIRE(rows[i] == mark);
      REQUIRE(rows[rows.size() - 1 - i] == mark);
      REQUIRE(scratch[i] == mark);
      REQUIRE(scratch[scratch.size() - 1 - i] == mark);
    }
  });
}

TEST_CASE("swapping the bytes of samples twice gives them back") {
  for (std::uint32_t sample_bytes : {1u, 2u, 4u, 8u}) {
    const Bytes raw = random_bytes(sample_bytes * 77, 6);
    Bytes samples = raw;
    swap_samples(samples, sample_bytes);
    CHECK(samples == swapped(raw, sample_bytes));
    swap_samples(samples, sample_bytes);
    CHECK(samples == raw);
  }
}

TEST_CASE("a predictor over no rows does nothing") {
  Bytes nothing, scratch(64);
  apply_predictor(Predictor::horizontal, RowLayout{16, 1, 2}, nothing, scratch);
  undo_predictor(Predictor::floating_point, RowLayout{0, 1, 4}, nothing, scratch);
  CHECK(nothing.empty());
}

}  // namespace
}  // namespace weir
