#include "nodes/headers/old_catalog.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <string_view>
#include <utility>

#include "nodes/headers/catalog_manifest.hpp"
#include "nodes/headers/catalog_reader.hpp"
#include "nodes/headers/catalog_writer.hpp"

namespace weir {
namespace {

constexpr std::size_t page = 1024;

/// splitmix64's mixing steps: what std::hash makes of numbers are the numbers.
std::uint64_t mixed(std::uint64_t bits) {
  bits += 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31);
}

std::uint64_t hash_of(std::string_view text) {
  return mixed(std::hash<std::string_view>{}(text));
}

/// A key that is no UTF-8 is in no catalog.
std::uint64_t path_of(const ListedObject& object) {
  return hash_of(object.path);
}

/// What has to be the same; 0: it cannot be said.
std::uint64_t state_of(const ListedObject& object) {
  if (!object.etag.empty()) return mixed(hash_of(object.etag) ^ object.size) | 1U;
  if (object.last_modified)
    return mixed(mixed(static_cast<std::uint64_t>(*object.last_modified)) ^ object.size) | 1U;
  return 0;
}

}  // namespace

OldCatalog::OldCatalog(std::string folder, FileSystem& files) : folder_(std::move(folder)) {
  identity_ = finished_catalog(folder_, files).text();
  CatalogReader reader(folder_, files);
  if (reader.rows() >= std::numeric_limits<std::uint32_t>::max())
    throw Error::usage("update", folder_, "it has more than 2^32 rows");
  std::vector<std::uint64_t> bad;  // paths with errors
  each_error_path(folder_, files, [&](const std::string& path) { bad.push_back(hash_of(path)); });
  std::ranges::sort(bad);
  objects_.reserve(reader.rows());
  for (;;) {
    const std::vector<ListedObject> objects = reader.next(page);
    if (objects.empty()) break;
    for (const ListedObject& object : objects) {
      const std::uint64_t path = path_of(object);
      objects_.push_back({path, std::ranges::binary_search(bad, path) ? 0 : state_of(object),
                          static_cast<std::uint32_t>(objects_.size())});
    }
  }
  std::ranges::sort(objects_, {}, [](const Object& object) { return std::pair(object.path, object.row); });
}

std::optional<OldRow> OldCatalog::find(const ListedObject& object) const {
  const std::uint64_t path = path_of(object);
  const auto found = std::ranges::lower_bound(objects_, path, {}, &Object::path);
  if (found == objects_.end() || found->path != path) return std::nullopt;
  return OldRow{found->row, found->state != 0 && found->state == state_of(object)};
}

std::uint64_t OldCatalog::standing_bytes(const std::string& folder, FileSystem& files) {
  const CatalogManifest manifest = finished_catalog(folder, files);
  return manifest.rows() * sizeof(Object) + manifest.errors() * 2 * sizeof(std::uint64_t) +
         CatalogReader::standing_bytes();
}

}  // namespace weir
