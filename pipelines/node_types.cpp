#include "pipelines/node_types.hpp"

#include "nodes/codecs/encoded_edge.hpp"
#include "nodes/codecs/write_rows_node.hpp"
#include "nodes/raster/focal_mean.hpp"
#include "nodes/raster/hillshade.hpp"
#include "nodes/raster/normalized_difference.hpp"
#include "nodes/raster/raster_nodes.hpp"
#include "nodes/raster/scale_values.hpp"
#include "nodes/raster/slope.hpp"
#include "nodes/tiff/tiff_nodes.hpp"

namespace weir {

void add_geotiff_nodes(Registry& registry, const std::vector<std::shared_ptr<const CustomCodec>>& codecs) {
  registry.add(read_tiff_node_type(codecs));
  registry.add(copy_tiles_node_type());
  registry.add(terrain_node_type());
  registry.add(assemble_bands_node_type());
  registry.add(cut_tiles_node_type());
  registry.add(kernel_node_type<Slope>("slope"));
  registry.add(kernel_node_type<Hillshade>("hillshade"));
  registry.add(kernel_node_type<FocalMean>("focal_mean"));
  registry.add(kernel_node_type<ScaleValues>("scale_values"));
  registry.add(kernel_node_type<NormalizedDifference>(
      "normalized_difference", {{"positive", "tiles", "the p of (p - n) / (p + n): near infrared, for NDVI"},
                                {"negative", "tiles", "the n: red, for NDVI"}}));
  registry.add(compress_tiles_node_type(codecs));
  registry.add(write_tiff_node_type());
  registry.add(write_cog_node_type(codecs));
  registry.add(write_rows_node_type());
  registry.add(statistics_node_type());
}

}  // namespace weir
