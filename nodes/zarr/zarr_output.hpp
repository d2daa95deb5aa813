#pragma once

#include <memory>
#include <string>

#include "framework/file.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

/// Where arrays and groups are written that nobody sees before they are whole. Destroying it without commit abandons what was written.
/// One thread opens and commits; between the two, many may write to the store.
class ZarrOutput {
 public:
  virtual ~ZarrOutput() = default;
  virtual const std::string& name() const = 0;  ///< what messages call it
  virtual std::string beside() const {
    return "";
  }  ///< where temporary files of the run may lie: this path, with an ending
  /// Before anything is written, and after all planning. Throws a usage Error where something is there that is not to be replaced.
  virtual void open() = 0;
  /// From open() on: where the node is written to, and its path there.
  virtual const Store& store() const = 0;
  virtual const std::string& path() const = 0;
  /// Bytes that writing takes for each object that is being written, and in all.
  virtual std::uint64_t writer_bytes() const = 0;
  virtual std::uint64_t standing_bytes() const = 0;
  /// Whether open() removes what is read from there: what lies in this place, where that is written as it is and not beside it.
  virtual bool removes(const StoredPlace& read) const = 0;
  /// All is written, the metadata last. The node is there, durable, when this returns.
  virtual void commit() = 0;
};

/// A node that is a local folder, in a store or a store itself (zarr_place): it is written beside the place under a temporary name and
/// takes the name at the end, in one step: readers see the old one, or nothing, until then, and never both. What it replaces is removed
/// afterwards. Groups above it that are missing are made. A process that dies leaves the temporary folder behind, and the next one that writes
/// the node removes it. What is there and no node of Zarr is not replaced.
std::unique_ptr<ZarrOutput> folder_output(const std::string& path, int format, bool overwrite,
                                          FileSystem& files = FileSystem::real());

/// A node in any store that can be written: it is written in its place, the metadata last, so that it is no node before. One that is
/// there loses its metadata first, then its objects: readers that begin meanwhile find none, and where writing fails, there is none any
/// more. Nothing is removed where anything below the place is not of Zarr, by its name, or `overwrite` is not asked for and anything is there.
std::unique_ptr<ZarrOutput> store_output(std::shared_ptr<const Store> store, std::string path,
                                         bool overwrite);

/// Throws a usage Error where opening the output removes what is read from there, for graphs that read and write.
void refuse_to_remove(const ZarrOutput& output, const StoredPlace& read);

/// What a path names (zarr_place): a local folder, or a node in the store that open_store opens. Throws a usage Error where such a store is
/// not written to.
std::unique_ptr<ZarrOutput> zarr_output(const std::string& path, int format, bool overwrite,
                                        FileSystem& files = FileSystem::real());

}  // namespace weir
