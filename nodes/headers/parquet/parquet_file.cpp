#include "nodes/headers/parquet/parquet_file.hpp"

#include <arrow/record_batch.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace weir {
namespace {

/// Uncompressed bytes of a page. Each of 120 columns may hold one that is not full; larger ones are hardly smaller when compressed.
constexpr std::int64_t page_bytes = 128 << 10;
/// And rows: until its page ends, each of them costs 6 bytes in each column, whatever is in it.
constexpr std::int64_t page_rows = 4096;
/// Of a page of distinct values, beyond which a column is written without.
constexpr std::int64_t dictionary_bytes = 64 << 10;
/// Of a column chunk, read at once: 100 of them.
constexpr std::int64_t read_bytes = 16 << 10;

/// Values that hardly come twice: looking each one up costs more than it saves.
constexpr const char* distinct_columns[] = {"path",
                                            "etag",
                                            "size",
                                            "last_modified",
                                            "header_end",
                                            "footprint",
                                            "jpeg_tables",
                                            "bounds.xmin",
                                            "bounds.ymin",
                                            "bounds.xmax",
                                            "bounds.ymax",
                                            "bbox.xmin",
                                            "bbox.ymin",
                                            "bbox.xmax",
                                            "bbox.ymax",
                                            "transform.list.element",
                                            "model_tiepoint.list.element",
                                            "reason",
                                            "offset"};

std::shared_ptr<parquet::WriterProperties> properties(const ParquetOptions& options, ArrowPool& pool) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(&pool)
      ->compression(parquet::Compression::ZSTD)
      ->compression_level(options.zstd_level)
      ->max_row_group_length(static_cast<std::int64_t>(options.rows_per_group))
      ->data_pagesize(page_bytes)
      ->max_rows_per_page(page_rows)
      ->dictionary_pagesize_limit(dictionary_bytes)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->disable_write_page_index();
  for (const char* name : distinct_columns) builder.disable_dictionary(name);
  for (const char* name : {"footprint", "jpeg_tables"}) builder.disable_statistics(name);
  return builder.build();
}

/// What is thrown inside Parquet, as a status.
template <class Work>
arrow::Status status_of(Work work) {
  try {
    return work();
  } catch (const parquet::ParquetStatusException& error) {
    return error.status();
  } catch (const parquet::ParquetException& error) {
    return arrow::Status::Invalid(error.what());
  }
}

}  // namespace

// Writing ------------------------------------------------------------------------------------------------------------

/// Throws what the file said, else what Arrow said.
template <class Work>
void ParquetWriter::call(Work work) {
  const arrow::Status status = status_of(work);
  if (status.ok()) return;
  if (output_->error()) throw *output_->error();
  throw_arrow(status, "write", file_.target());
}

ParquetWriter::ParquetWriter(const std::string& path, const std::shared_ptr<arrow::Schema>& schema,
                             const ParquetOptions& options, ArrowPool& pool, FileSystem& files)
    : pool_(pool),
      options_(options),
      file_(path, AtomicFileOptions{.overwrite = true, .removes_stale = false}, files),
      output_(std::make_shared<ArrowOutput>(file_)) {
  // Not the Arrow schema beside Parquet's own: it says nothing more, and where it is, readers on Arrow take the file's metadata out of
  // it alone (https://github.com/apache/arrow/issues/31723), so that GeoPandas would find no "geo".
  auto arrow_properties = parquet::ArrowWriterProperties::Builder().build();
  call([&] {
    return parquet::arrow::FileWriter::Open(*schema, &pool, output_, properties(options, pool),
                                            std::move(arrow_properties))
        .Value(&writer_);
  });
}

ParquetWriter::~ParquetWriter() {
  output_->abandon();
}

void ParquetWriter::write(const arrow::RecordBatch& batch) {
  if (batch.num_rows() == 0) return;
  // Not at once where the group became full: there may be no more rows, and a group without any is one that readers trip over.
  if (std::exchange(ends_group_, false)) {
    call([&] { return writer_->NewBufferedRowGroup(); });
    rows_in_group_ = 0;
  }
  call([&] { return writer_->WriteRecordBatch(batch); });
  const auto rows = static_cast<std::uint64_t>(batch.num_rows());
  if (rows_in_group_ == 0) ++row_groups_;
  rows_ += rows;
  rows_in_group_ += rows;
  while (rows_in_group_ > options_.rows_per_group) {  // as Arrow splits batches
    rows_in_group_ -= options_.rows_per_group;
    ++row_groups_;
  }
  ends_group_ = rows_in_group_ == options_.rows_per_group || pool_.held() > options_.group_bytes;
}

std::uint64_t ParquetWriter::commit(const std::vector<std::pair<std::string, std::string>>& metadata) {
  const auto pairs = std::make_shared<arrow::KeyValueMetadata>();
  for (const auto& [key, value] : metadata) pairs->Append(key, value);
  call([&] { return writer_->AddKeyValueMetadata(pairs); });
  call([&] { return writer_->Close(); });
  call([&] { return output_->Close(); });
  const auto bytes = static_cast<std::uint64_t>(output_->Tell().ValueOrDie());
  file_.commit();
  return bytes;
}

// Reading ------------------------------------------------------------------------------------------------------------

template <class Work>
auto ParquetReader::call(Work work) const {
  using Value = typename decltype(work())::ValueType;
  arrow::Result<Value> result(arrow::Status::UnknownError(""));
  const arrow::Status status = status_of([&] {
    result = work();
    return result.status();
  });
  if (status.ok()) return std::move(result).ValueUnsafe();
  if (input_->error()) throw *input_->error();
  throw_arrow(status, "read", path_);
}

ParquetReader::ParquetReader(const std::string& path, const std::vector<std::string>& names, ArrowPool& pool,
                             FileSystem& files)
    : path_(path), input_(std::make_shared<ArrowInput>(path, files, pool)) {
  parquet::ReaderProperties properties(&pool);
  properties.enable_buffered_stream();  // else a whole column chunk is read at once
  properties.set_buffer_size(read_bytes);
  parquet::ArrowReaderProperties arrow_properties(false);
  arrow_properties.set_pre_buffer(false);
  reader_ = call([&]() -> arrow::Result<std::unique_ptr<parquet::arrow::FileReader>> {
    return parquet::arrow::FileReader::Make(&pool, parquet::ParquetFileReader::Open(input_, properties),
                                            arrow_properties);
  });
  schema_ = call([&]() -> arrow::Result<std::shared_ptr<arrow::Schema>> {
    std::shared_ptr<arrow::Schema> schema;
    ARROW_RETURN_NOT_OK(reader_->GetSchema(&schema));
    return schema;
  });
  const std::string largest = metadata(largest_row_key);
  std::from_chars(largest.data(), largest.data() + largest.size(), largest_row_);
  rows_per_batch_ =
      std::clamp<std::uint64_t>(batch_bytes / std::max<std::uint64_t>(largest_row_, 1), 1, batch_rows);
  reader_->set_batch_size(static_cast<std::int64_t>(rows_per_batch_));
  const parquet::SchemaDescriptor& leaves = *reader_->parquet_reader()->metadata()->schema();
  for (const std::string& name : names)
    if (schema_->GetFieldIndex(name) < 0) throw Error("read", path_, "it has no column " + name);
  for (int i = 0; i < leaves.num_columns(); ++i)
    if (names.empty() || std::ranges::count(names, leaves.GetColumnRoot(i)->name()) > 0)
      columns_.push_back(i);
}

ParquetReader::~ParquetReader() = default;

std::uint64_t ParquetReader::rows() const {
  return static_cast<std::uint64_t>(reader_->parquet_reader()->metadata()->num_rows());
}

std::string ParquetReader::metadata(const std::string& key) const {
  const auto& pairs = reader_->parquet_reader()->metadata()->key_value_metadata();
  return pairs ? pairs->Get(key).ValueOr("") : "";
}

std::shared_ptr<arrow::RecordBatch> ParquetReader::next() {
  for (;;) {
    if (batches_) {
      auto batch = call([&] { return batches_->Next(); });
      if (batch && batch->num_rows() > 0) {
        first_row_ = next_row_;
        next_row_ += static_cast<std::uint64_t>(batch->num_rows());
        return batch;
      }
      if (batch) continue;
    }
    if (group_ + 1 >= reader_->num_row_groups()) return nullptr;
    ++group_;
    batches_ = call([&] { return reader_->GetRecordBatchReader({group_}, columns_); });
  }
}

void ParquetReader::seek(std::uint64_t row) {
  const auto metadata = reader_->parquet_reader()->metadata();
  batches_.reset();
  next_row_ = 0;
  for (group_ = -1; group_ + 1 < reader_->num_row_groups(); ++group_) {
    const auto rows = static_cast<std::uint64_t>(metadata->RowGroup(group_ + 1)->num_rows());
    if (row < next_row_ + rows) break;
    next_row_ += rows;
  }
  while (row >= next_row_ + rows_per_batch_)
    if (!next()) return;
}

}  // namespace weir
