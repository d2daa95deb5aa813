#pragma once

#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

#include "nodes/stores/store.hpp"

namespace weir {

/// As many as S3 gives in one answer to a listing.
inline constexpr std::size_t keys_of_page = 1000;

/// Keys of a listing that are listed together: those below `prefix` and behind `after`, up to `until`.
struct KeyRange {
  std::string prefix;  ///< whole parts, see ListRequest
  std::string after;   ///< exclusive; empty: from the first
  std::string until;   ///< inclusive; empty: to the last
  bool operator==(const KeyRange&) const = default;
};

/// Prefixes that have all keys of the given ones, each key once: without those that lie in others; "" is all keys.
std::vector<std::string> distinct_prefixes(const std::vector<std::string>& prefixes);

/// Ranges that have all keys below the prefixes, in the order of the prefixes. Where these are fewer than `wanted` and a listing is a
/// matter of requests, they are cut: at the folders in them, level by level, else at the letters behind what their keys have in common
/// (found by looking for the first key behind each). At most `most` ranges, after at most 200 requests; what is small, or cannot be
/// cut, stays whole.
std::vector<KeyRange> find_key_ranges(const Store& store, const std::vector<std::string>& prefixes,
                                      std::size_t wanted, std::size_t most, const std::stop_token& stop = {});

}  // namespace weir
