#include "nodes/tiff/cog_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

#include "framework/error.hpp"
#include "nodes/tiff/gdal_metadata.hpp"
#include "nodes/tiff/sidecars.hpp"

namespace weir {
namespace {

constexpr std::uint64_t largest_classic = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t largest_file = std::numeric_limits<std::int64_t>::max();  // off_t

/// Moving a gigabyte in pieces of this size runs at the page cache's speed; larger ones leave the second-level cache.
constexpr std::size_t piece_bytes = 1 << 20;

struct PackingName {
  CogPacking packing;
  std::string_view name;
};
constexpr std::array packing_names = {
    PackingName{CogPacking::automatic, "automatic"},
    PackingName{CogPacking::collapse, "collapse"},
    PackingName{CogPacking::copy, "copy"},
    PackingName{CogPacking::holes, "holes"},
};

std::uint64_t aligned(std::uint64_t offset) {
  return (offset + CogWriter::level_alignment - 1) / CogWriter::level_alignment * CogWriter::level_alignment;
}

/// What GDAL writes behind the header, so that readers know what they may rely on.
std::string ghost_area(bool has_mask) {
  std::string body =
      "LAYOUT=IFDS_BEFORE_DATA\n"
      "BLOCK_ORDER=ROW_MAJOR\n"
      "BLOCK_LEADER=SIZE_AS_UINT4\n"
      "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
      "KNOWN_INCOMPATIBLE_EDITION=NO\n ";  // the blank is room for "YES", for editors that break the layout
  if (has_mask) body += "MASK_INTERLEAVED_WITH_IMAGERY=YES\n";
  return fmt::format("GDAL_STRUCTURAL_METADATA_SIZE={:06} bytes\n{}", body.size(), body);
}

std::uint64_t load_little(const std::byte* data, std::size_t bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, data, bytes);
  return value;
}

}  // namespace

std::string_view name_of(CogPacking packing) {
  for (const PackingName& each : packing_names)
    if (each.packing == packing) return each.name;
  return "unknown";
}
std::optional<CogPacking> cog_packing_named(std::string_view name) {
  for (const PackingName& each : packing_names)
    if (each.name == name) return each.packing;
  return std::nullopt;
}

struct CogWriter::Plan {
  TiffFront front;
  std::vector<std::uint64_t> begins;  // of the levels' extents
  std::uint64_t largest = 0;          // no offset lies behind

  Plan(const std::vector<TiffOutputLayout>& images, const std::vector<TiffOutputLayout>& levels, bool big)
      : front(images, big, {ghost_area(levels.front().info.has_mask), level_alignment}),
        begins(levels.size()) {
    std::uint64_t end = front.data();
    for (std::size_t level = levels.size(); level-- > 0;) {
      begins[level] = end;
      const TiffOutputLayout& layout = levels[level];
      std::uint64_t most = layout.max_tile_bytes + frame_bytes;
      if (layout.info.has_mask) most += layout.max_mask_bytes + frame_bytes;
      const std::uint64_t count = tile_count(layout);
      if (most > (largest_file - end - level_alignment) / count)
        throw Error::usage("write", fmt::format("a COG of {} tiles", count),
                           fmt::format("{} bytes each are more than a file can hold", most));
      end = aligned(end + count * most);
    }
    largest = end;
  }
};

CogWriter::Plan CogWriter::plan(const std::vector<TiffOutputLayout>& levels) {
  assert(!levels.empty());
  std::vector<TiffOutputLayout> images;
  for (const TiffOutputLayout& level : levels) {
    images.push_back(level);
    if (level.info.has_mask) images.push_back(mask_of(level));
  }
  const TiffOutputLayout& full = levels.front();
  const bool may_be_classic = full.big != TiffOutputLayout::BigTiff::yes &&
                              (full.big == TiffOutputLayout::BigTiff::no ||
                               std::ranges::none_of(full.info.tags, TiffDirectoryBuilder::needs_big));
  if (may_be_classic) {
    Plan classic(images, levels, false);
    if (classic.largest <= largest_classic) return classic;
    if (full.big == TiffOutputLayout::BigTiff::no)
      throw Error::usage("write", "a classic TIFF",
                         fmt::format("it could reach {} bytes, and ends at {}; BigTIFF does not",
                                     classic.largest, largest_classic));
  }
  return Plan(images, levels, true);
}

std::uint64_t CogWriter::standing_bytes(const std::vector<TiffOutputLayout>& levels) {
  const Plan made = plan(levels);
  std::uint64_t bytes = made.front.bytes() + piece_bytes;
  for (const TiffFront::Image& image : made.front.images()) bytes += StrileEntries::standing_bytes(image);
  return bytes + (levels.front().statistics ? StatisticsText::standing_bytes(levels.front().info) : 0);
}

CogWriter::CogWriter(std::vector<TiffOutputLayout> levels, std::string path, bool overwrite,
                     CogPacking packing, FileSystem& files)
    : CogWriter(plan(levels), levels, std::move(path), overwrite, packing, files) {}

CogWriter::CogWriter(const Plan& plan, const std::vector<TiffOutputLayout>& levels, std::string path,
                     bool overwrite, CogPacking packing, FileSystem& files)
    : files_(files),
      file_(std::move(path), overwrite, files),
      packing_(packing),
      front_(plan.front.encode()),
      levels_(levels.size()),
      data_(plan.front.data()),
      piece_(piece_bytes) {
  std::size_t next = 0;
  const std::vector<TiffFront::Image>& images = plan.front.images();
  std::uint64_t smallest = data_;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    levels_[i].begin = plan.begins[i];
    for (std::size_t image = levels[i].info.has_mask ? 2 : 1; image > 0; --image, ++next) {
      levels_[i].images.emplace_back(images[next]);
      levels_[i].offsets.push_back(images[next].offsets);
    }
    if (levels[i].codec == CodecId::none && !levels[i].sparse)
      smallest += levels[i].info.height * levels[i].info.width * levels[i].info.pixel_bytes();
  }
  if (levels.front().statistics) {
    statistics_.emplace(levels.front().info);
    statistics_place_ = images.front().directory.array(gdal_metadata_tag).offset;
  }
  file_.require_space(smallest);
}

void CogWriter::write(std::size_t index, const EncodedTiles& tiles) {
  Level& level = levels_[index];
  check_order(level, tiles);
  const std::lock_guard lock(mutex_);
  if (tiles.bytes.size() > 0) file_.write_at(level.end(), tiles.bytes.span());
  const auto append = [&](StrileEntries& image, std::uint32_t size) {
    image.enter(level.used + frame_bytes / 2, size,
                [this](std::uint64_t offset, std::span<const std::byte> bytes) { patch(offset, bytes); });
    if (size > 0) level.used += size + frame_bytes;
  };
  const std::uint32_t per_tile = tiles.has_masks ? 2 : 1;
  const std::size_t samples = tiles.measured().size() / std::max<std::size_t>(tiles.count(), 1);
  for (std::uint64_t i = 0; i < tiles.count(); ++i) {
    if (statistics_ && index == 0)
      for (std::size_t sample = 0; sample < samples; ++sample)
        statistics_->merge(static_cast<std::uint32_t>(sample), tiles.measured()[i * samples + sample]);
    append(level.images[0], tiles.sizes[i * per_tile]);
    if (tiles.has_masks) append(level.images[1], tiles.sizes[i * per_tile + 1]);
  }
}

void CogWriter::check_order(const Level& level, const EncodedTiles& tiles) const {
  const auto refuse = [&](const std::string& reason) {
    throw Error("write", file_.target(), "internal: " + reason);
  };
  const StrileEntries& image = level.images.front();
  if (tiles.first_tile != image.next())
    refuse(fmt::format("tile {} came where tile {} was due", tiles.first_tile, image.next()));
  if (tiles.count() > image.missing() || tiles.has_masks != (level.images.size() == 2))
    refuse(fmt::format("{} tiles came from tile {} on, and there are {}", tiles.count(), image.next(),
                       image.count()));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < tiles.sizes.size(); ++i) {
    const std::uint64_t bound = level.images[tiles.has_masks && i % 2 == 1 ? 1 : 0].max_tile_bytes();
    if (tiles.sizes[i] > bound)
      refuse(fmt::format("a tile from tile {} on has {} bytes, and {} is the bound", image.next(),
                         tiles.sizes[i], bound));
    if (tiles.sizes[i] > 0) sum += tiles.sizes[i] + frame_bytes;
  }
  if (sum != tiles.bytes.size())
    refuse(fmt::format("the tiles from tile {} on have {} bytes, and their sizes say {}", image.next(),
                       tiles.bytes.size(), sum));
}

// Arrays of one or two values lie in their entry, in the front, which is written last.
void CogWriter::patch(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset < front_.size()) {
    assert(offset + bytes.size() <= front_.size());
    std::ranges::copy(bytes, front_.begin() + static_cast<std::ptrdiff_t>(offset));
  } else {
    file_.write_at(offset, bytes);
  }
}

void CogWriter::close() {
  for (std::size_t i = 0; i < levels_.size(); ++i)
    for (const StrileEntries& image : levels_[i].images)
      if (image.missing() > 0)
        throw Error("finish", file_.target(),
                    fmt::format("{} of {} tiles of level {} are missing", image.missing(), image.count(), i));
  pack();
  for (const Level& level : levels_)
    for (const TiffDirectoryBuilder::Array& offsets : level.offsets) make_absolute(level, offsets);
  if (statistics_) {
    const std::string text = statistics_->text();
    patch(statistics_place_, std::as_bytes(std::span(text)));
  }
  file_.write_at(0, front_);
  commit_with_sidecars(file_, files_);
}

// Moves every level to the first multiple of level_alignment behind the one before it in the file: the smallest is the first.
void CogWriter::pack() {
  if (packing_ != CogPacking::holes) {
    const bool is_collapsed = packing_ != CogPacking::copy && collapse_gaps();
    if (!is_collapsed && packing_ == CogPacking::collapse)
      throw Error("pack", file_.target(),
                  "its file system cannot take blocks out of a file; pack by copying");
    std::uint64_t end = data_;
    for (std::size_t i = levels_.size(); i-- > 0;) {
      move_up(levels_[i], aligned(end));
      end = levels_[i].end();
    }
  }
  end_ = levels_.front().end();
  file_.resize(end_);
}

/// From the last gap to the first, so that those that are still to come stay where they are. Where the file system stops
/// half-way, the rest is copied.
bool CogWriter::collapse_gaps() {
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    const std::uint64_t before = i + 1 < levels_.size() ? levels_[i + 1].end() : data_;
    const std::uint64_t gap = levels_[i].begin - aligned(before);
    if (gap == 0) continue;
    // A level without bytes has nothing that could move up; the file may end before it.
    if (std::all_of(levels_.begin(), levels_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                    [](const Level& level) { return level.used == 0; })) {
      for (std::size_t j = 0; j <= i; ++j) levels_[j].begin -= gap;
      continue;
    }
    if (!file_.collapse(aligned(before), gap)) return false;
    for (std::size_t j = 0; j <= i; ++j) levels_[j].begin -= gap;
  }
  return true;
}

void CogWriter::move_up(Level& level, std::uint64_t to) {
  assert(to <= level.begin);
  if (to < level.begin) {
    for (std::uint64_t done = 0; done < level.used;) {
      const std::span<std::byte> piece =
          std::span(piece_).first(std::min<std::uint64_t>(piece_.size(), level.used - done));
      if (file_.read_at(level.begin + done, piece) != piece.size())
        throw Error("read back", file_.target(), "it is shorter than what was written");
      file_.write_at(to + done, piece);
      done += piece.size();
    }
    level.begin = to;
  }
  // What lay here before may still be in the gap to the next level; after collapsing there are zeros.
  std::fill(piece_.begin(), piece_.begin() + level_alignment, std::byte{0});
  if (const std::uint64_t gap = aligned(level.end()) - level.end(); gap > 0)
    file_.write_at(level.end(), std::span(piece_).first(gap));
}

/// Adds where the level begins to its offsets; those of sparse tiles stay 0.
void CogWriter::make_absolute(const Level& level, const TiffDirectoryBuilder::Array& offsets) {
  const std::size_t each = offsets.value_bytes;
  const auto move = [&](std::span<std::byte> values) {
    for (std::size_t at = 0; at < values.size(); at += each) {
      std::uint64_t value = load_little(&values[at], each);
      if (value == 0) continue;
      value += level.begin;
      std::memcpy(&values[at], &value, each);
    }
  };
  const std::uint64_t bytes = offsets.count * each;
  if (offsets.offset < front_.size()) return move(std::span(front_).subspan(offsets.offset, bytes));
  for (std::uint64_t done = 0; done < bytes;) {
    const std::span<std::byte> piece =
        std::span(piece_).first(std::min<std::uint64_t>(piece_.size(), bytes - done));
    if (file_.read_at(offsets.offset + done, piece) != piece.size())
      throw Error("read back", file_.target(), "it is shorter than what was written");
    move(piece);
    file_.write_at(offsets.offset + done, piece);
    done += piece.size();
  }
}

}  // namespace weir
