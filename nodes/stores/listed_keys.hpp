#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "nodes/stores/store.hpp"

namespace weir {

/// What a listing wants of keys that a store has in order: walked from start() on, as long as they begin with below().
class ListedKeys {
 public:
  /// Throws a usage Error where the prefix is no key.
  explicit ListedKeys(const ListRequest& request)
      : request_(request), below_(request.prefix.empty() ? "" : std::string(request.prefix) + "/") {
    if (!request.prefix.empty()) check_key(request.prefix);
  }
  const std::string& below() const { return below_; }
  std::string start() const { return std::max<std::string>(below_, std::string(request_.start_after)); }

  /// Of each key in turn. A folder is wanted once, with the first key in it that is.
  bool is_wanted(std::string_view key) {
    if (key <= request_.start_after) return false;
    const std::string_view shown = shown_of(key);
    if (shown == key) return true;
    if (shown == folder_ || shown <= request_.start_after) return false;
    folder_ = shown;
    return true;
  }
  /// `key` or its folder.
  StoredObject object(std::string_view key, std::uint64_t size) const {
    const std::string_view shown = shown_of(key);
    return {.key = shown, .size = shown == key ? size : 0};
  }

 private:
  std::string_view shown_of(std::string_view key) const {
    const std::size_t slash = request_.one_level ? key.find('/', below_.size()) : std::string_view::npos;
    return slash == std::string_view::npos ? key : key.substr(0, slash + 1);
  }

  const ListRequest request_;
  const std::string below_;
  std::string folder_;
};

}  // namespace weir
