#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/file.hpp"

namespace weir {

/// manifest.json of a catalog: what of it is there for good. Rewritten as a whole after each part.
///
///   {"weir_catalog": 1,            version of this file
///    "schema": "weir",             or tiff-dumper
///    "schema_version": 1,          see catalog_schema.hpp
///    "identity": "...",            configuration and schema, as whoever began it said
///    "state": "listing",           closing: errors.parquet and vanished.parquet are written, complete: and the rest is tidied up
///    "units": 3125,                of the listing, in the parts below
///    "cursor": "...",              of the listing behind them
///    "taken": 0,                   rows of the earlier catalog that have been gone through to take over
///    "parts": [{"file": "part-00000.parquet", "rows": 100000, "errors": 12, "bytes": 9123456, "old": 0}, ...]}
///
/// "errors" and "old": how many lines the files errors-00000.parquet and old-00000.bin have, that wait beside the part until the end.
struct CatalogManifest {
  enum class State { listing, closing, complete };
  struct Part {
    std::uint64_t rows = 0, errors = 0, bytes = 0, old = 0;
  };
  std::string schema = "weir";
  int schema_version = 0;
  std::string identity;
  State state = State::listing;
  std::uint64_t units = 0;
  std::string cursor;
  std::uint64_t taken = 0;
  std::vector<Part> parts;

  std::uint64_t rows() const;
  std::uint64_t errors() const;
  /// What tells a finished catalog from another one: rows and bytes of its parts.
  std::string text() const;
};

/// Names of the files of a catalog's folder, without the folder.
std::string part_name(std::uint64_t part);
std::string part_errors_name(std::uint64_t part);
std::string part_old_name(std::uint64_t part);
inline constexpr const char *errors_name = "errors.parquet", *vanished_name = "vanished.parquet",
                            *manifest_name = "manifest.json";
/// Whether a name is one of these; `part`: whose it is, else 0.
struct CatalogName {
  bool is_ours = false, is_of_part = false;
  std::uint64_t part = 0;
};
CatalogName catalog_name(const std::string& name);

/// Throws an Error where it is none, or of another version. This and write_manifest: where Parquet is built in.
CatalogManifest read_manifest(const std::string& path, FileSystem& files);
void write_manifest(const std::string& path, const CatalogManifest& manifest, FileSystem& files);
/// Of a finished catalog of `schema: weir`, for those that read it: a usage Error where it is no such, or where this build has no Parquet.
CatalogManifest finished_catalog(const std::string& folder, FileSystem& files);

}  // namespace weir
