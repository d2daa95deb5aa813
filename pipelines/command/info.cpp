#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "framework/bytes.hpp"
#include "nodes/raster/geo_description.hpp"
#include "nodes/stores/open_file.hpp"
#include "nodes/tiff/tiff_images.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/http_settings.hpp"
#include "pipelines/command/raster_text.hpp"
#include "pipelines/command/sample_text.hpp"
#include "pipelines/command/zarr_input.hpp"

namespace weir::command {
namespace {

constexpr std::uint16_t palette = 3, color_map_tag = 320;

/// On one line; band numbers as GDAL counts them.
void print_item(const MetadataItem& item) {
  std::string text = fmt::format("{} = {}", item.role.empty() ? item.name : item.role, item.text);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  const std::string of = item.sample ? fmt::format("band {}", std::uint64_t{*item.sample} + 1) : "metadata";
  fmt::print("  {:<12} {}{}\n", of, item.domain.empty() ? "" : item.domain + ": ", text);
}

/// Where a picture is, if not in the main chain of the file itself.
std::string elsewhere(const TiffPlace& place, const std::string& path) {
  if (place.file->path() != path) return fmt::format(" (in {})", place.file->path());
  return place.number ? "" : " (a SubIFD)";
}

/// The other directories of the file that have to do with this image, and how many images there are.
void print_images(const std::shared_ptr<const ReadableFile>& file, unsigned directory) {
  const std::string& path = file->path();
  const TiffPages pages = read_tiff_pages(file);
  if (pages.size() > 1) fmt::print("  images       {} in this file\n", pages.size());
  for (const TiffPage& page : pages) {
    const TiffLevel& full = page.levels.front();
    if (full.place.number != directory) continue;
    for (std::size_t i = 1; i < page.levels.size(); ++i) {
      const TiffLevel& level = page.levels[i];
      fmt::print("  overview {:<3} {} x {} pixels (width x height){}{}\n", i, level.width, level.height,
                 level.mask ? ", with a mask" : "", elsewhere(level.place, path));
    }
    if (full.mask)
      fmt::print("  mask         {} x {} pixels (width x height){}\n", full.width, full.height,
                 elsewhere(*full.mask, path));
    for (const TiffOther& other : page.others)
      fmt::print("  also         {}, {} x {} pixels (width x height){}\n", other.what, other.width,
                 other.height, elsewhere(other.place, path));
  }
}

void print_info(const std::string& path, unsigned directory, const HttpOptions& http) {
  TiffReadOptions read;
  read.directory = directory;
  const std::shared_ptr<const ReadableFile> file = open_readable(path, http);
  const TiffSource source(file, read);
  const RasterInfo& info = source.info();
  const TiffLayout& layout = source.layout();
  fmt::print("{}: {}\n", source.file().path(), format_bytes(source.file().size()));
  fmt::print("  size         {} x {} pixels (width x height)\n", info.width, info.height);
  fmt::print("  samples      {} x {} per pixel{}{}\n", info.samples, name_of(info.type),
             layout.planes > 1 ? ", in planes" : "", stored_as(layout));
  fmt::print("  photometric  {}\n", photometric_text(info));
  fmt::print("  {:<12} {} x {} pixels (height x width)\n", layout.is_tiled ? "tiles" : "strips",
             layout.strile_height, layout.strile_width);
  fmt::print("  codec        {}, predictor {}{}\n", name_of(layout.codec), static_cast<int>(layout.predictor),
             layout.is_swapped ? ", other byte order" : "");
  if (layout.is_bit_reversed) fmt::print("  fill order   2, bits of each byte turned around\n");
  print_raster(source);
  print_images(file, directory);
}

}  // namespace

void print_raster(const ChunkSource& source) {
  const RasterInfo& info = source.info();
  if (info.nodata) fmt::print("  nodata       {}\n", *info.nodata);
  for (const auto& [label, text] : describe_place(info)) fmt::print("  {:<12} {}\n", label, text);
  for (const MetadataItem& item : info.metadata) print_item(item);
  std::string ids;
  for (const RawTag& tag : info.tags)
    if (tag.id != color_map_tag || info.photometric == palette)  // else it is a reader's: the file says grey
      ids += fmt::format("{}{}", ids.empty() ? "" : ", ", tag.id);
  if (!ids.empty()) fmt::print("  other tags   {}\n", ids);
  fmt::print("  read as      {} chunks of up to {} x {} pixels\n", source.grid().count(),
             source.grid().rows.largest(), source.grid().cols.largest());
  if (const std::optional<RemoteReading> remote = source.remote()) {
    const TrafficCount so_far = remote->traffic->total();
    fmt::print("  requests     {} and {} so far; {} for all chunks\n", so_far.requests,
               format_bytes(so_far.bytes), remote->planned_requests);
  }
}

Action add_info(CLI::App& app) {
  struct InfoOptions {
    std::string path;
    unsigned directory = 0;
    HttpSettings http;
  };
  auto options = std::make_shared<InfoOptions>();
  CLI::App* info = app.add_subcommand("info", "Say what is in a TIFF file or a Zarr array");
  info->add_option("FILE", options->path, "A TIFF file or its URL, or PATH.zarr[/ARRAY]")->required();
  info->add_option("--directory", options->directory, "Which image of a file with several, from 0")
      ->option_text("N");
  options->http.add_to(*info);
  return [options, info](const std::stop_token&) {
    if (!info->parsed()) return;
    if (options->directory > 0 && is_zarr(options->path))
      throw Error::usage("use", "--directory", "it is for TIFF files");
    if (is_zarr(options->path))
      print_zarr_info(options->path, options->http.options());
    else
      print_info(options->path, options->directory, options->http.options());
  };
}

}  // namespace weir::command
