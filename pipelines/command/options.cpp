#include "pipelines/command/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <span>

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "framework/report_page.hpp"
#include "framework/trace.hpp"
#include "nodes/raster/pixel_limit.hpp"
#include "nodes/raster/select_source.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/stores/url.hpp"
#include "nodes/tiff/open_tiff.hpp"
#include "pipelines/command/zarr_input.hpp"

namespace weir::command {
namespace {

/// A whole number and nothing else; throws a usage Error that names the option.
std::uint64_t parse_number(const std::string& option, std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    throw Error::usage("read", option, fmt::format("'{}' is not a whole number", text));
  return number;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::shared_ptr<const ChunkSource> open_terrain(const std::string& text, const std::string& chunk) {
  TerrainOptions options;
  const std::vector<std::string> parts = split(text, ':');  // terrain, size, type
  const std::vector<std::string> sides = split(parts.size() > 1 ? parts[1] : "", 'x');
  if (sides.size() != 2 || parts.size() > 3)
    throw Error::usage("read", text,
                       "a terrain is written terrain:WIDTHxHEIGHT or terrain:WIDTHxHEIGHT:TYPE");
  options.width = parse_number("the terrain's width", sides[0]);
  options.height = parse_number("the terrain's height", sides[1]);
  if (parts.size() == 3) {
    const std::optional<SampleType> type = sample_type_named(parts[2]);
    if (!type) throw Error::usage("read", text, fmt::format("'{}' is not a sample type", parts[2]));
    options.type = *type;
  }
  if (!chunk.empty()) {
    const Size size = parse_size("--chunk", chunk);
    options.chunk_height = size.height;
    options.chunk_width = size.width;
  }
  return std::make_shared<const TerrainSource>(options);
}

}  // namespace

void CommonOptions::add_to(CLI::App& app) {
  app.add_option("--memory", memory,
                 "Most memory the run holds: 64M, 1G (default: a quarter of the machine, at most 1G)")
      ->option_text("SIZE");
  app.add_option("--tokens", tokens, "Work units in flight at most (default: 2 per thread, plus 2)")
      ->option_text("N")
      ->check(CLI::Range(1U, 1'000'000U));
  app.add_option("--threads", threads, "Compute threads (default: the usable cores)")
      ->option_text("N")
      ->check(CLI::Range(1, 1024));
  app.add_option("--engine", engine, "auto, onetbb or serial")
      ->option_text("E")
      ->check(CLI::IsMember({"auto", "onetbb", "serial"}));
  app.add_option("--set", sets,
                 "NODE.concurrency=N: how many of a node run at once (explain names the nodes)")
      ->option_text("SETTING")
      ->allow_extra_args(false);
  app.add_option("--progress", progress, "auto, bar, line, json or none")
      ->option_text("P")
      ->check(CLI::IsMember({"auto", "bar", "line", "json", "none"}));
  app.add_option("--report", report, "Write what the run did: FILE.html to look at, FILE.json for programs")
      ->option_text("FILE");
  app.add_option("--trace", trace, "Write a timeline for ui.perfetto.dev")->option_text("FILE.json");
  app.add_flag("--overwrite", overwrite, "Replace the output, report and trace where they exist");
  app.add_flag("--quiet", quiet, "Say nothing but errors");
}

GraphOptions CommonOptions::graph() const {
  GraphOptions options;
  if (!memory.empty()) {
    options.memory = parse_bytes(memory);
    if (options.memory == 0) throw Error::usage("read", "--memory", "it must be more than nothing");
  }
  options.tokens = tokens;
  options.threads = threads;
  options.engine = engine == "serial"   ? Engine::serial
                   : engine == "onetbb" ? Engine::onetbb
                                        : Engine::automatic;
  return options;
}

std::map<std::string, unsigned> CommonOptions::concurrency() const {
  std::map<std::string, unsigned> by_node;
  for (const std::string& set : sets) {
    const std::size_t dot = set.find(".concurrency="), digits = dot + std::string(".concurrency=").size();
    if (dot == std::string::npos || dot == 0)
      throw Error::usage("read", "--set " + set, "it is written NODE.concurrency=N");
    const std::uint64_t number = parse_number("--set " + set, std::string_view(set).substr(digits));
    if (number == 0 || number > 1024) throw Error::usage("read", "--set " + set, "it must be from 1 to 1024");
    by_node[set.substr(0, dot)] = static_cast<unsigned>(number);
  }
  return by_node;
}

ProgressStyle CommonOptions::progress_style() const {
  if (quiet || progress == "none") return ProgressStyle::none;
  if (progress == "bar") return ProgressStyle::bar;
  if (progress == "line") return ProgressStyle::line;
  if (progress == "json") return ProgressStyle::json;
  return ProgressStyle::automatic;
}

void InputOptions::add_to(CLI::App& app) {
  app.add_option(
         "IN", path,
         "A TIFF file or its URL, PATH.zarr[/ARRAY], or\nterrain:WIDTHxHEIGHT[:TYPE] for a made-up model")
      ->required();
  auto* part = app.add_option("--window", window, "Only this part, in pixels")->option_text("X,Y,W,H");
  app.add_option("--bbox", bbox, "Only the pixels that touch this box of the raster's CRS")
      ->option_text("MINX,MINY,MAXX,MAXY")
      ->excludes(part);
  app.add_option("--chunk", chunk,
                 "Read in chunks of N or HEIGHTxWIDTH pixels (default: what the input stores)")
      ->option_text("N");
  app.add_option("--directory", directory, "Which image of a file with several, from 0")->option_text("N");
  app.add_option("--axes", axes,
                 "Zarr: what its axes are; y,x, band,y,x or y,x,band (default: by their names)")
      ->option_text("LIST");
  app.add_flag("--no-checksums", no_checksums, "Zarr: read chunks whose checksums are wrong, too");
  app.add_option("--overview", overview, "The N-th overview, largest first (0: full resolution)")
      ->option_text("N");
  app.add_option("--max-pixels", max_pixels, "Refuse to read more pixels")
      ->option_text("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-chunk", max_chunk, "Most bytes of the pixels of a chunk (default: 2G)")
      ->option_text("SIZE");
  app.add_option("--max-fetch", max_fetch, "Most bytes to read from the file")->option_text("SIZE");
  app.add_option("--samples", samples,
                 "Only these samples of a pixel, from 1, in this order: 3,1,2 (default: all)")
      ->option_text("LIST");
  std::vector<std::string> types;
  for (const SampleType each : all_sample_types) types.emplace_back(name_of(each));
  app.add_option("--type", type,
                 "Sample type that values are rounded and clipped to: uint8, int16, float32 and so on")
      ->option_text("T")
      ->check(CLI::IsMember(std::move(types)));
  auto* scaled = app.add_option("--scale", scale, "Multiply values by this")->option_text("S");
  auto* shifted = app.add_option("--offset", offset, "Add this to values, after --scale")->option_text("O");
  app.add_flag("--unscale", unscale,
               "Apply the scale and offset that the file has for each sample (default type: floats)")
      ->excludes(scaled)
      ->excludes(shifted);
  http.add_to(app);
}

SourceView InputOptions::view() const {
  SourceView view;
  view.window = window;
  view.bbox = bbox;
  if (!samples.empty()) view.samples = parse_samples(samples);
  if (!type.empty()) view.convert.type = sample_type_named(type);
  view.convert.scale = scale.value_or(1);
  view.convert.offset = offset.value_or(0);
  view.convert.unscale = unscale;
  if (!nodata.empty()) view.convert.nodata = nodata;
  return view;
}

std::shared_ptr<const ChunkSource> InputOptions::open(std::vector<std::string>* notes) const {
  std::shared_ptr<const ChunkSource> source;
  if (no_checksums && !is_zarr(path)) throw Error::usage("use", "--no-checksums", "it is for Zarr arrays");
  if (axes != "auto" && !is_zarr(path)) throw Error::usage("use", "--axes", "it is for Zarr arrays");
  if (directory > 0 && path.starts_with("terrain:"))
    throw Error::usage("use", "--directory", "it is for TIFF files");
  if (path.starts_with("terrain:")) {
    source = open_terrain(path, chunk);
  } else if (is_zarr(path)) {
    source = open_zarr_input(*this, notes);
  } else {
    TiffOpenOptions options;
    options.directory = directory;
    options.overview = overview;
    options.with_mask = !no_mask;
    if (!max_chunk.empty()) options.max_chunk_bytes = parse_bytes(max_chunk);
    if (!max_fetch.empty()) options.max_fetched_bytes = parse_bytes(max_fetch);
    options.keep_half = type == "float16";
    options.http = http.options();
    options.part = [this](const RasterInfo& whole) { return part_window(whole, window, bbox); };
    if (!chunk.empty()) {
      const Size size = parse_size("--chunk", chunk);
      options.chunk_height = size.height;
      options.chunk_width = size.width;
    }
    source = open_tiff(path, options);
  }
  source = view_of(std::move(source), view());
  if (max_pixels > 0) require_pixels(source->info(), max_pixels, path);
  return source;
}

namespace {

/// As a shell takes it for one word.
std::string shell_word(const std::string& text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace

std::string InputOptions::repeat_of(const ChunkSource& opened, const std::string& item) const {
  unsigned long long row = 0, col = 0;
  if (path.starts_with("terrain:") || std::sscanf(item.c_str(), "chunk (%llu, %llu)", &row, &col) != 2)
    return "";
  const ChunkGrid& grid = opened.grid();
  if (row >= grid.rows.count() || col >= grid.cols.count()) return "";
  Window part = grid.window({row, col});
  try {
    InputOptions whole = *this;
    whole.window.clear();
    whole.bbox.clear();
    whole.max_pixels = 0;  // of the part
    // A box is a window of the whole, which is opened again for it.
    const Window cut = bbox.empty() ? window.empty() ? Window() : parse_window(window)
                                    : *part_window(whole.open()->info(), window, bbox);
    part.row += cut.row;
    part.col += cut.col;
  } catch (const Error&) {
    return "";
  }
  std::string words = "weir read " + shell_word(shown_path(path));
  if (directory > 0) words += fmt::format(" --directory {}", directory);
  if (overview > 0) words += fmt::format(" --overview {}", overview);
  if (axes != "auto") words += " --axes " + shell_word(axes);
  if (no_checksums) words += " --no-checksums";
  words += fmt::format(" --window {},{},{},{}", part.col, part.row, part.width, part.height);
  if (!samples.empty()) words += " --samples " + samples;
  if (!type.empty()) words += " --type " + type;
  if (scale) words += fmt::format(" --scale {}", *scale);
  if (offset) words += fmt::format(" --offset {}", *offset);
  if (unscale) words += " --unscale";
  if (!nodata.empty()) words += " --nodata " + shell_word(nodata);
  return words + " --output chunk.npy";
}

Size parse_size(const std::string& option, const std::string& text) {
  const std::vector<std::string> sides = split(text, 'x');
  if (sides.size() > 2)
    throw Error::usage("read", option, fmt::format("'{}' is not N or HEIGHTxWIDTH", text));
  Size size;
  size.height = parse_number(option, sides.front());
  size.width = parse_number(option, sides.back());
  if (size.height == 0 || size.width == 0) throw Error::usage("read", option, "it must be at least 1");
  return size;
}

namespace {

void write_whole(AtomicFile& file, const std::string& text) {
  file.write_at(0, std::as_bytes(std::span(text)));
  file.commit();
}

/// A sixteenth of a small budget, and not more than a page can show of an ordinary run; each thread has a
/// lane.
std::uint64_t recording_bytes(const GraphOptions& limits) {
  constexpr std::uint64_t least = 256 << 10, lane = 4 << 10;
  return std::clamp(limits.memory / 16, least, RunRecording::default_bytes) + limits.threads * lane;
}

}  // namespace

RunFiles::RunFiles(const CommonOptions& options, const std::string& output, std::string title,
                   const std::string& input)
    : title_(std::move(title)) {
  for (const std::string& path : {options.report, options.trace}) {
    if (path.empty()) continue;
    if (!output.empty() && canonical_path(path) == canonical_path(output))
      throw Error::usage("write", path, "it is the output, and cannot be the report as well");
    if (!input.empty() && canonical_path(path) == canonical_path(input))
      throw Error::usage("write", path, "it is the input, and cannot be the report as well");
  }
  if (!options.report.empty() && canonical_path(options.report) == canonical_path(options.trace))
    throw Error::usage("write", options.report, "it is the report, and cannot be the trace as well");
  is_page_ = options.report.ends_with(".html");
  if (!options.report.empty() && !is_page_ && !options.report.ends_with(".json"))
    throw Error::usage("write", options.report, "the name of a report must end in .html or .json");
  if (!options.report.empty()) report_.emplace(options.report, options.overwrite);
  if (!options.trace.empty()) trace_.emplace(options.trace, options.overwrite);
  if (is_page_ || trace_)
    recording_ = std::make_unique<RunRecording>(recording_bytes(resolved(options.graph())));
}

std::function<void(const RunReport&)> RunFiles::on_failure(
    std::function<std::string(const std::string& item)> repeat) {
  if (!report_ && !trace_) return {};
  return [this, repeat = std::move(repeat)](const RunReport& failed) {
    RunReport report = failed;
    if (repeat) report.repeat = repeat(report.failed_item);
    write(report);
  };
}

void RunFiles::write(const RunReport& report) {
  if (report_) write_whole(*report_, is_page_ ? to_html(report, *recording_, title_) : to_json(report));
  if (trace_) write_whole(*trace_, to_trace(report, *recording_, title_));
}

void tell(const RunReport& report, const std::string& what) {
  const double seconds = report.wall_seconds > 0 ? report.wall_seconds : 1e-9;
  fmt::print("{}\n", what);
  if (report.raw_bytes > 0)
    fmt::print("  {} of pixels in {:.2f} s: {:.0f} MB/s; {} written\n", format_bytes(report.raw_bytes),
               report.wall_seconds, static_cast<double>(report.raw_bytes) / seconds / 1e6,
               format_bytes(report.output_bytes));
  else
    fmt::print("  {:.2f} s\n", report.wall_seconds);
  fmt::print("  memory: peak {} of {}; process {}\n", format_bytes(report.peak_payload),
             format_bytes(report.memory_limit), format_bytes(report.peak_resident));
  if (report.source_chunks > 0)
    fmt::print("  source: {} chunks, {} read, {:.2f} reads per chunk\n", report.source_chunks,
               report.source_reads, report.reads_per_chunk());
  if (report.requests > 0)
    fmt::print("  network: {} requests, {}\n", report.requests, format_bytes(report.fetched_bytes));
  fmt::print("  engine: {}, {} compute thread{}, {:.2f} s of CPU, at most {} units in flight\n",
             report.engine, report.threads_seen, report.threads_seen == 1 ? "" : "s", report.cpu_seconds,
             report.most_units_in_flight);
}

}  // namespace weir::command
