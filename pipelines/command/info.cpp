#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "framework/bytes.hpp"
#include "nodes/raster/geo_description.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "pipelines/command/commands.hpp"

namespace weir::command {
namespace {

/// On one line; band numbers as GDAL counts them.
void print_item(const MetadataItem& item) {
  std::string text = fmt::format("{} = {}", item.role.empty() ? item.name : item.role, item.text);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  const std::string of = item.sample ? fmt::format("band {}", std::uint64_t{*item.sample} + 1) : "metadata";
  fmt::print("  {:<12} {}{}\n", of, item.domain.empty() ? "" : item.domain + ": ", text);
}

void print_info(const std::string& path, unsigned directory) {
  TiffReadOptions read;
  read.directory = directory;
  const TiffSource source(path, read);
  const RasterInfo& info = source.info();
  const TiffLayout& layout = source.layout();
  fmt::print("{}: {}\n", path, format_bytes(source.file().size()));
  fmt::print("  size         {} x {} pixels (width x height)\n", info.width, info.height);
  fmt::print("  samples      {} x {} per pixel{}\n", info.samples, name_of(info.type),
             layout.planes > 1 ? ", in planes" : "");
  fmt::print("  {:<12} {} x {} pixels (height x width)\n", layout.is_tiled ? "tiles" : "strips",
             layout.strile_height, layout.strile_width);
  fmt::print("  codec        {}, predictor {}{}\n", name_of(layout.codec), static_cast<int>(layout.predictor),
             layout.is_swapped ? ", other byte order" : "");
  if (info.nodata) fmt::print("  nodata       {}\n", *info.nodata);
  for (const auto& [label, text] : describe_place(info)) fmt::print("  {:<12} {}\n", label, text);
  for (const MetadataItem& item : info.metadata) print_item(item);
  if (!info.tags.empty()) {
    std::string ids;
    for (const RawTag& tag : info.tags) ids += fmt::format("{}{}", ids.empty() ? "" : ", ", tag.id);
    fmt::print("  other tags   {}\n", ids);
  }
  fmt::print("  read as      {} chunks of up to {} x {} pixels\n", source.grid().count(),
             source.grid().rows.largest(), source.grid().cols.largest());
}

}  // namespace

Action add_info(CLI::App& app) {
  struct InfoOptions {
    std::string path;
    unsigned directory = 0;
  };
  auto options = std::make_shared<InfoOptions>();
  CLI::App* info = app.add_subcommand("info", "Say what is in a TIFF file");
  info->add_option("FILE", options->path, "A TIFF file")->required();
  info->add_option("--directory", options->directory, "Which image of a file with several, from 0")
      ->option_text("N");
  return [options, info](const std::stop_token&) {
    if (info->parsed()) print_info(options->path, options->directory);
  };
}

}  // namespace weir::command
