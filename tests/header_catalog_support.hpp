#pragma once

// What the tests of catalogs compare.

#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nodes/headers/catalog_reader.hpp"
#include "tests/faulty_file_system.hpp"
#include "tests/file_support.hpp"
#include "tests/made_header_rows.hpp"

namespace weir::test {

/// Says so in the words that tests/run.sh counts.
inline bool skips_without_parquet(const std::string& name) {
  const std::string reason = why_no_parquet();
  if (!reason.empty()) std::printf("skip %s: %s\n", name.c_str(), reason.c_str());
  return !reason.empty();
}

inline bool says(const Error& error, const std::string& text) {
  return std::string(error.what()).find(text) != std::string::npos;
}

/// The numbers of objects that have a row.
inline std::vector<std::uint64_t> made_rows(std::uint64_t units) {
  std::vector<std::uint64_t> rows;
  for (std::uint64_t n = 0; n < units * made_keys; ++n)
    if (!is_broken(n)) rows.push_back(n);
  return rows;
}
inline std::vector<std::string> made_paths(std::uint64_t units) {
  std::vector<std::string> paths;
  for (const std::uint64_t n : made_rows(units)) paths.push_back(made_object(n).path);
  return paths;
}
inline std::vector<std::string> made_error_paths(std::uint64_t units) {
  std::vector<std::string> paths;
  for (std::uint64_t n = 0; n < units * made_keys; ++n)
    if (is_broken(n) || is_damaged(n)) paths.push_back(made_object(n).path);
  return paths;
}

inline std::vector<std::string> paths_of(const std::string& catalog) {
  CatalogReader reader(catalog);
  std::vector<std::string> paths;
  for (std::vector<ListedObject> page; !(page = reader.next(1000)).empty();)
    for (ListedObject& object : page) paths.push_back(std::move(object.path));
  return paths;
}
inline std::vector<std::string> error_paths(const std::string& catalog) {
  std::vector<std::string> paths;
  each_error_path(catalog, FileSystem::real(), [&](const std::string& path) { paths.push_back(path); });
  return paths;
}

/// Names and contents of the files in a folder.
inline std::map<std::string, std::string> contents_of(const std::string& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::directory_iterator(folder))
    contents[entry.path().filename().string()] = content(entry.path().string());
  return contents;
}
inline std::vector<std::string> names_of(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : contents_of(folder)) names.push_back(name);
  return names;
}
/// Writes the bucket's first version, and returns the files.
inline std::map<std::string, std::string> write_made(const std::string& folder, std::uint64_t units) {
  {
    CatalogWriter writer(folder, "made up", small_parts());
    write_units(writer, units);
  }
  return contents_of(folder);
}
/// Why a catalog cannot be gone on with; nothing where it can.
inline std::optional<Error> refusal_of(const std::string& folder) {
  try {
    CatalogWriter(folder, "made up", small_parts());
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// The names of a finished catalog's files.
inline std::vector<std::string> whole_catalog(std::uint64_t parts, bool is_update = false) {
  std::vector<std::string> names{"errors.parquet", "manifest.json"};
  for (std::uint64_t part = 0; part < parts; ++part) names.push_back(fmt::format("part-{:05}.parquet", part));
  if (is_update) names.push_back("vanished.parquet");
  return names;
}

}  // namespace weir::test
