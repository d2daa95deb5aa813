#include "nodes/headers/catalog_manifest.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "nodes/headers/catalog_schema.hpp"
#include "nodes/headers/catalog_writer.hpp"

#ifdef WEIR_WITH_PARQUET
#include <nlohmann/json.hpp>
#endif

namespace weir {

std::uint64_t CatalogManifest::rows() const {
  std::uint64_t rows = 0;
  for (const Part& part : parts) rows += part.rows;
  return rows;
}

std::uint64_t CatalogManifest::errors() const {
  std::uint64_t errors = 0;
  for (const Part& part : parts) errors += part.errors;
  return errors;
}

std::string CatalogManifest::text() const {
  std::string text;
  for (const Part& part : parts)
    text += fmt::format("{}{} rows in {} bytes", text.empty() ? "" : ", ", part.rows, part.bytes);
  return text;
}

std::string part_name(std::uint64_t part) {
  return fmt::format("part-{:05}.parquet", part);
}
std::string part_errors_name(std::uint64_t part) {
  return fmt::format("errors-{:05}.parquet", part);
}
std::string part_old_name(std::uint64_t part) {
  return fmt::format("old-{:05}.bin", part);
}

CatalogName catalog_name(const std::string& name) {
  if (name == errors_name || name == vanished_name || name == manifest_name) return {true, false, 0};
  const std::size_t dash = name.find('-');
  if (dash == std::string::npos) return {};
  std::uint64_t part = 0;
  std::from_chars(name.data() + dash + 1, name.data() + name.size(), part);
  if (name == part_name(part) || name == part_errors_name(part) || name == part_old_name(part))
    return {true, true, part};
  return {};
}

#ifdef WEIR_WITH_PARQUET
namespace {

constexpr int manifest_version = 1;
/// 100 bytes a part, and a cursor of many ranges.
constexpr std::uint64_t longest_manifest = 64 << 20;
constexpr const char* states[] = {"listing", "closing", "complete"};

Error broken(const std::string& path, std::string_view reason) {
  return Error("read", path, reason);
}

}  // namespace

CatalogManifest read_manifest(const std::string& path, FileSystem& files) {
  const InputFile file(path, files);
  if (file.size() > longest_manifest) throw broken(path, "it is too long for the manifest of a catalog");
  std::string text(file.size(), '\0');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
  CatalogManifest manifest;
  try {
    const auto json = nlohmann::json::parse(text);
    if (const int version = json.at("weir_catalog").get<int>(); version != manifest_version)
      throw broken(path, fmt::format("it is of version {}, this is {}", version, manifest_version));
    json.at("schema").get_to(manifest.schema);
    json.at("schema_version").get_to(manifest.schema_version);
    json.at("identity").get_to(manifest.identity);
    const auto state = json.at("state").get<std::string>();
    bool is_known = false;
    for (int i = 0; i < 3; ++i)
      if (state == states[i]) {
        manifest.state = static_cast<CatalogManifest::State>(i);
        is_known = true;
      }
    if (!is_known) throw broken(path, "it has no known state");
    json.at("units").get_to(manifest.units);
    json.at("cursor").get_to(manifest.cursor);
    json.at("taken").get_to(manifest.taken);
    for (const auto& part : json.at("parts")) {
      const std::string name = part_name(manifest.parts.size());
      if (part.at("file").get<std::string>() != name) throw broken(path, "it lacks " + name);
      manifest.parts.push_back({part.at("rows").get<std::uint64_t>(), part.at("errors").get<std::uint64_t>(),
                                part.at("bytes").get<std::uint64_t>(), part.at("old").get<std::uint64_t>()});
    }
  } catch (const nlohmann::json::exception&) {
    throw broken(path, "it is no manifest of a catalog");
  }
  return manifest;
}

void write_manifest(const std::string& path, const CatalogManifest& manifest, FileSystem& files) {
  nlohmann::ordered_json json = {{"weir_catalog", manifest_version},
                                 {"schema", manifest.schema},
                                 {"schema_version", manifest.schema_version},
                                 {"identity", manifest.identity},
                                 {"state", states[static_cast<int>(manifest.state)]},
                                 {"units", manifest.units},
                                 {"cursor", manifest.cursor},
                                 {"taken", manifest.taken},
                                 {"parts", nlohmann::ordered_json::array()}};
  for (std::size_t i = 0; i < manifest.parts.size(); ++i) {
    const CatalogManifest::Part& part = manifest.parts[i];
    json["parts"].push_back({{"file", part_name(i)},
                             {"rows", part.rows},
                             {"errors", part.errors},
                             {"bytes", part.bytes},
                             {"old", part.old}});
  }
  std::string text;
  try {
    text = json.dump(1) + "\n";
  } catch (const nlohmann::json::
               exception&) {  // the one there is: a cursor that came back changed would lose keys
    throw Error("write", path, "the listing's cursor or the configuration is not UTF-8");
  }
  AtomicFile file(path, AtomicFileOptions{.overwrite = true, .removes_stale = false}, files);
  file.write_at(0, std::as_bytes(std::span(text)));
  file.commit();
}

CatalogManifest finished_catalog(const std::string& folder, FileSystem& files) {
  CatalogManifest manifest = read_manifest(folder + "/" + manifest_name, files);
  if (manifest.state != CatalogManifest::State::complete)
    throw Error::usage("read", folder, "it is a catalog that is not finished");
  if (manifest.schema != "weir")
    throw Error::usage("read", folder,
                       "it has no sizes and times: it was written with schema: " + manifest.schema);
  if (manifest.schema_version != catalog_schema_version)
    throw Error::usage("read", folder,
                       fmt::format("its columns are of version {}, this is {}", manifest.schema_version,
                                   catalog_schema_version));
  return manifest;
}
#else
CatalogManifest finished_catalog(const std::string& folder, FileSystem&) {
  throw Error::usage("read", "the catalog " + folder, why_no_parquet());
}
#endif

}  // namespace weir
