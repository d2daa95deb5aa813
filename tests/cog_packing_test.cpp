// How CogWriter takes the room out that its levels did not need: the bytes of the finished file against a plain reference.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "nodes/tiff/cog_writer.hpp"
#include "nodes/tiff/strile_array.hpp"
#include "nodes/tiff/tiff_directory.hpp"
#include "nodes/tiff/tiff_info.hpp"
#include "tests/faulty_file_system.hpp"
#include "tests/tiff_helpers.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// Takes so many ranges out of files and then no more, as a file system may whose next extent is not its own.
class StoppingFileSystem : public FaultyFileSystem {
 public:
  explicit StoppingFileSystem(std::size_t collapses) : left_(collapses) { skip_sync = true; }
  int fallocate(int fd, int mode, off_t offset, off_t bytes) override {
    ++asked;
    if (left_ == 0) {
      errno = EOPNOTSUPP;
      return -1;
    }
    --left_;
    const int result = FaultyFileSystem::fallocate(fd, mode, offset, bytes);
    collapsed += result == 0 ? 1U : 0U;
    return result;
  }
  std::size_t asked = 0, collapsed = 0;

 private:
  std::size_t left_;
};

constexpr std::size_t all_collapses = std::numeric_limits<std::size_t>::max();

/// Tiles of one level, made up: no byte of them is 0, so that one that stays where zeros belong is seen.
struct MadeLevel {
  TiffOutputLayout layout;
  std::vector<Bytes> tiles;  ///< where there are masks: tile, mask, tile, mask ...; empty: sparse
  Bytes framed;              ///< all of them as they lie in the file
};

Bytes framed(const Bytes& tile) {
  if (tile.empty()) return {};
  Bytes bytes(4);
  const auto size = static_cast<std::uint32_t>(tile.size());
  std::memcpy(bytes.data(), &size, 4);
  bytes.insert(bytes.end(), tile.begin(), tile.end());
  bytes.insert(bytes.end(), tile.end() - 4, tile.end());
  return bytes;
}

struct Made {
  std::uint64_t height, width;
  std::uint32_t bound;  ///< of a tile's bytes
  double fullness;      ///< how much of it a tile has, at least
  bool has_mask, is_big;
  std::size_t empty_levels = 0;  ///< bits: these levels have sparse tiles only
};

std::vector<MadeLevel> made_levels(const Made& made, std::mt19937& random) {
  std::vector<MadeLevel> levels;
  for (std::uint64_t height = made.height, width = made.width;;
       height = (height + 1) / 2, width = (width + 1) / 2) {
    MadeLevel level;
    level.layout = layout_of(height, width);
    level.layout.max_tile_bytes = made.bound;
    level.layout.info.has_mask = made.has_mask;
    level.layout.max_mask_bytes = made.has_mask ? made.bound / 8 : 0;
    level.layout.is_reduced = !levels.empty();
    level.layout.sparse = true;
    level.layout.big = made.is_big ? TiffOutputLayout::BigTiff::yes : TiffOutputLayout::BigTiff::automatic;
    const std::uint64_t count = tile_count(level.layout) * (made.has_mask ? 2 : 1);
    for (std::uint64_t i = 0; i < count; ++i) {
      const bool is_mask = made.has_mask && i % 2 == 1;
      const std::uint64_t bound = is_mask ? level.layout.max_mask_bytes : made.bound;
      const auto least =
          std::max<std::uint64_t>(4, static_cast<std::uint64_t>(static_cast<double>(bound) * made.fullness));
      Bytes tile(least + random() % (bound - least + 1));
      for (std::byte& byte : tile) byte = static_cast<std::byte>(1 + random() % 255);
      if (random() % 16 == 0 || (made.empty_levels >> levels.size()) % 2 == 1) tile.clear();
      const Bytes stored = framed(tile);
      level.framed.insert(level.framed.end(), stored.begin(), stored.end());
      level.tiles.push_back(std::move(tile));
    }
    levels.push_back(std::move(level));
    if (height <= 16 && width <= 32) return levels;
  }
}

/// Writes runs of tiles, the levels in any order among each other.
void write(const std::vector<MadeLevel>& levels, const std::string& path, CogPacking packing,
           FileSystem& files) {
  std::vector<TiffOutputLayout> layouts;
  for (const MadeLevel& level : levels) layouts.push_back(level.layout);
  CogWriter writer(layouts, path, true, packing, files);
  std::mt19937 random(7);
  std::vector<std::uint64_t> next(levels.size());
  for (std::size_t done = 0; done < levels.size();) {
    const std::size_t at = random() % levels.size();
    const MadeLevel& level = levels[at];
    const std::uint64_t per_tile = level.layout.info.has_mask ? 2 : 1;
    const std::uint64_t left = level.tiles.size() / per_tile - next[at];
    if (left == 0) continue;
    const std::uint64_t count = 1 + random() % std::min<std::uint64_t>(left, 5);
    EncodedTiles run;
    run.first_tile = next[at];
    run.has_masks = level.layout.info.has_mask;
    Bytes bytes;
    for (std::uint64_t i = next[at] * per_tile; i < (next[at] + count) * per_tile; ++i) {
      run.sizes.push_back(static_cast<std::uint32_t>(level.tiles[i].size()));
      const Bytes stored = framed(level.tiles[i]);
      bytes.insert(bytes.end(), stored.begin(), stored.end());
    }
    run.bytes = Context().buffer(bytes.size());
    std::ranges::copy(bytes, run.bytes.data());
    writer.write(at, run);
    next[at] += count;
    done += count == left ? 1 : 0;
  }
  writer.close();
  CHECK(writer.bytes_written() == std::filesystem::file_size(path));
}

/// What must lie behind the front: the levels, the smallest first, each at the next multiple of 4096, and zeros between.
/// `begins`: where each level lies, from `data` on.
Bytes packed(const std::vector<MadeLevel>& levels, std::uint64_t data, std::vector<std::uint64_t>& begins) {
  Bytes bytes;
  begins.resize(levels.size());
  for (std::size_t i = levels.size(); i-- > 0;) {
    bytes.resize((bytes.size() + 4095) / 4096 * 4096);
    begins[i] = data + bytes.size();
    bytes.insert(bytes.end(), levels[i].framed.begin(), levels[i].framed.end());
  }
  return bytes;
}

/// The arrays of a file say where its tiles lie.
void check_arrays(const std::string& path, const std::vector<MadeLevel>& levels,
                  const std::vector<std::uint64_t>& begins) {
  const InputFile file(path);
  unsigned directory = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const unsigned images = levels[i].layout.info.has_mask ? 2 : 1;
    std::vector<TiffImage> found;
    for (unsigned image = 0; image < images; ++image) found.push_back(read_tiff_image(file, directory++));
    std::uint64_t at = begins[i], wrong = 0;
    for (std::size_t tile = 0; tile < levels[i].tiles.size(); ++tile) {
      const TiffImage& image = found[tile % images];
      StrileWindow offsets(file, image.layout.offsets), counts(file, *image.layout.byte_counts);
      const std::uint64_t size = levels[i].tiles[tile].size();
      wrong +=
          counts.at(tile / images) != size || offsets.at(tile / images) != (size == 0 ? 0 : at + 4) ? 1U : 0U;
      at += size == 0 ? 0 : size + 8;
    }
    CHECK(wrong == 0);
  }
}

/// Copied, collapsed, and collapsed as far as the file system goes: the reference's bytes every time. Returns how many ranges
/// there were to take out, and how many the file system took.
std::pair<std::size_t, std::size_t> check_packing(const std::vector<MadeLevel>& levels) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.tif";
  StoppingFileSystem none(0);
  write(levels, path, CogPacking::copy, none);
  CHECK(none.asked == 0);
  const Bytes copied = file_bytes(path);

  std::vector<std::uint64_t> begins;
  // The front is the writer's; it ends where the first tile begins.
  const std::uint64_t tiles_bytes = packed(levels, 0, begins).size();
  REQUIRE(copied.size() > tiles_bytes);
  const std::uint64_t data = copied.size() - tiles_bytes;
  CHECK(data % 4096 == 0);
  const Bytes behind = packed(levels, data, begins);
  CHECK(std::equal(behind.begin(), behind.end(), copied.begin() + static_cast<std::ptrdiff_t>(data)));
  check_arrays(path, levels, begins);

  StoppingFileSystem files(all_collapses);
  write(levels, path, CogPacking::automatic, files);
  CHECK(file_bytes(path) == copied);
  for (std::size_t stop = 0; stop < files.asked; ++stop) {
    CAPTURE(stop);
    StoppingFileSystem stopping(stop);
    write(levels, path, CogPacking::automatic, stopping);
    CHECK(file_bytes(path) == copied);
    CHECK(stopping.collapsed <= stop);
    // What must be collapsed is not copied: an error, and the file of before.
    StoppingFileSystem refusing(stop);
    CHECK_THROWS_AS(write(levels, path, CogPacking::collapse, refusing), Error);
    CHECK(file_bytes(path) == copied);
    CHECK(folder.names() == std::vector<std::string>{"a.tif"});
  }
  return {files.asked, files.collapsed};
}

}  // namespace

TEST_CASE("between the levels of a COG there are zeros, whether they were copied, collapsed, or both") {
  // Tiles that are nearly as large as they may be: a level moves by less than its length, and where it was covers the gap
  // in front of the next one.
  std::mt19937 random(5);
  std::size_t asked = 0, collapsed = 0;
  for (int round = 0; round < 40; ++round) {
    const Made made{1 + random() % 130,
                    1 + random() % 260,
                    static_cast<std::uint32_t>(300 + random() % 8000),
                    0.1 * static_cast<double>(random() % 11),
                    random() % 3 == 0,
                    random() % 4 == 0,
                    random() % 3 == 0 ? random() % 16 : 0};
    CAPTURE(round);
    CAPTURE(made.height);
    CAPTURE(made.width);
    CAPTURE(made.bound);
    CAPTURE(made.fullness);
    CAPTURE(made.empty_levels);
    const auto [ranges, taken] = check_packing(made_levels(made, random));
    asked += ranges;
    collapsed += taken;
  }
  CHECK(asked > 40);
  if (collapsed == 0) MESSAGE("the folder for temporaries cannot take blocks out of files: all was copied");
}

TEST_CASE("levels of a COG that move by more, or less, than one piece of the copy keep their bytes") {
  std::mt19937 random(6);
  for (const double fullness : {0.3, 0.99}) {  // 256 tiles, 1.5 and 5 MB, on level 0
    CAPTURE(fullness);
    check_packing(made_levels({16 * 16, 32 * 16, 20000, fullness, false, false}, random));
  }
}
