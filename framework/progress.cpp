#include "framework/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "framework/bytes.hpp"

namespace weir {
namespace {

double share_done(const Progress& progress) {
  if (progress.items_planned == 0) return progress.finished ? 1 : 0;
  return static_cast<double>(progress.items_done) / static_cast<double>(progress.items_planned);
}

/// Nothing where nothing can be said yet.
std::optional<double> seconds_left(const Progress& progress) {
  const double done = share_done(progress);
  if (progress.finished || done <= 0) return std::nullopt;
  return progress.seconds * (1 - done) / done;
}

/// "58 of 64 MiB", "17 MiB of 1.0 GiB": at most 18 characters.
std::string used_of(std::uint64_t used, std::uint64_t limit) {
  constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  struct Size {
    std::string number;
    std::string_view unit;
  };
  const auto size_of = [&](std::uint64_t bytes) {
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 999.5 && unit + 1 < std::size(units)) {  // three digits at most
      value /= 1024;
      ++unit;
    }
    return Size{fmt::format("{:.{}f}", value, value < 9.95 && value != std::floor(value) ? 1 : 0),
                units[unit]};
  };
  const Size a = size_of(used), b = size_of(limit);
  return a.unit == b.unit || used == 0 ? fmt::format("{} of {} {}", a.number, b.number, b.unit)
                                       : fmt::format("{} {} of {} {}", a.number, a.unit, b.number, b.unit);
}

std::string megabytes_a_second(std::uint64_t bytes, double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(bytes) / seconds / 1e6 : 0;
  return rate < 9.95 ? fmt::format("{:.1f}", rate) : short_count(static_cast<std::uint64_t>(rate));
}

std::string json_members(const Progress& progress) {
  const std::optional<double> left = seconds_left(progress);
  return fmt::format(
      "\"items_done\": {}, \"items_planned\": {}, \"bytes_in\": {}, \"bytes_out\": {}, \"memory_in_use\": "
      "{}, \"memory_limit\": {}, \"seconds\": {:.3f}, \"seconds_left\": {}, \"finished\": {}",
      progress.items_done, progress.items_planned, progress.bytes_in, progress.bytes_out,
      progress.memory_in_use, progress.memory_limit, progress.seconds,
      left ? fmt::format("{:.1f}", *left) : "null",
      progress.finished && progress.items_done == progress.items_planned);
}

/// At most 79 columns, so that the cursor never wraps on a terminal of 80: what the words say is at most 71.
std::string bar_line(const ProgressWords& words, bool is_finished) {
  const int width = words.line.size() <= 66 ? 10 : 5;
  const int full = static_cast<int>(std::clamp(words.share, 0.0, 1.0) * width);
  return fmt::format("\r[{:#<{}}{:.<{}}] {}\x1b[K{}", "", full, "", width - full, words.line,
                     is_finished ? "\n" : "");
}

}  // namespace

std::string short_count(std::uint64_t count) {
  if (count < 1000) return fmt::format("{}", count);
  double value = static_cast<double>(count);
  std::size_t unit = 0;
  constexpr std::string_view units = " KMGTPE";
  // What would be rounded up to 1000 is the next unit's.
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f}{}", value, value < 9.95 ? 1 : 0, units[unit]);
}

std::string short_time(double seconds) {
  if (seconds < 60) return fmt::format("{:.0f} s", std::floor(seconds));
  if (seconds >= 99.0 * 3600) return ">99 h";
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string describe(const Progress& progress) {
  std::string text = short_count(progress.items_done);
  // Rounded down: 100 % is said when all is done.
  if (progress.items_planned > 0 || (progress.finished && progress.items_done == 0))
    text = fmt::format("{:.0f}% {}/{}", std::floor(share_done(progress) * 100), text,
                       short_count(progress.items_planned));
  text += fmt::format(" {} MB/s in, {} out", megabytes_a_second(progress.bytes_in, progress.seconds),
                      megabytes_a_second(progress.bytes_out, progress.seconds));
  text += ", " + used_of(progress.memory_in_use, progress.memory_limit);
  if (const std::optional<double> left = seconds_left(progress)) text += ", " + short_time(*left) + " left";
  if (progress.finished) text += ", " + short_time(progress.seconds);
  return text;
}

std::function<void(const Progress&)> progress_printer(ProgressStyle style, std::FILE* stream) {
  return progress_printer(style, stream, [](const Progress& progress) {
    return ProgressWords{describe(progress), json_members(progress), share_done(progress)};
  });
}

std::function<void(const Progress&)> progress_printer(ProgressStyle style, std::FILE* stream,
                                                      std::function<ProgressWords(const Progress&)> words) {
  if (style == ProgressStyle::none) return {};
  if (style == ProgressStyle::automatic)
    style = ::isatty(::fileno(stream)) != 0 ? ProgressStyle::bar : ProgressStyle::line;
  return [style, stream, words = std::move(words),
          last = std::make_shared<double>(0)](const Progress& progress) {
    // A bar may move often; lines go to logs.
    if (style != ProgressStyle::bar) {
      if (!progress.finished && progress.seconds - *last < 1) return;
      // A run that failed says so itself; its last line would only stand between.
      if (style == ProgressStyle::line && progress.finished && progress.items_done < progress.items_planned)
        return;
      *last = progress.seconds;
    }
    const ProgressWords said = words(progress);
    const std::string text = style == ProgressStyle::json  ? "{" + said.json + "}\n"
                             : style == ProgressStyle::bar ? bar_line(said, progress.finished)
                                                           : said.line + "\n";
    std::fputs(text.c_str(), stream);
    std::fflush(stream);
  };
}

}  // namespace weir
