#include "pipelines/command/cog_flags.hpp"

#include <vector>

#include "framework/error.hpp"

namespace weir::command {

void CogFlags::add_to(CLI::App& app) {
  std::vector<std::string> kernels, packings;
  for (const Resampling each : all_resamplings) kernels.emplace_back(name_of(each));
  for (const CogPacking each : all_cog_packings) packings.emplace_back(name_of(each));
  app.add_option("--overviews", overviews, "auto, none or factors: 2,4,8 (COG: auto, Zarr: none)")
      ->option_text("LIST");
  app.add_option(
         "--resampling", resampling,
         "Overviews: average, nearest, bilinear, cubic, mode, min, max, median or rms (default: average)")
      ->option_text("R")
      ->check(CLI::IsMember(std::move(kernels)));
  app.add_option("--pack", packing,
                 "COG: how unused room leaves the file: automatic, collapse, copy, or holes that stay")
      ->option_text("P")
      ->check(CLI::IsMember(std::move(packings)));
}

void CogFlags::require_none() const {
  for (const auto& [option, value] :
       {std::pair("--overviews", &overviews), {"--resampling", &resampling}, {"--pack", &packing}})
    if (!value->empty()) throw Error::usage("use", option, "it is for COGs: say --to cog");
}

OverviewOptions CogFlags::overview_options() const {
  OverviewOptions options;
  if (!overviews.empty()) options.overviews = parse_overviews(overviews);
  if (!resampling.empty()) {
    options.resampling = *resampling_named(resampling);
    options.resampling_is_given = true;
  }
  return options;
}

std::optional<OverviewOptions> CogFlags::pyramid() const {
  if (!packing.empty()) throw Error::usage("use", "--pack", "it is for COGs: say --to cog");
  if (!overviews.empty() && overviews != "none") return overview_options();
  if (!resampling.empty()) throw Error::usage("use", "--resampling", "no --overviews are wanted");
  return std::nullopt;
}

WriteCogOptions CogFlags::options(const WriteGeotiffOptions& write) const {
  WriteCogOptions cog;
  static_cast<GeotiffOptions&>(cog) = write;
  cog.graph = write.graph;
  static_cast<OverviewOptions&>(cog) = overview_options();
  if (!packing.empty()) cog.packing = *cog_packing_named(packing);
  return cog;
}

}  // namespace weir::command
