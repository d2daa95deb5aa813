#include "nodes/headers/key_ranges.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace weir {
namespace {

constexpr int most_requests = 200;
/// Behind every key with the same beginning: U+10FFFF, the last in UTF-8.
constexpr std::string_view last_letter = "\xf4\x8f\xbf\xbf";

std::size_t common_length(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

/// Bytes of the letter at `at`, in UTF-8.
std::size_t letter_bytes(std::string_view text, std::size_t at) {
  std::size_t bytes = 1;
  while (at + bytes < text.size() && (static_cast<unsigned char>(text[at + bytes]) & 0xc0U) == 0x80U) ++bytes;
  return bytes;
}

/// Finds where the keys below one prefix can be cut.
class Cuts {
 public:
  Cuts(const Store& store, std::string prefix, int& requests, const std::stop_token& stop)
      : store_(store), prefix_(std::move(prefix)), requests_(requests), stop_(stop) {}

  /// Texts between keys, ascending: fewer than `wanted` where there are no more.
  std::vector<std::string> find(std::size_t wanted) {
    std::vector<std::string> cuts, folders{prefix_.empty() ? "" : prefix_ + "/"};
    // Level by level: the folders of all folders, until there are enough.
    for (;;) {
      std::vector<std::string> deeper;
      for (const std::string& folder : folders) look_into(folder, deeper, cuts);
      if (deeper.empty()) break;
      std::ranges::sort(cuts);
      if (cuts.size() + 1 >= wanted || requests_ >= most_requests) return cuts;
      folders = std::move(deeper);
    }
    // Too few folders: the letters of the keys in those that have many.
    for (const std::string& folder : large_) {
      if (cuts.size() + 1 >= wanted) break;
      cut_letters(folder, wanted, cuts);
    }
    std::ranges::sort(cuts);
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    return cuts;
  }

 private:
  /// The folders right in one, which are cuts; the first is none where no key comes before it. Notes it where it has more than a
  /// page of keys itself.
  void look_into(const std::string& folder, std::vector<std::string>& folders,
                 std::vector<std::string>& cuts) {
    if (requests_ >= most_requests) return;
    ++requests_;
    std::size_t seen = 0, keys = 0;
    ListRequest request;
    const std::string prefix = folder.empty() ? "" : folder.substr(0, folder.size() - 1);
    request.prefix = prefix;
    request.one_level = true;
    store_.list_objects(
        request,
        [&](const StoredObject& object) {
          if (object.key.ends_with('/') && object.key != folder &&
              is_key(object.key.substr(0, object.key.size() - 1))) {
            folders.emplace_back(object.key);
            if (seen > 0) cuts.emplace_back(object.key);
          } else {
            ++keys;
          }
          return ++seen < keys_of_page;
        },
        stop_);
    if (keys >= keys_of_page / 2 && seen >= keys_of_page) large_.push_back(folder);
  }

  /// The first key behind `after` that begins with `beginning`.
  std::optional<std::string> first_behind(const std::string& after, std::string_view beginning) {
    ++requests_;
    std::optional<std::string> found;
    ListRequest request{.prefix = prefix_, .start_after = after, .page = 1};
    store_.list_objects(
        request,
        [&](const StoredObject& object) {
          if (object.key.starts_with(beginning)) found = object.key;
          return false;
        },
        stop_);
    return found;
  }

  /// Cuts between letters of the keys that begin with `beginning`.
  void cut_letters(std::string beginning, std::size_t wanted, std::vector<std::string>& cuts) {
    // What all of them have in common, as that of the first and a later one: until none is behind it.
    const std::optional<std::string> first = first_behind(beginning, beginning);
    if (!first) return;
    for (std::string common = *first; common.size() > beginning.size() && requests_ < most_requests;) {
      const std::optional<std::string> other = first_behind(common + std::string(last_letter), beginning);
      if (!other) {
        beginning = common.substr(0, common == *first ? beginning.size() : common.size());
        break;
      }
      common.resize(common_length(common, *other));
      while (!common.empty() && (static_cast<unsigned char>((*first)[common.size()]) & 0xc0U) == 0x80U)
        common.pop_back();  // half a letter
    }
    // Each letter that comes behind it.
    std::vector<std::string> letters;
    std::string after = beginning;
    while (requests_ < most_requests) {
      const std::optional<std::string> next = first_behind(after, beginning);
      if (!next || next->size() <= beginning.size()) {
        if (!next) break;
        after = *next;
        continue;
      }
      letters.push_back(next->substr(0, beginning.size() + letter_bytes(*next, beginning.size())));
      after = letters.back() + std::string(last_letter);
    }
    for (std::size_t i = 1; i < letters.size(); ++i) cuts.push_back(letters[i]);
    if (letters.size() < 2) return;
    for (const std::string& letter : letters) {
      if (cuts.size() + 1 >= wanted || requests_ >= most_requests) return;
      cut_letters(letter, wanted, cuts);
    }
  }

  const Store& store_;
  const std::string prefix_;
  int& requests_;
  const std::stop_token& stop_;
  std::vector<std::string> large_;
};

}  // namespace

std::vector<std::string> distinct_prefixes(const std::vector<std::string>& prefixes) {
  std::vector<std::string> distinct;
  for (std::string prefix : prefixes) {
    while (prefix.ends_with('/')) prefix.pop_back();
    const auto lies_in = [](const std::string& inner, const std::string& outer) {
      return outer.empty() || inner == outer || inner.starts_with(outer + "/");
    };
    if (std::ranges::any_of(distinct, [&](const std::string& other) { return lies_in(prefix, other); }))
      continue;
    std::erase_if(distinct, [&](const std::string& other) { return lies_in(other, prefix); });
    distinct.push_back(std::move(prefix));
  }
  if (prefixes.empty()) distinct.emplace_back();
  return distinct;
}

std::vector<KeyRange> find_key_ranges(const Store& store, const std::vector<std::string>& prefixes,
                                      std::size_t wanted, std::size_t most, const std::stop_token& stop) {
  std::vector<KeyRange> ranges;
  const std::size_t each = (wanted + prefixes.size() - 1) / prefixes.size();
  int requests = 0;
  for (const std::string& prefix : prefixes) {
    std::vector<std::string> cuts;
    if (each > 1 && store.requests_at_once() > 0) cuts = Cuts(store, prefix, requests, stop).find(each);
    // More than can be: every so many of them.
    const std::size_t room = std::max<std::size_t>(each, most / prefixes.size());
    const std::size_t step = cuts.size() / room + 1;
    KeyRange range{prefix, "", ""};
    for (std::size_t i = step - 1; i < cuts.size(); i += step) {
      range.until = cuts[i];
      ranges.push_back(range);
      range.after = cuts[i];
    }
    range.until.clear();
    ranges.push_back(std::move(range));
  }
  return ranges;
}

}  // namespace weir
