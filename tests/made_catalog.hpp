#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "nodes/stores/store.hpp"
#include "pipelines/write_catalog.hpp"
#include "tests/file_support.hpp"
#include "tests/header_support.hpp"

// Buckets that are made up while they are read, and what the tests of catalogs share.

namespace weir::test {

/// `count` files in eight folders, "3/0000011.tif" the twelfth, each of a width of its own: they take no memory, however many they are.
class MadeBucket : public Store {
 public:
  explicit MadeBucket(std::uint64_t count) : count_(count) {
    HeaderMaker maker;
    maker.add(maker.picture({maker.longs(256, {0}), HeaderMaker::text(305, "weir tests"),
                             maker.doubles(33550, {10, 10, 0}),
                             maker.doubles(33922, {0, 0, 0, 400'000, 5'000'000, 0})}));
    file_ = maker.bytes();
    // Where the width stands: the first entry of the directory at byte 8.
    REQUIRE(std::to_integer<int>(file_[10]) == 256 % 256);
  }

  std::string key(std::uint64_t i) const { return fmt::format("{}/{:07}.tif", i * 8 / count_, i); }
  const std::string& name() const override { return name_; }
  StoreAbilities abilities() const override { return {.list = true}; }
  std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& = {}) const override {
    return number(key) ? std::optional<std::uint64_t>(file_.size()) : std::nullopt;
  }
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& = {}, ObjectVersion* = nullptr) const override {
    const std::optional<std::uint64_t> i = number(key);
    if (!i) return std::nullopt;
    Bytes bytes = file_;
    const std::uint32_t width = static_cast<std::uint32_t>(*i) + 1;
    std::memcpy(bytes.data() + 18, &width, sizeof width);
    std::memcpy(out.data(), bytes.data(), std::min(out.size(), bytes.size()));
    return file_.size();
  }
  std::optional<std::uint64_t> get_end(std::string_view, std::span<std::byte>, const std::stop_token& = {},
                                       ObjectVersion* = nullptr) const override {
    return std::nullopt;
  }
  bool get_ranges(std::string_view, std::span<const ObjectRange>, const std::stop_token& = {},
                  ObjectVersion* = nullptr) const override {
    return false;
  }
  void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                    const std::stop_token& stop = {}) const override {
    std::string last_folder;
    std::uint64_t i = 0;
    if (const auto after = number(request.start_after)) i = *after + 1;
    for (; i < count_; ++i) {
      if (stop.stop_requested()) throw Error::cancelled();
      const std::string key = this->key(i);
      if (key <= request.start_after) continue;
      if (!request.prefix.empty() && !key.starts_with(std::string(request.prefix) + "/")) continue;
      const std::string folder = key.substr(0, 2);
      if (request.one_level && request.prefix.empty()) {
        if (folder == last_folder) continue;
        last_folder = folder;
        if (!each({.key = folder})) return;
      } else if (!each({.key = key, .size = file_.size(), .etag = "made"})) {
        return;
      }
    }
  }

 private:
  std::optional<std::uint64_t> number(std::string_view key) const {
    std::uint64_t i = 0;
    if (key.size() != 13 || std::from_chars(key.data() + 2, key.data() + 9, i).ptr != key.data() + 9 ||
        i >= count_)
      return std::nullopt;
    return i;
  }
  const std::string name_ = "made";
  const std::uint64_t count_;
  Bytes file_;
};

/// All of a folder, by name.
inline std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files[entry.path().filename()] = content(entry.path());
  return files;
}

}  // namespace weir::test
