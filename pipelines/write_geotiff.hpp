#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/tiff/tiff_output_layout.hpp"

namespace weir {

/// How a raster is stored as GeoTIFF, and with what means.
struct WriteGeotiffOptions {
  std::uint64_t tile_height = 256, tile_width = 256;  ///< pixels, multiples of 16
  std::optional<std::uint64_t> strip_rows;            ///< strips of that many rows instead of tiles
  bool planar_separate = false;                       ///< one plane per sample
  CodecSpec codec = {CodecId::deflate, {}, DeflateEngine::automatic};
  /// Default: horizontal for integers and floating_point for floats with deflate, zstd and lzw, none otherwise.
  std::optional<Predictor> predictor;
  std::optional<std::string> nodata;  ///< in place of the source's
  TiffOutputLayout::BigTiff big = TiffOutputLayout::BigTiff::automatic;
  bool overwrite = false;

  GraphOptions graph;
  std::map<std::string, unsigned> concurrency;  ///< by node: plan, fetch, decode, assemble, cut, compress, tif
  FileSystem* files = &FileSystem::real();
};

/// A planned write: what explain shows, and what run() runs. The caller keeps the source's outside memory alive.
class GeotiffWrite {
 public:
  /// Plans; touches no pixels and writes nothing. Throws a usage Error for options that do not fit together, and
  /// where the budget is too small, naming the smallest that works.
  GeotiffWrite(std::shared_ptr<const ChunkSource> source, std::string path, const WriteGeotiffOptions& options);
  ~GeotiffWrite();

  /// Bands, units, reads per chunk, then the graph's own explanation.
  std::string explain() const;
  std::string dot() const { return graph_->dot(); }
  const Graph& graph() const { return *graph_; }
  /// Once. The file is there, whole, when this returns; otherwise it throws and the target is as it was.
  RunReport run(const RunOptions& run = {});

 private:
  struct Planned;
  std::shared_ptr<const ChunkSource> source_;
  std::string path_;
  std::unique_ptr<Planned> planned_;
  std::unique_ptr<Graph> graph_;
};

/// Streams a raster of any size to a GeoTIFF in bounded memory. The bytes of the file depend on the source's pixels and
/// the storage options alone, not on chunks, threads, budget or tokens.
RunReport write_geotiff(std::shared_ptr<const ChunkSource> source, const std::string& path,
                        const WriteGeotiffOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
