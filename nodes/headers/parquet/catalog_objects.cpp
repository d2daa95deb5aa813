#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <optional>
#include <utility>

#include "nodes/headers/catalog_manifest.hpp"
#include "nodes/headers/parquet/catalog_files.hpp"
#include "nodes/headers/parquet/parquet_file.hpp"
#include "nodes/headers/parquet/row_columns.hpp"

namespace weir {
namespace {

/// What a CatalogReader does.
class CatalogObjects final : public CatalogReader::State {
 public:
  CatalogObjects(std::string folder, ArrowMemory memory, FileSystem& files)
      : folder_(std::move(folder)),
        files_(files),
        manifest_(finished_catalog(folder_, files)),
        pool_(reader_pool_bytes, std::move(memory)) {}

  std::uint64_t rows() const override { return manifest_.rows(); }

  std::vector<ListedObject> next(std::size_t most) override {
    std::vector<ListedObject> objects;
    while (objects.size() < most && (batch_ ? place_ < batch_->num_rows() || read() : read()))
      objects.push_back(object(place_++));
    return objects;
  }

  void seek(std::uint64_t row) override {
    reader_.reset();
    batch_.reset();
    for (part_ = 0; part_ < manifest_.parts.size() && row >= manifest_.parts[part_].rows; ++part_)
      row -= manifest_.parts[part_].rows;
    if (part_ == manifest_.parts.size()) return;
    open();
    reader_->seek(row);
    if (read()) place_ = static_cast<std::int64_t>(row - reader_->first_row());
  }

 private:
  void open() {
    reader_.emplace(folder_ + "/" + part_name(part_), object_schema()->field_names(), pool_, files_);
    const std::shared_ptr<arrow::Schema> wanted = object_schema();
    for (const auto& field : wanted->fields())
      if (!reader_->schema()->GetFieldByName(field->name())->type()->Equals(*field->type()))
        throw Error("read", folder_ + "/" + part_name(part_),
                    "its column " + field->name() + " is of another type");
  }

  /// The next batch with rows; false at the end.
  bool read() {
    for (; part_ < manifest_.parts.size(); ++part_, reader_.reset()) {
      if (!reader_) open();
      batch_.reset();
      batch_ = reader_->next();
      if (!batch_) continue;
      place_ = 0;
      return true;
    }
    return false;
  }

  ListedObject object(std::int64_t row) const {
    const auto& etags = static_cast<const arrow::StringArray&>(*batch_->GetColumnByName("etag"));
    const auto& times = static_cast<const arrow::TimestampArray&>(*batch_->GetColumnByName("last_modified"));
    ListedObject object;
    object.path = static_cast<const arrow::StringArray&>(*batch_->GetColumnByName("path")).GetString(row);
    object.size = static_cast<std::uint64_t>(
        static_cast<const arrow::Int64Array&>(*batch_->GetColumnByName("size")).Value(row));
    if (etags.IsValid(row)) object.etag = etags.GetString(row);
    if (times.IsValid(row)) object.last_modified = times.Value(row);
    return object;
  }

  const std::string folder_;
  FileSystem& files_;
  const CatalogManifest manifest_;
  ArrowPool pool_;  // outlives all that Arrow has
  std::optional<ParquetReader> reader_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::size_t part_ = 0;
  std::int64_t place_ = 0;
};

}  // namespace

std::unique_ptr<CatalogReader::State> read_catalog_objects(const std::string& folder, ArrowMemory memory,
                                                           FileSystem& files) {
  return std::make_unique<CatalogObjects>(folder, std::move(memory), files);
}

void read_error_paths(const std::string& folder, ArrowMemory memory, FileSystem& files,
                      const std::function<void(const std::string& path)>& each) {
  ArrowPool pool(reader_pool_bytes, std::move(memory));
  ParquetReader reader(folder + "/" + errors_name, {"path"}, pool, files);
  if (reader.schema()->GetFieldByName("path")->type()->id() != arrow::Type::STRING)
    throw Error("read", folder + "/" + errors_name, "its column path is of another type");
  while (const auto batch = reader.next()) {
    const auto& paths = static_cast<const arrow::StringArray&>(*batch->column(0));
    for (std::int64_t row = 0; row < paths.length(); ++row) each(paths.GetString(row));
  }
}

}  // namespace weir
