#pragma once

// What the tests of streamed stencils share: a kernel on the whole raster at once, and writes with kernels at any
// budget.

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "nodes/raster/focal_mean.hpp"
#include "nodes/raster/function_kernel.hpp"
#include "nodes/raster/function_source.hpp"
#include "nodes/raster/slope.hpp"
#include "pipelines/write_geotiff.hpp"
#include "tests/pipeline_support.hpp"

namespace weir::pipeline_test {

inline PixelView whole_view(const Raster& raster) {
  const RasterInfo& info = raster.info;
  return {raster.pixels.data(), {0, 0, info.height, info.width}, info.type,
          info.samples,         info.width * info.pixel_bytes(), info.pixel_bytes(),
          bytes_of(info.type)};
}

/// A kernel on the whole raster at once.
inline Raster computed_whole(TileKernel& kernel, const Raster& input) {
  Raster out;
  out.info = kernel.describe({&input.info, 1});
  const RasterInfo& info = out.info;
  out.pixels.resize(info.height * info.width * info.pixel_bytes());
  const auto local = kernel.make_local(Scratch());
  const PixelView views[] = {whole_view(input)};
  kernel.compute(views,
                 {out.pixels.data(),
                  {0, 0, info.height, info.width},
                  info.type,
                  info.samples,
                  info.width * info.pixel_bytes(),
                  info.pixel_bytes(),
                  bytes_of(info.type)},
                 local.get(), Context());
  return out;
}

/// The chunks of a raster in memory, made by a function: nothing is known of it but its grid.
inline std::shared_ptr<const ChunkSource> function_of(const Raster& raster, ChunkGrid grid) {
  return std::make_shared<const FunctionSource>(
      raster.info, std::move(grid), [&raster](const Window& window, std::byte* pixels) {
        const std::uint64_t pixel = raster.info.pixel_bytes(), bytes = window.width * pixel;
        for (std::uint64_t row = window.row; row < window.row_end(); ++row, pixels += bytes)
          std::memcpy(pixels, raster.pixels.data() + (row * raster.info.width + window.col) * pixel, bytes);
      });
}

/// The sum over a square, each pixel weighted by its place in it, so that no two of them can change places unseen.
inline std::shared_ptr<TileKernel> weighted_sum(std::int64_t radius) {
  FunctionKernelOptions options;
  options.halo = static_cast<std::uint64_t>(radius);
  return function_kernel(options, each_pixel([radius](const auto& at) {
                           // The corners and the middles of the sides: all that a wrong halo would miss.
                           double sum = at(0, 0);
                           for (const std::int64_t down : {-radius, std::int64_t{0}, radius})
                             for (const std::int64_t right : {-radius, std::int64_t{0}, radius})
                               sum += at(down, right) * static_cast<double>(3 * down + right + 1) / 64;
                           return sum;
                         }));
}

/// Budgets from the smallest on.
inline std::vector<std::uint64_t> budget_ladder(std::uint64_t smallest) {
  return {smallest,
          smallest + smallest / 10,
          smallest + smallest / 2,
          2 * smallest,
          3 * smallest,
          5 * smallest,
          10 * smallest,
          256 * mebibyte};
}

/// What ran, and what was promised beforehand: write_counted checks the one against the other.
struct Outcome {
  std::uint64_t computed = 0, planned_reads = 0;
  bool is_each_once = false, has_spool = false;
  RunReport report;
  Plan plan;
};

inline Outcome write_counted(const std::shared_ptr<const ChunkSource>& inner, const std::string& path,
                             const WriteGeotiffOptions& options) {
  const auto source = std::make_shared<const WatchedSource>(inner);
  GeotiffWrite write(source, path, options);
  Outcome outcome;
  outcome.planned_reads = write.plan().bands->reads();
  outcome.has_spool = write.plan().spool.has_value();
  outcome.plan = write.graph().plan();
  const std::string explained = write.explain();
  const std::uint64_t said = said_number(explained, "reads");
  outcome.report = write.run();
  outcome.computed = source->total();
  const std::vector<unsigned> counts = source->counts();
  outcome.is_each_once = std::all_of(counts.begin(), counts.end(), [](unsigned n) { return n == 1; });
  CHECK(said == outcome.computed);  // explain said so before the run
  if (outcome.has_spool)
    CHECK(said_number(explained, "spool") == outcome.planned_reads - inner->grid().count());
  CHECK(outcome.report.source_reads == outcome.computed);
  CHECK(outcome.report.peak_payload <= options.graph.memory);
  CHECK(outcome.report.peak_payload <= outcome.plan.peak);
  CHECK(outcome.report.peak_leased <= outcome.plan.peak);
  return outcome;
}

}  // namespace weir::pipeline_test
