#include "framework/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "framework/bytes.hpp"

namespace weir {
namespace {

double share_done(const Progress& progress) {
  if (progress.items_planned == 0) return progress.finished ? 1 : 0;
  return static_cast<double>(progress.items_done) / static_cast<double>(progress.items_planned);
}

std::string json_line(const Progress& progress) {
  return fmt::format(
      "{{\"items_done\": {}, \"items_planned\": {}, \"bytes_in\": {}, \"bytes_out\": {}, \"memory_in_use\": "
      "{}, "
      "\"memory_limit\": {}, \"seconds\": {:.3f}, \"finished\": {}}}\n",
      progress.items_done, progress.items_planned, progress.bytes_in, progress.bytes_out,
      progress.memory_in_use, progress.memory_limit, progress.seconds,
      progress.finished && progress.items_done == progress.items_planned);
}

std::string bar_line(const Progress& progress) {
  constexpr int width = 20;
  const int full = static_cast<int>(share_done(progress) * width);
  // 79 columns, so that the cursor never wraps on a terminal of 80.
  return fmt::format("\r[{:#<{}}{:.<{}}] {:.55}\x1b[K{}", "", full, "", width - full, describe(progress),
                     progress.finished ? "\n" : "");
}

}  // namespace

std::string describe(const Progress& progress) {
  const double done = share_done(progress);
  const double rate =
      progress.seconds > 0 ? static_cast<double>(progress.bytes_in) / progress.seconds / 1e6 : 0;
  std::string text =
      fmt::format("{:3.0f}% {} at {:.0f} MB/s, {} out, {} held", done * 100, format_bytes(progress.bytes_in),
                  rate, format_bytes(progress.bytes_out), format_bytes(progress.memory_in_use));
  if (!progress.finished && done > 0)
    text += fmt::format(", {:.0f} s left", progress.seconds * (1 - done) / done);
  return text;
}

std::function<void(const Progress&)> progress_printer(ProgressStyle style, std::FILE* stream) {
  if (style == ProgressStyle::none) return {};
  if (style == ProgressStyle::automatic)
    style = ::isatty(::fileno(stream)) != 0 ? ProgressStyle::bar : ProgressStyle::line;
  return [style, stream, last = std::make_shared<double>(0)](const Progress& progress) {
    // A bar may move often; lines go to logs.
    if (style != ProgressStyle::bar) {
      if (!progress.finished && progress.seconds - *last < 1) return;
      // A run that failed says so itself; its last line would only stand between.
      if (style == ProgressStyle::line && progress.finished && progress.items_done < progress.items_planned)
        return;
      *last = progress.seconds;
    }
    const std::string text = style == ProgressStyle::json  ? json_line(progress)
                             : style == ProgressStyle::bar ? bar_line(progress)
                                                           : describe(progress) + "\n";
    std::fputs(text.c_str(), stream);
    std::fflush(stream);
  };
}

}  // namespace weir
