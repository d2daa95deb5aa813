#include "nodes/zarr/open_zarr_raster.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/open_store.hpp"
#include "nodes/stores/url.hpp"
#include "nodes/zarr/raster_attributes.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"

namespace weir {
namespace {

/// The end of the first part of a path that has one of these endings; npos where none has.
std::size_t end_of_part(std::string_view path, std::initializer_list<std::string_view> endings) {
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    for (const std::string_view ending : endings)
      if (part.size() > ending.size() && part.ends_with(ending)) return end;
    begin = end + 1;
  }
  return std::string_view::npos;
}

/// The one array of a group that can be a raster; GDAL and xarray keep coordinates as arrays of one axis beside it.
ZarrNode only_raster(const Store& store, const ZarrNode& group, const std::string& name,
                     const ZarrLimits& limits) {
  constexpr std::size_t most_opened = 64, most_named = 16;
  std::vector<ZarrNode> rasters;
  std::vector<std::string> names;
  std::optional<Error> unreadable;
  for (const ZarrChild& child : zarr_children(store, group, limits)) {
    if (!child.is_array || names.size() == most_opened) continue;
    ZarrNode node;
    try {
      node = open_zarr(store, group, child.name, limits);
    } catch (const Error& error) {  // an array of strings, say: a neighbour of the raster
      if (!unreadable) unreadable = error;
      continue;
    }
    if (node.array()->rank() != 2 && node.array()->rank() != 3) continue;
    rasters.push_back(std::move(node));
    names.push_back(child.name);
  }
  if (rasters.size() == 1) return std::move(rasters.front());
  if (rasters.empty() && unreadable) throw Error(*unreadable);
  if (rasters.empty()) throw Error("read", name, "it is a group without an array of two or three axes");
  const std::string more = names.size() > most_named ? ", ..." : "";
  names.resize(std::min(names.size(), most_named));
  throw Error::usage("read", name,
                     fmt::format("it is a group, say which array: {}{}", fmt::join(names, ", "), more));
}

}  // namespace

ZarrPlace zarr_place(const std::string& path) {
  // The query of a URL stays with the store.
  const std::size_t query = is_url(path) ? std::min(path.find_first_of("?#"), path.size()) : path.size();
  const std::size_t end = end_of_part(std::string_view(path).substr(0, query), {".zarr", ".zip"});
  if (end == std::string::npos) return {path, ""};
  std::string inside = path.substr(end, query - end);
  while (inside.ends_with('/')) inside.pop_back();
  while (inside.starts_with('/')) inside.erase(0, 1);
  return {path.substr(0, end) + path.substr(query), inside};
}

bool is_zarr_path(const std::string& path, FileSystem& files) {
  const std::string_view names =
      is_url(path) ? std::string_view(path).substr(0, path.find_first_of("?#")) : path;
  if (end_of_part(names, {".zarr", ".zarr.zip"}) != std::string::npos) return true;
  if (is_url(path)) return false;
  for (const char* name : {"/zarr.json", "/.zarray", "/.zgroup"}) {
    struct ::stat status = {};
    if (files.stat((path + name).c_str(), &status) == 0) return true;
  }
  return false;
}

std::shared_ptr<const ZarrSource> open_zarr_raster(const std::string& path,
                                                   const ZarrRasterOpenOptions& options, FileSystem& files) {
  const ZarrPlace place = zarr_place(path);
  StoreOptions opened;
  opened.http.http = options.http;
  opened.s3.http = options.http;
  const std::shared_ptr<const Store> store = open_store(place.store, opened, files);
  const ZarrLimits& limits = options.array.limits;
  ZarrNode node = open_zarr(*store, place.path, limits);
  const std::string name = shown_path(path);
  std::vector<ZarrLevel> levels;
  ZarrRasterOptions raster = options;
  if (const ZarrGroupMetadata* group = node.group()) {
    levels = multiscales_of(group->attributes, name);
    raster.group = std::make_shared<const ZarrNode>(node);
    if (options.overview < levels.size())
      node = open_zarr(*store, node, levels[options.overview].path, limits);
    else if (levels.empty() && options.overview == 0)
      node = only_raster(*store, node, name, limits);
  }
  if (options.overview >= std::max<std::size_t>(levels.size(), 1))
    throw Error::usage("read", name,
                       fmt::format("it has {} overviews, and number {} is wanted",
                                   levels.empty() ? 0 : levels.size() - 1, options.overview));
  if (node.array() == nullptr) throw Error("read", name, fmt::format("{} in it is no array", node.path));
  return std::make_shared<const ZarrSource>(open_zarr(store, node.path, *node.array(), options.array),
                                            raster);
}

}  // namespace weir
