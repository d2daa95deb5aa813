#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/node_type.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/raster/georeferencing_edit.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/tiff/tiff_output_layout.hpp"

namespace weir {

/// Nothing ──► chunks. `codecs`: those of plugins, beside ours.
NodeType read_tiff_node_type(const std::vector<std::shared_ptr<const CustomCodec>>& codecs = {});

/// Nothing ──► encoded: the tiles of a file as they are stored.
NodeType copy_tiles_node_type();
/// encoded ──► a file.
NodeType write_tiff_node_type();
/// tiles ──► a COG: encoding and all overviews are a part of it.
NodeType write_cog_node_type(const std::vector<std::shared_ptr<const CustomCodec>>& codecs = {});

/// The file that a node writes, in the words of its parameters.
struct TiffFileSettings {
  std::string path;
  bool overwrite = false;
  TiffOutputLayout::BigTiff big = TiffOutputLayout::BigTiff::automatic;
  std::vector<MetadataItem> metadata;
  GeoreferencingEdit georeferencing;
};
std::vector<Parameter> tiff_file_parameters();
/// Throws a usage Error for what does not read.
TiffFileSettings tiff_file_settings(const Parameters& parameters, const GraphSetup& setup);

}  // namespace weir
