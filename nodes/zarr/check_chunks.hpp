#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/raster/file_check.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

/// The objects of one array. One thread.
class ChunkCheck {
 public:
  /// `where`: what problems call the array.
  ChunkCheck(std::shared_ptr<const ZarrArray> array, std::string where, FileCheck& check);

  /// An object below the array's path, `name` its key from there on, as it was listed.
  void see(std::string_view name, std::uint64_t bytes);
  /// Once all were seen, or `all` where they cannot be listed: indexes of shards, and with `decode` every chunk. Throws where a stop is
  /// asked for.
  void look_into(bool decode, bool all, const std::stop_token& stop);
  /// Of the grid, 2^63 - 1 at most.
  std::uint64_t objects() const;
  std::uint64_t seen() const { return seen_.size() + broken_; }

 private:
  std::uint64_t count(std::size_t axis) const;
  std::optional<ZarrIndex> chunk_of(std::string_view name, const ZarrKeys& keys) const;
  void look_into(const ZarrIndex& object, bool decode, const std::stop_token& stop);
  void decode(const ZarrIndex& object, const std::vector<ZarrIndex>& chunks, const std::stop_token& stop);
  void error(std::string_view name, const std::string& item, const std::string& text);

  std::shared_ptr<const ZarrArray> array_;
  std::string where_;
  FileCheck& check_;
  std::vector<std::uint64_t> seen_;  // numbers of objects, row-major
  std::uint64_t broken_ = 0;         // others, that are too short
  std::unique_ptr<ZarrDecoder> decoder_;
  std::unique_ptr<std::byte[]> stored_, raw_;
};

}  // namespace weir
