#include "nodes/headers/catalog_listing.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <fstream>
#include <utility>

#include "nodes/headers/catalog_reader.hpp"

namespace weir {
namespace {

constexpr std::string_view file_scheme = "file://";

/// The lines of a file; a mark is the number of lines up to it.
KeyWalk walk_lines(const std::string& path, const std::string& store) {
  return [path, below = store.ends_with('/') ? store : store + "/"](
             const std::string& after, const std::function<bool(ListedObject&&, const std::string&)>& each,
             const std::stop_token& stop) {
    std::uint64_t done = 0;
    std::from_chars(after.data(), after.data() + after.size(), done);
    std::ifstream file(path);
    if (!file) throw Error("read", path, "it cannot be opened");
    std::array<char, 16 << 10> line{};
    for (std::uint64_t number = 1; file.getline(line.data(), line.size()); ++number) {
      if (stop.stop_requested()) throw Error::cancelled();
      if (number <= done) continue;
      std::string_view key(line.data());
      while (key.ends_with('\r') || key.ends_with(' ')) key.remove_suffix(1);
      if (key.starts_with(below)) key.remove_prefix(below.size());
      if (key.empty()) continue;
      ListedObject object;
      object.path = key;
      object.size = unknown_size;
      if (!each(std::move(object), std::to_string(number))) return;
    }
    if (!file.eof())
      throw Error("read", path, "it has a line of more than 16 KiB, or cannot be read to its end");
  };
}

/// The rows of a catalog; a mark is how many there are up to it.
KeyWalk walk_catalog(const std::string& folder, FileSystem& files) {
  return [folder, &files](const std::string& after,
                          const std::function<bool(ListedObject&&, const std::string&)>& each,
                          const std::stop_token& stop) {
    CatalogReader reader(folder, files);
    std::uint64_t row = 0;
    std::from_chars(after.data(), after.data() + after.size(), row);
    reader.seek(row);
    for (;;) {
      std::vector<ListedObject> objects = reader.next(1000);
      if (objects.empty()) return;
      for (ListedObject& object : objects) {
        if (stop.stop_requested()) throw Error::cancelled();
        if (!each(std::move(object), std::to_string(++row))) return;
      }
    }
  };
}

ListKeysOptions listing_of(const CatalogConfig& config, FileSystem& files) {
  if (const std::string wrong = config.filter.what_is_wrong(); !wrong.empty())
    throw Error::usage("list", config.store, wrong);
  ListKeysOptions options;
  options.prefixes = config.prefixes;
  options.filter = config.filter;
  options.round_keys = config.list_chunk_size;
  if (!config.keys.empty()) options.walk = walk_lines(config.keys, config.store);
  if (!config.catalog.empty()) options.walk = walk_catalog(config.catalog, files);
  // Keys that were chosen one by one need no ending.
  if (options.walk && options.filter.include.empty()) options.filter.include = {"*"};
  return options;
}

}  // namespace

std::shared_ptr<const Store> open_catalog_store(const CatalogConfig& config, FileSystem& files) {
  std::string path = config.store;
  if (path.starts_with(file_scheme)) path.erase(0, file_scheme.size());
  std::shared_ptr<const Store> store = open_store(path, config.opening, files);
  if (!store->abilities().list && config.keys.empty() && config.catalog.empty())
    throw Error::usage("list", store->name(), "its keys cannot be listed: give a file of them (keys: FILE)");
  return store;
}

CatalogListing::CatalogListing(CatalogConfig config, std::shared_ptr<const Store> store, FileSystem& files)
    : config_(std::move(config)),
      store_(std::move(store)),
      files_(files),
      options_(listing_of(config_, files)),
      lister_(*store_, options_) {}

std::string CatalogListing::identity() const {
  std::string text = fmt::format("store {}\nround {}\nkeys {}\ncatalog {}\n", store_->name(),
                                 config_.list_chunk_size, config_.keys, config_.catalog);
  for (const std::string& prefix : distinct_prefixes(config_.prefixes)) text += "prefix " + prefix + "\n";
  const KeyFilter& filter = config_.filter;
  for (const std::string& pattern : filter.include) text += "include " + pattern + "\n";
  for (const std::string& pattern : filter.exclude) text += "exclude " + pattern + "\n";
  const auto limit = [&](std::string_view name, const auto& value) {
    if (value) text += fmt::format("{} {}\n", name, *value);
  };
  limit("min_size", filter.min_size);
  limit("max_size", filter.max_size);
  limit("modified_after", filter.modified_after);
  limit("modified_before", filter.modified_before);
  if (old_) text += "update " + old_->folder() + ": " + old_->identity() + "\n";
  return text;
}

std::uint64_t CatalogListing::standing_bytes() const {
  std::uint64_t bytes =
      sizeof *this + store_->standing_bytes() + KeyLister::standing_bytes(*store_, options_);
  if (!config_.catalog.empty()) bytes += CatalogReader::standing_bytes();
  if (old_) bytes += OldCatalog::standing_bytes(old_->folder(), files_);
  return bytes;
}

KeyBatch CatalogListing::next(const std::stop_token& stop) {
  KeyBatch batch = lister_.next(stop);
  if (!old_) return batch;
  std::erase_if(batch.keys, [&](const KeyBatch::Key& key) {
    const std::optional<OldRow> row = old_->find(key.object);
    if (row) batch.old.push_back(*row);
    return row && row->is_unchanged;
  });
  const auto unchanged = std::ranges::count_if(batch.old, &OldRow::is_unchanged);
  unchanged_.fetch_add(static_cast<std::uint64_t>(unchanged), std::memory_order_relaxed);
  return batch;
}

}  // namespace weir
