#include "nodes/tiff/tiff_front.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <optional>

#include "framework/error.hpp"

namespace weir {
namespace {

constexpr std::uint64_t largest_file = std::numeric_limits<std::int64_t>::max();  // off_t

}  // namespace

TiffFront::TiffFront(std::span<const TiffOutputLayout> layouts, bool big, Form form)
    : is_big_(big), ghost_(std::move(form.ghost)) {
  assert(!layouts.empty());
  std::uint64_t end = (TiffDirectoryBuilder::header_bytes(big) + ghost_.size() + 1) / 2 * 2, arrays = 0;
  for (const TiffOutputLayout& layout : layouts) {
    check(layout);
    images_.push_back({layout.tiles(), layout.max_tile_bytes, describe(layout, big), {}, {}});
    end = (images_.back().directory.place(end) + 1) / 2 * 2;  // directories begin on word boundaries
    arrays += images_.back().directory.array_bytes();
  }
  // The padding lies before the arrays, so that they end where the tiles start.
  data_ = (end + arrays + form.alignment - 1) / form.alignment * form.alignment;
  bytes_ = data_ - arrays;
  largest_ = data_;
  std::uint64_t next_array = bytes_;
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    Image& image = images_[i];
    next_array = image.directory.place_arrays(next_array);
    image.offsets = image.directory.array(offsets_tag(layouts[i]));
    image.byte_counts = image.directory.array(byte_counts_tag(layouts[i]));
    const std::uint64_t count = image.offsets.count;
    const std::optional<std::uint64_t> known = layouts[i].all_tile_bytes;
    if (largest_ > largest_file ||
        (known ? *known > largest_file - largest_ : image.max_tile_bytes > (largest_file - largest_) / count))
      throw Error::usage("write", fmt::format("a TIFF of {} tiles", count),
                         fmt::format("{} bytes each are more than a file can hold", image.max_tile_bytes));
    largest_ += known ? *known : image.max_tile_bytes * count;
  }
  assert(next_array == data_);
}

std::vector<std::byte> TiffFront::encode() const {
  std::vector<std::byte> front(bytes_);
  std::ranges::copy(TiffDirectoryBuilder::header(is_big_, images_.front().directory.offset()), front.begin());
  std::ranges::copy(std::as_bytes(std::span(ghost_)),
                    front.begin() + static_cast<std::ptrdiff_t>(TiffDirectoryBuilder::header_bytes(is_big_)));
  for (std::size_t i = 0; i < images_.size(); ++i) {
    const std::uint64_t next = i + 1 < images_.size() ? images_[i + 1].directory.offset() : 0;
    std::ranges::copy(images_[i].directory.encode(next),
                      front.begin() + static_cast<std::ptrdiff_t>(images_[i].directory.offset()));
  }
  return front;
}

}  // namespace weir
