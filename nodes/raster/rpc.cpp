#include "nodes/raster/rpc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>

#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

constexpr std::uint16_t rpc_tag = 50844, type_double = 12;
constexpr std::uint64_t rpc_values = 92;
constexpr std::string_view rpc_domain = "RPC";

/// Of lines or of samples: `place` of the tag's values and name of the items that are changed.
struct Axis {
  std::size_t offset_place, scale_place;
  std::string_view offset_name, scale_name;
  double origin;           ///< the new first pixel
  double pixels_in_pixel;  ///< of the old raster in one of the new

  // From centres to corners and back: a corner keeps its place when pixels grow, a centre does not.
  double offset(double old) const { return (old + 0.5 - origin) / pixels_in_pixel - 0.5; }
  double scale(double old) const { return old / pixels_in_pixel; }
};
using Axes = std::array<Axis, 2>;

Axes axes(double row, double col, double rows, double cols) {
  // ERR_BIAS and ERR_RAND are 0 and 1; offsets of latitude, longitude and height lie between.
  return {Axis{2, 7, "LINE_OFF", "LINE_SCALE", row, rows}, Axis{3, 8, "SAMP_OFF", "SAMP_SCALE", col, cols}};
}

void move_tag(RawTag& tag, const Axes& axes) {
  if (tag.type != type_double || tag.count != rpc_values || tag.bytes.size() != rpc_values * sizeof(double))
    return;
  std::array<double, rpc_values> values;
  std::memcpy(values.data(), tag.bytes.data(), sizeof values);
  for (const Axis& axis : axes) {
    values[axis.offset_place] = axis.offset(values[axis.offset_place]);
    values[axis.scale_place] = axis.scale(values[axis.scale_place]);
  }
  std::memcpy(tag.bytes.data(), values.data(), sizeof values);
}

bool is_rpc(const MetadataItem& item) {
  return !item.sample && item.domain == rpc_domain;
}

/// Whether the item is there, and a number.
template <class Change>
bool change(std::vector<MetadataItem>& items, std::string_view name, Change change) {
  const auto item = std::ranges::find_if(
      items, [&](const MetadataItem& each) { return is_rpc(each) && each.name == name; });
  if (item == items.end()) return false;
  const std::optional<double> number = number_in<double>(item->text);
  if (!number || !std::isfinite(*number)) return false;
  item->text = fmt::format("{}", change(*number));
  return true;
}

void move_items(std::vector<MetadataItem>& items, const Axes& axes) {
  const bool is_moved = std::ranges::all_of(axes, [&](const Axis& axis) {
    return change(items, axis.offset_name, [&](double old) { return axis.offset(old); }) &&
           change(items, axis.scale_name, [&](double old) { return axis.scale(old); });
  });
  if (!is_moved) std::erase_if(items, is_rpc);
}

void move_rpcs(RasterInfo& info, const Axes& axes) {
  for (RawTag& tag : info.tags)
    if (tag.id == rpc_tag) move_tag(tag, axes);
  move_items(info.metadata, axes);
}

}  // namespace

void shift_rpcs(RasterInfo& info, std::uint64_t row, std::uint64_t col) {
  if (row == 0 && col == 0) return;
  move_rpcs(info, axes(static_cast<double>(row), static_cast<double>(col), 1, 1));
}

void scale_rpcs(RasterInfo& info, std::uint64_t full_height, std::uint64_t full_width, std::uint64_t height,
                std::uint64_t width) {
  move_rpcs(info, axes(0, 0, static_cast<double>(full_height) / static_cast<double>(height),
                       static_cast<double>(full_width) / static_cast<double>(width)));
}

}  // namespace weir
