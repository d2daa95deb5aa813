#include "nodes/headers/parquet/catalog_part.hpp"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace weir {
namespace {

static_assert(std::endian::native ==
              std::endian::little);  // old-00000.bin: 64 bits each, the row twice and whether it is the same

}  // namespace

std::string_view name_of(CatalogSchema schema) {
  return schema == CatalogSchema::weir ? "weir" : "tiff-dumper";
}

ParquetOptions parquet_options(const CatalogOptions& options) {
  return {options.rows_per_group, options.group_bytes, options.zstd_level};
}

std::vector<std::pair<std::string, std::string>> catalog_metadata(CatalogSchema schema,
                                                                  std::uint64_t largest_row) {
  return {{"weir:schema", std::string(name_of(schema))},
          {"weir:schema_version", fmt::format("{}", catalog_schema_version)},
          {largest_row_key, fmt::format("{}", largest_row)}};
}

CatalogPart::CatalogPart(HeldFolder& folder, const CatalogOptions& options, RowColumns<HeaderRow>& rows,
                         RowColumns<HeaderError>& errors, ArrowPool& pool)
    : folder_(folder),
      options_(options),
      rows_(rows),
      errors_(errors),
      pool_(pool),
      part_(folder.manifest.parts.size()),
      file_(folder.path_of(part_name(part_)), rows.schema(), parquet_options(options), pool, folder.files()) {
}

void CatalogPart::add(const HeaderRow& row) {
  largest_row_ = std::max(largest_row_, rows_.append(row));
  extent_.add(row);
  if (rows_.is_full()) flush_rows();
}

void CatalogPart::add(const HeaderError& error) {
  largest_error_ = std::max(largest_error_, errors_.append(error));
  ++counts_.errors;
  if (errors_.is_full()) flush_errors();
}

void CatalogPart::add(OldRow old) {
  old_.push_back(std::uint64_t{old.row} * 2 + (old.is_unchanged ? 1 : 0));
  ++counts_.old;
  if (old_.size() >= old_buffer) flush_old();
}

void CatalogPart::add(const arrow::RecordBatch& batch, std::uint64_t largest) {
  largest_row_ = std::max(largest_row_, largest);
  flush_rows();
  file_.write(batch);
  if (options_.schema != CatalogSchema::weir) return;
  const auto& footprints = static_cast<const arrow::BinaryArray&>(*batch.GetColumnByName("footprint"));
  const auto& boxes = static_cast<const arrow::StructArray&>(*batch.GetColumnByName("bbox"));
  const auto corner = [&](int index, std::int64_t row) {
    return static_cast<const arrow::DoubleArray&>(*boxes.field(index)).Value(row);
  };
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    std::optional<BoundingBox> box;
    if (!boxes.IsNull(row)) box = {corner(0, row), corner(1, row), corner(2, row), corner(3, row)};
    extent_.add(footprints.GetView(row), box);
  }
}

bool CatalogPart::is_full() const {
  return rows() + counts_.errors >= options_.rows_per_part || file_.row_groups() >= most_row_groups ||
         counts_.old >= old_per_row * options_.rows_per_part;
}

void CatalogPart::flush_rows() {
  if (rows_.rows() > 0) file_.write(*rows_.take());
}

void CatalogPart::flush_errors() {
  if (errors_.rows() == 0) return;
  if (!error_file_)
    error_file_.emplace(folder_.path_of(part_errors_name(part_)), errors_.schema(), parquet_options(options_),
                        pool_, folder_.files());
  error_file_->write(*errors_.take());
}

void CatalogPart::flush_old() {
  if (old_.empty()) return;
  if (!old_file_)
    old_file_.emplace(folder_.path_of(part_old_name(part_)),
                      AtomicFileOptions{.overwrite = true, .removes_stale = false}, folder_.files());
  old_file_->write_at(old_file_->bytes_written(), std::as_bytes(std::span(old_)));
  old_.clear();
}

CatalogManifest::Part CatalogPart::commit() {
  flush_rows();
  flush_errors();
  flush_old();
  if (old_file_) old_file_->commit();
  if (error_file_) error_file_->commit(catalog_metadata(options_.schema, largest_error_));
  counts_.rows = file_.rows();
  auto metadata = catalog_metadata(options_.schema, largest_row_);
  if (options_.schema == CatalogSchema::weir) metadata.emplace_back("geo", extent_.geo_metadata());
  counts_.bytes = file_.commit(metadata);
  return counts_;
}

void read_old_rows(const std::string& path, FileSystem& files, const std::function<void(OldRow)>& each) {
  const InputFile file(path, files);
  std::vector<std::uint64_t> rows(CatalogPart::old_buffer);
  std::uint64_t offset = 0;
  while (const std::size_t bytes = file.read_at(offset, std::as_writable_bytes(std::span(rows)))) {
    for (const std::uint64_t row : std::span(rows).first(bytes / sizeof rows[0]))
      each({static_cast<std::uint32_t>(row / 2), row % 2 != 0});
    offset += bytes;
  }
}

}  // namespace weir
