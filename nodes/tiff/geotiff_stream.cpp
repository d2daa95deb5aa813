#include "nodes/tiff/geotiff_stream.hpp"

#include <algorithm>

#include "framework/error.hpp"
#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/codecs/encoded_edge.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/tiff/write_tiff.hpp"

namespace weir {

TiffOutputLayout cut_layout(const RasterInfo& info, const GeotiffOptions& options) {
  TiffOutputLayout layout;
  layout.info = info;
  layout.tiled = !options.strip_rows;
  layout.tile_height = options.strip_rows ? std::min(*options.strip_rows, info.height) : options.tile_height;
  layout.tile_width = options.strip_rows ? info.width : options.tile_width;
  layout.planar_separate = options.planar_separate && info.samples > 1;
  return layout;
}

TiffOutputLayout output_layout(const RasterInfo& info, const GeotiffOptions& options) {
  TiffOutputLayout layout = cut_layout(info, options);
  if (options.nodata) replace_nodata(layout.info, *options.nodata);
  if (is_lossy(options.codec)) layout.info.metadata = without_statistics(std::move(layout.info.metadata));
  add_metadata(layout.info, options.metadata);
  layout.info.georeferencing = edited(info, options.georeferencing);
  layout.codec = options.codec.custom ? static_cast<CodecId>(options.codec.custom->tiff_compression())
                                      : options.codec.id;
  layout.predictor = options.predictor.value_or(default_predictor(options.codec, info.type));
  layout.big = options.big;
  layout.sparse = options.sparse;
  layout.statistics = options.statistics;
  return layout;
}

TileEncoding encoding_of(const TiffOutputLayout& layout, const CodecSpec& codec) {
  TileEncoding encoding;
  encoding.codec = codec;
  encoding.predictor = layout.predictor;
  encoding.tiles = layout.tiles();
  encoding.pads_last_row = layout.tiled;
  encoding.samples = layout.info.samples;
  encoding.type = layout.info.type;
  encoding.fill = fill_for(layout.info);
  encoding.set_extras(layout.info, layout.sparse, layout.statistics);
  fit_codec(encoding, layout.info);
  return encoding;
}

TileStream tile_stream(Graph& graph, const StreamInput& input, const GeotiffOptions& options) {
  const TiffOutputLayout cut = cut_layout(input.info, options);
  check(cut);
  return {graph, input, cut.tiles(), !cut.tiled,
          TileStreamOptions{options.kernels, options.spool, options.concurrency, options.files}};
}

GeotiffStream::GeotiffStream(Graph& graph, const StreamInput& input, std::string path,
                             const GeotiffOptions& options)
    : graph_(graph),
      path_(std::move(path)),
      overwrite_(options.overwrite),
      files_(*options.files),
      codec_(options.codec),
      stream_(tile_stream(graph, input, options)) {
  layout_ = output_layout(stream_.tiles().info, options);
  check(layout_);
  if (layout_.planar_separate && !options.kernels.empty())
    throw Error::usage("write", "one plane per sample", "kernels compute all samples of a pixel together");

  const TileEncoding encoding = encoding_of(layout_, codec_);
  layout_.max_tile_bytes = encoding.max_tile_bytes();
  layout_.max_mask_bytes = encoding.max_mask_bytes();
  layout_.codec_tags = tags_of(encoding.codec);
  RasterFlow& flow = stream_.flow();
  flow.add_output(path_);
  flow.add_encoded(stream_.tiles().cut, [bytes = encoding.tile_charge()] { return bytes; });
  run_tiles_ = flow.run_tiles(stream_.tiles().cut);
  flow.add_standing([this, encoding] {
    return stream_.setup().slots("compress") * CompressTiles(encoding, run_tiles_).slot_bytes() +
           TiffWriter::standing_bytes(layout_);
  });
  stream_.plan_all();
}

void GeotiffStream::write(Output<DecodedChunk> chunks) {
  const StreamPlan plan = stream_.plan();
  const CompressTiles compress(encoding_of(layout_, codec_), run_tiles_);
  auto encoded = graph_.transform<EncodedTiles>(
      "compress", stream_.add_to(chunks), compress,
      {.buffer_bytes_of_unit = [plan](std::uint64_t unit) { return plan.encoded_bytes(unit); },
       .slot_bytes = compress.slot_bytes()});
  graph_.ordered_sink(
      "tif", encoded, WriteTiff(layout_, path_, overwrite_, files_),
      {.lane = Lane::io,
       .waits = [plan](std::uint64_t unit, std::uint64_t ticket) { return plan.waits(unit, ticket); },
       .standing_bytes = TiffWriter::standing_bytes(layout_)});
  stream_.set_concurrency();
}

}  // namespace weir
