#pragma once

// What the module does: the functions of its ParquetModule.

#include "nodes/headers/parquet_module.hpp"

namespace weir {

std::unique_ptr<CatalogWriter::State> write_catalog_files(const std::string& folder, std::string identity,
                                                          const CatalogOptions& options, bool overwrite,
                                                          ArrowMemory memory, FileSystem& files);
std::unique_ptr<CatalogReader::State> read_catalog_objects(const std::string& folder, ArrowMemory memory,
                                                           FileSystem& files);
void read_error_paths(const std::string& folder, ArrowMemory memory, FileSystem& files,
                      const std::function<void(const std::string& path)>& each);

}  // namespace weir
