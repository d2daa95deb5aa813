#pragma once

// Values of a row to Arrow's builders, and the Arrow type of each: one overload for each type that a row has.

#include <arrow/builder.h>
#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/utf8.hpp"
#include "nodes/headers/header_row.hpp"
#include "nodes/headers/header_values.hpp"
#include "nodes/headers/parquet/arrow_support.hpp"

namespace weir {

/// Only memory can be lacking.
inline void appended(const arrow::Status& status) {
  check_arrow(status, "hold", "rows of a catalog");
}

using ArrowType = std::shared_ptr<arrow::DataType>;
inline ArrowType type_of(const std::string&) {
  return arrow::utf8();
}
inline ArrowType type_of(std::int64_t) {
  return arrow::int64();
}
inline ArrowType type_of(std::uint64_t) {
  return arrow::int64();
}
inline ArrowType type_of(double) {
  return arrow::float64();
}
inline ArrowType type_of(bool) {
  return arrow::boolean();
}
inline ArrowType type_of(const std::vector<std::byte>&) {
  return arrow::binary();
}
template <class T>
ArrowType type_of(const std::vector<T>&) {
  return arrow::list(arrow::field("element", type_of(T()), false));
}
template <class T>
ArrowType type_of(const std::optional<T>&) {
  return type_of(T());
}

/// Tags and what servers say are bytes; a file with a text that is no UTF-8 is one that DuckDB does not read at all. What is none
/// is taken for Latin-1.
inline void append_value(arrow::ArrayBuilder& to, const std::string& text) {
  auto& builder = static_cast<arrow::StringBuilder&>(to);
  appended(is_utf8(text) ? builder.Append(text) : builder.Append(to_utf8(text)));
}
inline void append_value(arrow::ArrayBuilder& to, std::int64_t number) {
  appended(static_cast<arrow::Int64Builder&>(to).Append(number));
}
inline void append_value(arrow::ArrayBuilder& to, std::uint64_t number) {
  append_value(to, static_cast<std::int64_t>(number));
}
inline void append_value(arrow::ArrayBuilder& to, double number) {
  appended(static_cast<arrow::DoubleBuilder&>(to).Append(number));
}
inline void append_value(arrow::ArrayBuilder& to, bool is_true) {
  appended(static_cast<arrow::BooleanBuilder&>(to).Append(is_true));
}
inline void append_value(arrow::ArrayBuilder& to, const std::vector<std::byte>& bytes) {
  appended(static_cast<arrow::BinaryBuilder&>(to).Append(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                         static_cast<std::int32_t>(bytes.size())));
}
template <class T>
void append_value(arrow::ArrayBuilder& to, const std::vector<T>& values) {
  auto& list = static_cast<arrow::ListBuilder&>(to);
  appended(list.Append());
  for (const T& value : values) append_value(*list.value_builder(), value);
}
template <class T>
void append_value(arrow::ArrayBuilder& to, const std::optional<T>& value) {
  if (value)
    append_value(to, *value);
  else
    appended(to.AppendNull());
}

}  // namespace weir
