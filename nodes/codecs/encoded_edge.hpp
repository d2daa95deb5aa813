#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/node_type.hpp"
#include "nodes/codecs/compress_tiles.hpp"

namespace weir {

/// "encoded": EncodedTiles, on their way to a file. What a sink needs to know of them.
struct EncodedEdge : EdgeInfo {
  std::size_t cut = 0;  ///< in the RasterFlow
  RasterInfo info;
  TileEncoding encoding;
  /// Set where tiles were not encoded here but come stored from a file: there is no cut, and no tile waits.
  struct Stored {
    std::uint64_t largest_tile = 0, all_tiles = 0;  ///< bytes
  };
  std::optional<Stored> stored = {};
};

/// How tiles are encoded, in the words of a node: compress_tiles', and of those that compress on their own.
struct EncodingSettings {
  CodecSpec codec;                     ///< not resolved: its defaults depend on the predictor
  std::optional<Predictor> predictor;  ///< absent: default_predictor
  std::optional<std::string> nodata;   ///< in place of the input's
  bool drops_mask = false, sparse = false, statistics = false;
};
std::vector<Parameter> encoding_parameters(const std::vector<std::shared_ptr<const CustomCodec>>& codecs);
/// Throws a usage Error for a codec that cannot do what is asked.
EncodingSettings encoding_settings(const Parameters& parameters,
                                   const std::vector<std::shared_ptr<const CustomCodec>>& codecs);

/// tiles ──► encoded. `codecs`: those of plugins, chosen by their names as ours are.
NodeType compress_tiles_node_type(const std::vector<std::shared_ptr<const CustomCodec>>& codecs = {});

/// The predictor that suits a codec: horizontal for integers and floating_point for floats with deflate,
/// zstd, lzw, lzma and codecs of plugins, none otherwise.
Predictor default_predictor(const CodecSpec& codec, SampleType type);

}  // namespace weir
