#include "nodes/tiff/cog_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "nodes/tiff/cog_tile_check.hpp"
#include "nodes/tiff/tiff_directory.hpp"
#include "nodes/tiff/tiff_images.hpp"

namespace weir {
namespace {

/// Tags of a directory may take 16 MiB, and many directories may share them: so time is bounded, too.
constexpr std::size_t directories_limit = 256;

/// A level of the image in the file itself.
struct Picture {
  std::string where;
  TiffPlace place;
  std::uint64_t height = 0, width = 0;
  std::optional<std::size_t> image = std::nullopt,
                             mask = std::nullopt;  ///< among images_; absent: unreadable, or none
  std::uint64_t mask_position = 0;
  TilePlaces tiles = {};
};

/// What decoding needs. Georeferencing, metadata and other tags can take 16 MiB, of each directory.
RasterInfo without_tags(const RasterInfo& info) {
  constexpr std::size_t longest_number = 100;
  RasterInfo bare;
  bare.height = info.height;
  bare.width = info.width;
  bare.samples = info.samples;
  bare.type = info.type;
  bare.photometric = info.photometric;
  if (info.nodata && info.nodata->size() <= longest_number) bare.nodata = info.nodata;
  return bare;
}

std::string size_of(const Picture& picture) {
  return fmt::format("{} x {}", picture.width, picture.height);
}

class CogCheck {
 public:
  CogCheck(std::shared_ptr<const ReadableFile> file, const CogCheckOptions& options, FileSystem& files,
           const std::stop_token& stop)
      : file_(std::move(file)),
        options_(options),
        files_(files),
        stop_(stop),
        check_("COG", options.listed) {}

  FileCheck run() {
    attempt("unreadable-file", "", [&] { pages_ = read_tiff_pages(file_, files_); });
    if (pages_.empty()) return std::move(check_);
    attempt("ghost-area", "", [&] { check_front(); });
    attempt("unreadable-file", "", [&] { collect_levels(); });
    if (chain_.empty()) return std::move(check_);
    collect_others();
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      check_tiling(chain_[i]);
      if (i > 0) check_overview(chain_[i - 1], chain_[i], i == 1);
    }
    check_overviews_wanted();
    for (Picture& picture : chain_) look_at_tiles(picture);
    for (Picture& picture : others_) look_at_tiles(picture);
    check_data_order();
    check_directories_before_data();
    const bool is_remote = file_->is_remote(), has_frames = ghost_.has_leaders || ghost_.has_trailers;
    if (is_remote && has_frames)
      check_.note("leaders and trailers of tiles were not looked at: the file is remote");
    attempt("unreadable-file", "",
            [&] { check_places(*file_, images_, parts_, ghost_, has_frames && !is_remote, check_, stop_); });
    if (options_.decode)
      for (const CogImage& image : images_)
        attempt("tile-decode", image.where, [&] { check_decoding(file_, image, check_, stop_); });
    return std::move(check_);
  }

 private:
  /// What a step throws is an error of the list. False where it threw.
  bool attempt(std::string_view name, const std::string& where, const std::function<void()>& step) {
    try {
      step();
      return true;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      const bool names_another = error.object() != file_->path();  // a file beside it, say
      check_.error(name, where, names_another ? error.what() : error.reason());
      return false;
    }
  }

  void check_front() {
    const TiffPlace& first = pages_.front().levels.front().place;
    const std::uint64_t header_end = peek_tiff_directory(*file_, first.position).is_big ? 16 : 8;
    parts_.push_back({0, header_end, CogPart::header, 0});
    // As GDAL has it: a directory right behind a header of either kind leaves no room for a ghost area.
    if (first.position == 8 || first.position == 16) return;
    ghost_ = read_ghost_area(*file_, header_end);
    if (ghost_.is_broken_since)
      check_.error("known-incompatible-edition", "",
                   "its ghost area says KNOWN_INCOMPATIBLE_EDITION=YES: an edit has broken the layout");
    if (first.position != ghost_.end)
      check_.error(
          "first-directory-offset", "",
          fmt::format("the first directory stands at byte {}, and should be at byte {}, right behind {}",
                      first.position, ghost_.end, ghost_.is_there ? "the ghost area" : "the header"));
    else if (constexpr std::uint64_t furthest = 300; first.position > furthest)
      check_.error(
          "first-directory-offset", "",
          fmt::format("the first directory stands at byte {}, behind a ghost area that is longer than "
                      "any: {} bytes are the most",
                      first.position, furthest));
  }

  // Which directories there are

  bool is_here(const TiffPlace& place) const {
    return place.file == pages_.front().levels.front().place.file;
  }
  static std::string with_place(const std::string& what, const TiffPlace& place) {
    return place.number ? fmt::format("{} (directory {})", what, *place.number)
                        : fmt::format("{} (SubIFD at byte {})", what, place.position);
  }

  /// The directory as Weir reads it, kept for the steps that look at tiles.
  std::optional<std::size_t> add_image(const std::string& where, const TiffPlace& place) {
    if (++directories_ > directories_limit) {
      if (directories_ == directories_limit + 1)
        check_.warn("too-many-directories", "",
                    fmt::format("only the first {} directories were looked at closely", directories_limit));
      return std::nullopt;
    }
    CogImage image{where, place.position, {}};
    if (!attempt("unreadable-directory", where, [&] {
          image.image = read_tiff_image_at(*file_, place.position);
          stored_pieces(*file_, image.image);  // refuses tiles of no possible size
        }))
      return std::nullopt;
    image.image.info = without_tags(image.image.info);
    attempt("unreadable-directory", where, [&] { add_parts(place.position); });
    images_.push_back(std::move(image));
    return images_.size() - 1;
  }

  /// Where the directory stands, and its values.
  void add_parts(std::uint64_t position) {
    const TiffDirectory directory = read_tiff_directory_at(*file_, position);
    const auto image = static_cast<std::uint32_t>(images_.size());  // it will be
    parts_.push_back({position, position + bytes_of(directory), CogPart::directory, image});
    for (const TiffEntry& entry : directory.entries) {
      const std::uint64_t bytes = entry.count * tiff_type_bytes(entry.type);  // lies in the file: was checked
      if (bytes > (directory.is_big ? 8 : 4))
        parts_.push_back({entry.position, entry.position + bytes, entry.id, image});
    }
  }

  Picture picture(const std::string& what, const TiffLevel& level) {
    Picture picture{with_place(what, level.place), level.place, level.height, level.width};
    picture.image = add_image(picture.where, level.place);
    if (!level.mask) return picture;
    if (!is_here(*level.mask)) {
      check_.warn("external-mask", picture.where,
                  fmt::format("its mask is in another file, {}", level.mask->file->path()));
      return picture;
    }
    picture.mask_position = level.mask->position;
    picture.mask = add_image(with_place("mask of " + what, *level.mask), *level.mask);
    return picture;
  }

  /// The image and its overviews, as GDAL takes them: every reduced picture of the main chain, in its order.
  void collect_levels() {
    const TiffPage& page = pages_.front();
    std::vector<TiffLevel> overviews;
    // In another file, a reduced picture of whatever shape is an overview to GDAL.
    bool has_external = std::ranges::any_of(page.others, [&](const TiffOther& other) {
      return other.what == "a thumbnail" && !is_here(other.place);
    });
    for (std::size_t i = 1; i < page.levels.size(); ++i) {
      if (is_here(page.levels[i].place))
        overviews.push_back(page.levels[i]);
      else
        has_external = true;
    }
    if (has_external)
      check_.error("external-overviews", "",
                   "its overviews are in another file, FILE.ovr, and should be in it");
    const std::uint64_t samples = samples_of(page.levels.front().place);
    for (const TiffOther& other :
         page.others)  // another shape is all the same to GDAL, other samples are not
      if (other.what == "a thumbnail" && is_here(other.place) && other.place.number &&
          samples_of(other.place) == samples)
        overviews.push_back({other.place, other.height, other.width});
    std::ranges::stable_sort(overviews, {}, [](const TiffLevel& level) {
      return level.place.number ? std::uint64_t{*level.place.number} : ~std::uint64_t{0};
    });

    chain_.push_back(picture("the image", page.levels.front()));
    const bool has_mask = page.levels.front().mask.has_value();
    for (std::size_t i = 0; i < overviews.size(); ++i) {
      Picture made = picture(fmt::format("overview {}", i + 1), overviews[i]);
      const bool is_level = find_level(pages_, overviews[i].place.number.value_or(~0u)) != nullptr;
      if (!made.place.number)
        check_.warn("overview-in-subifd", made.where,
                    "many readers look for overviews in the main chain only");
      else if (!is_level)
        check_.warn("overview-shape", made.where,
                    fmt::format("its {} pixels are not the image's {} in smaller", size_of(made),
                                size_of(chain_.front())));
      if (has_mask && !overviews[i].mask)
        check_.warn("overview-without-mask", made.where,
                    "all of its pixels are valid, and the image has a mask");
      (made.place.number ? chain_ : others_).push_back(std::move(made));
    }
  }

  void collect_others() {
    if (pages_.size() > 1)
      check_.warn("several-images", "",
                  fmt::format("there are {} images in it, and a COG has one", pages_.size()));
    const auto is_level = [&](const TiffPlace& place) {
      return std::ranges::any_of(
          chain_, [&](const Picture& known) { return known.place.position == place.position; });
    };
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      for (const TiffOther& other : pages_[i].others)
        if (is_here(other.place) && !is_level(other.place))
          check_.warn("stray-directory", with_place("directory", other.place),
                      fmt::format("it is {}, and no level of the image", other.what));
      if (i == 0) continue;
      for (std::size_t level = 0; level < pages_[i].levels.size(); ++level)
        others_.push_back(picture(level == 0 ? fmt::format("image {}", i + 1)
                                             : fmt::format("overview {} of image {}", level, i + 1),
                                  pages_[i].levels[level]));
    }
  }

  std::uint64_t samples_of(const TiffPlace& place) const {
    constexpr std::uint16_t samples_per_pixel = 277;
    return peek_unsigned(*file_, peek_tiff_directory(*file_, place.position), samples_per_pixel).value_or(1);
  }

  // Sizes

  void check_tiling(const Picture& picture) {
    if (!picture.image) return;
    const TiffLayout& layout = images_[*picture.image].image.layout;
    if (layout.is_tiled && layout.strile_width != picture.width) return;
    const bool is_large = std::max(picture.width, picture.height) > 512,
               is_large_both_ways = std::min(picture.width, picture.height) > 512;
    const std::string size = fmt::format("its {} pixels", size_of(picture));
    if (is_large && picture.width > 1024)
      check_.error("not-tiled", picture.where,
                   layout.is_tiled ? size + " are in tiles as wide as the picture" : size + " are not tiled");
    else if (is_large_both_ways && !layout.is_tiled)
      check_.error("not-tiled", picture.where, size + " are not tiled");
    else if (is_large_both_ways)
      check_.warn("one-tile-wide", picture.where,
                  size + " are in tiles as wide as the picture, which some validators take for strips");
  }

  void check_overview(const Picture& larger, const Picture& overview, bool is_first) {
    if (overview.width > larger.width || overview.height > larger.height)
      check_.error(
          "overview-larger", overview.where,
          fmt::format("it is {} pixels, and {} {}", size_of(overview), larger.where, size_of(larger)));
    const auto decimation = [](std::uint64_t full, std::uint64_t small) {
      return std::round(static_cast<double>(full) / static_cast<double>(std::max<std::uint64_t>(small, 1)));
    };
    const Picture& full = chain_.front();
    if (std::max(decimation(full.width, overview.width), decimation(full.height, overview.height)) <= 1)
      check_.error("overview-decimation", overview.where,
                   fmt::format("it is {} pixels, which is hardly less than the image's {}", size_of(overview),
                               size_of(full)));
    if (overview.place.position < larger.place.position)
      check_.error(
          "directory-order", overview.where,
          fmt::format("its directory stands at byte {}, before that of {} at byte {}",
                      overview.place.position, is_first ? "the image" : larger.where, larger.place.position));
  }

  void check_overviews_wanted() {
    const Picture& full = chain_.front();
    const bool has_external = check_.has("external-overviews");
    if (std::max(full.width, full.height) > 512 && chain_.size() == 1 && !has_external)
      check_.warn("no-overviews", "",
                  fmt::format("an image of {} pixels should have overviews", size_of(full)));
  }

  // Tiles

  void look_at_tiles(Picture& picture) {
    const CogImage* mask = picture.mask ? &images_[*picture.mask] : nullptr;
    if (picture.image)
      attempt("unreadable-file", picture.where, [&] {
        picture.tiles = check_tiles(*file_, images_[*picture.image], mask, ghost_, check_, stop_);
      });
    if (mask != nullptr)
      attempt("unreadable-file", mask->where, [&] {
        const TilePlaces tiles = check_tiles(*file_, *mask, nullptr, ghost_, check_, stop_);
        note_data(tiles.lowest);
      });
    note_data(picture.tiles.lowest);
  }

  void note_data(std::uint64_t lowest) {
    if (lowest != 0 && (lowest_data_ == 0 || lowest < lowest_data_)) lowest_data_ = lowest;
  }

  /// By the first tile of each level that has bytes.
  void check_data_order() {
    const Picture* smaller = nullptr;
    for (std::size_t i = chain_.size(); i-- > 0;) {
      const Picture& picture = chain_[i];
      if (picture.tiles.first == 0) continue;
      if (smaller == nullptr && picture.tiles.first < chain_.back().place.position)
        check_.error("data-before-directories", picture.where,
                     fmt::format("its first tile stands at byte {}, before the directory of {} at byte {}",
                                 picture.tiles.first, chain_.back().where, chain_.back().place.position));
      if (smaller != nullptr && picture.tiles.first < smaller->tiles.first)
        check_.error("data-order", picture.where,
                     fmt::format("its first tile stands at byte {}, before that of {} at byte {}",
                                 picture.tiles.first, smaller->where, smaller->tiles.first));
      smaller = &picture;
    }
  }

  void check_directories_before_data() {
    if (lowest_data_ == 0) return;
    for (const Picture& picture : chain_)
      if (picture.mask && picture.mask_position > lowest_data_)
        check_.warn("mask-directory-after-data", images_[*picture.mask].where,
                    fmt::format("its directory stands at byte {}, behind the first tile at byte {}",
                                picture.mask_position, lowest_data_));
    std::optional<std::uint32_t> told;  // of each directory once
    for (const CogPart& part : parts_) {
      if (part.tag <= CogPart::directory || part.end <= lowest_data_ || told == part.image) continue;
      told = part.image;
      check_.warn("tags-after-data", images_[part.image].where,
                  fmt::format("values of its tag {} end at byte {}, behind the first tile at byte {}",
                              part.tag, part.end, lowest_data_));
    }
  }

  std::shared_ptr<const ReadableFile> file_;
  const CogCheckOptions& options_;
  FileSystem& files_;
  const std::stop_token& stop_;
  FileCheck check_;
  TiffPages pages_;
  GhostArea ghost_;
  std::vector<Picture> chain_;   // the image, and the overviews of the main chain
  std::vector<Picture> others_;  // in SubIFDs, and of further images
  std::vector<CogImage> images_;
  std::vector<CogPart> parts_;
  std::size_t directories_ = 0;
  std::uint64_t lowest_data_ = 0;
};

}  // namespace

FileCheck check_cog(const std::shared_ptr<const ReadableFile>& file, const CogCheckOptions& options,
                    FileSystem& files, const std::stop_token& stop) {
  return CogCheck(file, options, files, stop).run();
}

}  // namespace weir
