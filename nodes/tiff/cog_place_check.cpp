#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstring>
#include <utility>

#include "nodes/tiff/cog_tile_check.hpp"

namespace weir {
namespace {

/// Bytes of the file that one tile, or one part that is no tile, takes. They are sorted by their place.
struct Extent {
  std::uint64_t begin = 0, end = 0;
  std::uint32_t owner = 0;  // the image; of parts the number of the part
  bool is_part = false;
  std::uint64_t strile = 0;
  auto operator<=>(const Extent&) const = default;
};

/// The lowest extents above a floor, of any number that are offered. So tiles in any order are sorted in bounded memory, in as many
/// passes over the arrays as it needs: one for up to a quarter of a million tiles.
class LowestExtents {
 public:
  static constexpr std::size_t limit = 1 << 18;  // 10 MiB, twice

  void offer(const Extent& extent) {
    if (floor_ && extent <= *floor_) return;
    if (ceiling_ && extent >= *ceiling_) return;
    held_.push_back(extent);
    if (held_.size() == 2 * limit) cut();
  }
  /// Sorted; empty: there are no more.
  std::span<const Extent> take() {
    if (held_.size() > limit) cut();
    std::ranges::sort(held_);
    return held_;
  }
  /// Forgets what take() gave, for the next pass. False where that was all.
  bool next() {
    if (!ceiling_) return false;
    floor_ = held_.back();
    ceiling_.reset();
    held_.clear();
    return true;
  }

 private:
  void cut() {
    const auto middle = held_.begin() + limit;
    std::ranges::nth_element(held_, middle);
    ceiling_ = *middle;
    held_.resize(limit);
  }

  std::vector<Extent> held_;
  std::optional<Extent> floor_, ceiling_;  // below the floor: done; from the ceiling on: left for later
};

/// Bytes of the file, read in pieces of a page: the trailer of a tile and the leader of the next one come together.
class ByteWindow {
 public:
  explicit ByteWindow(const ReadableFile& file) : file_(file) {}

  /// False where the file ends before.
  bool read(std::uint64_t offset, std::span<std::byte> out) {
    if (offset < first_ || offset - first_ > held_ || held_ - (offset - first_) < out.size()) {
      held_ = 0;  // in case the read throws
      first_ = offset;
      held_ = file_.read_at(offset, bytes_);
      if (held_ < out.size()) return false;
    }
    std::memcpy(out.data(), &bytes_[offset - first_], out.size());
    return true;
  }

 private:
  const ReadableFile& file_;
  std::uint64_t first_ = 0;
  std::size_t held_ = 0;
  std::array<std::byte, 4096> bytes_;
};

/// Looks at extents in the order in which they stand in the file.
class PlaceCheck {
 public:
  PlaceCheck(const ReadableFile& file, std::span<const CogImage> images, std::span<const CogPart> parts,
             const GhostArea& ghost, bool has_frames, FileCheck& check)
      : file_(file),
        images_(images),
        parts_(parts),
        ghost_(ghost),
        has_frames_(has_frames),
        check_(check),
        window_(file) {}

  void look_at(const Extent& extent) {
    if (extent.begin < reach_.end && !(extent.is_part && reach_.is_part)) {
      const bool is_shared = extent.begin == reach_.begin && extent.end == reach_.end;
      const Extent& tile = extent.is_part ? reach_ : extent;
      const Extent& other = extent.is_part ? extent : reach_;
      if (other.is_part)
        report("tile-over-directory", tile, [&] {
          return fmt::format("its bytes {} to {} overlap {}", tile.begin, tile.end,
                             name_of(parts_[other.owner], images_));
        });
      else if (!is_shared)
        report("tiles-overlap", tile, [&] {
          return fmt::format("its bytes {} to {} overlap {} of {}, bytes {} to {}", tile.begin, tile.end,
                             name(other), images_[other.owner].where, other.begin, other.end);
        });
    }
    if (extent.end > reach_.end) reach_ = extent;
    if (has_frames_ && !extent.is_part) look_at_frame(extent);
  }

 private:
  void look_at_frame(const Extent& tile) {
    const std::uint64_t bytes = tile.end - tile.begin;
    std::array<std::byte, 8> data;
    if (ghost_.has_leaders) {
      std::uint64_t leader = 0;
      if (window_.read(tile.begin - 4, std::span(data).first(4)))
        for (int i = 3; i >= 0; --i)
          leader = leader << 8 | std::to_integer<std::uint64_t>(data[static_cast<std::size_t>(i)]);
      if (leader != bytes)
        report("tile-leader", tile,
               [&] { return fmt::format("its leader says {} bytes, and it has {}", leader, bytes); });
    }
    if (ghost_.has_trailers && bytes >= 4) {
      if (!window_.read(tile.end - 4, data))
        report("tile-outside-file", tile,
               [] { return std::string("the file ends before the 4 bytes that should be behind it"); });
      else if (std::memcmp(data.data(), &data[4], 4) != 0)
        report("tile-trailer", tile,
               [] { return std::string("the 4 bytes behind it do not repeat its last 4"); });
    }
  }

  std::string name(const Extent& tile) const {
    const TiffPieces pieces = stored_pieces(file_, images_[tile.owner].image);
    const std::uint64_t cols = pieces.cols().count(), row = tile.strile / cols, rows = pieces.rows().count();
    TiffPiece piece;
    piece.plane = static_cast<std::uint32_t>(row / rows);
    piece.row = row % rows;
    piece.col = tile.strile % cols;
    return pieces.name(piece);
  }
  template <class Text>
  void report(std::string_view problem_name, const Extent& tile, Text&& text) {
    check_.error_of_item(problem_name, images_[tile.owner].where, [&](FileProblem& problem) {
      problem.item = name(tile);
      problem.text = text();
    });
  }

  const ReadableFile& file_;
  std::span<const CogImage> images_;
  std::span<const CogPart> parts_;
  const GhostArea& ghost_;
  bool has_frames_;
  FileCheck& check_;
  ByteWindow window_;
  Extent reach_;  // the one that reaches furthest, of those before
};

}  // namespace

std::string name_of(const CogPart& part, std::span<const CogImage> images) {
  if (part.tag == CogPart::header) return "the header";
  const std::string& where = images[part.image].where;
  if (part.tag == CogPart::directory) return "the directory of " + where;
  return fmt::format("tag {} of {}", part.tag, where);
}

void check_places(const ReadableFile& file, std::span<const CogImage> images, std::span<const CogPart> parts,
                  const GhostArea& ghost, bool has_frames, FileCheck& check, const std::stop_token& stop) {
  PlaceCheck places(file, images, parts, ghost, has_frames, check);
  LowestExtents lowest;
  do {
    for (std::uint32_t i = 0; i < parts.size(); ++i) lowest.offer({parts[i].begin, parts[i].end, i, true});
    for (std::uint32_t i = 0; i < images.size(); ++i) {
      // Without byte counts (old files of one strip) only a decoder knows where an encoded one ends.
      const TiffLayout& layout = images[i].image.layout;
      if (!layout.byte_counts && layout.codec != CodecId::none) continue;
      for_each_tile(file, images[i].image, stop, [&](const StoredTile& tile, const std::string& reason) {
        if (reason.empty() && tile.bytes > 0)
          lowest.offer({tile.piece.offset, tile.end(), i, false, tile.strile});
      });
    }
    for (const Extent& extent : lowest.take()) places.look_at(extent);
  } while (lowest.next());
}

}  // namespace weir
