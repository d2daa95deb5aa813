#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

#include "framework/bytes.hpp"
#include "framework/file.hpp"
#include "framework/yaml_document.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/help.hpp"
#include "pipelines/command/options.hpp"
#include "pipelines/command/signals.hpp"
#include "pipelines/write_catalog.hpp"

namespace weir::command {
namespace {

struct HeadersOptions {
  CommonOptions common;
  std::string config, folder, update, schema;
};

constexpr const char* config_help = R"(A configuration (YAML); tiff-dumper's runs as it is:
  store:
    name: s3://bucket                 # or a folder, gs://, https:// (keys:)
    prefixes: [a, b/c]                # only keys below these
    obstore_config: {region: us-west-2, skip_signature: true}
  concurrency: {n_consumers: 1000, list_chunk_size: 10000,
                write_chunk_size: 100000, max_buffer_size: 1000000}
  include: ["*.tif"]                  # exclude, min_size, max_size,
  modified_after: 2024-05-01          # modified_before
  keys: keys.txt                      # or catalog: FOLDER, instead of listing
  prefetch: 16K                       # rate, memory, threads
  schema: weir                        # or tiff-dumper
A run that was stopped goes on when it is called again.)";

std::string read_text(const std::string& path) {
  const InputFile file(path);
  if (file.size() > largest_yaml)
    throw Error::usage("read", path,
                       fmt::format("a configuration has at most {}", format_bytes(largest_yaml)));
  std::string text(file.size(), '\0');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

/// "12.3K listed, 12.1K fetched ..."; shorter for a terminal.
ProgressWords words_of(const CatalogCounts& counts, const Progress& progress, bool is_short) {
  const double rate = progress.seconds > 0 ? static_cast<double>(counts.parsed) / progress.seconds : 0;
  const std::uint64_t wanted = counts.listed - std::min(counts.listed, counts.unchanged);
  const std::uint64_t left = wanted - std::min(wanted, counts.parsed);
  const auto per_second = static_cast<std::uint64_t>(std::llround(rate));
  ProgressWords words;
  if (counts.is_listed && wanted > 0)
    words.share = static_cast<double>(counts.parsed) / static_cast<double>(wanted);
  const std::string time = progress.finished ? short_time(progress.seconds)
                           : counts.is_listed && rate > 0
                               ? short_time(static_cast<double>(left) / rate) + " left"
                               : "listing";
  const auto count = [](std::uint64_t number) { return short_count(number); };
  words.line =
      is_short
          ? fmt::format("{} listed, {} fetched, {} rows, {} bad, {}/s, {}", count(counts.listed),
                        count(counts.fetched), count(counts.rows), count(counts.errors), count(per_second),
                        time)
          : fmt::format("{} listed, {} fetched, {} parsed, {} written, {} errors, {}/s, {} in flight, {}",
                        count(counts.listed), count(counts.fetched), count(counts.parsed), count(counts.rows),
                        count(counts.errors), count(per_second), count(counts.in_flight), time);
  words.json = fmt::format(
      "\"scanned\": {}, \"listed\": {}, \"is_listed\": {}, \"unchanged\": {}, \"fetched\": {}, \"parsed\": "
      "{}, "
      "\"rows\": {}, \"errors\": {}, \"per_second\": {:.1f}, \"in_flight\": {}, \"memory_in_use\": {}, "
      "\"memory_limit\": {}, \"seconds\": {:.3f}, \"finished\": {}",
      counts.scanned, counts.listed, counts.is_listed, counts.unchanged, counts.fetched, counts.parsed,
      counts.rows, counts.errors, rate, counts.in_flight, progress.memory_in_use, progress.memory_limit,
      progress.seconds, progress.finished);
  return words;
}

void write_headers(const HeadersOptions& options, bool explain, const std::stop_token& stop) {
  const CommonOptions& common = options.common;
  WriteCatalogOptions write;
  write.config = read_catalog_config(read_text(options.config), options.config);
  if (!common.quiet)
    for (const Problem& problem : write.config.without_effect)
      fmt::print(stderr, "weir: {}\n", to_text(problem));
  if (!options.schema.empty())
    write.config.schema = options.schema == "weir" ? CatalogSchema::weir : CatalogSchema::tiff_dumper;
  write.update = options.update;
  write.overwrite = common.overwrite;
  write.graph = common.graph();
  write.concurrency = common.concurrency();
  if (explain) {
    fmt::print("{}", CatalogWrite(options.folder, write).explain());
    return;
  }
  RunFiles files(common, options.folder, fmt::format("weir headers {} {}", options.config, options.folder),
                 options.config);
  write.graph.recording = files.recording();
  CatalogWrite catalog(options.folder, write);
  RunOptions run;
  run.stop = stop;
  const bool is_bar =
      common.progress_style() == ProgressStyle::bar ||
      (common.progress_style() == ProgressStyle::automatic && ::isatty(::fileno(stderr)) != 0);
  run.progress =
      ends_without_listeners(progress_printer(common.progress_style(), stderr, [&](const Progress& progress) {
        return words_of(catalog.counts(), progress, is_bar);
      }));
  run.on_failure = files.on_failure();
  const RunReport report = catalog.run(run);
  files.write(report);
  if (common.quiet) return;
  const CatalogCounts counts = catalog.counts();
  std::string what = fmt::format("wrote {}: {} rows, {} errors", options.folder, counts.rows, counts.errors);
  if (counts.rows_before + counts.errors_before > 0)
    what += fmt::format("; {} and {} by earlier runs", counts.rows_before, counts.errors_before);
  tell(report, what);
  fmt::print("  headers: {} of {} objects listed, {} the same as before, {} fetched: {:.0f} a second\n",
             counts.listed, counts.scanned, counts.unchanged, counts.fetched,
             static_cast<double>(counts.fetched) / std::max(report.wall_seconds, 1e-9));
}

}  // namespace

Action add_headers(CLI::App& app, bool explain) {
  auto options = std::make_shared<HeadersOptions>();
  CLI::App* headers =
      app.add_subcommand("headers", "Catalog the TIFF headers of a bucket or folder as Parquet");
  headers->add_option("CONFIG", options->config, "What to list, and how: a YAML file, see below")->required();
  headers->add_option("OUT", options->folder, "The folder for part-00000.parquet ..., errors.parquet")
      ->required();
  headers->add_option("--update", options->update, "An earlier catalog: fetch only what changed since then")
      ->option_text("FOLDER");
  headers->add_option("--schema", options->schema, "weir (all columns) or tiff-dumper (its 33)")
      ->option_text("S")
      ->check(CLI::IsMember({"weir", "tiff-dumper"}));
  options->common.add_to(*headers);
  headers->get_option("--overwrite")->description("Start anew, and replace report and trace");
  headers->footer(config_help);
  return [options, headers, explain](const std::stop_token& stop) {
    if (headers->parsed()) write_headers(*options, explain, stop);
  };
}

}  // namespace weir::command
