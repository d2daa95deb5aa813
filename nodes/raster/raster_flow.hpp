#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/node_type.hpp"
#include "nodes/raster/band_plan.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/pyramid_shape.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/stream_plan.hpp"

namespace weir {

// What is known of the edges of a raster graph before it runs. The port types of graph files, in the way of
// the data:
//
//   chunks ──► assemble_bands ──► bands ──► cut_tiles ──► tiles ──► (kernels) ──► compress_tiles ──► encoded
//   ──► sink

/// "chunks": DecodedChunk. A raster as its source gives it.
struct ChunksEdge : EdgeInfo {
  std::size_t source = 0;  ///< in the RasterFlow
  RasterInfo info;
};

/// "bands": Band. Rows assembled from chunks.
struct BandsEdge : EdgeInfo {
  std::size_t source = 0;
  RasterInfo info;
};

/// "tiles": TileRun. Output tiles, with the band that they are cut from, or with computed pixels.
struct TilesEdge : EdgeInfo {
  std::size_t cut = 0;  ///< in the RasterFlow
  RasterInfo info;
  TileLayout tiles;
  bool is_strips = false;  ///< the last one holds only its rows
  std::uint64_t halo = 0;  ///< pixels around the tile that consumers need; final when all nodes are described
  /// Told when `halo` grows: what makes these tiles needs more of its own inputs.
  std::function<void(std::uint64_t halo)> on_halo;

  /// Called while consumers are described.
  void need_halo(std::uint64_t pixels);
};

/// The one plan of all raster nodes of a graph. While nodes are described they say what they read, cut and
/// hold; the first question after that makes the plan. All sources have the same height and width, and share
/// their units; the plan's tiles are common multiples of the tiles of all cuts.
class RasterFlow {
 public:
  explicit RasterFlow(const GraphSetup& setup) : setup_(&setup) {}

  // While nodes are described. Bytes that depend on the halo or the length of runs are functions, called when
  // the plan is made.
  using Bytes = std::function<std::uint64_t()>;
  /// `spool`: "auto", "none" or a folder; see spool_parameter.
  std::size_t add_source(const StreamInput& input, std::string spool = "auto");
  /// A file or a node of a store that the graph writes. Throws a usage Error where another one has that place, or lies in it. `beside`:
  /// where files of the run may lie, empty for stores that are no folders; spools are made beside the first one.
  void add_output(const std::string& path, const std::string& beside);
  void add_output(const std::string& path) { add_output(path, path); }
  /// Of the sources that are known so far.
  std::vector<StoredPlace> places() const;
  /// The same cut for the same tiles, whichever source they are of: so the items of two rasters can be
  /// joined.
  std::size_t add_cut(const TileLayout& tiles, std::uint64_t pixel_bytes);
  void need_halo(std::size_t source, std::uint64_t pixels);
  /// What a node computes for each tile of a cut (one plane's), given back before it is encoded.
  void add_transient(std::size_t cut, Bytes per_tile);
  /// What leaves for an ordered sink, for each tile of a cut (one plane's): it may have to wait for its
  /// place.
  void add_encoded(std::size_t cut, Bytes per_tile);
  /// Overviews of the tiles of a cut, which then travel one by one. Returns its number. What leaves for level 0 is told with
  /// add_encoded.
  std::size_t add_pyramid(std::size_t cut, PyramidRequest request);
  /// Kept through the whole run.
  void add_standing(Bytes bytes);
  std::uint64_t run_tiles(
      std::size_t cut) const;  ///< tiles that travel as one item; final when all are described

  // Afterwards. Throw a usage Error where the budget is too small, naming the smallest that works.
  const std::shared_ptr<const BandPlan>& bands(std::size_t source);
  const std::shared_ptr<const TileRuns>& runs(std::size_t cut);
  const std::shared_ptr<const PyramidPlan>& pyramid(std::size_t number);
  /// Bands and runs with the source's spool, where chunks have to be read again.
  StreamPlan stream(std::size_t source, std::size_t cut);
  /// True the first time: the node that declares what units of this source carry over.
  bool claim_carried(std::size_t source) { return !std::exchange(sources_[source].is_claimed, true); }
  /// The whole plan in words.
  std::string explain();

 private:
  struct Cut {
    TileLayout tiles;
    std::uint64_t pixel_bytes = 0;
    std::vector<Bytes> transient = {}, encoded = {};
    bool has_pyramid = false;
    std::shared_ptr<const TileRuns> runs = nullptr;
  };
  struct Source {
    StreamInput input;
    std::string spool = "auto";
    std::uint64_t halo = 0;
    std::shared_ptr<const BandPlan> bands = nullptr;
    bool is_claimed = false;
  };
  TileLayout common_tiles() const;
  BandPlanRequest request_of(std::size_t source, const TileLayout& tiles, std::uint64_t available) const;
  void plan();
  bool choose_shape(const std::vector<BandPlanRequest>& requests, std::uint64_t available);
  std::uint64_t required() const;  ///< of the shape that was chosen last, over all units
  std::optional<Spool> spool_of(std::size_t source) const;

  const GraphSetup* setup_;
  std::vector<Source> sources_;
  std::vector<Cut> cuts_;
  std::vector<PyramidRequest> pyramid_requests_;
  std::vector<std::shared_ptr<const PyramidPlan>> pyramids_;  ///< as many, once planned
  std::vector<Bytes> standing_;
  std::vector<std::string> outputs_;
  std::string beside_;  ///< empty: none was told
  bool is_planned_ = false;
};

}  // namespace weir
