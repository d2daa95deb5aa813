#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/georeferencing_edit.hpp"
#include "nodes/raster/tile_stream.hpp"
#include "nodes/tiff/tiff_output_layout.hpp"

namespace weir {

/// How a raster is stored as GeoTIFF.
struct GeotiffOptions {
  std::uint64_t tile_height = 256, tile_width = 256;  ///< pixels, multiples of 16
  std::optional<std::uint64_t> strip_rows;            ///< strips of that many rows instead of tiles
  bool planar_separate = false;                       ///< one plane per sample
  CodecSpec codec = {CodecId::deflate, {}, DeflateEngine::automatic};
  /// Default: horizontal for integers and floating_point for floats with deflate, zstd, lzw and lzma, none
  /// otherwise.
  std::optional<Predictor> predictor;
  std::optional<std::string> nodata;  ///< in place of the source's
  /// Added to the source's, or in place of what says the same; see with_items. Of the file's samples.
  std::vector<MetadataItem> metadata;
  GeoreferencingEdit georeferencing;  ///< in place of the source's
  /// Tiles that hold nothing but nodata (0 where there is none) are left out: readers see them as such.
  bool sparse = false;
  /// Minimum, maximum, mean, standard deviation and the part of valid pixels of each sample, measured on the way, go to
  /// GDAL_METADATA. Of integers, float32 and float64; of the values before a lossy codec.
  bool statistics = false;
  TiffOutputLayout::BigTiff big = TiffOutputLayout::BigTiff::automatic;
  bool overwrite = false;
  /// Computed on the tiles before they are encoded, each on what the one before it made: Slope, FocalMean, any
  /// function (function_kernel.hpp). Each source chunk is still read once. Describing them is a part of planning, so
  /// they are for one stream. Nodes: kernel1, kernel2, ...
  std::vector<std::shared_ptr<TileKernel>> kernels = {};
  /// Where chunks wait that the memory cannot keep for the next rows: "auto": a nameless file beside the output;
  /// "none": they are read again; else a folder.
  std::string spool = "auto";
  std::map<std::string, unsigned>
      concurrency;  ///< by node; for nodes of the graph that the stream is part of
  FileSystem* files = &FileSystem::real();
};

/// The raster and how it is cut: all that is known before kernels say what they make of it.
TiffOutputLayout cut_layout(const RasterInfo& info, const GeotiffOptions& options);
/// The raster cut so, on its way through the kernels. Throws a usage Error.
TileStream tile_stream(Graph& graph, const StreamInput& input, const GeotiffOptions& options);
/// The file that these options make of such a raster; max_tile_bytes is not known yet. Throws a usage Error.
TiffOutputLayout output_layout(const RasterInfo& info, const GeotiffOptions& options);
/// What its tiles become.
TileEncoding encoding_of(const TiffOutputLayout& layout, const CodecSpec& codec);

/// The ends of a graph that streams a raster to a GeoTIFF: the source of chunk requests, and everything behind the
/// chunks. What lies between is the caller's: nodes that make one DecodedChunk of each ChunkRequest, whose block
/// covers the chunk's window in the raster's sample type, and which pass requests for no chunk through.
///
///   plan ──► (the caller's nodes) ──► (spool) ──► assemble ──► cut ──► (kernel1 ...) ──► compress ──► tif
///
///   plan      ChunkRequest   the chunks that a unit of the band plan reads
///   spool     DecodedChunk   kept on disk for later bands, where the memory cannot
///   assemble  Band           handles of all chunks that the unit's tiles touch, some of them kept from earlier units
///   cut       TileRun        which tiles travel together
///   kernel1   TileRun        options.kernels: computed from the band, halo and all
///   compress  EncodedTiles   cut out of the band, predictor, codec: one task
///   tif                      appended in file order; directory, sync and name at the end
class GeotiffStream {
 public:
  /// Plans for the graph's budget. Throws a usage Error for options that do not fit together, and where the budget is
  /// too small, naming the smallest that works. The graph outlives the stream's use.
  GeotiffStream(Graph& graph, const StreamInput& input, std::string path, const GeotiffOptions& options);

  /// Adds the node plan. Once, before write.
  Output<ChunkRequest> requests() { return stream_.requests(); }
  /// Adds the nodes behind the chunks. Once, as the last nodes of the graph: options.concurrency is applied here.
  void write(Output<DecodedChunk> chunks);

  /// NodeOptions::buffer_bytes_of_unit of a node that makes the blocks which the bands hold...
  std::function<std::uint64_t(std::uint64_t)> block_bytes() const { return stream_.block_bytes(); }
  /// ... and of one that takes `bytes` for each chunk: its part of StreamInput::transient_bytes.
  std::function<std::uint64_t(std::uint64_t)> bytes_per_chunk(std::uint64_t bytes) const {
    return stream_.bytes_per_chunk(bytes);
  }

  const StreamPlan& plan() const { return stream_.plan(); }
  std::uint64_t raw_bytes() const { return stream_.raw_bytes(); }  ///< of the whole raster, decoded

 private:
  Graph& graph_;
  std::string path_;
  bool overwrite_;
  FileSystem& files_;
  CodecSpec codec_;
  TileStream stream_;
  TiffOutputLayout layout_;
  std::uint64_t run_tiles_ = 1;
};

}  // namespace weir
