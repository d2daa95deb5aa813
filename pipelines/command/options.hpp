#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "framework/progress.hpp"
#include "nodes/raster/chunk_source.hpp"

namespace weir::command {

/// Options that every command with a graph has.
struct CommonOptions {
  std::string memory, engine = "auto", progress = "auto", report;
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
  std::string path, window, chunk;
  unsigned directory = 0;

  void add_to(CLI::App& app);
  /// A TIFF file, or "terrain:WIDTHxHEIGHT[:type]"; a part of it where a window was given.
  std::shared_ptr<const ChunkSource> open() const;
};

/// "256" or "512x256" (height x width).
struct Size {
  std::uint64_t height = 0, width = 0;
};
Size parse_size(const std::string& option, const std::string& text);

/// "x,y,w,h" in pixels; throws a usage Error.
Window parse_window(const std::string& text);

/// The report of a run as JSON, where --report asks for it. Made before the run, so that a file that cannot
/// be written is refused before the work.
class ReportFile {
 public:
  /// `output` is what the run writes.
  ReportFile(const CommonOptions& options, const std::string& output);
  void write(const RunReport& report);

 private:
  std::optional<AtomicFile> file_;
};

/// Prints what a run did, for a person.
void tell(const RunReport& report, const std::string& what);

}  // namespace weir::command
