#pragma once

// A Parquet file, written and read in batches of rows and in bounded memory.

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nodes/headers/parquet/arrow_support.hpp"

namespace parquet::arrow {
class FileReader;
class FileWriter;
}  // namespace parquet::arrow

namespace weir {

struct ParquetOptions {
  std::uint64_t rows_per_group = 50'000;
  std::uint64_t group_bytes = 8 << 20;  ///< that Arrow holds of a row group before it ends
  int zstd_level = 3;
};

/// A file being written; it appears whole, with commit(). The same bytes for the same batches: one thread, no time in it. Row groups are
/// open for all columns at once: what Arrow holds are pages, compressed but for the last of each column. One thread at a time.
class ParquetWriter {
 public:
  ParquetWriter(const std::string& path, const std::shared_ptr<arrow::Schema>& schema,
                const ParquetOptions& options, ArrowPool& pool, FileSystem& files);
  ~ParquetWriter();
  ParquetWriter(const ParquetWriter&) = delete;
  ParquetWriter& operator=(const ParquetWriter&) = delete;

  void write(const arrow::RecordBatch& batch);
  /// Ends the file and gives it its name. Once. Returns its bytes.
  std::uint64_t commit(const std::vector<std::pair<std::string, std::string>>& metadata);
  std::uint64_t rows() const { return rows_; }
  std::uint64_t row_groups() const { return row_groups_; }

 private:
  template <class Work>
  void call(Work work);

  ArrowPool& pool_;
  const ParquetOptions options_;
  AtomicFile file_;
  std::shared_ptr<ArrowOutput> output_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::uint64_t rows_ = 0, row_groups_ = 0, rows_in_group_ = 0;
  bool ends_group_ = false;
};

/// In the key-value metadata: the most bytes that a row took before it was written. Compressed, a text of a megabyte in every row is
/// nothing; this says how many rows can be had at once.
inline constexpr const char* largest_row_key = "weir:largest_row";

/// A file being read: some of its columns, row group by row group, in batches that begin anew with each group: 1024 rows, fewer where
/// rows are large. Throws Error where it is no sound Parquet file, lacks a column, or wants more memory than the pool gives. One thread
/// at a time.
class ParquetReader {
 public:
  static constexpr std::uint64_t batch_rows = 1024, batch_bytes = 4 << 20;

  /// `names`: of top-level columns; none: all.
  ParquetReader(const std::string& path, const std::vector<std::string>& names, ArrowPool& pool,
                FileSystem& files);
  ~ParquetReader();

  std::uint64_t rows() const;
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }  ///< of the file, all columns
  /// Value of the key-value metadata; empty: there is none.
  std::string metadata(const std::string& key) const;
  /// The next batch, or nullptr at the end. Batches keep memory of the pool.
  std::shared_ptr<arrow::RecordBatch> next();
  /// next() goes on with the batch that has this row.
  void seek(std::uint64_t row);
  /// The first row of the batch that next() gave last.
  std::uint64_t first_row() const { return first_row_; }
  std::uint64_t largest_row() const { return largest_row_; }

 private:
  template <class Work>
  auto call(Work work) const;

  const std::string path_;
  std::shared_ptr<ArrowInput> input_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> columns_;  ///< leaves
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  int group_ = -1;
  std::uint64_t largest_row_ = 0, rows_per_batch_ = 1, first_row_ = 0, next_row_ = 0;
};

}  // namespace weir
