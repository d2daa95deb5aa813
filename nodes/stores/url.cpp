#include "nodes/stores/url.hpp"

#include <algorithm>
#include <charconv>

namespace weir {
namespace {

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() &&
         std::equal(start.begin(), start.end(), text.begin(), [](char wanted, char c) {
           return wanted == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
         });
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Digits and nothing else, below 2^63: what is larger is no file.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value >> 63 != 0)
    return std::nullopt;
  return value;
}

}  // namespace

bool is_url(std::string_view path) {
  return starts_with_ignoring_case(path, "http://") || starts_with_ignoring_case(path, "https://");
}

std::string shown_path(std::string_view path) {
  if (!is_url(path)) return std::string(path);
  const std::size_t host = path.find("://") + 3;
  const std::size_t authority_end = std::min(path.find_first_of("/?#", host), path.size());
  const std::size_t user_end = path.substr(0, authority_end).rfind('@');
  const std::size_t from = user_end != std::string_view::npos && user_end >= host ? user_end + 1 : host;
  std::string shown(path.substr(0, host));
  const std::size_t query = std::min(path.find('?', authority_end), path.size());
  shown += path.substr(from, std::min(query, path.find('#', authority_end)) - from);
  if (query == path.size()) return shown;
  // "?X-Amz-Signature=...&versionId=..."
  std::string_view rest = path.substr(query + 1);
  rest = rest.substr(0, rest.find('#'));
  char separator = '?';
  for (bool is_last = false; !is_last; separator = '&') {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    shown += separator;
    // A pair without a name may be a token itself.
    const std::size_t equals = pair.find('=');
    shown += equals == std::string_view::npos ? "..." : std::string(pair.substr(0, equals)) + "=...";
    is_last = end == std::string_view::npos;
    if (!is_last) rest.remove_prefix(end + 1);
  }
  return shown;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  text = trimmed(text);
  if (!starts_with_ignoring_case(text, "bytes")) return std::nullopt;
  text.remove_prefix(5);
  if (text.empty() || (text.front() != ' ' && text.front() != '\t')) return std::nullopt;
  text = trimmed(text);
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view range = text.substr(0, slash), size = text.substr(slash + 1);

  ContentRange parsed;
  if (size != "*") {
    parsed.size = number(size);
    if (!parsed.size) return std::nullopt;
  }
  if (range == "*") return parsed.size ? std::optional(parsed) : std::nullopt;
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  parsed.first = number(range.substr(0, dash));
  parsed.last = number(range.substr(dash + 1));
  if (!parsed.first || !parsed.last || *parsed.last < *parsed.first ||
      (parsed.size && *parsed.last >= *parsed.size))
    return std::nullopt;
  return parsed;
}

}  // namespace weir
