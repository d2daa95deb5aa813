#include "nodes/tiff/cog_stream.hpp"

#include <utility>

namespace weir {

CogStream::CogStream(Graph& graph, const StreamInput& input, std::string path, const CogOptions& options)
    : graph_(graph),
      stream_(tile_stream(graph, input, options)),
      levels_("", std::move(path), options, stream_.setup()) {
  require_cog_layout(options.strip_rows.has_value(), options.planar_separate);
  levels_.describe(stream_.tiles());
  stream_.plan_all();
}

void CogStream::write(Output<DecodedChunk> chunks) {
  levels_.add_to(graph_, stream_.add_to(chunks));
  stream_.set_concurrency();
}

}  // namespace weir
