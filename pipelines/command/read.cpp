#include <fmt/format.h>

#include "framework/error.hpp"
#include "nodes/stores/url.hpp"
#include "pipelines/command/as_graph.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/help.hpp"
#include "pipelines/command/options.hpp"
#include "pipelines/command/signals.hpp"
#include "pipelines/write_rows.hpp"

namespace weir::command {
namespace {

struct ReadCommandOptions {
  InputOptions input;
  CommonOptions common;
  std::string output;
  bool print_graph = false;
};

}  // namespace

Action add_read(CLI::App& app) {
  auto options = std::make_shared<ReadCommandOptions>();
  CLI::App* read = app.add_subcommand("read", "Read pixels, or a window of them, into a .npy or .raw file");
  options->input.add_to(*read);
  read->add_option("--output", options->output, "FILE.npy or FILE.raw (needed)")
      ->option_text("FILE")
      ->required();
  read->add_option("--nodata", options->input.nodata, "What pixels without data become, a number or nan")
      ->option_text("V");
  options->common.add_to(*read);
  read->add_flag("--print-graph", options->print_graph,
                 "Print this as a graph file for weir run, and do nothing");
  keep_in_short_help(
      *read, {"--window", "--bbox", "--overview", "--samples", "--type", "--output", "--nodata", "--memory",
              "--threads", "--report", "--overwrite", "--quiet", "--print-graph"});
  return [options, read](const std::stop_token& stop) {
    if (!read->parsed()) return;
    options->input.no_mask = true;  // a file of rows has no place for one
    WriteRowsOptions write;
    if (options->output.ends_with(".npy"))
      write.format = RowsFormat::npy;
    else if (!options->output.ends_with(".raw"))
      throw Error::usage("write", options->output, "the name must end in .npy or .raw");
    if (options->print_graph) {
      fmt::print("{}", to_yaml(read_as_graph(options->input, options->output, options->common)));
      return;
    }
    write.overwrite = options->common.overwrite;
    write.graph = options->common.graph();
    write.concurrency = options->common.concurrency();
    RunOptions run;
    run.stop = stop;
    run.progress = ends_without_listeners(progress_printer(options->common.progress_style(), stderr));
    RunFiles files(options->common, options->output,
                   fmt::format("weir read {} --output {}", shown_path(options->input.path), options->output),
                   options->input.path);
    write.graph.recording = files.recording();
    const std::shared_ptr<const ChunkSource> source = options->input.open();
    run.on_failure =
        files.on_failure([&](const std::string& item) { return options->input.repeat_of(*source, item); });
    const RunReport report = write_rows(source, options->output, write, run);
    files.write(report);
    if (!options->common.quiet) tell(report, fmt::format("wrote {}", options->output));
  };
}

}  // namespace weir::command
