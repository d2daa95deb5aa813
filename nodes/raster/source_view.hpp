#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/convert_source.hpp"

namespace weir {

/// What is wanted of a raster: a part of it, some of its samples, other values. Applied in this order.
struct SourceView {
  std::string window, bbox;            ///< as people write them: see part_of; empty: all
  std::vector<std::uint32_t> samples;  ///< from 0, in this order, repeats allowed; empty: all
  ConvertOptions convert;
};

/// The raster as it is wanted: WindowSource, select_samples, ConvertSource, those of them that are needed.
std::shared_ptr<const ChunkSource> view_of(std::shared_ptr<const ChunkSource> source, const SourceView& view);

/// The same by parameters of a node, for every source: window, bbox, samples, cast, cast_nodata, scale, offset, unscale.
std::vector<Parameter> view_parameters();
SourceView view_in(const Parameters& parameters);

}  // namespace weir
