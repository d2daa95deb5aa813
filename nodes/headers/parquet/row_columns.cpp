#include "nodes/headers/parquet/row_columns.hpp"

#include <arrow/record_batch.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "nodes/headers/catalog_writer.hpp"
#include "nodes/headers/parquet/append_value.hpp"
#include "nodes/headers/parquet/footprint_columns.hpp"
#include "nodes/headers/parquet/geokey_columns.hpp"

namespace weir {
namespace {

template <class Row>
using Append = void (*)(arrow::ArrayBuilder& to, const Row& row);

template <class>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

/// The member that a path of member pointers leads to.
template <auto first, auto... rest, class Row>
const auto& member_of(const Row& row) {
  if constexpr (sizeof...(rest) == 0)
    return row.*first;
  else
    return member_of<rest...>(row.*first);
}

template <class Row>
RowColumn<Row> column(const char* name, ArrowType type, bool may_be_null, Append<Row> append) {
  return {arrow::field(name, std::move(type), may_be_null), append};
}

/// Of a member; may be null where it is an optional.
template <class Row, auto... path>
RowColumn<Row> of(const char* name) {
  using Value = std::remove_cvref_t<decltype(member_of<path...>(std::declval<const Row&>()))>;
  return column<Row>(name, type_of(Value()), is_optional<Value>, [](arrow::ArrayBuilder& to, const Row& row) {
    append_value(to, member_of<path...>(row));
  });
}
template <auto... path>
RowColumn<HeaderRow> tag(const char* name) {
  return of<HeaderRow, path...>(name);
}

void append_other_tags(arrow::ArrayBuilder& to, const HeaderRow& row) {
  auto& map = static_cast<arrow::MapBuilder&>(to);
  if (row.other_tags.empty()) return appended(map.AppendNull());
  appended(map.Append());
  for (const auto& [number, text] : row.other_tags) {
    appended(static_cast<arrow::UInt16Builder&>(*map.key_builder()).Append(number));
    append_value(*map.item_builder(), text);
  }
}

void append_etag(arrow::ArrayBuilder& to, const HeaderRow& row) {
  if (row.object.etag.empty())
    appended(to.AppendNull());
  else
    append_value(to, row.object.etag);
}

void append_time(arrow::ArrayBuilder& to, const HeaderRow& row) {
  auto& times = static_cast<arrow::TimestampBuilder&>(to);
  const std::optional<std::int64_t>& time = row.object.last_modified;
  appended(time ? times.Append(*time) : times.AppendNull());
}

void append_byte_order(arrow::ArrayBuilder& to, const HeaderRow& row) {
  appended(static_cast<arrow::StringBuilder&>(to).Append(row.is_little_endian ? "little" : "big"));
}

void append_footprint(arrow::ArrayBuilder& to, const HeaderRow& row) {
  append_value(to, Footprint{row.footprint});
}

std::vector<RowColumn<HeaderRow>> tiff_dumper_columns() {
  using Row = HeaderRow;
  return {
      tag<&Row::artist>("artist"),
      tag<&Row::bits_per_sample>("bits_per_sample"),
      tag<&Row::compression>("compression"),
      tag<&Row::copyright>("copyright"),
      tag<&Row::date_time>("date_time"),
      tag<&Row::document_name>("document_name"),
      tag<&Row::extra_samples>("extra_samples"),
      tag<&Row::host_computer>("host_computer"),
      tag<&Row::image_description>("image_description"),
      tag<&Row::image_height>("image_height"),
      tag<&Row::image_width>("image_width"),
      tag<&Row::jpeg_tables>("jpeg_tables"),
      tag<&Row::max_sample_value>("max_sample_value"),
      tag<&Row::min_sample_value>("min_sample_value"),
      tag<&Row::model_pixel_scale>("model_pixel_scale"),
      tag<&Row::model_tiepoint>("model_tiepoint"),
      tag<&Row::new_subfile_type>("new_subfile_type"),
      tag<&Row::orientation>("orientation"),
      column<Row>("other_tags", arrow::map(arrow::uint16(), arrow::field("value", arrow::utf8(), false)),
                  true, append_other_tags),
      tag<&Row::photometric_interpretation>("photometric_interpretation"),
      tag<&Row::planar_configuration>("planar_configuration"),
      tag<&Row::predictor>("predictor"),
      tag<&Row::resolution_unit>("resolution_unit"),
      tag<&Row::rows_per_strip>("rows_per_strip"),
      tag<&Row::sample_format>("sample_format"),
      tag<&Row::samples_per_pixel>("samples_per_pixel"),
      tag<&Row::software>("software"),
      tag<&Row::tile_height>("tile_height"),
      tag<&Row::tile_width>("tile_width"),
      tag<&Row::x_resolution>("x_resolution"),
      tag<&Row::y_resolution>("y_resolution"),
      column<Row>("geokeys", type_of(GeoKeys()), true,
                  [](arrow::ArrayBuilder& to, const Row& row) { append_value(to, row.geokeys); }),
      tag<&Row::object, &ListedObject::path>("path"),
  };
}

std::vector<RowColumn<HeaderRow>> own_columns() {
  using Row = HeaderRow;
  return {
      column<Row>("etag", arrow::utf8(), true, append_etag),
      tag<&Row::object, &ListedObject::size>("size"),
      column<Row>("last_modified", arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"), true, append_time),
      column<Row>("byte_order", arrow::utf8(), false, append_byte_order),
      tag<&Row::is_bigtiff>("is_bigtiff"),
      tag<&Row::directories>("directories"),
      tag<&Row::overviews>("overviews"),
      tag<&Row::masks>("masks"),
      tag<&Row::header_end>("header_end"),
      tag<&Row::warnings>("warnings"),
      tag<&Row::transform>("transform"),
      tag<&Row::epsg>("epsg"),
      tag<&Row::bounds>("bounds"),
      tag<&Row::lon_lat>("bbox"),
      column<Row>("footprint", arrow::binary(), true, append_footprint),
  };
}

}  // namespace

std::vector<RowColumn<HeaderRow>> row_columns(CatalogSchema schema) {
  std::vector<RowColumn<HeaderRow>> columns = tiff_dumper_columns();
  if (schema == CatalogSchema::weir) std::ranges::move(own_columns(), std::back_inserter(columns));
  return columns;
}

std::vector<RowColumn<HeaderError>> error_columns() {
  using Row = HeaderError;
  return {
      of<Row, &Row::path>("path"),     of<Row, &Row::stage>("stage"),
      of<Row, &Row::code>("code"),     of<Row, &Row::reason>("reason"),
      of<Row, &Row::offset>("offset"), of<Row, &Row::http_status>("http_status"),
      of<Row, &Row::tries>("tries"),
  };
}

std::shared_ptr<arrow::Schema> object_schema() {
  arrow::FieldVector fields;
  for (RowColumn<HeaderRow>& column : row_columns(CatalogSchema::weir))
    for (const char* name : {"path", "etag", "size", "last_modified"})
      if (column.field->name() == name) fields.push_back(column.field);
  return arrow::schema(std::move(fields));
}

template <class Row>
RowColumns<Row>::RowColumns(std::vector<RowColumn<Row>> columns, ArrowPool& pool)
    : columns_(std::move(columns)) {
  arrow::FieldVector fields;
  for (const RowColumn<Row>& column : columns_) {
    fields.push_back(column.field);
    builders_.push_back(check_arrow(arrow::MakeBuilder(column.field->type(), &pool), "make", "a column"));
  }
  schema_ = arrow::schema(std::move(fields));
}

template <class Row>
std::uint64_t RowColumns<Row>::append(const Row& row) {
  for (std::size_t i = 0; i < columns_.size(); ++i) columns_[i].append(*builders_[i], row);
  const std::uint64_t bytes = row.bytes();
  bytes_ += bytes;
  ++rows_;
  return bytes;
}

template <class Row>
std::shared_ptr<arrow::RecordBatch> RowColumns<Row>::take() {
  arrow::ArrayVector arrays;
  for (const std::shared_ptr<arrow::ArrayBuilder>& builder : builders_) {
    arrays.emplace_back();
    appended(builder->Finish(&arrays.back()));
  }
  bytes_ = 0;
  return arrow::RecordBatch::Make(schema_, static_cast<std::int64_t>(std::exchange(rows_, 0)),
                                  std::move(arrays));
}

template class RowColumns<HeaderRow>;
template class RowColumns<HeaderError>;

}  // namespace weir
