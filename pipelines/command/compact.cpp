#include <fmt/format.h>

#include <string>

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "pipelines/command/commands.hpp"
#ifdef WEIR_WITH_ZARR
#include "nodes/stores/open_store.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "pipelines/compact_zarr.hpp"
#endif

namespace weir::command {
namespace {

struct CompactOptions {
  std::string path, memory, order = "morton";
};

void compact(const CompactOptions& options, const std::stop_token& stop) {
#ifdef WEIR_WITH_ZARR
  const ZarrPlace place = zarr_place(options.path);
  CompactZarrOptions how;
  if (!options.memory.empty()) how.graph.memory = parse_bytes(options.memory);
  if (options.order == "row-major") how.order = ShardOrder::row_major;
  RunOptions run;
  run.stop = stop;
  const Compaction done = compact_zarr(open_zarr(open_store(place.store), place.path), how, run).done;
  fmt::print("{}: {} of {} shards rewritten, {} of {} saved\n", options.path, done.rewritten, done.shards,
             format_bytes(done.saved), format_bytes(done.bytes));
#else
  static_cast<void>(stop);
  throw Error::usage("compact", options.path, "this build has no Zarr: it was made without nlohmann-json");
#endif
}

}  // namespace

Action add_compact(CLI::App& app) {
  auto options = std::make_shared<CompactOptions>();
  CLI::App* command =
      app.add_subcommand("compact", "Rewrite the shards of a Zarr array that have unused room");
  command->add_option("ARRAY", options->path, "A folder: PATH.zarr or PATH.zarr/array/inside")->required();
  command->add_option("--order", options->order, "Of inner chunks in what is rewritten: morton, row-major")
      ->check(CLI::IsMember({"morton", "row-major"}))
      ->capture_default_str();
  command->add_option("--memory", options->memory, "Memory budget, such as 64M (default: as for convert)");
  return [options, command](const std::stop_token& stop) {
    if (command->parsed()) compact(*options, stop);
  };
}

}  // namespace weir::command
