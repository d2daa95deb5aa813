#pragma once

// The columns of nodes/headers/catalog_schema.hpp, as Arrow has them.

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "nodes/headers/catalog_schema.hpp"
#include "nodes/headers/catalog_writer.hpp"
#include "nodes/headers/parquet/arrow_support.hpp"

namespace weir {

/// A column of rows of a type: its name and type, and how a row's value gets there.
template <class Row>
struct RowColumn {
  std::shared_ptr<arrow::Field> field;
  void (*append)(arrow::ArrayBuilder& to, const Row& row);
};
std::vector<RowColumn<HeaderRow>> row_columns(CatalogSchema schema);
std::vector<RowColumn<HeaderError>> error_columns();
/// Of what a catalog says of its objects as they were listed: path, etag, size, last_modified.
std::shared_ptr<arrow::Schema> object_schema();

/// Rows on their way to Parquet: an Arrow builder for each column. One thread at a time.
template <class Row>
class RowColumns {
 public:
  RowColumns(std::vector<RowColumn<Row>> columns, ArrowPool& pool);
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  /// Returns the bytes that it took (HeaderRow::bytes).
  std::uint64_t append(const Row& row);
  /// A batch is written when it has so many rows, as each costs some 0.2 ms whatever is in it, or when they take so many bytes.
  bool is_full() const { return rows_ >= batch_rows || bytes_ >= batch_bytes; }
  static constexpr std::uint64_t batch_rows = 1024, batch_bytes = 2 << 20;
  std::uint64_t rows() const { return rows_; }
  /// What was appended; the columns are empty after it.
  std::shared_ptr<arrow::RecordBatch> take();

 private:
  std::vector<RowColumn<Row>> columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::shared_ptr<arrow::ArrayBuilder>> builders_;
  std::uint64_t rows_ = 0, bytes_ = 0;
};

}  // namespace weir
