#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "framework/file.hpp"
#include "nodes/raster/file_check.hpp"
#include "nodes/stores/store.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

struct ZarrCheckOptions {
  bool decode = false;  ///< every chunk, its checksums with it
  std::uint64_t listed =
      10;  ///< problems of one name that are listed of a node; of the others there is a count
  ZarrLimits limits;
};

/// Whether the array or group at a path of a store ("": the root), with all nodes below, is sound, v2 or v3: all that is wrong, not only
/// the first thing. Nothing is thrown for what stands in the store, nor for reads that fail: those are errors of the list, too.
/// Throws Error where a stop is asked for. Nothing is changed: a journal stays.
///
///   unreadable-store    it cannot be listed or read
///   no-node             neither zarr.json nor .zarray nor .zgroup
///   metadata            a document says what cannot be true, or what Weir does not read; names the member, of each member the first thing.
///                       Elements that the format allows and Weir does not read (times, texts, objects) are a note
///   dimension-names     _ARRAY_DIMENSIONS (v2) are no texts, or not as many as axes
///   consolidated        consolidated metadata says of a node what its own documents do not, names one that is not there, or leaves one out
///   node-in-array       a node below an array
///   chunk-name          an object that another key encoding calls a chunk: nobody finds it
///   chunk-size          more bytes than its codecs make, or, where they make as many of all chunks, other than these
///   shard-index         it lies outside of its object, its checksum is wrong, an entry reaches out of the object or into the
///                       index, or two overlap; the first of these
///   chunk-decode        a chunk does not decode; with it checksums
///   journal             an update in place has not ended: opening the array with Weir ends it
///   level-missing       multiscales names an array that is not there
///   level-shape         multiscales says another size of it
///   level-larger        than the one before it
///
/// Warnings: missing-group (a folder of nodes is no group), two-formats (v2 and v3 in one place), stray-object (neither chunk nor metadata),
/// chunk-outside (of the grid), undefined-chunks (v2's fill is null, and chunks are missing), level-ratio (its size is no fraction of the
/// first level's), level-type (other elements than the first level's), raster-attributes (attributes of a raster that Weir does not read),
/// leftover (a temporary or lock of a writer that has died, or runs).
///
/// Every object is listed, and shards are asked for their index. Indexes of a remote store are not, unless chunks are decoded: each costs a
/// request. Stores that cannot be listed are looked at as far as metadata leads. Takes 8 bytes for each object of one array, beside one
/// chunk and an index.
FileCheck check_zarr(const std::shared_ptr<const Store>& store, const std::string& path,
                     const ZarrCheckOptions& options = {}, const std::stop_token& stop = {});

/// What writers leave in a local folder and beside it, which a store does not list.
void check_leftovers(const std::string& folder, FileCheck& check, FileSystem& files = FileSystem::real());

}  // namespace weir
