#include <doctest/doctest.h>
#include <tiffio.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "nodes/tiff/open_tiff.hpp"
#include "nodes/tiff/tiff_images.hpp"
#include "tests/made_images.hpp"
#include "tests/tiff_recipes.hpp"

// Files that lie: cut off, flipped byte by byte, and made up to cost more than they are. An Error or the truth, in bounded
// time, memory and reads.

namespace weir {

using namespace test;

namespace {

bool is_full_run() {
  const char* full = std::getenv("WEIR_TEST_FULL");
  return full != nullptr && std::string(full) == "1";
}

std::vector<std::string> stored_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_TEST_DATA)) {
    const std::string ending = entry.path().extension();
    if (ending == ".tif" || ending == ".tiff") names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

/// Pixels of all chunks, and which chunks they are of; those that are broken are left out.
struct Chunks {
  RasterInfo info;
  Bytes pixels;
  std::vector<Window> windows;
};

/// At most `limit` chunks. Throws where the file cannot be opened.
Chunks read_chunks_of(const Bytes& bytes, std::uint64_t limit, const TiffReadOptions& options = {}) {
  MemoryFiles files(bytes);
  const TiffSource source("a.tif", options, files);
  // Draws are limited to what is declared: a chunk that wants more is an Error.
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
  const auto local = source.make_local(Scratch(pool));
  CHECK(pool->live_bytes() <= source.local_bytes());
  Chunks chunks{source.info(), {}, {}};
  const ChunkGrid& grid = source.grid();
  for (std::uint64_t i = 0; i < std::min(grid.count(), limit); ++i) {
    const ChunkIndex chunk{i / grid.cols.count(), i % grid.cols.count()};
    const auto budget = std::make_shared<Budget>(std::uint64_t{1} << 40);
    SharedLease lease(*budget->try_take(source.fetch_bytes() + source.excess_bytes() +
                                        BufferPool::charge(source.block_bytes())));
    const Context context(pool, &lease, 0, 0, {});
    try {
      const Block block = source.decode(chunk, source.fetch(chunk, context), local.get(), context);
      chunks.windows.push_back(block.window);
      for (std::uint64_t row = 0; row < block.window.height; ++row)
        for (std::uint64_t col = 0; col < block.window.width; ++col)
          for (std::uint32_t s = 0; s < block.samples; ++s)
            chunks.pixels.insert(chunks.pixels.end(), block.at(row, col, s),
                                 block.at(row, col, s) + bytes_of(block.type));
    } catch (const Error& error) {
      CHECK_MESSAGE(!contains(error.what(), "more than it declared"), error.what());
    }
  }
  return chunks;
}

/// Whether every chunk of `part` is one of `whole`, with the same pixels.
bool is_part_of(const Chunks& part, const Chunks& whole) {
  const std::uint64_t pixel = whole.info.pixel_bytes();
  if (part.info.pixel_bytes() != pixel) return false;
  std::size_t at = 0, at_whole = 0;
  auto next = whole.windows.begin();
  for (const Window& window : part.windows) {
    while (next != whole.windows.end() && !(*next == window)) {
      at_whole += next->height * next->width * pixel;
      ++next;
    }
    if (next == whole.windows.end()) return false;
    const std::size_t bytes = window.height * window.width * pixel;
    if (!std::equal(part.pixels.begin() + static_cast<std::ptrdiff_t>(at),
                    part.pixels.begin() + static_cast<std::ptrdiff_t>(at + bytes),
                    whole.pixels.begin() + static_cast<std::ptrdiff_t>(at_whole)))
      return false;
    at += bytes;
  }
  return true;
}

constexpr std::uint64_t no_limit = ~std::uint64_t{0};

/// What opening, looking around and reading a few chunks says or gives does not matter here: that it ends does.
void survive(const Bytes& bytes) {
  MemoryFiles files(bytes);
  TiffOpenOptions options;
  options.max_chunk_bytes = 1 << 20;
  for (const unsigned directory : {0u, 1u}) {
    options.directory = directory;
    try {
      const auto source = open_tiff("a.tif", options, files);
      if (source->fetch_bytes() > 16 << 20) continue;  // a caller with a budget refuses it
      const auto local = source->make_local({});
      for (std::uint64_t i = 0; i < std::min<std::uint64_t>(source->grid().count(), 3); ++i) {
        const ChunkIndex chunk{i / source->grid().cols.count(), i % source->grid().cols.count()};
        try {
          source->decode(chunk, source->fetch(chunk, {}), local.get(), {});
        } catch (const Error&) {
        }
      }
    } catch (const Error&) {
    }
  }
}

}  // namespace

TEST_CASE("a stored file that is cut short is an error, or gives true pixels of the chunks that are whole") {
  std::size_t cuts = 0, read = 0;
  for (const std::string& name : stored_names()) {
    CAPTURE(name);
    const Bytes bytes = stored_file(name);
    Chunks whole;
    try {
      whole = read_chunks_of(bytes, no_limit);
    } catch (const Error&) {
      continue;  // a file that is not read
    }
    // Every length of small files in a full run; else some 200 lengths, no two of them at the same place of their 8 bytes.
    const bool every = is_full_run() && bytes.size() <= 64 << 10;
    const std::size_t step = every ? 1 : std::max<std::size_t>(bytes.size() / 200, 1) | 1;
    for (std::size_t length = 0; length < bytes.size(); length += step) {
      CAPTURE(length);
      ++cuts;
      try {
        const Chunks part = read_chunks_of(
            Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)), no_limit);
        CHECK(is_part_of(part, whole));
        ++read;
      } catch (const Error&) {
      }
    }
  }
  MESSAGE(cuts << " cuts, " << read << " with a directory");
  CHECK(read > 0);
}

TEST_CASE("any byte of a small file flipped gives an end, in bounded memory") {
  std::vector<Bytes> files;
  Picture image{20, 30, 0, 3};
  image.below = {{10, 15, 1, 3}};
  files.push_back(make_images({image, {20, 30, 4}, {10, 15, 5}}));
  files.push_back(make_images({{20, 30}, {10, 15, 1}}, "wb8"));
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ZSTD}) {
    Recipe recipe;
    recipe.height = 13;
    recipe.width = 17;
    recipe.samples = 2;
    recipe.compression = compression;
    recipe.is_planar = compression == COMPRESSION_LZW;
    recipe.mode = compression == COMPRESSION_NONE ? "wb" : "wl8";
    files.push_back(make_tiff(recipe));
  }
  for (const char* name : {"geo-5b.tif", "tiled-gray-i1.tif", "random-fp16-pred3.tiff", "geomatrix.tif"})
    files.push_back(stored_file(name));
  const auto start = std::chrono::steady_clock::now();
  std::size_t flips = 0;
  for (const Bytes& good : files) {
    Bytes bytes = good;
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const std::byte value :
           {std::byte{0}, std::byte{0xff}, static_cast<std::byte>(std::to_integer<int>(good[at]) + 1),
            static_cast<std::byte>(std::to_integer<int>(good[at]) - 1)}) {
        bytes[at] = value;
        survive(bytes);
        ++flips;
      }
      bytes[at] = good[at];
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  MESSAGE(flips << " flips in " << seconds << " s");
  // 50 us each on an idle machine. One that walks 2^32 of something takes seconds.
  CHECK(seconds / static_cast<double>(flips) < 0.02);
}

TEST_CASE("what a header claims costs no more than the file is large") {
  Recipe recipe;
  recipe.height = recipe.width = 64;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  const Patch tiles{make_tiff(recipe)};
  recipe.tile_height = recipe.tile_width = 0;
  recipe.rows_per_strip = 64;
  const Patch strip{make_tiff(recipe)};
  recipe.compression = COMPRESSION_NONE;
  const Patch plain{make_tiff(recipe)};
  constexpr std::uint32_t huge = 0x7fffffff;

  struct Case {
    const char* what;
    Bytes bytes;
    const char* reason;
  };
  const auto with = [](Patch patch, std::initializer_list<std::pair<std::uint16_t, std::uint32_t>> values) {
    for (const auto& [tag, value] : values) patch.long_value(tag, value);
    return patch.bytes;
  };
  const Case cases[] = {
      {"2^31 x 2^31 pixels in 16 tiles", with(tiles, {{256, huge}, {257, huge}}), "TIFFNumberOfTiles"},
      {"2^31 x 16 pixels in 16 tiles", with(tiles, {{256, huge}, {257, 16}}),
       "its tag 324 has 16 values, and its 134217728 tiles or strips need one each"},
      {"one tile of 2^31 x 2^31",
       with(tiles, {{256, huge}, {257, huge}, {322, 0x7ffffff0}, {323, 0x7ffffff0}}), ""},
      {"one strip of 2^31 rows", with(strip, {{257, huge}, {278, huge}}), "the limit for a chunk is"},
      {"one strip of 2^31 x 2^20", with(strip, {{256, 1 << 20}, {257, huge}, {278, huge}}),
       "the limit for a chunk is"},
      {"an uncompressed strip of 2 PB", with(plain, {{256, 1 << 20}, {257, huge}, {278, huge}}),
       "strip 0 of a.tif: it has 4096 bytes, and its pixels take"},
      {"an uncompressed strip of 2^31 rows of bits",
       with(Patch(plain).value(258, 1), {{256, huge}, {257, huge}, {278, huge}}),
       "strip 0 of a.tif: it has 4096 bytes, and its pixels take"},
      {"BitsPerSample of 2^32 values", Patch(tiles).count(258, 0xffffffffu).bytes,
       "its tag 258 has 4294967295 values that end beyond the end of the file"},
      {"no width", with(tiles, {{256, 0}}), ""},
      {"no height", with(tiles, {{257, 0}}), ""},
      {"tiles of no width", with(tiles, {{322, 0}}), ""},
      {"tiles of no height", with(tiles, {{323, 0}}), ""},
  };
  for (const Case& hostile : cases) {
    CAPTURE(hostile.what);
    MemoryFiles files(hostile.bytes);
    const auto start = std::chrono::steady_clock::now();
    std::string said;
    try {
      const TiffSource source("a.tif", {}, files);
      source.fetch({0, 0}, {});
    } catch (const Error& error) {
      said = error.what();
    }
    CHECK(said.starts_with("cannot read "));
    CHECK(contains(said, "a.tif"));
    CHECK_MESSAGE(contains(said, hostile.reason), said);
    CHECK(files.bytes_read < 4 * static_cast<std::int64_t>(hostile.bytes.size()) + 65536);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  }
}

TEST_CASE("a strip whose data is that of a shorter one is an error; strips may share their bytes") {
  Recipe recipe;
  recipe.height = 37;  // the last strip has two rows
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  Patch file{make_tiff(recipe)};
  const std::uint32_t last = 5;
  const auto point = [&](std::uint32_t strip, std::uint32_t to) {
    file.element(273, strip, file.get_element(273, to)).element(279, strip, file.get_element(279, to));
  };
  point(1, last);
  CHECK(contains(error_of(file.bytes), "strip 1 of a.tif: its data ends after 90 of 315 bytes"));
  file.bytes = make_tiff(recipe);
  point(1, 0);
  Bytes pixels = pixels_for(recipe);
  std::copy_n(pixels.begin(), 7 * 45, pixels.begin() + 7 * 45);
  CHECK(read_all(file.bytes) == pixels);
}

}  // namespace weir
