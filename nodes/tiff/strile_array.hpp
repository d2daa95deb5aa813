#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "nodes/tiff/tiff_directory.hpp"

namespace weir {

/// Where the offsets or byte counts of a raster's strips or tiles ("striles") stand in its file. They are not
/// held: they are read as needed, so that ten million tiles take no memory, and no lock is needed between
/// threads.
struct StrileArray {
  std::uint64_t position = 0, count = 0;
  std::size_t value_bytes = 4;  ///< 2, 4 or 8
  bool is_swapped = false;
};

/// Values of a strile array, through a window of 2 KiB: one read serves 256 to 1024 neighbours. One thread at
/// a time.
class StrileWindow {
 public:
  StrileWindow(const ReadableFile& file, const StrileArray& array) : file_(&file), array_(&array) {}

  std::uint64_t at(std::uint64_t index) {
    assert(index < array_->count);
    if (index < first_ || index - first_ >= held_) {
      held_ = 0;  // in case the read throws
      const std::uint64_t values =
          std::min<std::uint64_t>(bytes_.size() / array_->value_bytes, array_->count - index);
      read_exactly(*file_, array_->position + index * array_->value_bytes,
                   std::span(bytes_).first(values * array_->value_bytes));
      first_ = index;
      held_ = values;
    }
    return load_unsigned(&bytes_[(index - first_) * array_->value_bytes], array_->value_bytes,
                         array_->is_swapped);
  }

 private:
  const ReadableFile* file_;
  const StrileArray* array_;
  std::uint64_t first_ = 0, held_ = 0;
  std::array<std::byte, 2048> bytes_;
};

}  // namespace weir
