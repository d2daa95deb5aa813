#include "pipelines/write_cog.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "tests/cog_support.hpp"
#include "tests/faulty_file_system.hpp"

using namespace weir;
using namespace weir::pipeline_test;

namespace {

struct Case {
  SampleType type;
  std::uint64_t height, width;
  std::uint32_t samples;
  CodecId codec;
  Resampling resampling;
  std::uint64_t tile_height, tile_width, chunk;
};

WriteCogOptions options_of(const Case& with) {
  WriteCogOptions options;
  options.codec.id = with.codec;
  options.resampling = with.resampling;
  options.resampling_is_given = true;
  options.tile_height = with.tile_height;
  options.tile_width = with.tile_width;
  options.overwrite = true;
  return options;
}

}  // namespace

TEST_CASE(
    "every level of a COG has the pixels of its kernel, made from the level before, and all tiles are "
    "framed") {
  std::mt19937 random(1);
  const auto pick = [&](const auto& list) { return list[random() % std::size(list)]; };
  const CodecId codecs[] = {CodecId::none, CodecId::deflate, CodecId::zstd, CodecId::lzw};
  const std::uint64_t sizes[] = {1, 15, 16, 17, 100, 257, 700}, tiles[] = {16, 32, 48},
                      chunks[] = {1, 16, 33, 100, 1000};
  for (int round = 0; round < (wants_everything() ? 1500 : 150); ++round) {
    const Case with{pick(arithmetic_sample_types),
                    pick(sizes),
                    pick(sizes),
                    1 + static_cast<std::uint32_t>(random() % 3),
                    pick(codecs),
                    pick(all_resamplings),
                    pick(tiles),
                    pick(tiles),
                    std::max<std::uint64_t>(pick(chunks), 1)};
    CAPTURE(round);
    CAPTURE(name_of(with.type));
    CAPTURE(name_of(with.resampling));
    CAPTURE(with.height);
    CAPTURE(with.width);
    CAPTURE(with.tile_height);
    CAPTURE(with.tile_width);
    CAPTURE(with.chunk);
    Raster raster = made_raster(with.height, with.width, with.type, with.samples);
    if (random() % 2 == 0) raster.info.nodata = "5";
    const TemporaryFolder folder;
    WriteCogOptions options = options_of(with);
    options.graph.threads = 1 + static_cast<unsigned>(random() % 4);
    std::vector<std::uint32_t> factors;  // from level to level
    for (std::uint64_t h = with.height, w = with.width; h > with.tile_height || w > with.tile_width;
         h = (h + 1) / 2, w = (w + 1) / 2)
      factors.push_back(2);
    if (random() % 3 == 0) {
      const std::vector<std::uint32_t> given[] = {{2, 6, 12}, {3, 6}, {4, 8}, {5}, {2, 14}};
      options.overviews = pick(given);
      factors.clear();
      for (std::uint32_t before = 1; const std::uint32_t factor : *options.overviews)
        factors.push_back(factor / std::exchange(before, factor));
    }
    const auto watched = std::make_shared<const WatchedSource>(source_of(raster, with.chunk, with.chunk));
    const RunReport report = write_cog(watched, folder / "a.tif", options);
    CHECK(std::ranges::all_of(watched->counts(), [](unsigned count) { return count == 1; }));
    CHECK(report.peak_payload <= report.memory_limit);

    const std::vector<Raster> levels = reference_levels(raster, with.resampling, factors);
    for (unsigned level = 0; level < levels.size(); ++level) {
      CAPTURE(level);
      REQUIRE(pixels_of(folder / "a.tif", level) == levels[level].pixels);
    }
    CHECK(problem_of(folder / "a.tif", static_cast<unsigned>(levels.size())) == "");
    CHECK(folder.names() == std::vector<std::string>{"a.tif"});
  }
}

TEST_CASE(
    "a COG has the same bytes for every number of threads, budget, engine, chunk size and way of packing") {
  const Case with{SampleType::uint16, 333, 410, 1, CodecId::zstd, Resampling::cubic, 32, 48, 50};
  const Raster raster = made_raster(with.height, with.width, with.type);
  const TemporaryFolder folder;
  write_cog(source_of(raster, 50, 50), folder / "first.tif", options_of(with));
  const Bytes first = file_bytes(folder / "first.tif");
  const auto check_same = [&](const WriteCogOptions& options, std::uint64_t chunk_height,
                              std::uint64_t chunk_width) {
    write_cog(source_of(raster, chunk_height, chunk_width), folder / "other.tif", options);
    CHECK(file_bytes(folder / "other.tif") == first);
  };
  for (const unsigned threads : {1u, 2u, 8u})
    for (const std::uint64_t chunk : {1u, 64u, 500u}) {
      WriteCogOptions options = options_of(with);
      options.graph.threads = threads;
      check_same(options, chunk, 2 * chunk);
      // The smallest budget that works, as the refusal says it.
      options.graph.memory = 1;
      const std::string said =
          reason_of([&] { CogWrite(source_of(raster, chunk, 2 * chunk), folder / "x.tif", options); },
                    ErrorKind::usage);
      const std::size_t at = said.rfind('(');
      REQUIRE(at != std::string::npos);
      options.graph.memory = std::stoull(said.substr(at + 1));
      CAPTURE(options.graph.memory);
      check_same(options, chunk, 2 * chunk);
      --options.graph.memory;
      CHECK_THROWS_AS(CogWrite(source_of(raster, chunk, 2 * chunk), folder / "x.tif", options), Error);
    }
  for (const CogPacking packing : {CogPacking::automatic, CogPacking::copy}) {
    WriteCogOptions options = options_of(with);
    options.packing = packing;
    options.graph.engine = Engine::serial;
    check_same(options, 100, 100);
  }
}

TEST_CASE("the plan of a COG's memory holds: what a run holds never passes what was said before") {
  for (const std::uint64_t tile : {16u, 64u})
    for (const Resampling resampling : {Resampling::average, Resampling::cubic}) {
      const Case with{SampleType::float32, 700, 900, 1, CodecId::none, resampling, tile, tile, 128};
      const Raster raster = made_raster(with.height, with.width, with.type);
      const TemporaryFolder folder;
      WriteCogOptions options = options_of(with);
      options.graph.threads = 3;
      options.graph.memory = 1;
      const std::string said = reason_of(
          [&] { CogWrite(source_of(raster, 128, 128), folder / "x.tif", options); }, ErrorKind::usage);
      options.graph.memory = std::stoull(said.substr(said.rfind('(') + 1));
      CogWrite write(source_of(raster, 128, 128), folder / "x.tif", options);
      const RunReport report = write.run();
      CHECK(report.peak_payload <= options.graph.memory);
    }
}

TEST_CASE("overview factors can be given, and what cannot be a COG is refused") {
  const Raster raster = made_raster(300, 200, SampleType::uint8);
  const TemporaryFolder folder;
  WriteCogOptions options;
  options.tile_height = options.tile_width = 16;
  options.overviews = {{2, 6, 12}};
  write_cog(source_of(raster, 64, 64), folder / "a.tif", options);
  const std::vector<Raster> levels = reference_levels(raster, Resampling::average, {2, 3, 2});
  for (unsigned level = 0; level < levels.size(); ++level)
    CHECK(pixels_of(folder / "a.tif", level) == levels[level].pixels);
  CHECK_THROWS_AS(pixels_of(folder / "a.tif", 4), Error);

  options.overviews.emplace();  // none
  write_cog(source_of(raster, 64, 64), folder / "b.tif", options);
  CHECK_THROWS_AS(pixels_of(folder / "b.tif", 1), Error);

  for (const std::vector<std::uint32_t>& factors : {std::vector<std::uint32_t>{1}, {4, 2}, {2, 5}, {2, 2}}) {
    options.overviews = factors;
    CHECK_THROWS_AS(CogWrite(source_of(raster, 64, 64), folder / "c.tif", options), Error);
  }
  options.overviews.reset();
  options.strip_rows = 16;
  CHECK_THROWS_AS(CogWrite(source_of(raster, 64, 64), folder / "c.tif", options), Error);
  options.strip_rows.reset();
  options.planar_separate = true;
  CHECK_THROWS_AS(CogWrite(source_of(raster, 64, 64), folder / "c.tif", options), Error);
}

TEST_CASE("each file call that fails ends a COG with one error, and no file or the whole one") {
  const Case with{SampleType::uint8, 150, 130, 1, CodecId::zstd, Resampling::average, 32, 32, 64};
  const Raster raster = made_raster(with.height, with.width, with.type);
  const TemporaryFolder good;
  write_cog(source_of(raster, 64, 64), good / "a.tif", options_of(with));
  const Bytes bytes = file_bytes(good / "a.tif");
  for (const CogPacking packing : {CogPacking::automatic, CogPacking::copy}) {
    std::size_t failed = 0;
    for (std::size_t k = 1;; ++k) {
      CAPTURE(k);
      const TemporaryFolder folder;
      test::FaultyFileSystem files;
      files.fail_at = k;
      WriteCogOptions options = options_of(with);
      options.packing = packing;
      options.files = &files;
      bool threw = false;
      try {
        write_cog(source_of(raster, 64, 64), folder / "a.tif", options);
      } catch (const Error&) {
        threw = true;
      }
      failed += threw ? 1 : 0;
      if (folder.names().empty())
        CHECK(threw);
      else
        CHECK((folder.names() == std::vector<std::string>{"a.tif"} && file_bytes(folder / "a.tif") == bytes));
      if (k > files.calls()) break;
    }
    CHECK(failed > 20);
  }
}

TEST_CASE("a file system that cannot take blocks out of a file gets the same COG by copying") {
  const Case with{SampleType::uint16, 400, 390, 2, CodecId::deflate, Resampling::average, 64, 64, 100};
  const Raster raster = made_raster(with.height, with.width, with.type, 2);
  const TemporaryFolder folder;
  write_cog(source_of(raster, 100, 100), folder / "a.tif", options_of(with));
  test::FaultyFileSystem files;
  files.always_fail["fallocate"] = EOPNOTSUPP;
  WriteCogOptions options = options_of(with);
  options.files = &files;
  write_cog(source_of(raster, 100, 100), folder / "b.tif", options);
  CHECK(file_bytes(folder / "a.tif") == file_bytes(folder / "b.tif"));
  options.packing = CogPacking::collapse;
  CHECK_THROWS_AS(write_cog(source_of(raster, 100, 100), folder / "c.tif", options), Error);
  CHECK(folder.names() == std::vector<std::string>{"a.tif", "b.tif"});

  // Holes are other bytes, and the same pixels.
  options.packing = CogPacking::holes;
  write_cog(source_of(raster, 100, 100), folder / "d.tif", options);
  for (unsigned level = 0; level < 4; ++level)
    CHECK(pixels_of(folder / "d.tif", level) == pixels_of(folder / "a.tif", level));
}

TEST_CASE("a disk that is full while a COG is written or packed leaves the old file") {
  const Case with{SampleType::uint16, 300, 300, 1, CodecId::none, Resampling::average, 32, 32, 64};
  const Raster raster = made_raster(with.height, with.width, with.type);
  const TemporaryFolder folder;
  write_cog(source_of(raster, 64, 64), folder / "a.tif", options_of(with));
  const Bytes old = file_bytes(folder / "a.tif");
  for (const std::uint64_t room : {1000u, 50000u, 150000u, 260000u}) {
    test::FaultyFileSystem files;
    files.disk_bytes = room;
    WriteCogOptions options = options_of(with);
    options.packing = CogPacking::copy;
    options.files = &files;
    CHECK_THROWS_AS(write_cog(source_of(raster, 64, 64), folder / "a.tif", options), Error);
    CHECK(file_bytes(folder / "a.tif") == old);
    CHECK(folder.names() == std::vector<std::string>{"a.tif"});
  }
}

TEST_CASE("a masked raster's COG has its mask on every level") {
  Raster raster = made_raster(200, 170, SampleType::uint16);
  raster.info.has_mask = true;
  Bytes mask(200 * 170);
  for (std::size_t i = 0; i < mask.size(); ++i)
    mask[i] = i % 170 < 90 && i / 170 > 30 ? std::byte{255} : std::byte{0};
  ArrayView view = interleaved_view(raster.pixels.data(), raster.info);
  view.mask = mask.data();
  view.mask_row_stride = 170;
  const TemporaryFolder folder;
  WriteCogOptions options;
  options.tile_height = options.tile_width = 32;
  write_cog(std::make_shared<const ArraySource>(view, 50, 60), folder / "a.tif", options);
  std::uint64_t height = 200, width = 170;
  for (unsigned level = 0; level < 4; ++level, height = (height + 1) / 2, width = (width + 1) / 2) {
    const Bytes bits = pixels_of(folder / "a.tif", 2 * level + 1);
    REQUIRE(bits.size() == height * width);
    for (std::uint64_t row = 0; row < height; ++row)
      for (std::uint64_t col = 0; col < width; ++col) {
        bool is_valid = false;  // any pixel of the cell in the full raster
        for (std::uint64_t r = row << level; r < std::min<std::uint64_t>((row + 1) << level, 200); ++r)
          for (std::uint64_t c = col << level; c < std::min<std::uint64_t>((col + 1) << level, 170); ++c)
            is_valid = is_valid || mask[r * 170 + c] != std::byte{0};
        REQUIRE((bits[row * width + col] != std::byte{0}) == is_valid);
      }
  }
}
