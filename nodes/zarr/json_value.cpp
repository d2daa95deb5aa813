#include "nodes/zarr/json_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/error.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

/// A value takes 40 bytes and its part of a vector: "[[],[],[]" of 16 MiB would be half a gigabyte.
constexpr std::size_t most_values = 1 << 20;

/// NaN, Infinity and -Infinity outside of strings, in quotes, and which strings of the text, counted from 0, these now are.
struct Quoted {
  std::string text;
  std::vector<std::size_t> numbers;
};

Quoted with_quoted_numbers(std::string_view json) {
  Quoted quoted;
  std::size_t strings = 0, copied = 0;
  for (std::size_t i = 0; i < json.size();) {
    if (json[i] == '"') {
      for (++i; i < json.size() && json[i] != '"'; ++i)
        if (json[i] == '\\') ++i;
      ++i, ++strings;
      continue;
    }
    std::string_view found;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
      if (json.substr(i, word.size()) == word) found = word;
    if (found.empty()) {
      ++i;
      continue;
    }
    quoted.text.append(json, copied, i - copied).append(1, '"').append(found).append(1, '"');
    quoted.numbers.push_back(strings++);
    copied = i += found.size();
  }
  if (quoted.numbers.empty()) return quoted;  // nearly always: the text stays where it is
  quoted.text.append(json.substr(std::min(copied, json.size())));
  return quoted;
}

/// Builds the value; nlohmann's reader keeps its own stack of one bit a level, so depth costs nothing before it is refused.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(const std::string& name, std::uint64_t depth, std::vector<std::size_t> numbers)
      : name_(name), depth_(depth), numbers_(std::move(numbers)) {}

  JsonValue take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(JsonValue(std::int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override { return add(JsonValue(std::uint64_t{value})); }
  bool number_float(number_float_t, const string_t& text) override { return add(JsonNumber{text}); }
  bool string(string_t& value) override {
    if (is_number()) return add(JsonNumber{std::move(value)});
    return add(std::move(value));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(JsonValue::Object{}); }
  bool end_object() override {
    check_names();
    return close();
  }
  bool start_array(std::size_t) override { return open(JsonValue::Array{}); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    if (is_number()) refuse("NaN is no name of a member");
    std::get<JsonValue::Object>(open_.back()->data).emplace_back(std::move(value), nullptr);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    std::string said = error.what();
    if (const auto end = said.find("] "); end != std::string::npos) said.erase(0, end + 2);
    for (char& c : said)
      if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    refuse(fmt::format("no JSON at byte {}: {}", position, said.substr(0, 200)));
  }

 private:
  [[noreturn]] void refuse(std::string_view reason) const { throw Error("read", name_, reason); }

  bool is_number() {
    const bool is = next_ < numbers_.size() && numbers_[next_] == strings_;
    if (is) ++next_;
    ++strings_;
    return is;
  }

  JsonValue* place(JsonValue value) {
    if (++values_ > most_values) refuse(fmt::format("it has more than {} values", most_values));
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* array = std::get_if<JsonValue::Array>(&open_.back()->data)) {
      array->push_back(std::move(value));
      return &array->back();
    }
    JsonValue& member = std::get<JsonValue::Object>(open_.back()->data).back().second;
    member = std::move(value);
    return &member;
  }
  bool add(JsonValue value) {
    place(std::move(value));
    return true;
  }
  bool open(JsonValue value) {
    if (open_.size() >= depth_) refuse(fmt::format("it is nested more than {} deep", depth_));
    // Stays where it is while it is open: what holds it gets no other value before.
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  /// Of two members of one name some readers take the first and some the last: what the text means depends on who reads it.
  void check_names() const {
    const auto& members = std::get<JsonValue::Object>(open_.back()->data);
    std::vector<std::string_view> names;
    names.reserve(members.size());
    for (const auto& [name, value] : members) names.push_back(name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) refuse(fmt::format("member '{}' is there twice", twice->substr(0, 80)));
  }

  const std::string& name_;
  std::uint64_t depth_;
  std::vector<std::size_t> numbers_;
  std::size_t next_ = 0, strings_ = 0, values_ = 0;
  JsonValue root_;
  std::vector<JsonValue*> open_;
};

void write_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (code < 0x20 || code == 0x7f) {
      out += fmt::format("\\u{:04x}", code);
    } else {
      out += c;
    }
  }
  out += '"';
}

bool is_simple(const JsonValue& value) {
  return value.array() == nullptr && value.object() == nullptr;
}

void write(std::string& out, const JsonValue& value, std::size_t level) {
  const auto new_line = [&](std::size_t at) {
    out += '\n';
    out.append(2 * at, ' ');
  };
  if (value.is_null()) out += "null";
  if (const auto* boolean = value.boolean()) out += *boolean ? "true" : "false";
  if (const auto* number = value.number()) out += number->text;
  if (const auto* text = value.text()) write_string(out, *text);
  if (const auto* array = value.array()) {
    const bool on_one_line = std::all_of(array->begin(), array->end(), is_simple);
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i != 0) out += on_one_line ? ", " : ",";
      if (!on_one_line) new_line(level + 1);
      write(out, (*array)[i], level + 1);
    }
    if (!on_one_line) new_line(level);
    out += ']';
  }
  if (const auto* object = value.object()) {
    out += '{';
    for (std::size_t i = 0; i < object->size(); ++i) {
      if (i != 0) out += ',';
      new_line(level + 1);
      write_string(out, (*object)[i].first);
      out += ": ";
      write(out, (*object)[i].second, level + 1);
    }
    if (!object->empty()) new_line(level);
    out += '}';
  }
}

}  // namespace

JsonValue::JsonValue(double number) {
  if (std::isnan(number)) {
    data = JsonNumber{"NaN"};
  } else if (std::isinf(number)) {
    data = JsonNumber{number < 0 ? "-Infinity" : "Infinity"};
  } else {
    std::string text = fmt::format("{}", number);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    data = JsonNumber{std::move(text)};
  }
}

const JsonValue* JsonValue::find(std::string_view name) const {
  if (const Object* members = object())
    for (const auto& [key, value] : *members)
      if (key == name) return &value;
  return nullptr;
}

void JsonValue::set(std::string_view name, JsonValue value) {
  auto& members = std::get<Object>(data);
  for (auto& [key, old] : members)
    if (key == name) {
      old = std::move(value);
      return;
    }
  members.emplace_back(name, std::move(value));
}

void JsonValue::erase(std::string_view name) {
  std::erase_if(std::get<Object>(data), [&](const auto& member) { return member.first == name; });
}

JsonValue parse_json(std::string_view json, const std::string& name, std::uint64_t bytes,
                     std::uint64_t depth) {
  if (json.size() > bytes)
    throw Error("read", name, fmt::format("it has {} bytes, and {} are allowed", json.size(), bytes));
  Quoted quoted = with_quoted_numbers(json);
  const std::string_view text = quoted.numbers.empty() ? json : std::string_view(quoted.text);
  Builder builder(name, depth, std::move(quoted.numbers));
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::string to_text(const JsonValue& value) {
  std::string out;
  write(out, value, 0);
  return out;
}

void JsonPlace::refuse(std::string_view reason) const {
  throw Error("read", *document_, path_.empty() ? std::string(reason) : fmt::format("{}: {}", path_, reason));
}

void JsonPlace::refuse_member(std::string_view name, std::string_view reason) const {
  constexpr std::size_t longest = 80;  // names come from outside
  JsonPlace(*value_, *document_,
            fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", name.substr(0, longest)))
      .refuse(reason);
}

std::optional<JsonPlace> JsonPlace::find(std::string_view name) const {
  object();
  const JsonValue* value = value_->find(name);
  if (value == nullptr) return std::nullopt;
  return JsonPlace(*value, *document_, fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", name));
}

JsonPlace JsonPlace::member(std::string_view name) const {
  auto found = find(name);
  if (!found) refuse_member(name, "is missing");
  return std::move(*found);
}

void JsonPlace::allow_only(std::initializer_list<std::string_view> names) const {
  for (const auto& [name, value] : object())
    if (std::find(names.begin(), names.end(), name) == names.end()) refuse_member(name, "is not known here");
}

std::vector<JsonPlace> JsonPlace::items() const {
  const auto* array = value_->array();
  if (array == nullptr) refuse("is no array");
  std::vector<JsonPlace> places;
  places.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i)
    places.push_back(JsonPlace((*array)[i], *document_, fmt::format("{}[{}]", path_, i)));
  return places;
}

bool JsonPlace::boolean() const {
  if (const auto* boolean = value_->boolean()) return *boolean;
  refuse("is neither true nor false");
}

const std::string& JsonPlace::text() const {
  if (const auto* text = value_->text()) return *text;
  refuse("is no string");
}

double JsonPlace::number() const {
  const auto* number = value_->number();
  if (number == nullptr) refuse("is no number");
  if (number->text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (number->text == "Infinity") return std::numeric_limits<double>::infinity();
  if (number->text == "-Infinity") return -std::numeric_limits<double>::infinity();
  // Too small for a double is 0 for every reader; nlohmann has refused what is too large.
  return number_in<double>(number->text).value_or(number->text.front() == '-' ? -0.0 : 0.0);
}

std::int64_t JsonPlace::whole(std::int64_t least, std::int64_t most) const {
  const auto* number = value_->number();
  if (number == nullptr || number->text.find_first_of(".eEN") != std::string::npos)
    refuse("is no whole number");
  const auto whole = number_in<std::int64_t>(number->text);
  if (!whole || *whole < least || *whole > most)
    refuse(fmt::format("is {}, and from {} to {} is allowed", number->text.substr(0, 40), least, most));
  return *whole;
}

std::uint64_t JsonPlace::size(std::uint64_t least) const {
  return static_cast<std::uint64_t>(
      whole(static_cast<std::int64_t>(least), std::numeric_limits<std::int64_t>::max()));
}

const JsonValue::Object& JsonPlace::object() const {
  if (const auto* object = value_->object()) return *object;
  refuse("is no object");
}

}  // namespace weir
