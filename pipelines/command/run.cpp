#include <fmt/format.h>

#include "framework/graph_run.hpp"
#include "framework/progress.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/options.hpp"
#include "pipelines/command/plugins.hpp"
#include "pipelines/command/signals.hpp"

namespace weir::command {
namespace {

struct RunCommandOptions {
  CommonOptions common;
  std::string path;
  bool dot = false, print = false;
};

constexpr const char* format_help = R"(A graph file (YAML, or JSON):
  weir: 1
  memory: 256M                       # tokens, threads, engine: flags win
  variables:
    input: {default: in.tif, help: what to read}
  nodes:
    dem:   {type: read_tiff, path: "${input}"}
    bands: {type: assemble_bands, input: dem}
    tiles: {type: cut_tiles, input: bands, tile: 512}
    zstd:  {type: compress_tiles, input: tiles, codec: zstd, concurrency: 2}
    tif:   {type: write_tiff, input: zstd, path: out.tif}
Several inputs: inputs: [a, b] or {port: a, port: b}. Another file's nodes:
  hills: {include: hills.yaml, input: dem, set: {z_factor: 2}}
where hills.yaml says inputs: {dem: chunks} and output: slope.
`weir nodes` lists the types; --set takes variable=value, node.parameter=value,
node.concurrency=N and node.stage.concurrency=N.)";

}  // namespace

Action add_run(CLI::App& app, bool explain) {
  auto options = std::make_shared<RunCommandOptions>();
  CLI::App* run = app.add_subcommand("run", explain ? "Show the plan of a graph file" : "Run a graph file");
  run->add_option("GRAPH", options->path, "The graph file")->required();
  options->common.add_to(*run);
  run->get_option("--set")->description("Set a variable, a node's parameter or its concurrency; see below");
  run->footer(format_help);
  if (explain)
    run->add_flag("--dot", options->dot, "Print the graph in the DOT language");
  else
    run->add_flag("--print", options->print,
                  "Print the graph with variables and includes put in, and do nothing");
  return [options, run, explain](const std::stop_token& stop) {
    if (!run->parsed()) return;
    const CommonOptions& common = options->common;
    const Registry registry = known_nodes();
    const GraphFile file = read_graph_file(options->path, {.sets = common.sets}, registry);
    if (options->print) {
      fmt::print("{}", to_yaml(file));
      return;
    }
    if (explain) {
      const GraphRun graph(file, registry, {.limits = common.graph(), .overwrite = common.overwrite});
      fmt::print("{}", options->dot ? graph.dot() : graph.explain());
      return;
    }
    RunFiles files(common, "", fmt::format("weir run {}", options->path), options->path);
    GraphOptions limits = common.graph();
    limits.recording = files.recording();
    GraphRun graph(file, registry, {.limits = limits, .overwrite = common.overwrite});
    RunOptions run_options;
    run_options.stop = stop;
    run_options.progress = ends_without_listeners(progress_printer(common.progress_style(), stderr));
    run_options.on_failure = files.on_failure();
    const RunReport report = graph.run(run_options);
    files.write(report);
    if (common.quiet) return;
    tell(report, fmt::format("ran {}", options->path));
    for (const std::string& note : graph.notes()) fmt::print("  note: {}\n", note);
  };
}

}  // namespace weir::command
