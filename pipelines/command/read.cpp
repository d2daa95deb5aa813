#include <fmt/format.h>

#include "framework/error.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/options.hpp"
#include "pipelines/write_rows.hpp"

namespace weir::command {
namespace {

struct ReadCommandOptions {
  InputOptions input;
  CommonOptions common;
  std::string output;
};

}  // namespace

Action add_read(CLI::App& app) {
  auto options = std::make_shared<ReadCommandOptions>();
  CLI::App* read = app.add_subcommand("read", "Read pixels, or a window of them, into a .npy or .raw file");
  options->input.add_to(*read);
  read->add_option("--output", options->output, "FILE.npy or FILE.raw (needed)")
      ->option_text("FILE")
      ->required();
  options->common.add_to(*read);
  return [options, read](const std::stop_token& stop) {
    if (!read->parsed()) return;
    WriteRowsOptions write;
    if (options->output.ends_with(".npy"))
      write.format = RowsFormat::npy;
    else if (!options->output.ends_with(".raw"))
      throw Error::usage("write", options->output, "the name must end in .npy or .raw");
    write.overwrite = options->common.overwrite;
    write.graph = options->common.graph();
    write.concurrency = options->common.concurrency();
    RunOptions run;
    run.stop = stop;
    run.progress = progress_printer(options->common.progress_style(), stderr);
    const std::shared_ptr<const ChunkSource> source = options->input.open();
    ReportFile report_file(options->common, options->output);
    const RunReport report = write_rows(source, options->output, write, run);
    report_file.write(report);
    if (!options->common.quiet) tell(report, fmt::format("wrote {}", options->output));
  };
}

}  // namespace weir::command
