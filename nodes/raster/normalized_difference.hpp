#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

struct NormalizedDifferenceOptions {
  std::string nodata = "-9999";  ///< of the output; a number or "nan"
};

/// (positive - negative) / (positive + negative) of two rasters, sample by sample, as float32: NDVI of near
/// infrared and red, NDWI of green and near infrared. Computed in double. Nodata where one of the two has
/// none, and where their sum is 0. The types of the two may differ; the place is that of the first.
class NormalizedDifference : public TileKernel {
 public:
  static constexpr std::string_view help =
      "(positive - negative) / (positive + negative) as float32, such as NDVI";
  static std::vector<Parameter> parameters();
  explicit NormalizedDifference(const NormalizedDifferenceOptions& options) : options_(options) {}
  explicit NormalizedDifference(const Parameters& parameters);

  /// Two inputs: positive, negative.
  RasterInfo describe(std::span<const RasterInfo> inputs) override;
  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
               const Context& context) const override;

 private:
  NormalizedDifferenceOptions options_;
  NodataSample positive_nodata_, negative_nodata_;
  float nodata_ = 0;
};

}  // namespace weir
