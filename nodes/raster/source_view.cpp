#include "nodes/raster/source_view.hpp"

#include "nodes/raster/select_source.hpp"
#include "nodes/raster/window_source.hpp"

namespace weir {

std::shared_ptr<const ChunkSource> view_of(std::shared_ptr<const ChunkSource> source,
                                           const SourceView& view) {
  source = part_of(std::move(source), view.window, view.bbox);
  if (!view.samples.empty()) source = select_samples(std::move(source), view.samples);
  if (!view.convert.is_nothing())
    source = std::make_shared<const ConvertSource>(std::move(source), view.convert);
  return source;
}

std::vector<Parameter> view_parameters() {
  std::vector<std::string> types;
  for (const SampleType type : all_sample_types) types.emplace_back(name_of(type));
  return {
      {.name = "window", .help = "only this part of the raster: x,y,width,height", .unit = "pixels"},
      {.name = "bbox",
       .help = "only the pixels that touch this box: minx,miny,maxx,maxy",
       .unit = "of the CRS"},
      {.name = "samples", .help = "only these samples of a pixel, from 1, in this order: 3,1,2"},
      {.name = "cast",
       .type = ParameterType::choice,
       .help = "the sample type that values are rounded and clipped to",
       .choices = types},
      {.name = "cast_nodata",
       .help = "the nodata value after the cast; default: the raster's where the type can hold it, else nan"},
      {.name = "scale",
       .type = ParameterType::number,
       .help = "values are multiplied by it",
       .default_value = "1"},
      {.name = "offset", .type = ParameterType::number, .help = "added after that", .default_value = "0"},
      {.name = "unscale",
       .type = ParameterType::flag,
       .help = "apply the scale and offset that the metadata has for each sample",
       .default_value = "false"},
  };
}

SourceView view_in(const Parameters& parameters) {
  SourceView view;
  if (parameters.has("window")) view.window = parameters.text("window");
  if (parameters.has("bbox")) view.bbox = parameters.text("bbox");
  if (parameters.has("samples")) view.samples = parse_samples(parameters.text("samples"));
  if (parameters.has("cast")) view.convert.type = sample_type_named(parameters.text("cast"));
  if (parameters.has("cast_nodata")) view.convert.nodata = parameters.text("cast_nodata");
  if (parameters.has("scale")) view.convert.scale = parameters.number("scale");
  if (parameters.has("offset")) view.convert.offset = parameters.number("offset");
  view.convert.unscale = parameters.has("unscale") && parameters.flag("unscale");
  return view;
}

}  // namespace weir
