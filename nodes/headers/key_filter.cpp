#include "nodes/headers/key_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace weir {
namespace {

bool is_tiff_name(std::string_view key) {
  constexpr std::array<std::string_view, 4> endings{".tif", ".tiff", ".btf", ".gtif"};
  return std::ranges::any_of(endings, [&](std::string_view ending) {
    if (key.size() <= ending.size()) return false;
    const std::string_view end = key.substr(key.size() - ending.size());
    return std::ranges::equal(
        end, ending, [](char c, char wanted) { return (c >= 'A' && c <= 'Z' ? c + 32 : c) == wanted; });
  });
}

/// Of a set that begins at `at`, behind its '[': where its ']' is.
std::size_t end_of_set(std::string_view pattern, std::size_t at) {
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  return pattern.find(']', at + 1);  // a ']' that comes first is one of the set
}

bool is_in_set(std::string_view set, char c) {
  const bool is_negated = set.front() == '!' || set.front() == '^';
  if (is_negated) set.remove_prefix(1);
  bool is_in = false;
  for (std::size_t i = 0; i < set.size(); ++i)
    if (i + 2 < set.size() && set[i + 1] == '-') {
      is_in = is_in || (set[i] <= c && c <= set[i + 2]);
      i += 2;
    } else {
      is_in = is_in || set[i] == c;
    }
  return is_in != is_negated && c != '/';
}

/// Goes back to the last star alone, as each star takes as little as can be: its time is the product of both lengths, whatever the
/// pattern. A "**" is gone back to where a '*' behind it cannot reach over a slash.
bool fits(std::string_view pattern, std::string_view text) {
  struct Star {
    std::size_t pattern = std::string_view::npos, text = 0;
  } one, two;  // behind "*" and behind "**"
  std::size_t p = 0, t = 0;
  for (;;) {
    if (p == pattern.size() && t == text.size()) return true;
    if (p < pattern.size()) {
      if (pattern[p] == '*') {
        const bool is_double = p + 1 < pattern.size() && pattern[p + 1] == '*';
        p += is_double ? 2 : 1;
        if (is_double) {
          two = {p, t};
          one = {};
        } else {
          one = {p, t};
        }
        continue;
      }
      if (t < text.size()) {
        if (pattern[p] == '[') {
          const std::size_t end = end_of_set(pattern, p + 1);
          if (is_in_set(pattern.substr(p + 1, end - p - 1), text[t])) {
            p = end + 1;
            ++t;
            continue;
          }
        } else if (pattern[p] == text[t] || (pattern[p] == '?' && text[t] != '/')) {
          ++p;
          ++t;
          continue;
        }
      }
    }
    if (one.pattern != std::string_view::npos && one.text < text.size() && text[one.text] != '/') {
      p = one.pattern;
      t = ++one.text;
    } else if (two.pattern != std::string_view::npos && two.text < text.size()) {
      p = two.pattern;
      t = ++two.text;
      one = {};
    } else {
      return false;
    }
  }
}

}  // namespace

bool fits_glob(std::string_view pattern, std::string_view key) {
  const bool is_whole = pattern.find('/') != std::string_view::npos;
  return fits(pattern, is_whole ? key : key.substr(key.rfind('/') + 1));
}

std::string_view what_is_wrong_with_glob(std::string_view pattern) {
  if (pattern.empty()) return "it is empty";
  for (std::size_t at = pattern.find('['); at != std::string_view::npos;) {
    const std::size_t end = end_of_set(pattern, at + 1);
    if (end == std::string_view::npos) return "a '[' has no ']'";
    at = pattern.find('[', end);
  }
  return "";
}

std::string KeyFilter::what_is_wrong() const {
  if (!min_size || !max_size || *min_size <= *max_size) return "";
  return fmt::format("max_size ({}) must be at least min_size ({})", *max_size, *min_size);
}

bool KeyFilter::takes(const ListedObject& object) const {
  const auto fits_key = [&](const std::string& pattern) { return fits_glob(pattern, object.path); };
  if (include.empty() ? !is_tiff_name(object.path) : std::ranges::none_of(include, fits_key)) return false;
  if (std::ranges::any_of(exclude, fits_key)) return false;
  if (object.size != unknown_size) {
    if (min_size && object.size < *min_size) return false;
    if (max_size && object.size > *max_size) return false;
  }
  if (object.last_modified) {
    if (modified_after && *object.last_modified <= *modified_after) return false;
    if (modified_before && *object.last_modified >= *modified_before) return false;
  }
  return true;
}

}  // namespace weir
