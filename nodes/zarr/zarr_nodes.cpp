#include "nodes/zarr/zarr_nodes.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "framework/error.hpp"
#include "nodes/raster/georeferencing_edit.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/raster_nodes.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/stores/http_parameters.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "nodes/zarr/raster_storage.hpp"
#include "nodes/zarr/zarr_levels.hpp"

namespace weir {
namespace {

class WriteInstance : public NodeInstance {
 public:
  WriteInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)), setup_(setup), flow_(setup.shared<RasterFlow>()) {
    storage_.format = parameters.text("format") == "2" ? 2 : 3;
    if (parameters.has("shard")) {
      storage_.shard_height = parameters.size("shard").height;
      storage_.shard_width = parameters.size("shard").width;
    }
    storage_.compressor = parameters.text("codec");
    if (parameters.has("level")) storage_.level = static_cast<int>(parameters.integer("level"));
    if (parameters.has("nodata")) storage_.nodata = parameters.text("nodata");
    const auto text = [&](const std::string& of) {
      return parameters.has(of) ? parameters.text(of) : std::string();
    };
    storage_.metadata = parse_metadata_lines(text("metadata"), text("bands"));
    storage_.georeferencing = georeferencing_edit(parameters);
    if (parameters.has("dataset")) storage_.dataset = parameters.text("dataset");
    storage_.stores_empty_chunks = parameters.flag("store_empty");
    const bool has_pyramid = parameters.text("overviews") != "none";
    if (!has_pyramid && parameters.text("resampling") != "auto")
      throw Error::usage("use", "resampling", "no overviews are wanted");
    const bool overwrite = setup.overwrite || parameters.flag("overwrite");
    output_ = zarr_output(parameters.text("path"), storage_.format, overwrite, *setup.files);
    if (has_pyramid) levels_.emplace(name_, output_, storage_, overview_options(parameters), setup_);
  }

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto* in = dynamic_cast<const TilesEdge*>(inputs.front().get());
    assert(in != nullptr);  // port types were checked
    if (in->is_strips && in->tiles.height % in->tiles.tile_height != 0)
      throw Error::usage("write", output_->name(), "chunks are all of one size: cut tiles, not strips");
    cut_ = in->cut;
    flow_.add_output(output_->name(), output_->beside());
    if (levels_) {
      levels_->describe(*in);
      return nullptr;
    }
    tiles_ = zarr_tiles(in->info, in->tiles, storage_, output_);
    flow_.add_encoded(cut_, [bytes = tiles_.encoding.tile_charge()] { return bytes; });
    flow_.add_standing([this] {
      return setup_.slots(stage_name(name_, "encode")) * EncodeTiles(tiles_.encoding).slot_bytes() +
             store_standing_bytes(tiles_);
    });
    return nullptr;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    for (const StoredPlace& place : flow_.places()) refuse_to_remove(*output_, place);
    if (levels_) {
      levels_->add_to(graph, inputs.front().as<TileRun>());
      return {};
    }
    add_store(graph, inputs.front().as<TileRun>(), tiles_, flow_.stream(0, cut_), stage_name(name_, "encode"),
              stage_name(name_, "store"));
    return {};
  }

  void finish(RunReport& report) override {
    report.output_bytes += levels_ ? levels_->stored_bytes() : tiles_.stored->load();
  }
  std::string explain() const override { return levels_ ? levels_->explain() : ""; }

 private:
  std::string name_;
  GraphSetup& setup_;
  RasterFlow& flow_;
  ZarrStorage storage_;
  std::shared_ptr<ZarrOutput> output_;
  ZarrTiles tiles_;                   // either this
  std::optional<ZarrLevels> levels_;  // or that
  std::size_t cut_ = 0;
};

}  // namespace

NodeType read_zarr_node_type() {
  NodeType type;
  type.name = "read_zarr";
  type.help = "reads an array of rows, columns and perhaps bands chunk by chunk, decoding on every core";
  type.parameters = {
      {.name = "path",
       .help = "the store, with the array's path in it behind: PATH.zarr/array; a group of one array, or a "
               "pyramid",
       .is_required = true},
      {.name = "axes",
       .type = ParameterType::choice,
       .help = "what the array's axes are; auto: by their names, else bands first",
       .default_value = "auto",
       .choices = {"auto", "y,x", "band,y,x", "y,x,band"}},
      {.name = "overview",
       .type = ParameterType::integer,
       .help = "of a pyramid; 0: full resolution, the largest overview next",
       .default_value = "0",
       .least = 0,
       .most = 65535},
      {.name = "chunk",
       .type = ParameterType::size,
       .help = "read in chunks of this size, height x width, rounded up to the array's, at most a shard",
       .unit = "pixels"},
      {.name = "max_chunk",
       .type = ParameterType::bytes,
       .help = "most bytes that the pixels of a chunk may take",
       .default_value = "2G",
       .least = 1},
      {.name = "check_sums",
       .type = ParameterType::flag,
       .help = "a wrong checksum is an error",
       .default_value = "true"},
      {.name = "missing",
       .type = ParameterType::choice,
       .help = "what a chunk is that is not there: fill, or an error",
       .default_value = "fill",
       .choices = {"fill", "error"}},
  };
  std::ranges::move(http_parameters(), std::back_inserter(type.parameters));
  return source_node_type(
      std::move(type),
      [](const Parameters& parameters, GraphSetup& setup) -> std::shared_ptr<const ChunkSource> {
        ZarrRasterOpenOptions options;
        options.axes = parameters.text("axes");
        options.http = http_options(parameters);
        options.part = [&](const RasterInfo& whole) {
          return part_window(whole, parameters.has("window") ? parameters.text("window") : "",
                             parameters.has("bbox") ? parameters.text("bbox") : "");
        };
        options.overview = static_cast<unsigned>(parameters.integer("overview"));
        options.max_chunk_bytes = parameters.bytes("max_chunk");
        options.array.check_sums = parameters.flag("check_sums");
        options.array.missing_is_error = parameters.text("missing") == "error";
        if (parameters.has("chunk")) {
          options.chunk_height = parameters.size("chunk").height;
          options.chunk_width = parameters.size("chunk").width;
        }
        const auto source = open_zarr_raster(parameters.text("path"), options, *setup.files);
        setup.notes = source->notes();
        return source;
      },
      true);
}

NodeType write_zarr_node_type() {
  NodeType type;
  type.name = "write_zarr";
  type.help =
      "writes tiles as the chunks of a new Zarr array, or of a pyramid of them in one pass, which is there "
      "when it is whole";
  type.inputs = {{"input", "tiles", "tiles as large as chunks; cut with interleave: band, bands come first"}};
  type.needs_order = true;
  type.stages = {"take", "gatherK", "reduceK", "encodeK", "storeK", "encode", "store"};
  type.parameters = {
      {.name = "path",
       .help = "the store to write, with the array's path in it behind: OUT.zarr/array; a folder or s3://",
       .is_required = true},
      {.name = "overwrite",
       .type = ParameterType::flag,
       .help = "replace what is there",
       .default_value = "false"},
      {.name = "format",
       .type = ParameterType::choice,
       .help = "of Zarr",
       .default_value = "3",
       .choices = {"2", "3"}},
      {.name = "shard",
       .type = ParameterType::size,
       .help = "shards of this size, height x width: multiples of the tiles",
       .unit = "pixels"},
      {.name = "codec",
       .type = ParameterType::choice,
       .help = "what chunks are compressed with; blosc: lz4, bytes shuffled; zlib: format 2",
       .default_value = "zstd",
       .choices = {"none", "zstd", "gzip", "blosc", "zlib"}},
      {.name = "level",
       .type = ParameterType::integer,
       .help = "zstd 1-22, gzip, zlib and blosc 0-9",
       .least = 0,
       .most = 22},
      {.name = "nodata", .help = "nodata value to store, a number or nan; NaN becomes it"},
      {.name = "dataset",
       .help =
           "the array's name, where the path is to be a group with coordinates beside the array, as xarray "
           "opens it"},
      {.name = "store_empty",
       .type = ParameterType::flag,
       .help = "store chunks that hold nothing but nodata (or 0), too",
       .default_value = "false"},
      {.name = "metadata", .help = "items to add or replace in what the array says: KEY=VALUE, one a line"},
      {.name = "bands",
       .help = "what bands are, one a line: 2:name=near infrared,unit=W/m2,scale=0.1,offset=-3"},
  };
  std::ranges::move(overview_parameters("none"), std::back_inserter(type.parameters));
  std::ranges::move(georeferencing_parameters(), std::back_inserter(type.parameters));
  type.bytes =
      "per tile: its encoded bytes; of shards: an index for each of a row of them, through the whole run";
  type.make = [](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<WriteInstance>(name, parameters, setup);
  };
  return type;
}

}  // namespace weir
