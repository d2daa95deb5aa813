#include "nodes/zarr/zarr_array.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "framework/error.hpp"
#include "nodes/zarr/shard_journal.hpp"

namespace weir {
namespace {

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

ZarrArray::ZarrArray(std::shared_ptr<const Store> store, std::string path, ZarrArrayMetadata metadata,
                     const ZarrOpenOptions& options)
    : store_(std::move(store)),
      path_(std::move(path)),
      name_(path_.empty() ? store_->name() : fmt::format("{}/{}", store_->name(), path_)),
      metadata_(std::move(metadata)),
      layout_(std::make_shared<const ZarrLayout>(metadata_, name_, options.limits)),
      options_(options),
      indexes_(std::make_unique<ShardIndexes>(*layout_, options.index_cache_bytes, options.check_sums)) {}

std::string ZarrArray::key(const ZarrIndex& object) const {
  return joined_path(path_, layout_->key(object));
}

std::shared_ptr<const ZarrArray> open_zarr(std::shared_ptr<const Store> store, const std::string& path,
                                           ZarrArrayMetadata metadata, const ZarrOpenOptions& options) {
  auto array = std::make_shared<const ZarrArray>(std::move(store), path, std::move(metadata), options);
  if (array->layout()->index() && can_patch(array->store())) replay_journals(array->store(), path);
  return array;
}

std::shared_ptr<const ZarrArray> open_zarr(std::shared_ptr<const Store> store, const std::string& path,
                                           const ZarrOpenOptions& options) {
  const std::uint64_t limit = options.limits.metadata_bytes;
  const std::string name = path.empty() ? store->name() : fmt::format("{}/{}", store->name(), path);
  if (const auto json = get_small(*store, joined_path(path, "zarr.json"), limit)) {
    ZarrArrayMetadata metadata = parse_zarr_v3_array(text_of(*json), name + "/zarr.json", options.limits);
    return open_zarr(std::move(store), path, std::move(metadata), options);
  }
  const auto zarray = get_small(*store, joined_path(path, ".zarray"), limit);
  if (!zarray) throw Error("open", name, "it has neither zarr.json nor .zarray");
  const auto zattrs = get_small(*store, joined_path(path, ".zattrs"), limit);
  ZarrArrayMetadata metadata = parse_zarr_v2_array(text_of(*zarray), zattrs ? text_of(*zattrs) : "",
                                                   name + "/.zarray", options.limits);
  return open_zarr(std::move(store), path, std::move(metadata), options);
}

}  // namespace weir
