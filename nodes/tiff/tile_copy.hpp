#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/tiff/geotiff_stream.hpp"
#include "nodes/tiff/tiff_source.hpp"

namespace weir {

/// Why the stored tiles or strips of a file cannot become those of another as they are: its raster would have to be
/// decoded and encoded again. Empty where they can: same codec, predictor, shape, samples and nodata value, little-endian,
/// and nothing asked for that looks at pixels. One read of the file at most (old LZW is told by its first bytes).
std::string why_not_copied(const TiffSource& source, const GeotiffOptions& options);
/// The part of it that lies in the file alone: why its stored tiles mean nothing outside of it, whatever they are wanted for.
std::string why_not_taken_out(const TiffSource& source);

/// A run of stored tiles, in the order of the file that is written (see EncodedTiles).
struct TileCopyRequest {
  std::uint64_t first_tile = 0, count = 0;
};
std::string item_name(const TileCopyRequest& request);

/// Which stored tiles travel together, and the bytes they take: a formula and a few numbers, found in one walk through the
/// file's offsets and byte counts. Fetches them. Thread-safe.
///
/// A tile's place and size in the file are checked, as decoding checks them; what is in it is not: a tile that is broken
/// there is broken in the copy. Sparse tiles stay sparse. Uncompressed tiles longer than their pixels are cut to them.
class TileCopy {
 public:
  /// Runs of at most `run_bytes` with the gaps of up to 4 KiB between neighbours, which one read brings along; of one tile
  /// where that is larger.
  TileCopy(std::shared_ptr<const TiffSource> source, std::uint64_t run_bytes);

  std::uint64_t tiles() const { return tiles_; }  ///< over all planes
  std::uint64_t runs() const { return (tiles_ + run_tiles_ - 1) / run_tiles_; }
  TileCopyRequest run(std::uint64_t index) const;
  std::uint64_t run_bytes() const { return run_bytes_; }  ///< charge of the largest run
  std::uint64_t largest_tile() const { return largest_tile_; }
  std::uint64_t all_bytes() const { return all_bytes_; }  ///< of all tiles together
  std::uint64_t stored_tiles() const { return stored_; }  ///< that are not sparse
  const TiffSource& source() const { return *source_; }

  /// For the I/O lane. Throws Error naming the tile whose place in the file is impossible.
  EncodedTiles operator()(const TileCopyRequest& request, const Context& context) const;

 private:
  template <class Function>
  void for_each(const TileCopyRequest& request, std::size_t lanes, Function&& function) const;

  std::shared_ptr<const TiffSource> source_;
  TiffPieces pieces_;
  std::uint64_t tiles_ = 0, run_tiles_ = 1, run_bytes_ = 0, largest_tile_ = 0, all_bytes_ = 0, stored_ = 0;
};

/// How a copy is stored: the layout that the options ask for, with the real bytes of the tiles.
TiffOutputLayout layout_of_copy(const TileCopy& copy, const GeotiffOptions& options);

/// Adds the nodes plan and fetch, and names what leaves them.
///
///   plan ──► fetch ──► (an ordered sink of EncodedTiles)
Output<EncodedTiles> add_tile_copy(Graph& graph, std::shared_ptr<const TileCopy> copy,
                                   const std::string& plan, const std::string& fetch);

/// Bytes of a run that suit a budget of which `standing` bytes are taken: enough units for every thread, of 1 MiB at most.
std::uint64_t copied_run_bytes(const GraphOptions& limits, std::uint64_t standing);

}  // namespace weir
