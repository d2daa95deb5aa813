// GeoKeys and places of any content: what is read is inside the tags, what is written back is read as the same, and
// words for people are short lines of their own. Input: lengths of directory and text and which place tags there are,
// then the directory, the text, and doubles from what is left.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/geo_description.hpp"
#include "nodes/raster/geo_transform.hpp"

namespace {

/// Takes from the front as much as there is.
std::span<const std::uint8_t> take(std::span<const std::uint8_t>& from, std::size_t bytes) {
  const auto part = from.first(std::min(bytes, from.size()));
  from = from.subspan(part.size());
  return part;
}

template <class T>
std::vector<T> values(std::span<const std::uint8_t> bytes) {
  std::vector<T> all(bytes.size() / sizeof(T));
  if (!all.empty()) std::memcpy(all.data(), bytes.data(), all.size() * sizeof(T));
  return all;
}

void check(bool is_true) {
  if (!is_true) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> rest(data, size);
  if (rest.size() < 3) return 0;
  const auto head = take(rest, 3);
  weir::RasterInfo info;
  info.height = 100, info.width = 70;
  weir::Georeferencing& place = info.georeferencing;
  place.key_directory = values<std::uint16_t>(take(rest, std::size_t{head[0]} * 2));
  const auto text = take(rest, head[1]);
  place.key_ascii.assign(text.begin(), text.end());
  if ((head[2] & 1) != 0) place.pixel_scale = values<double>(take(rest, 24));
  if ((head[2] & 2) != 0) place.transformation = values<double>(take(rest, 128));
  if ((head[2] & 4) != 0) place.tiepoints = values<double>(take(rest, std::size_t{head[2]} * 2));
  place.key_doubles = values<double>(rest);

  const weir::GeoKeys keys = weir::geo_keys_of(place);
  check(keys.values.size() + keys.broken <= place.key_directory.size() / 4);
  weir::Georeferencing again;
  weir::set_geo_keys(again, keys);
  const weir::GeoKeys read = weir::geo_keys_of(again);
  check(read.broken == 0 && read.values.size() == keys.values.size());
  for (const auto& [label, line] : weir::describe_place(info)) {
    check(line.size() < 1000);
    for (const char c : line) check(static_cast<unsigned char>(c) >= 0x20);
  }
  for (const weir::PixelIs is : {weir::PixelIs::area, weir::PixelIs::point})
    check(weir::pixel_is(weir::with_pixel_is(place, is)) == is || place.key_directory.empty());
  weir::scaled(weir::shifted(place, 5, 7), 95, 63, 48, 32);
  try {
    const weir::Window window = weir::window_of({0, 0, 10, 10}, info);
    check(!window.empty() && window.row_end() <= info.height && window.col_end() <= info.width);
  } catch (const weir::Error& error) {
    check(error.kind() == weir::ErrorKind::usage);
  }
  return 0;
}
