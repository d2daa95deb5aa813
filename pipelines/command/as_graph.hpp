#pragma once

#include <string>

#include "framework/graph_file.hpp"
#include "pipelines/command/options.hpp"
#include "pipelines/command/zarr_output.hpp"
#include "pipelines/write_cog.hpp"
#include "pipelines/write_geotiff.hpp"

namespace weir::command {

/// What `weir convert` and `weir read` do, as a graph: running it makes the same bytes. Settings of --set go along.
GraphFile convert_as_graph(const InputOptions& input, const std::string& output,
                           const WriteGeotiffOptions& options, const CommonOptions& common);
GraphFile cog_as_graph(const InputOptions& input, const std::string& output, const WriteCogOptions& options,
                       const CommonOptions& common);
GraphFile read_as_graph(const InputOptions& input, const std::string& output, const CommonOptions& common);

/// weir convert to Zarr; `chunk` in pixels. Chunks are always encoded, as with --recompress.
GraphFile zarr_as_graph(const InputOptions& input, const ZarrConversion& conversion, const Size& chunk,
                        const CommonOptions& common);

}  // namespace weir::command
