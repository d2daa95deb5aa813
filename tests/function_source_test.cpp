#include "nodes/raster/function_source.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "framework/error.hpp"

using namespace weir;

namespace {

RasterInfo info_for(std::uint64_t height, std::uint64_t width, std::uint32_t samples, SampleType type) {
  RasterInfo info;
  info.height = height;
  info.width = width;
  info.samples = samples;
  info.type = type;
  return info;
}

}  // namespace

TEST_CASE("a function of a sample fills chunks of any type") {
  for (SampleType type : arithmetic_sample_types)
    with_sample_type(type, [&](auto sample_type) {
      using Sample = decltype(sample_type);
      const RasterInfo info = info_for(5, 7, 3, type);
      const auto value = [](std::uint64_t row, std::uint64_t col, std::uint32_t sample) {
        return row * 21 + col * 3 + sample;  // at most 104: fits every type
      };
      const FunctionSource source(info, 2, 4, each_sample(info, value));
      CHECK(source.fetch_bytes() == 0);
      for (std::uint64_t row = 0; row < 3; ++row)
        for (std::uint64_t col = 0; col < 2; ++col) {
          const Block block = source.decode({row, col}, {}, nullptr, {});
          REQUIRE(block.window == source.grid().window({row, col}));
          for (std::uint64_t r = 0; r < block.window.height; ++r)
            for (std::uint64_t c = 0; c < block.window.width; ++c)
              for (std::uint32_t s = 0; s < 3; ++s) {
                Sample sample;
                std::memcpy(&sample, block.at(r, c, s), sizeof sample);
                REQUIRE(sample == static_cast<Sample>(value(block.window.row + r, block.window.col + c, s)));
              }
        }
    });
}

TEST_CASE("a function of a window is called once per chunk, with the chunk's window") {
  std::vector<Window> windows;
  const RasterInfo info = info_for(3, 3, 1, SampleType::uint8);
  const FunctionSource source(info, ChunkGrid{Partition(std::vector<std::uint64_t>{1, 3}), Partition(3, 3)},
                              [&](const Window& window, std::byte* pixels) {
                                windows.push_back(window);
                                std::memset(pixels, 7, window.height * window.width);
                              });
  const Block block = source.decode({1, 0}, {}, nullptr, {});
  REQUIRE(windows.size() == 1);
  CHECK(windows[0] == Window{1, 0, 2, 3});
  CHECK(*block.at(1, 2) == std::byte{7});
}

TEST_CASE("what a function throws reaches the caller, and an empty function is refused") {
  const RasterInfo info = info_for(1, 1, 1, SampleType::uint8);
  const FunctionSource source(info, 1, 1,
                              [](const Window&, std::byte*) { throw Error("compute", "it", "no"); });
  CHECK_THROWS_WITH_AS(source.decode({0, 0}, {}, nullptr, {}), "cannot compute it: no", Error);
  CHECK_THROWS_AS(FunctionSource(info, 1, 1, nullptr), Error);
}
