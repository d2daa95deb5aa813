#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/pass_through.hpp"
#include "nodes/tiff/tile_copy.hpp"
#include "nodes/zarr/chunk_pass.hpp"
#include "nodes/zarr/zarr_source.hpp"
#include "nodes/zarr/zarr_stream.hpp"

namespace weir {

/// How a raster is stored, and with what means. Nodes: plan, fetch, decode, assemble, cut, encode, store; where chunks pass through:
/// plan, fetch, store.
struct WriteZarrRasterOptions : ZarrStreamOptions {
  GraphOptions graph;
  /// Of the chunks of an array that is the source, or of the tiles of a TIFF.
  PassThrough pass_through = PassThrough::automatic;
};

/// A planned write: what explain shows, and what run() runs. The caller keeps the source's outside memory alive.
class ZarrRasterWrite {
 public:
  /// Plans; touches no pixels and writes nothing. `path`, as zarr_output takes it: "OUT.zarr", "OUT.zarr/array",
  /// "s3://bucket/OUT.zarr". Throws a usage Error for options that do not fit together, and where the budget is too small, naming the smallest
  /// that works.
  ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, const std::string& path,
                  const WriteZarrRasterOptions& options);
  /// Into any store that can be written and listed; see store_output.
  ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, std::shared_ptr<const Store> store,
                  const std::string& path, const WriteZarrRasterOptions& options);

  /// Bands, units, reads per chunk, then the graph's own explanation.
  std::string explain() const;
  std::string dot() const { return graph_->dot(); }
  const Graph& graph() const { return *graph_; }
  /// Not where chunks pass through: nothing is cut into bands then.
  const StreamPlan& plan() const { return stream_->stream().plan(); }
  /// How many stored chunks (or tiles) pass through, of an array so far; nothing where the raster is encoded.
  std::optional<std::uint64_t> passed_chunks() const;
  /// Once. The array is there, whole, when this returns; otherwise it throws, and a folder is as it was.
  RunReport run(const RunOptions& run = {});

 private:
  ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, std::shared_ptr<ZarrOutput> output,
                  const WriteZarrRasterOptions& options);
  bool pass(const std::shared_ptr<ZarrOutput>& output, const WriteZarrRasterOptions& options);
  void pass_chunks(const std::shared_ptr<const ZarrSource>& source, const ZarrTiles& tiles,
                   const WriteZarrRasterOptions& options);
  bool pass_tiles(const std::shared_ptr<const TiffSource>& source, const ZarrTiles& tiles);

  std::shared_ptr<const ChunkSource> source_;
  std::shared_ptr<std::atomic<std::uint64_t>> reads_, stored_;
  std::unique_ptr<Graph> graph_;
  std::optional<ZarrStream> stream_;       // either this
  std::shared_ptr<const ChunkPass> pass_;  // or the chunks of an array
  std::shared_ptr<const TileCopy> copy_;   // or the tiles of a TIFF
  std::string why_not_passed_;             // where the source is one of these, and is encoded
};

/// Streams a raster of any size into a new array, in bounded memory. The stored bytes depend on the source's pixels and the storage options
/// alone, not on chunks, threads, budget or tokens; but where stored chunks or tiles of the source fit, they pass through as they are, whoever
/// encoded them. Those that hold nothing but fill stay stored then.
RunReport write_zarr_raster(std::shared_ptr<const ChunkSource> source, const std::string& path,
                            const WriteZarrRasterOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
