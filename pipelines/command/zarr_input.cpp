#include "pipelines/command/zarr_input.hpp"

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "nodes/stores/url.hpp"
#ifdef WEIR_WITH_ZARR
#include "nodes/zarr/open_zarr_raster.hpp"
#endif

namespace weir::command {

#ifdef WEIR_WITH_ZARR

bool is_zarr(const std::string& path) {
  return !path.starts_with("terrain:") && is_zarr_path(path);
}

std::shared_ptr<const ChunkSource> open_zarr_input(const InputOptions& input) {
  const auto refuse = [&](bool is_given, const char* option) {
    if (is_given) throw Error::usage("use", option, "it is for TIFF files");
  };
  refuse(input.directory > 0, "--directory");
  refuse(!input.max_fetch.empty(), "--max-fetch");
  ZarrRasterOpenOptions options;
  options.axes = input.axes;
  options.overview = input.overview;
  options.http = input.http.options();
  if (!input.max_chunk.empty()) options.max_chunk_bytes = parse_bytes(input.max_chunk);
  if (!input.chunk.empty()) {
    const Size size = parse_size("--chunk", input.chunk);
    options.chunk_height = size.height;
    options.chunk_width = size.width;
  }
  return open_zarr_raster(input.path, options);
}

#else

bool is_zarr(const std::string& path) {
  return path.ends_with(".zarr") || path.find(".zarr/") != std::string::npos;
}

std::shared_ptr<const ChunkSource> open_zarr_input(const InputOptions& input) {
  throw Error::usage("read", shown_path(input.path),
                     "this build has no Zarr: it was made without nlohmann-json");
}

#endif

}  // namespace weir::command
