#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "framework/file.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// A sample value as it is: 64-bit integers do not fit in a double.
using SampleValue = std::variant<double, std::int64_t, std::uint64_t>;

/// Of the samples with data of one band: all of it, or a part.
struct SampleStatistics {
  std::uint64_t count = 0;   ///< samples with data
  std::uint64_t nodata = 0;  ///< the others: nodata and NaN
  SampleValue least, most;   ///< exact; meaningful where count > 0
  double mean = 0;
  double squares = 0;  ///< sum of squared distances from the mean

  /// Of the population, as GDAL has it: sqrt(squares / count).
  double standard_deviation() const;
  /// Adds what was measured of other pixels (Chan, Golub and LeVeque 1979). Rounds, so the order counts.
  void merge(const SampleStatistics& other);
};

/// Measured pixels, window by window: one SampleStatistics for each sample of the first window, then of the
/// second.
struct StatisticsPart {
  std::vector<SampleStatistics> windows;
};

/// Which pixels of a window are valid: a bit each, the most significant one first; rows begin on bytes. 1 is valid.
struct ValidBits {
  const std::byte* data = nullptr;  ///< nothing: all are
  std::size_t row_bytes = 0;
};

/// The pure half: any number of threads. Windows of up to 2^32 rows of 2^32 pixels.
class MeasureStatistics {
 public:
  explicit MeasureStatistics(const RasterInfo& input)
      : MeasureStatistics(input.type, input.samples, nodata_sample(input)) {}
  MeasureStatistics(SampleType type, std::uint32_t samples, const NodataSample& nodata)
      : type_(type), samples_(samples), nodata_(nodata) {}

  StatisticsPart operator()(std::span<const PixelView> windows) const;
  StatisticsPart operator()(const PixelView& window) const { return (*this)(std::span(&window, 1)); }
  /// Of the valid pixels of a window; the others count as nodata. One for each sample.
  void operator()(const PixelView& window, const ValidBits& valid, std::span<SampleStatistics> out) const;

 private:
  SampleType type_;
  std::uint32_t samples_;
  NodataSample nodata_;
};

/// The statistics of a raster, put together from parts. The same windows in the same order give the same
/// bits, however they are dealt into parts: so merge parts in ticket order, and measure by tile.
class RasterStatistics {
 public:
  explicit RasterStatistics(const RasterInfo& info) : info_(info), samples_(info.samples) {}

  void merge(const StatisticsPart& part);
  /// Per sample.
  const std::vector<SampleStatistics>& samples() const { return samples_; }
  /// {"width": .., "height": .., "type": "..", "samples": [{"count": .., "nodata": .., "min": .., "max": ..,
  /// "mean": .., "stddev": ..}, ..]}. null where there is no number (no data, or not finite).
  std::string to_json() const;

 private:
  RasterInfo info_;
  std::vector<SampleStatistics> samples_;
};

/// Ordered sink: parts become a JSON file, which appears whole or not at all.
class WriteStatistics {
 public:
  WriteStatistics(const RasterInfo& info, std::string path, bool overwrite,
                  FileSystem& files = FileSystem::real())
      : statistics_(info), path_(std::move(path)), overwrite_(overwrite), files_(&files) {}

  /// Refuses an existing target before any work is done.
  void open();
  void operator()(const StatisticsPart& part) { statistics_.merge(part); }
  void close();

 private:
  RasterStatistics statistics_;
  std::string path_;
  bool overwrite_;
  FileSystem* files_;
  std::unique_ptr<AtomicFile> file_;
};

}  // namespace weir
