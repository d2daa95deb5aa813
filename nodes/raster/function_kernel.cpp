#include "nodes/raster/function_kernel.hpp"

#include <cassert>

namespace weir {

RasterInfo FunctionKernel::describe(std::span<const RasterInfo> inputs) {
  assert(inputs.size() == 1);
  require_arithmetic("compute", inputs[0]);
  RasterInfo info = computed_from(inputs[0], options_.type);
  require_arithmetic("compute", info);
  if (options_.nodata) check_nodata("compute", *options_.nodata, options_.type);
  info.nodata = options_.nodata;
  return info;
}

}  // namespace weir
