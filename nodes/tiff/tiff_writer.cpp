#include "nodes/tiff/tiff_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "framework/error.hpp"
#include "nodes/tiff/gdal_metadata.hpp"
#include "nodes/tiff/sidecars.hpp"

namespace weir {
namespace {

constexpr std::uint64_t largest_classic = std::numeric_limits<std::uint32_t>::max();

std::vector<TiffOutputLayout> images_of(const TiffOutputLayout& layout) {
  std::vector<TiffOutputLayout> images{layout};
  if (layout.info.has_mask) images.push_back(mask_of(layout));
  return images;
}

TiffFront front_of(const TiffOutputLayout& layout) {
  check(layout);
  const std::vector<TiffOutputLayout> images = images_of(layout);
  const bool may_be_classic = layout.big != TiffOutputLayout::BigTiff::yes &&
                              (layout.big == TiffOutputLayout::BigTiff::no ||
                               std::ranges::none_of(layout.info.tags, TiffDirectoryBuilder::needs_big));
  if (may_be_classic) {
    TiffFront classic(images, false);
    if (classic.largest() <= largest_classic) return classic;
    if (layout.big == TiffOutputLayout::BigTiff::no)
      throw Error::usage("write", "a classic TIFF",
                         fmt::format("it could reach {} bytes, and ends at {}; BigTIFF does not",
                                     classic.largest(), largest_classic));
  }
  return TiffFront(images, true);
}

// Without a codec the pixels' size is known too.
std::uint64_t smallest_file_bytes(const TiffOutputLayout& layout, const TiffFront& front) {
  const bool is_known = layout.codec == CodecId::none && !layout.sparse;
  return front.data() + (is_known ? layout.info.height * layout.info.width * layout.info.pixel_bytes() : 0);
}

}  // namespace

std::uint64_t TiffWriter::standing_bytes(const TiffOutputLayout& layout) {
  const TiffFront front = front_of(layout);
  std::uint64_t bytes = front.bytes();
  for (const TiffFront::Image& image : front.images()) bytes += StrileEntries::standing_bytes(image);
  return bytes + (layout.statistics ? StatisticsText::standing_bytes(layout.info) : 0);
}

std::uint64_t TiffWriter::largest_file_bytes(const TiffOutputLayout& layout) {
  return front_of(layout).largest();
}

TiffWriter::TiffWriter(const TiffOutputLayout& layout, std::string path, bool overwrite, FileSystem& files)
    : TiffWriter(layout, front_of(layout), std::move(path), overwrite, files) {}

TiffWriter::TiffWriter(const TiffOutputLayout& layout, const TiffFront& front, std::string path,
                       bool overwrite, FileSystem& files)
    : files_(files),
      file_(std::move(path), overwrite, files),
      is_big_(front.is_big()),
      front_(front.encode()),
      end_(front.data()) {
  for (const TiffFront::Image& image : front.images()) images_.emplace_back(image);
  if (layout.statistics) {
    statistics_.emplace(layout.info);
    statistics_place_ = front.images().front().directory.array(gdal_metadata_tag).offset;
  }
  file_.require_space(smallest_file_bytes(layout, front));
}

void TiffWriter::write(const EncodedTiles& tiles) {
  check_order(tiles);
  if (tiles.bytes.size() > 0) file_.write_at(end_, tiles.bytes.span());
  const std::uint32_t per_tile = tiles.has_masks ? 2 : 1;
  for (std::uint64_t i = 0; i < tiles.count(); ++i) {
    if (statistics_) merge_statistics(tiles, i, images_[0].plane());
    append(images_[0], tiles.sizes[i * per_tile]);
    if (tiles.has_masks) append(images_[1], tiles.sizes[i * per_tile + 1]);
  }
}

void TiffWriter::check_order(const EncodedTiles& tiles) const {
  const auto refuse = [&](const std::string& reason) {
    throw Error("write", file_.target(), "internal: " + reason);
  };
  const StrileEntries& image = images_.front();
  if (tiles.first_tile != image.next())
    refuse(fmt::format("tile {} came where tile {} was due", tiles.first_tile, image.next()));
  if (tiles.count() > image.missing())
    refuse(fmt::format("{} tiles came from tile {} on, and there are {}", tiles.count(), image.next(),
                       image.count()));
  if (tiles.has_masks ? images_.size() == 1 || tiles.sizes.size() % 2 != 0 || !image.is_in_last_plane()
                      : images_.size() == 2 && image.is_in_last_plane())
    refuse(fmt::format("the tiles from tile {} on come {} masks", image.next(),
                       tiles.has_masks ? "with" : "without"));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < tiles.sizes.size(); ++i) {
    const std::uint64_t bound = images_[tiles.has_masks && i % 2 == 1 ? 1 : 0].max_tile_bytes();
    if (tiles.sizes[i] > bound)
      refuse(fmt::format("a tile from tile {} on has {} bytes, and {} is the bound", image.next(),
                         tiles.sizes[i], bound));
    sum += tiles.sizes[i];
  }
  if (sum != tiles.bytes.size())
    refuse(fmt::format("the tiles from tile {} on have {} bytes, and their sizes say {}", image.next(),
                       tiles.bytes.size(), sum));
  if (statistics_ &&
      (tiles.count() == 0 || tiles.measured().size() % tiles.count() != 0 || tiles.measured().empty()))
    refuse(fmt::format("the tiles from tile {} on come without statistics", image.next()));
}

void TiffWriter::append(StrileEntries& image, std::uint32_t size) {
  image.enter(end_, size,
              [this](std::uint64_t offset, std::span<const std::byte> bytes) { patch(offset, bytes); });
  end_ += size;
}

void TiffWriter::merge_statistics(const EncodedTiles& tiles, std::uint64_t index, std::uint32_t plane) {
  const std::size_t samples = tiles.measured().size() / tiles.count();
  for (std::size_t i = 0; i < samples; ++i)
    statistics_->merge(plane + static_cast<std::uint32_t>(i), tiles.measured()[index * samples + i]);
}

// Arrays of one or two values lie in their entry, in the front, which is written last.
void TiffWriter::patch(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset < front_.size()) {
    assert(offset + bytes.size() <= front_.size());
    std::ranges::copy(bytes, front_.begin() + static_cast<std::ptrdiff_t>(offset));
  } else {
    file_.write_at(offset, bytes);
  }
}

void TiffWriter::close() {
  for (const StrileEntries& image : images_)
    if (image.missing() > 0)
      throw Error("finish", file_.target(),
                  fmt::format("{} of {} tiles are missing", image.missing(), image.count()));
  if (statistics_) {
    const std::string text = statistics_->text();
    patch(statistics_place_, std::as_bytes(std::span(text)));
  }
  file_.write_at(0, front_);
  commit_with_sidecars(file_, files_);
}

}  // namespace weir
