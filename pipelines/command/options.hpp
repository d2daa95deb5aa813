#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "framework/progress.hpp"
#include "framework/recording.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/source_view.hpp"
#include "pipelines/command/http_settings.hpp"

namespace weir::command {

/// Options that every command with a graph has.
struct CommonOptions {
  std::string memory, engine = "auto", progress = "auto", report, trace;
  unsigned tokens = 0, threads = 0;
  std::vector<std::string> sets;  ///< node.concurrency=N
  bool quiet = false, overwrite = false;

  void add_to(CLI::App& app);
  GraphOptions graph() const;
  std::map<std::string, unsigned> concurrency() const;
  ProgressStyle progress_style() const;
};

/// Options that say what to read, and which part of it.
struct InputOptions {
  std::string path, window, bbox, chunk, samples, type, axes = "auto";
  unsigned directory = 0, overview = 0;
  bool no_mask = false;  ///< an option of commands that can pass a mask on
  bool no_checksums = false;
  std::uint64_t max_pixels = 0;      ///< 0: no limit
  std::string max_chunk, max_fetch;  ///< sizes; empty: the default, no limit
  std::optional<double> scale, offset;
  bool unscale = false;
  /// Of the values that are cast or scaled; set by the commands, which have an option of that name.
  std::string nodata;
  HttpSettings http;

  void add_to(CLI::App& app);
  /// Whether values change on their way, for all that is known without the file.
  bool converts() const { return !type.empty() || scale || offset || unscale; }
  /// What is wanted of the input. Throws a usage Error.
  SourceView view() const;
  /// A TIFF file or URL, a Zarr array, or "terrain:WIDTHxHEIGHT[:type]"; a part of it where a window was given. What of its place cannot
  /// be used is a line in `notes`.
  std::shared_ptr<const ChunkSource> open(std::vector<std::string>* notes = nullptr) const;
  /// The command that reads just one chunk of what open() gave, from the name of an item ("chunk (3, 4)"); empty for
  /// other items, and for what is no file.
  std::string repeat_of(const ChunkSource& opened, const std::string& item) const;
};

/// "256" or "512x256" (height x width).
struct Size {
  std::uint64_t height = 0, width = 0;
};
Size parse_size(const std::string& option, const std::string& text);

/// What --report and --trace ask for: the files, and the recording that they are made of. Made before the
/// run, so that a file that cannot be written is refused before the work. A run that fails has them, too.
class RunFiles {
 public:
  /// `output` is what the run writes, `title` what ran, `input` a file that it reads; neither the report nor the trace may be one of
  /// the two.
  RunFiles(const CommonOptions& options, const std::string& output, std::string title,
           const std::string& input = "");
  /// For GraphOptions::recording; nullptr where nothing needs one. Owned by this object.
  RunRecording* recording() const { return recording_.get(); }
  /// For RunOptions::on_failure: writes what there is of the run. This object outlives the run.
  /// `repeat`: the command that repeats just an item, by its name.
  std::function<void(const RunReport&)> on_failure(
      std::function<std::string(const std::string& item)> repeat = {});
  void write(const RunReport& report);

 private:
  std::string title_;
  bool is_page_ = false;  ///< the report is HTML
  std::optional<AtomicFile> report_, trace_;
  std::unique_ptr<RunRecording> recording_;
};

/// Prints what a run did, for a person.
void tell(const RunReport& report, const std::string& what);

}  // namespace weir::command
