#include "nodes/tiff/tiff_images.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "framework/error.hpp"
#include "nodes/tiff/tiff_directory.hpp"

namespace weir {
namespace {

constexpr std::uint64_t reduced = 1, mask = 4;  // bits of NewSubfileType

enum ImageTag : std::uint16_t {
  tag_new_subfile_type = 254,
  tag_subfile_type = 255,
  tag_width = 256,
  tag_height = 257,
  tag_bits = 258,
  tag_samples = 277,
  tag_subifds = 330,
  tag_sample_format = 339,
  tag_gdal_metadata = 42112,
};

/// What one directory says of itself.
struct Found {
  std::uint64_t position = 0;
  std::optional<unsigned> number;
  std::uint64_t kind = 0;  // NewSubfileType
  std::uint64_t height = 0, width = 0;
  std::array<std::uint64_t, 3> samples{};  // how many, bits, format
  std::vector<Found> below;                // its SubIFDs, and those chained to them

  bool is_reduced() const { return (kind & reduced) != 0; }
  bool is_mask() const { return (kind & mask) != 0; }
};

/// Walks over a file's directories.
class Walk {
 public:
  explicit Walk(const ReadableFile& file) : file_(file) {}

  std::vector<Found> main_chain() {
    std::vector<Found> chain;
    for (std::uint64_t at = first_tiff_directory(file_); at != 0;) {
      const TiffDirectory directory = step_to(at);
      chain.push_back(found(directory));
      chain.back().number = static_cast<unsigned>(chain.size() - 1);
      std::unordered_set<std::uint64_t> subs;  // of this image
      for (std::uint64_t i = 0;; ++i) {
        const std::optional<std::uint64_t> first = peek_unsigned(file_, directory, tag_subifds, i);
        if (!first) break;
        // tifffile links SubIFDs both ways: in the tag, and each to the next.
        std::unordered_set<std::uint64_t> here;
        for (std::uint64_t below = *first; below != 0 && (here.contains(below) || !subs.contains(below));) {
          const TiffDirectory sub = step_to(below);
          here.insert(below);
          subs.insert(below);
          chain.back().below.push_back(found(sub));
          below = sub.next;
        }
      }
      at = directory.next;
    }
    if (chain.empty()) fail("it has no directory");
    return chain;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const { throw Error("read", file_.path(), reason); }

  TiffDirectory step_to(std::uint64_t position) {
    if (!seen_.insert(position).second)
      fail(fmt::format("its directories form a loop: the one at byte {} is linked twice", position));
    if (seen_.size() > tiff_directories_limit)
      fail(fmt::format("it has more than {} directories", tiff_directories_limit));
    TiffDirectory directory = peek_tiff_directory(file_, position);
    // Else 65536 directories of 4096 tags could stand in 200 KB.
    bytes_ += bytes_of(directory);
    if (bytes_ > file_.size() + 64)  // the last link may be missing
      fail(fmt::format("its directories overlap: together they are larger than its {} bytes", file_.size()));
    return directory;
  }

  Found found(const TiffDirectory& directory) const {
    const auto number = [&](std::uint16_t tag, std::uint64_t absent) {
      return peek_unsigned(file_, directory, tag).value_or(absent);
    };
    Found found;
    found.position = directory.position;
    const std::uint64_t old_kind = number(tag_subfile_type, 0);  // 2: reduced
    found.kind = number(tag_new_subfile_type, old_kind == 2 ? reduced : 0);
    found.height = number(tag_height, 0);
    found.width = number(tag_width, 0);
    found.samples = {number(tag_samples, 1), number(tag_bits, 1), number(tag_sample_format, 1)};
    return found;
  }

  const ReadableFile& file_;
  std::unordered_set<std::uint64_t> seen_;
  std::uint64_t bytes_ = 0;
};

/// Whether one factor, the same for both axes, makes `small` of `large`, each side rounded up or down.
bool is_same_shape(const Found& large, const Found& small) {
  if (small.width == 0 || small.height == 0 || small.width > large.width || small.height > large.height)
    return false;
  // The factor of an axis is between large / (small + 1) and large / (small - 1): do the two ranges meet?
  const auto below = [](std::uint64_t large_a, std::uint64_t small_a, std::uint64_t large_b,
                        std::uint64_t small_b) {
    return small_b == 1 || static_cast<double>(large_a) / static_cast<double>(small_a + 1) <=
                               static_cast<double>(large_b) / static_cast<double>(small_b - 1);
  };
  return below(large.width, small.width, large.height, small.height) &&
         below(large.height, small.height, large.width, small.width);
}

/// Sorts directories of a file into the levels, masks and others of an image.
class PageBuilder {
 public:
  PageBuilder(std::shared_ptr<const ReadableFile> file, const Found& full)
      : file_(std::move(file)), full_(full) {
    page_.levels.push_back({place(full), full.height, full.width});
    for (const Found& sub : full.below) add(sub);
  }

  void add(const Found& found) { add(file_, found); }
  void add(const std::shared_ptr<const ReadableFile>& file, const Found& found) {
    if (found.is_mask()) {
      masks_.emplace_back(file, found);
    } else if (!found.is_reduced()) {
      other(file, found, "a SubIFD");
    } else if (found.samples != full_.samples || !is_same_shape(full_, found)) {
      other(file, found, "a thumbnail");
    } else {
      page_.levels.push_back({{file, found.position, found.number}, found.height, found.width});
    }
  }
  void add_mask(const std::shared_ptr<const ReadableFile>& file, const Found& found) {
    masks_.emplace_back(file, found);
  }
  bool has_overviews() const { return page_.levels.size() > 1; }
  bool has_full_mask() const {
    return std::ranges::any_of(masks_, [&](const auto& known) {
      return known.second.height == full_.height && known.second.width == full_.width;
    });
  }

  TiffPage take() {
    std::ranges::stable_sort(page_.levels.begin() + 1, page_.levels.end(), {}, [](const TiffLevel& level) {
      return std::pair(~level.width, ~level.height);  // largest first
    });
    std::multimap<std::pair<std::uint64_t, std::uint64_t>, TiffLevel*> unmasked;
    for (TiffLevel& level : page_.levels) unmasked.insert({{level.height, level.width}, &level});
    for (const auto& [file, found] : masks_) {
      const auto level = unmasked.find({found.height, found.width});
      if (level == unmasked.end()) {
        other(file, found, "a mask of no image");
        continue;
      }
      level->second->mask = TiffPlace{file, found.position, found.number};
      unmasked.erase(level);
    }
    return std::move(page_);
  }

 private:
  TiffPlace place(const Found& found) const { return {file_, found.position, found.number}; }
  void other(const std::shared_ptr<const ReadableFile>& file, const Found& found, std::string what) {
    page_.others.push_back(
        {{file, found.position, found.number}, found.height, found.width, std::move(what)});
  }

  std::shared_ptr<const ReadableFile> file_;
  const Found& full_;
  TiffPage page_;
  std::vector<std::pair<std::shared_ptr<const ReadableFile>, Found>> masks_;
};

/// The file of that name, or none where there is no such file.
std::shared_ptr<const ReadableFile> open_beside(const std::string& path, FileSystem& files) {
  struct ::stat status {};
  if (files.stat(path.c_str(), &status) == 0) return std::make_shared<const InputFile>(path, files);
  if (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG) return nullptr;
  throw Error("read", path, system_reason(errno));
}

/// Whether the mask file says of its first band that it masks all bands: GDAL's GMF_PER_DATASET, 2, in the metadata item
/// INTERNAL_MASK_FLAGS_1 (RFC 15). Without the item the file is no mask to GDAL.
bool masks_all_bands(const ReadableFile& file, std::uint64_t position, std::uint64_t bands) {
  const TiffDirectory directory = read_tiff_directory_at(file, position);
  const TiffEntry* entry = directory.find(tag_gdal_metadata);
  if (entry == nullptr || tiff_type_bytes(entry->type) != 1) return false;
  const RawTag tag = read_tag(file, directory, *entry);
  const std::string_view text(reinterpret_cast<const char*>(tag.bytes.data()), tag.bytes.size());
  constexpr std::string_view item = "\"INTERNAL_MASK_FLAGS_1\"";
  const std::size_t at = text.find(item);
  if (at == std::string_view::npos) return false;
  const std::size_t number = text.find('>', at + item.size());
  if (number == std::string_view::npos || number + 1 >= text.size()) return false;
  const char digit =
      text[number + 1];  // the flags are 1, 2, 4 and 8; all of their sums that are used have one digit
  if (digit < '0' || digit > '9') return false;
  if (((digit - '0') & 2) != 0 || bands == 1) return true;
  throw Error("read", file.path(),
              "it has a mask for each band, and only one mask for all bands is read; without masks the image "
              "can be read");
}

void add_files_beside(PageBuilder& page, const Found& full, const std::shared_ptr<const ReadableFile>& file,
                      FileSystem& files, bool overviews_beside) {
  if (overviews_beside && !page.has_overviews())
    if (const auto beside = open_beside(file->path() + ".ovr", files))
      for (Found& level : Walk(*beside).main_chain()) {
        level.kind |= reduced;  // the first one of other writers
        page.add(beside, level);
      }
  if (page.has_full_mask()) return;
  const auto beside = open_beside(file->path() + ".msk", files);
  if (!beside) return;
  const std::vector<Found> masks = Walk(*beside).main_chain();
  if (!masks_all_bands(*beside, masks.front().position, full.samples[0])) return;
  if (masks.front().height != full.height || masks.front().width != full.width)
    throw Error("read", beside->path(),
                fmt::format("it is {} x {} pixels, and the image that it masks is {} x {} (width x height)",
                            masks.front().width, masks.front().height, full.width, full.height));
  for (const Found& level : masks) page.add_mask(beside, level);
  if (masks.size() > 1 || !overviews_beside) return;
  if (const auto overviews = open_beside(beside->path() + ".ovr", files))
    for (const Found& level : Walk(*overviews).main_chain()) page.add_mask(overviews, level);
}

}  // namespace

TiffPages read_tiff_pages(const std::shared_ptr<const ReadableFile>& file, FileSystem& files,
                          bool overviews_beside) {
  const std::vector<Found> chain = Walk(*file).main_chain();
  const auto is_image = [&](std::size_t i) {
    return i == 0 || (!chain[i].is_reduced() && !chain[i].is_mask());
  };
  // gdaladdo's: no reduced picture but behind the last of several images.
  std::size_t images = 0, last_image = 0;
  bool all_at_end = true;
  for (std::size_t i = 0; i < chain.size(); ++i)
    if (is_image(i)) {
      ++images;
      last_image = i;
    }
  for (std::size_t i = 1; i < last_image; ++i)
    if (chain[i].is_reduced()) all_at_end = false;

  std::vector<PageBuilder> builders;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (is_image(i))
      builders.emplace_back(file, chain[i]);
    else if (images > 1 && all_at_end && i > last_image && chain[i].is_reduced())
      builders.front().add(chain[i]);
    else
      builders.back().add(chain[i]);
  }
  if (!file->is_remote()) add_files_beside(builders.front(), chain.front(), file, files, overviews_beside);

  TiffPages pages;
  for (PageBuilder& builder : builders) pages.push_back(builder.take());
  return pages;
}

const TiffLevel* find_level(const TiffPages& pages, unsigned number) {
  for (const TiffPage& page : pages)
    for (const TiffLevel& level : page.levels)
      if (level.place.number == number && level.place.file == pages.front().levels.front().place.file)
        return &level;
  return nullptr;
}

}  // namespace weir
