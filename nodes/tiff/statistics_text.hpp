#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/statistics.hpp"

namespace weir {

/// GDAL_METADATA with statistics that are known only when the last tile is written: STATISTICS_MINIMUM, _MAXIMUM, _MEAN,
/// _STDDEV and _VALID_PERCENT of each sample, as GDAL names and reads them, behind the raster's other items. The text's
/// length is that of the longest numbers; what it does not need is spaces behind its end. One thread at a time.
class StatisticsText {
 public:
  explicit StatisticsText(const RasterInfo& info);

  /// Adds what was measured of a tile. The order counts (see SampleStatistics::merge): file order.
  void merge(std::uint32_t sample, const SampleStatistics& of_tile) { samples_[sample].merge(of_tile); }
  /// Samples without data have only _VALID_PERCENT; numbers that are not finite are left out.
  std::string text() const;
  std::uint64_t bytes() const { return length_; }
  /// What one keeps.
  static std::uint64_t standing_bytes(const RasterInfo& info);

 private:
  std::vector<MetadataItem> others_;
  std::vector<SampleStatistics> samples_;
  std::uint64_t length_;
};

}  // namespace weir
