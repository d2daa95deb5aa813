#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

/// The entries of a zip file, local or remote, for reading. Of two entries with one name the last one counts; folders, and
/// names that are no keys, are none. Stored entries are read by ranges straight from the file, many at once; their
/// checksums are compared where one is read whole. Deflated ones are read through libzip, one at a time, from their beginning.
class ZipStore : public Store {
 public:
  /// `prefix`: the folder inside the archive that is the store; by default the innermost one that holds all entries, as
  /// archives that were zipped from outside have it ("data.zarr"). An Error for what is no zip file, a usage Error where this
  /// build has no libzip.
  explicit ZipStore(std::shared_ptr<const ReadableFile> file, std::optional<std::string> prefix = {});
  ~ZipStore() override;

  const std::string& name() const override { return file_->path(); }
  StoreAbilities abilities() const override { return {.list = true}; }
  std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& stop = {}) const override;
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop = {},
                                   ObjectVersion* version = nullptr) const override;
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop = {},
                                       ObjectVersion* version = nullptr) const override;
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop = {},
                  ObjectVersion* version = nullptr) const override;
  void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                    const std::stop_token& stop = {}) const override;
  unsigned requests_at_once() const override;
  Traffic* traffic() const override { return file_->traffic(); }
  std::uint64_t standing_bytes() const override;

 private:
  struct Archive;  ///< libzip's
  struct Entry;

  const Entry* find(std::string_view key) const;
  void read(std::string_view key, const Entry& entry, std::span<const ObjectRange> ranges,
            const std::stop_token& stop) const;
  std::uint64_t place(std::string_view key, const Entry& entry) const;
  void inflate(std::string_view key, const Entry& entry, std::span<const ObjectRange> ranges,
               const std::stop_token& stop) const;

  const std::shared_ptr<const ReadableFile> file_;
  std::vector<Entry> entries_;  ///< sorted by key
  mutable std::mutex mutex_;    ///< libzip takes one thread at a time
  std::unique_ptr<Archive> archive_;
};

}  // namespace weir
