#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir {

/// A number as it is written: 2^64 - 1, 0.1 and NaN come out as they went in.
struct JsonNumber {
  std::string text;
  bool operator==(const JsonNumber&) const = default;
};

/// JSON (RFC 8259) as a value that keeps all that the text says but white space and escapes: members in their order, numbers to
/// the last digit. NaN, Infinity and -Infinity, which Python writes into attributes, are read and written as numbers.
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;
  std::variant<std::nullptr_t, bool, JsonNumber, std::string, Array, Object> data = nullptr;

  JsonValue() = default;
  template <class Data>
  requires(std::is_constructible_v<decltype(data), Data> && !std::is_same_v<std::decay_t<Data>, JsonValue> &&
           !std::is_arithmetic_v<std::decay_t<Data>>)
      // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): the constraint leaves out JsonValue itself
      JsonValue(Data&& from)
      : data(std::forward<Data>(from)) {}
  JsonValue(const char* text) : data(std::string(text)) {}
  JsonValue(bool is_true) : data(is_true) {}
  JsonValue(std::uint64_t number) : data(JsonNumber{std::to_string(number)}) {}
  JsonValue(std::int64_t number) : data(JsonNumber{std::to_string(number)}) {}
  JsonValue(std::uint32_t number) : JsonValue(std::uint64_t{number}) {}
  JsonValue(int number) : JsonValue(std::int64_t{number}) {}
  /// The shortest text that reads as the same double, with ".0" where it would read as an integer.
  JsonValue(double number);

  bool operator==(const JsonValue&) const = default;
  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data); }
  const bool* boolean() const { return std::get_if<bool>(&data); }
  const JsonNumber* number() const { return std::get_if<JsonNumber>(&data); }
  const std::string* text() const { return std::get_if<std::string>(&data); }
  const Array* array() const { return std::get_if<Array>(&data); }
  const Object* object() const { return std::get_if<Object>(&data); }
  /// nullptr where this is no object, or has no such member.
  const JsonValue* find(std::string_view name) const;
  /// Of an object: in place of the member of that name, or behind all.
  void set(std::string_view name, JsonValue value);
  void erase(std::string_view name);
};

/// Throws an Error about `name` (read) where the text is no JSON, is longer than `bytes` or deeper than `depth`, has a
/// member twice, or more than 2^20 values.
JsonValue parse_json(std::string_view json, const std::string& name, std::uint64_t bytes,
                     std::uint64_t depth);
/// Two spaces a level; arrays of numbers and words on one line. No line end behind.
std::string to_text(const JsonValue& value);

/// A value with its place in a document, so that every Error says where: "cannot read a/zarr.json: codecs[1].name: ...".
class JsonPlace {
 public:
  JsonPlace(const JsonValue& value, const std::string& document) : value_(&value), document_(&document) {}

  const JsonValue& value() const { return *value_; }
  const std::string& document() const { return *document_; }
  [[noreturn]] void refuse(std::string_view reason) const;
  [[noreturn]] void refuse_member(std::string_view name, std::string_view reason) const;

  /// Of an object; find gives nothing, member throws where there is none.
  std::optional<JsonPlace> find(std::string_view name) const;
  JsonPlace member(std::string_view name) const;
  /// Throws where the object has a member of another name.
  void allow_only(std::initializer_list<std::string_view> names) const;

  std::vector<JsonPlace> items() const;  ///< of an array
  bool boolean() const;
  const std::string& text() const;
  double number() const;
  /// A whole number without fraction and exponent.
  std::int64_t whole(std::int64_t least, std::int64_t most) const;
  std::uint64_t size(std::uint64_t least) const;  ///< up to 2^63 - 1
  const JsonValue::Object& object() const;

 private:
  JsonPlace(const JsonValue& value, const std::string& document, std::string path)
      : value_(&value), document_(&document), path_(std::move(path)) {}

  const JsonValue* value_;
  const std::string* document_;
  std::string path_;
};

}  // namespace weir
