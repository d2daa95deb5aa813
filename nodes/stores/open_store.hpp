#pragma once

#include <memory>
#include <optional>
#include <string>

#include "framework/file.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/http_store.hpp"
#include "nodes/stores/s3_options.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

/// How each kind of store is opened.
struct StoreOptions {
  FolderStoreOptions folder = {};
  HttpStoreOptions http = {};
  S3Options s3 = {};
  std::optional<std::string> zip_prefix = {};  ///< see ZipStore
};

/// Opens what a path or URL names:
///
///   s3://bucket/prefix   S3Store
///   gs://bucket/prefix   S3Store, of Google's
///   http(s)://...        HttpStore; where its path ends in ".zip", ZipStore
///   memory:NAME          MemoryStore, a new one each time: for tests
///   a path to a file     ZipStore
///   any other path       FolderStore
///
/// Throws Error; a usage Error for what this build has no library for.
std::shared_ptr<const Store> open_store(const std::string& path, const StoreOptions& options = {},
                                        FileSystem& files = FileSystem::real());

}  // namespace weir
