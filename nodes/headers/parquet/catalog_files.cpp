#include "nodes/headers/parquet/catalog_files.hpp"

#include <arrow/record_batch.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "nodes/headers/old_rows.hpp"
#include "nodes/headers/parquet/catalog_part.hpp"
#include "nodes/headers/parquet/take_over.hpp"

namespace weir {
namespace {

CatalogManifest fresh_manifest(const CatalogOptions& options, std::string identity) {
  CatalogManifest manifest;
  manifest.schema = name_of(options.schema);
  manifest.schema_version = catalog_schema_version;
  manifest.identity = std::move(identity);
  return manifest;
}

const std::string& checked(const std::string& folder, const CatalogOptions& options) {
  if (options.rows_per_part == 0 || options.rows_per_group == 0 || options.group_bytes == 0)
    throw Error::usage("write", "the catalog " + folder, "parts and row groups have rows");
  return folder;
}

/// What a CatalogWriter does.
class CatalogFiles final : public CatalogWriter::State {
 public:
  CatalogFiles(const std::string& folder, std::string identity, const CatalogOptions& options, bool overwrite,
               ArrowMemory memory, FileSystem& files)
      : options_(options),
        pool_(writer_pool_bytes(options, false), std::move(memory)),
        folder_(checked(folder, options), fresh_manifest(options, std::move(identity)), overwrite, files),
        rows_(row_columns(options.schema), pool_),
        errors_(error_columns(), pool_),
        units_(folder_.manifest.units),
        cursor_(folder_.manifest.cursor) {}

  CatalogProgress progress() const override { return {folder_.manifest.units, folder_.manifest.cursor}; }
  std::uint64_t rows() const override { return folder_.manifest.rows() + (part_ ? part_->rows() : 0); }
  std::uint64_t errors() const override { return folder_.manifest.errors() + (part_ ? part_->errors() : 0); }
  void draw_from(ArrowMemory memory) override { pool_.draw_from(std::move(memory)); }

  void add(std::span<const HeaderRow> rows, std::span<const HeaderError> errors, std::string cursor,
           std::span<const OldRow> old) override {
    CatalogPart& part = open_part();
    for (const HeaderRow& row : rows) part.add(row);
    for (const HeaderError& error : errors) part.add(error);
    for (const OldRow& row : old) part.add(row);
    ++units_;
    cursor_ = std::move(cursor);
    if (part.is_full()) end_part();
  }

  void finish(const OldCatalog* old) override {
    using enum CatalogManifest::State;
    if (part_) end_part();
    if (folder_.manifest.state == listing) {
      if (old != nullptr) take_over(*old);
      if (folder_.manifest.parts.empty()) {  // a schema to read
        open_part();
        end_part();
      }
      write_errors();
      folder_.manifest.state = closing;
      folder_.write_manifest();
    }
    folder_.tidy();
    folder_.manifest.state = complete;
    folder_.write_manifest();
  }

 private:
  CatalogPart& open_part() {
    if (!part_) part_.emplace(folder_, options_, rows_, errors_, pool_);
    return *part_;
  }

  void end_part() {
    const CatalogManifest::Part part = part_->commit();
    part_.reset();
    folder_.manifest.parts.push_back(part);
    folder_.manifest.units = units_;
    folder_.manifest.cursor = cursor_;
    folder_.write_manifest();
  }

  /// Rows that did not change come into parts of their own; what was not met goes to vanished.parquet.
  void take_over(const OldCatalog& old) {
    pool_.raise_limit(writer_pool_bytes(options_, true));
    FileSystem& files = folder_.files();
    OldRows met(old.rows());
    for (std::size_t i = 0; i < folder_.manifest.parts.size(); ++i)
      if (folder_.manifest.parts[i].old > 0)
        read_old_rows(folder_.path_of(part_old_name(i)), files, [&](OldRow row) { met.add(row); });

    const CatalogManifest manifest = finished_catalog(old.folder(), files);
    if (manifest.text() != old.identity())
      throw Error("take over", old.folder(), "it is another catalog now than when the update began");
    const auto taken = [&](std::uint64_t behind) {
      folder_.manifest.taken = behind;
      if (part_ && part_->is_full()) end_part();
    };
    const CatalogRows rows{old.folder(), manifest, rows_.schema()};
    rows.each_batch(
        folder_.manifest.taken, [&](std::uint64_t row) { return met.is_unchanged(row); },
        [&](const arrow::RecordBatch& batch, std::uint64_t largest) { open_part().add(batch, largest); },
        taken, pool_, files);
    if (part_) end_part();

    const CatalogRows objects{old.folder(), manifest, object_schema()};
    ParquetWriter vanished(folder_.path_of(vanished_name), objects.schema, parquet_options(options_), pool_,
                           files);
    objects.each_batch(
        0, [&](std::uint64_t row) { return !met.was_met(row); },
        [&](const arrow::RecordBatch& batch, std::uint64_t) { vanished.write(batch); }, [](std::uint64_t) {},
        pool_, files);
    vanished.commit(catalog_metadata(options_.schema, 0));
  }

  void write_errors() {
    FileSystem& files = folder_.files();
    ParquetWriter all(folder_.path_of(errors_name), errors_.schema(), parquet_options(options_), pool_,
                      files);
    std::uint64_t largest = 0;
    for (std::size_t i = 0; i < folder_.manifest.parts.size(); ++i) {
      if (folder_.manifest.parts[i].errors == 0) continue;
      ParquetReader some(folder_.path_of(part_errors_name(i)), {}, pool_, files);
      largest = std::max(largest, some.largest_row());
      while (const auto batch = some.next()) all.write(*batch);
    }
    all.commit(catalog_metadata(options_.schema, largest));
  }

  const CatalogOptions options_;
  ArrowPool pool_;  // outlives all that Arrow has
  HeldFolder folder_;
  RowColumns<HeaderRow> rows_;
  RowColumns<HeaderError> errors_;
  std::uint64_t units_;
  std::string cursor_;
  std::optional<CatalogPart> part_;
};

}  // namespace

std::unique_ptr<CatalogWriter::State> write_catalog_files(const std::string& folder, std::string identity,
                                                          const CatalogOptions& options, bool overwrite,
                                                          ArrowMemory memory, FileSystem& files) {
  return std::make_unique<CatalogFiles>(folder, std::move(identity), options, overwrite, std::move(memory),
                                        files);
}

}  // namespace weir
