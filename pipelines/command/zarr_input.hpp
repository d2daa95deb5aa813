#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "nodes/raster/file_check.hpp"
#include "pipelines/command/options.hpp"

namespace weir::command {

/// Whether a path names something in Zarr, also where this build cannot open it.
bool is_zarr(const std::string& path);
/// Opens it as the input of a command. Throws a usage Error for options that are for TIFF files, and where this build has no Zarr.
/// `notes`: see InputOptions::open.
std::shared_ptr<const ChunkSource> open_zarr_input(const InputOptions& input,
                                                   std::vector<std::string>* notes);

/// What `weir info` says. Throws as open_zarr_input.
void print_zarr_info(const std::string& path, const HttpOptions& http);

/// What `weir validate` lists. Throws a usage Error where this build has no Zarr.
FileCheck check_zarr_input(const std::string& path, const HttpOptions& http, bool decode,
                           const std::stop_token& stop);

}  // namespace weir::command
