#include "pipelines/write_zarr_raster.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/remote_reading.hpp"

namespace weir {
namespace {

/// Why stored chunks or tiles, whatever they are, are not what is wanted.
std::string why_computed(const RasterInfo& info, const WriteZarrRasterOptions& options) {
  if (options.pyramid) return "a pyramid is computed of its pixels";
  if (!options.kernels.empty()) return "kernels compute its pixels";
  if (options.level) return "a level is asked for";
  if (options.nodata) {
    const RasterInfo stored = stored_info(info, options);
    if (stored.nodata != info.nodata) return "another nodata value is wanted";
    if (fill_for(stored).replace_nan)
      return fmt::format("NaN among its pixels would become the nodata value {}", *info.nodata);
  }
  for (const auto& [node, concurrency] : options.concurrency)
    if (node != "plan" && node != "fetch" && node != "store")
      return fmt::format("a concurrency of {} is asked for", node);
  return "";
}

/// Blosc says how it was set, and --compress means one of these ways.
std::string why_other_blosc(const ZarrCodecSpec& is, const ZarrCodecSpec& wanted) {
  if (is.id != ZarrCodecSpec::Id::blosc ||
      (is.compressor == wanted.compressor && is.shuffling == wanted.shuffling))
    return "";
  return fmt::format("its codec is blosc with {} and shuffling {}, and {} and {} are wanted", is.compressor,
                     is.shuffling, wanted.compressor, wanted.shuffling);
}

std::string why_not_passed(const ZarrSource& source, const ZarrTiles& tiles) {
  if (!source.array().options().check_sums) return "its checksums may be wrong, and would pass on";
  if (!source.has_all_bands()) return "only some of its bands are wanted, or in another order";
  const RasterAxes wanted = tiles.metadata.rank() == 2        ? RasterAxes{0, 1, std::nullopt}
                            : tiles.encoding.tiles.planes > 1 ? RasterAxes{1, 2, 0}
                                                              : RasterAxes{0, 1, 2};
  if (source.axes() != wanted) return "its axes are others, or in another order";
  const ZarrLayout &from = *source.array().layout(), &to = *tiles.encoding.layout;
  if (std::string reason = weir::why_not_passed(source.array(), tiles.metadata, to); !reason.empty())
    return reason;
  return why_other_blosc(chunk_codecs(source.array().metadata(), from).back(),
                         chunk_codecs(tiles.metadata, to).back());
}

/// A frame of zstd that does not say how much it holds: readers of Zarr there are that refuse it (numcodecs before 0.13). Those of a file
/// have one writer: the first one is looked at. RFC 8878, section 3.1.1.1.
bool hides_sizes(const TiffSource& source) {
  StrileWindow offsets(source.file(), source.layout().offsets);
  for (std::uint64_t i = 0; i < source.layout().offsets.count; ++i) {
    const std::uint64_t offset = offsets.at(i);
    if (offset == 0) continue;
    std::array<std::byte, 5> head{};
    if (source.file().read_at(offset, head) != head.size()) return true;
    const auto descriptor = std::to_integer<unsigned>(head[4]);
    return descriptor >> 6 == 0 && (descriptor & 0x20u) == 0;
  }
  return false;
}

std::string why_not_passed(const TiffSource& source, const ZarrTiles& tiles, const ZarrStorage& storage) {
  const RasterInfo& info = source.info();
  const TiffLayout& stored = source.layout();
  const TileLayout& wanted = tiles.encoding.tiles;
  if (std::string reason = why_not_taken_out(source); !reason.empty()) return reason;
  const std::string codec = stored.codec == CodecId::deflate ? "zlib" : std::string(name_of(stored.codec));
  if (stored.custom_codec || codec != storage.compressor)
    return fmt::format("the codec is {}, and {} is wanted", codec, storage.compressor);
  if (stored.predictor != Predictor::none)
    return fmt::format("the predictor is {}, and Zarr has none", static_cast<int>(stored.predictor));
  if (wanted.tile_height != stored.strile_height || wanted.tile_width != stored.strile_width)
    return fmt::format("its tiles are {} x {} pixels, and chunks of {} x {} are wanted (height x width)",
                       stored.strile_height, stored.strile_width, wanted.tile_height, wanted.tile_width);
  if (!stored.is_tiled && info.height % stored.strile_height != 0)
    return "its last strip is lower than a chunk";
  if (info.samples > 1 && (wanted.planes > 1) != (stored.planes > 1))
    return fmt::format("its samples are {}, and the other is wanted",
                       stored.planes > 1 ? "in planes" : "interleaved");
  if (stored.codec == CodecId::zstd && hides_sizes(source))
    return "its frames of zstd do not say their size, and some readers of Zarr refuse such";
  return "";
}

}  // namespace

//  plan ──► fetch ──► decode ──► assemble ──► cut ──► encode ──► store
//  source   I/O lane  all cores  one at a     lists   all cores  I/O lane; shards: ordered
//                                time         runs
//
//  plan      ChunkRequest   the chunks that a unit of the band plan reads              nodes/raster/chunk_nodes.hpp
//  fetch     FetchedChunk   their stored bytes (sources that compute have no such step)
//  decode    DecodedChunk   their pixels
//  assemble  Band           handles of all chunks that the unit's tiles touch          nodes/raster/assemble_bands.hpp
//  cut       TileRun        which tiles (chunks of the array) travel together          nodes/raster/cut_tiles.hpp
//  encode    EncodedTiles   cut out of the band, the array's codecs: one task          nodes/zarr/encode_tiles.hpp
//  store                    objects, or appended to the shards of a row of them; the   nodes/zarr/store_tiles.hpp
//                           metadata and the name last                                 nodes/zarr/zarr_output.hpp
//
//  Where the source is an array whose chunks, or a TIFF whose tiles, are chunks of this one as they are stored, they pass through:
//
//  plan ──► fetch ──► store
//  source   I/O lane  as above
//
//  plan      WriteRequest     runs of chunks, shard by shard                           nodes/zarr/chunk_pass.hpp
//            TileCopyRequest  of a TIFF: tiles that travel together                    nodes/tiff/tile_copy.hpp
//  fetch     EncodedRun, EncodedTiles  their stored bytes, read as runs
ZarrRasterWrite::ZarrRasterWrite(std::shared_ptr<const ChunkSource> source,
                                 std::shared_ptr<ZarrOutput> output, const WriteZarrRasterOptions& options)
    : source_(std::move(source)),
      reads_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      graph_(std::make_unique<Graph>(with_requests(options.graph, requests_at_once(*source_)))) {
  refuse_to_remove(*output, source_->place());
  if (options.pass_through != PassThrough::never && pass(output, options)) {
    for (const auto& [node, concurrency] : options.concurrency) graph_->set_concurrency(node, concurrency);
    return;
  }
  if (options.pass_through == PassThrough::required)
    throw Error::usage(
        "pass through", "the chunks",
        why_not_passed_.empty() ? "the source is no array and no TIFF file as a whole" : why_not_passed_);
  stream_.emplace(*graph_, input_of(*source_), std::move(output), options);
  auto requests = stream_->requests();
  auto chunks = read_chunks(*graph_, requests, source_, reads_,
                            {.fetch = stream_->stream().bytes_per_chunk(source_->fetch_bytes()),
                             .decode = stream_->stream().block_bytes()});
  stream_->write(chunks);
}

ZarrRasterWrite::ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, const std::string& path,
                                 const WriteZarrRasterOptions& options)
    : ZarrRasterWrite(std::move(source), zarr_output(path, options.format, options.overwrite, *options.files),
                      options) {}

ZarrRasterWrite::ZarrRasterWrite(std::shared_ptr<const ChunkSource> source,
                                 std::shared_ptr<const Store> store, const std::string& path,
                                 const WriteZarrRasterOptions& options)
    : ZarrRasterWrite(std::move(source), store_output(std::move(store), path, options.overwrite), options) {}

/// Adds the nodes, where chunks pass through.
bool ZarrRasterWrite::pass(const std::shared_ptr<ZarrOutput>& output, const WriteZarrRasterOptions& options) {
  const auto zarr = std::dynamic_pointer_cast<const ZarrSource>(source_);
  const auto tiff = std::dynamic_pointer_cast<const TiffSource>(source_);
  if (!zarr && !tiff) return false;
  const RasterInfo& info = source_->info();
  why_not_passed_ = why_computed(info, options);
  if (!why_not_passed_.empty() || info.has_mask)
    return false;  // of masks, what encodes says that there are none
  const ZarrTiles tiles = zarr_tiles(info, chunk_tiles(info, options), options, output);
  why_not_passed_ = zarr ? why_not_passed(*zarr, tiles) : why_not_passed(*tiff, tiles, options);
  if (!why_not_passed_.empty()) return false;
  if (tiff) return pass_tiles(tiff, tiles);
  pass_chunks(zarr, tiles, options);
  return true;
}

void ZarrRasterWrite::pass_chunks(const std::shared_ptr<const ZarrSource>& source, const ZarrTiles& tiles,
                                  const WriteZarrRasterOptions& options) {
  const std::shared_ptr<const ZarrArray> array(source, &source->array());
  // The level is that of the source's chunks.
  ZarrStorage storage = options;
  storage.level = chunk_codecs(array->metadata(), *array->layout()).back().level;
  NewZarr target{tiles.output, tiles.path, tiles.metadata, tiles.encoding.layout, tiles.dataset};
  if (options.compressor != "none")
    target.metadata = raster_array(source->info(), tiles.encoding.tiles, storage);
  ChunkPassOptions passing;
  passing.order = ShardOrder::row_major;  // as they are written where they are encoded
  passing.stores_empty_chunks = options.stores_empty_chunks;
  pass_ = std::make_shared<const ChunkPass>(array, std::move(target), passing, resolved(graph_->options()));
  stored_ = tiles.stored;
  add_chunk_pass(*graph_, pass_, stored_);
}

bool ZarrRasterWrite::pass_tiles(const std::shared_ptr<const TiffSource>& source, const ZarrTiles& tiles) {
  const std::uint64_t standing = store_standing_bytes(tiles);
  copy_ = std::make_shared<const TileCopy>(
      source, copied_run_bytes(resolved(graph_->options()), source->standing_bytes() + standing));
  if (tiles.encoding.stores_empty_chunks && copy_->stored_tiles() < copy_->tiles())
    why_not_passed_ = "it is sparse, and all chunks are to be stored";
  if (copy_->largest_tile() > tiles.encoding.layout->codec().max_encoded_bytes())
    why_not_passed_ = "it has tiles that are longer than readers of Zarr have to take";
  if (!why_not_passed_.empty()) {
    copy_.reset();
    return false;
  }
  check_open_files(*tiles.output, tiles.open_shards());
  stored_ = tiles.stored;
  add_store(*graph_, add_tile_copy(*graph_, copy_, "plan", "fetch"), tiles, "store",
            {.standing_bytes = standing});
  return true;
}

std::optional<std::uint64_t> ZarrRasterWrite::passed_chunks() const {
  if (pass_) return pass_->passed();
  if (copy_) return copy_->stored_tiles();
  return std::nullopt;
}

std::string ZarrRasterWrite::explain() const {
  if (pass_) return weir::explain(*pass_) + graph_->explain();
  if (copy_)
    return fmt::format("chunks      {} tiles pass through as they are stored, in runs of up to {} bytes\n",
                       copy_->stored_tiles(), copy_->run_bytes()) +
           graph_->explain();
  const std::string why = why_not_passed_.empty() ? "" : "recompress  " + why_not_passed_ + "\n";
  return stream_->explain() + why + explain_requests(*source_) + graph_->explain();
}

RunReport ZarrRasterWrite::run(const RunOptions& run) {
  const RasterInfo& info = source_->info();
  RunReport report = graph_->run(run);
  report.source_chunks = stream_ ? source_->grid().count() : *passed_chunks();
  report.source_reads = stream_ ? reads_->load() : *passed_chunks();
  add_traffic(*source_, report);
  report.raw_bytes = info.height * info.width * info.pixel_bytes();
  report.output_bytes = stream_ ? stream_->stored_bytes() : stored_->load();
  return report;
}

RunReport write_zarr_raster(std::shared_ptr<const ChunkSource> source, const std::string& path,
                            const WriteZarrRasterOptions& options, const RunOptions& run) {
  return ZarrRasterWrite(std::move(source), path, options).run(run);
}

}  // namespace weir
