#pragma once

#include <memory>
#include <string>

#include "framework/file.hpp"
#include "nodes/stores/http_options.hpp"
#include "nodes/zarr/zarr_source.hpp"

namespace weir {

/// A node in a store, as people name it: "PATH.zarr/array/inside" is the array "array/inside" of the store "PATH.zarr". The store ends
/// with the first part of the path that ends in ".zarr" or ".zip"; where none does, all of it is the store.
struct ZarrPlace {
  std::string store, path;
  bool operator==(const ZarrPlace&) const = default;
};
ZarrPlace zarr_place(const std::string& path);
/// Whether a path names something in Zarr: a part of it ends in ".zarr" or ".zarr.zip", or it is a local folder with an array or a group.
bool is_zarr_path(const std::string& path, FileSystem& files = FileSystem::real());

struct ZarrRasterOpenOptions : ZarrRasterOptions {
  ZarrOpenOptions array;
  HttpOptions http;       ///< where the path is a URL
  unsigned overview = 0;  ///< of a pyramid; 0: full resolution, the largest overview next
};
/// Opens the array that a path names as a raster, in any store (open_store). A path to a group is one to the array in it, where there is just one, or to the levels of
/// its pyramid (`multiscales`). Throws Error; a usage Error where there is no such overview.
std::shared_ptr<const ZarrSource> open_zarr_raster(const std::string& path,
                                                   const ZarrRasterOpenOptions& options = {},
                                                   FileSystem& files = FileSystem::real());

}  // namespace weir
