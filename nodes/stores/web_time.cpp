#include "nodes/stores/web_time.hpp"

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace weir {
namespace {

/// What strptime read up to, or nullptr; `time` in seconds.
const char* read(const std::string& text, const char* format, std::int64_t& time) {
  struct tm parts = {};
  const char* end = ::strptime(text.c_str(), format, &parts);
  if (end != nullptr) time = ::timegm(&parts);
  return end;
}

}  // namespace

std::optional<std::int64_t> parse_http_time(const std::string& text) {
  std::int64_t seconds = 0;
  const char* end = read(text, "%a, %d %b %Y %H:%M:%S GMT", seconds);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return seconds * 1000;
}

std::optional<std::int64_t> parse_iso_time(const std::string& text) {
  std::int64_t seconds = 0;
  if (const char* end = read(text, "%Y-%m-%d", seconds); end != nullptr && *end == '\0')
    return seconds * 1000;
  const char* end = read(text, "%Y-%m-%dT%H:%M:%S", seconds);
  if (end == nullptr) end = read(text, "%Y-%m-%d %H:%M:%S", seconds);
  if (end == nullptr) return std::nullopt;
  std::int64_t milliseconds = 0;
  if (*end == '.') {
    std::int64_t unit = 100;
    for (++end; *end >= '0' && *end <= '9'; ++end, unit /= 10) milliseconds += (*end - '0') * unit;
  }
  const std::string_view zone(end);
  int hours = 0, minutes = 0;
  if (zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') &&
      std::sscanf(end + 1, "%2d:%2d", &hours, &minutes) == 2) {
    const std::int64_t ahead = (hours * 60 + minutes) * 60;
    seconds -= zone[0] == '+' ? ahead : -ahead;
  } else if (zone != "Z" && !zone.empty()) {
    return std::nullopt;
  }
  return seconds * 1000 + milliseconds;
}

}  // namespace weir
