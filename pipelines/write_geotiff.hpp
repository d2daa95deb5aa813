#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/pass_through.hpp"
#include "nodes/tiff/geotiff_stream.hpp"
#include "nodes/tiff/tile_copy.hpp"

namespace weir {

/// How a raster is stored, and with what means. Nodes: plan, fetch, decode, assemble, cut, compress, tif; where tiles pass
/// through: plan, fetch, tif.
struct WriteGeotiffOptions : GeotiffOptions {
  GraphOptions graph;
  PassThrough pass_through =
      PassThrough::automatic;  ///< of the tiles of a TIFF that is the source; see why_not_copied
};

/// A planned write: what explain shows, and what run() runs. The caller keeps the source's outside memory alive.
class GeotiffWrite {
 public:
  /// Plans; touches no pixels and writes nothing. Throws a usage Error for options that do not fit together, and
  /// where the budget is too small, naming the smallest that works.
  GeotiffWrite(std::shared_ptr<const ChunkSource> source, std::string path,
               const WriteGeotiffOptions& options);

  /// Bands, units, reads per chunk, then the graph's own explanation.
  std::string explain() const;
  std::string dot() const { return graph_->dot(); }
  const Graph& graph() const { return *graph_; }
  /// Not where tiles pass through: nothing is cut into bands then.
  const StreamPlan& plan() const { return stream_->plan(); }
  /// How many stored tiles pass through; nothing where the raster is encoded.
  std::optional<std::uint64_t> passed_tiles() const;
  /// Once. The file is there, whole, when this returns; otherwise it throws and the target is as it was.
  RunReport run(const RunOptions& run = {});

 private:
  void copy_tiles(std::shared_ptr<const TiffSource> source, const GeotiffOptions& options);

  std::shared_ptr<const ChunkSource> source_;
  std::string path_;
  std::shared_ptr<std::atomic<std::uint64_t>> reads_;
  std::unique_ptr<Graph> graph_;
  std::optional<GeotiffStream> stream_;   // either this
  std::shared_ptr<const TileCopy> copy_;  // or that
  std::string why_not_copied_;            // where the source is a TIFF, and is encoded
};

/// Streams a raster of any size to a GeoTIFF in bounded memory. The bytes of the file depend on the source's pixels and
/// the storage options alone, not on chunks, threads, budget or tokens; but where the tiles of a TIFF pass through, they
/// are the bytes that it has, whoever encoded them.
/// A file beyond the limit of the process (RLIMIT_FSIZE) is an Error only where the program ignores SIGXFSZ, as the weir command does;
/// else that signal ends the process. Signals are the program's: nothing of them is changed here.
RunReport write_geotiff(std::shared_ptr<const ChunkSource> source, const std::string& path,
                        const WriteGeotiffOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
