#include "nodes/zarr/zarr_stream.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <utility>

#include "framework/bytes.hpp"
#include "framework/error.hpp"

namespace weir {
namespace {

/// Files that a program has open beside those of the shards it writes.
constexpr std::uint64_t other_files = 64;
/// A file and its folder.
constexpr std::uint64_t files_of_shard = 2;

TileStream tile_stream(Graph& graph, const StreamInput& input, const ZarrStreamOptions& options) {
  const TileLayout tiles = chunk_tiles(input.info, options);
  if (tiles.planes > 1 && !options.kernels.empty())
    throw Error::usage("write", "bands that come first",
                       "kernels compute all samples of a pixel together: interleave them");
  return {graph, input, tiles, false, options};
}

}  // namespace

void check_open_files(const ZarrOutput& output, std::uint64_t shards) {
  struct ::rlimit limit = {};
  if (shards == 0 || output.beside().empty() || ::getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY)
    return;
  if (shards * files_of_shard + other_files > limit.rlim_cur)
    throw Error::usage(
        "write", output.name(),
        fmt::format("{} shards lie side by side and are open at once, and this process may have {} "
                    "files open: make shards wider, or raise the limit (ulimit -n)",
                    shards, limit.rlim_cur));
}

ZarrStream::ZarrStream(Graph& graph, const StreamInput& input, std::shared_ptr<ZarrOutput> output,
                       const ZarrStreamOptions& options)
    : graph_(graph), stream_(tile_stream(graph, input, options)) {
  const TilesEdge& edge = stream_.tiles();
  RasterFlow& flow = stream_.flow();
  flow.add_output(output->name(), output->beside());
  if (options.pyramid) {
    levels_.emplace("", std::move(output), options, *options.pyramid, stream_.setup());
    levels_->describe(edge);
  } else {
    tiles_ = zarr_tiles(edge.info, edge.tiles, options, std::move(output));
    flow.add_encoded(edge.cut, [bytes = tiles_.encoding.tile_charge()] { return bytes; });
    flow.add_standing([this] {
      return stream_.setup().slots("encode") * EncodeTiles(tiles_.encoding).slot_bytes() +
             store_standing_bytes(tiles_);
    });
  }
  check_open_files(*tiles().output, open_shards());
  stream_.plan_all();
}

void ZarrStream::write(Output<DecodedChunk> chunks) {
  if (levels_)
    levels_->add_to(graph_, stream_.add_to(chunks));
  else
    add_store(graph_, stream_.add_to(chunks), tiles_, stream_.plan(), "encode", "store");
  stream_.set_concurrency();
}

std::uint64_t ZarrStream::stored_bytes() const {
  return levels_ ? levels_->stored_bytes() : tiles_.stored->load();
}

std::string ZarrStream::explain() const {
  std::string text = stream_.plan().explain();
  if (levels_) text += levels_->explain();
  const ZarrLayout& layout = *tiles().encoding.layout;
  if (layout.index())
    text += fmt::format("shards      of {} chunks of {}; {} open at once\n", layout.chunk_count(),
                        format_bytes(layout.codec().raw_bytes()), open_shards());
  return text;
}

}  // namespace weir
