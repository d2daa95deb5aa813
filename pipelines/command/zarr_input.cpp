#include "pipelines/command/zarr_input.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <vector>

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "nodes/stores/url.hpp"
#ifdef WEIR_WITH_ZARR
#include "nodes/raster/window_source.hpp"
#include "nodes/stores/open_store.hpp"
#include "nodes/zarr/check_zarr.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "pipelines/command/raster_text.hpp"
#endif

namespace weir::command {

#ifdef WEIR_WITH_ZARR

bool is_zarr(const std::string& path) {
  return !path.starts_with("terrain:") && is_zarr_path(path);
}

std::shared_ptr<const ChunkSource> open_zarr_input(const InputOptions& input,
                                                   std::vector<std::string>* notes) {
  const auto refuse = [&](bool is_given, const char* option) {
    if (is_given) throw Error::usage("use", option, "it is for TIFF files");
  };
  refuse(input.directory > 0, "--directory");
  refuse(!input.max_fetch.empty(), "--max-fetch");
  ZarrRasterOpenOptions options;
  options.axes = input.axes;
  options.overview = input.overview;
  options.array.check_sums = !input.no_checksums;
  options.http = input.http.options();
  options.part = [&input](const RasterInfo& whole) { return part_window(whole, input.window, input.bbox); };
  if (!input.max_chunk.empty()) options.max_chunk_bytes = parse_bytes(input.max_chunk);
  if (!input.chunk.empty()) {
    const Size size = parse_size("--chunk", input.chunk);
    options.chunk_height = size.height;
    options.chunk_width = size.width;
  }
  const auto source = open_zarr_raster(input.path, options);
  if (notes != nullptr) *notes = source->notes();
  return source;
}

namespace {

/// "zstd 3", "blosc lz4".
std::string codec_text(const ZarrCodecSpec& codec) {
  std::string text(name_of(codec.id));
  if (codec.id == ZarrCodecSpec::Id::bytes && codec.big_endian) text += " (big-endian)";
  if (!codec.compressor.empty()) text += " " + codec.compressor;
  if (codec.level) text += fmt::format(" {}", *codec.level);
  return text;
}
std::string codecs_text(const std::vector<ZarrCodecSpec>& codecs) {
  std::string text;
  for (const ZarrCodecSpec& codec : codecs) text += (text.empty() ? "" : ", ") + codec_text(codec);
  return text;
}

std::string sizes_text(const std::vector<std::uint64_t>& sizes) {
  return fmt::format("{}", fmt::join(sizes, " x "));
}

}  // namespace

void print_zarr_info(const std::string& path, const HttpOptions& http) {
  ZarrRasterOpenOptions options;
  options.http = http;
  options.max_chunk_bytes = ~std::uint64_t{0};  // nothing is read
  const auto source = open_zarr_raster(path, options);
  const ZarrArrayMetadata& array = source->array().metadata();
  const RasterInfo& info = source->info();
  std::vector<std::string> axes(array.rank());
  axes[source->axes().row] = "y";
  axes[source->axes().col] = "x";
  if (source->axes().band) axes[*source->axes().band] = "band";
  fmt::print("{}: Zarr v{} array\n", source->array().name(), array.format);
  fmt::print("  size         {} x {} pixels (width x height)\n", info.width, info.height);
  fmt::print("  samples      {} x {} per pixel\n", info.samples, name_of(info.type));
  fmt::print("  axes         {}\n", fmt::join(axes, ", "));
  if (const std::vector<std::string> names = dimensions_of(array); !names.empty() && names != axes)
    fmt::print("  dimensions   {}\n", fmt::join(names, ", "));
  const ZarrSharding* sharding = array.sharding();
  fmt::print("  chunks       {}\n",
             sizes_text(sharding != nullptr ? sharding->chunk_shape : array.chunk_shape));
  if (sharding != nullptr)
    fmt::print("  shards       {}, index at the {}\n", sizes_text(array.chunk_shape),
               sharding->index_at_end ? "end" : "start");
  fmt::print("  codecs       {}\n", codecs_text(sharding != nullptr ? sharding->codecs : array.codecs));
  print_raster(*source);
  for (const std::string& note : source->notes()) fmt::print("  note         {}\n", note);
}

FileCheck check_zarr_input(const std::string& path, const HttpOptions& http, bool decode,
                           const std::stop_token& stop) {
  const ZarrPlace place = zarr_place(path);
  StoreOptions opening;
  opening.http.http = opening.s3.http = http;
  std::shared_ptr<const Store> store;
  try {
    store = open_store(place.store, opening);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::failed) throw;
    FileCheck check("Zarr", 1);
    check.error("unreadable-store", "", error.reason());
    return check;
  }
  ZarrCheckOptions options;
  options.decode = decode;
  FileCheck check = check_zarr(store, place.path, options, stop);
  if (!is_url(place.store) && std::filesystem::is_directory(place.store))
    check_leftovers(place.path.empty() ? place.store : place.store + "/" + place.path, check);
  return check;
}

#else

bool is_zarr(const std::string& path) {
  return path.ends_with(".zarr") || path.find(".zarr/") != std::string::npos;
}

namespace {

Error no_zarr(const std::string& path) {
  return Error::usage("read", shown_path(path), "this build has no Zarr: it was made without nlohmann-json");
}

}  // namespace

std::shared_ptr<const ChunkSource> open_zarr_input(const InputOptions& input, std::vector<std::string>*) {
  throw no_zarr(input.path);
}
void print_zarr_info(const std::string& path, const HttpOptions&) {
  throw no_zarr(path);
}
FileCheck check_zarr_input(const std::string& path, const HttpOptions&, bool, const std::stop_token&) {
  throw no_zarr(path);
}

#endif

}  // namespace weir::command
