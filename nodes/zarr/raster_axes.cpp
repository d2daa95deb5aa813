#include "nodes/zarr/raster_axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>
#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/json_value.hpp"

namespace weir {
namespace {

/// The texts of an attribute; empty where it is no array of them.
std::vector<std::string> texts_of(const ZarrArrayMetadata& array, std::string_view attribute) {
  const ZarrLimits limits;
  const JsonValue document =
      parse_json(array.attributes, "the attributes", limits.metadata_bytes, limits.depth);
  const JsonValue* found = document.find(attribute);
  std::vector<std::string> texts;
  if (found == nullptr || found->array() == nullptr) return texts;
  for (const JsonValue& item : *found->array()) {
    if (item.text() == nullptr) return {};
    texts.push_back(*item.text());
  }
  return texts;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

constexpr std::string_view row_names[] = {"y", "lat", "latitude", "row", "rows", "northing"};
constexpr std::string_view col_names[] = {"x",   "lon",  "long",   "longitude",
                                          "col", "cols", "column", "easting"};

/// The one axis of such a name.
std::optional<std::size_t> axis_among(const std::vector<std::string>& dimensions,
                                      bool (*is_name)(const std::string&)) {
  std::optional<std::size_t> found;
  for (std::size_t axis = 0; axis < dimensions.size(); ++axis) {
    if (!is_name(dimensions[axis])) continue;
    if (found) return std::nullopt;
    found = axis;
  }
  return found;
}

RasterAxes with_bands(std::size_t row, std::size_t col, std::size_t rank) {
  RasterAxes axes{row, col, std::nullopt};
  for (std::size_t axis = 0; rank == 3 && axis < rank; ++axis)
    if (axis != row && axis != col) axes.band = axis;
  return axes;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words{""};
  for (const char c : text) {
    if (c == ',')
      words.emplace_back();
    else
      words.back() += c;
  }
  return words;
}

}  // namespace

std::vector<std::string> dimensions_of(const ZarrArrayMetadata& array) {
  std::vector<std::string> names;
  for (const std::optional<std::string>& name : array.dimension_names) names.push_back(name.value_or(""));
  if (names.empty()) names = texts_of(array, "_ARRAY_DIMENSIONS");
  if (names.size() != array.rank()) names.clear();
  return names;
}

bool is_row_name(const std::string& dimension) {
  return std::ranges::find(row_names, lower(dimension)) != std::end(row_names);
}
bool is_col_name(const std::string& dimension) {
  return std::ranges::find(col_names, lower(dimension)) != std::end(col_names);
}

RasterAxes raster_axes(const ZarrArrayMetadata& array, const std::string& axes, const std::string& name) {
  const std::size_t rank = array.rank();
  if (rank != 2 && rank != 3)
    throw Error("read", name,
                fmt::format("it has {} axes, and a raster has rows, columns and perhaps bands", rank));
  if (axes != "auto") {
    const std::vector<std::string> words = words_of(axes);
    const auto place = [&](std::string_view word) {
      return static_cast<std::size_t>(std::ranges::find(words, word) - words.begin());
    };
    const std::size_t row = place("y"), col = place("x");
    if (words.size() != rank || row == rank || col == rank || (rank == 3 && place("band") == rank))
      throw Error::usage("read", name,
                         fmt::format("'{}' are not its {} axes: {}", axes, rank,
                                     rank == 2 ? "y,x" : "band,y,x or y,x,band"));
    return with_bands(row, col, rank);
  }
  const std::vector<std::string> dimensions = dimensions_of(array);
  if (const std::vector<std::string> spatial = texts_of(array, "spatial:dimensions"); spatial.size() == 2) {
    const auto place = [&](const std::string& word) {
      return static_cast<std::size_t>(std::ranges::find(dimensions, word) - dimensions.begin());
    };
    const std::size_t row = place(spatial[0]), col = place(spatial[1]);
    if (row != col && row < dimensions.size() && col < dimensions.size()) return with_bands(row, col, rank);
  }
  const auto row = axis_among(dimensions, is_row_name), col = axis_among(dimensions, is_col_name);
  if (row && col) return with_bands(*row, *col, rank);
  return with_bands(rank - 2, rank - 1, rank);
}

}  // namespace weir
