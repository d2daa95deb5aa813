#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir {

enum class ParameterType {
  flag,     ///< true or false
  integer,  ///< a whole number
  number,   ///< any finite number
  text,     ///< any text
  choice,   ///< one of `choices`
  bytes,    ///< a size: 4096, 64K, 1.5M, 2G (K is 1024)
  size,     ///< pixels, height before width: 512 is 512x512, 256x1024
};
std::string_view name_of(ParameterType type);

/// Height and width in pixels; both at least 1.
struct PixelSize {
  std::uint64_t height = 0, width = 0;
  bool operator==(const PixelSize&) const = default;
};

/// A value of a parameter: flag, integer (and bytes), number, text (and choice), size.
using ParameterValue = std::variant<bool, std::int64_t, double, std::string, PixelSize>;

/// What may be said to a node, declared once, next to the node. `weir nodes`, graph files, plugins and the
/// command take name, range and help from here.
struct Parameter {
  std::string name;  ///< snake_case
  ParameterType type = ParameterType::text;
  std::string help;  ///< one sentence without its period
  /// As it would be written. Nothing: the parameter is optional or required, as `is_required` says.
  std::optional<std::string> default_value = {};
  bool is_required = false;
  std::string unit = {};  ///< "pixels", "degrees"; empty where there is none
  double least = -std::numeric_limits<double>::infinity();  ///< integer, number, bytes; for size: each side
  double most = std::numeric_limits<double>::infinity();    ///< inclusive, as `least`
  std::vector<std::string> choices = {};                    ///< of ParameterType::choice
};

/// Reads a value as the parameter's type, and checks range and choices. Throws a usage Error "cannot use
/// <name>:
/// '<text>' is not ...", with the nearest choice where one is near.
ParameterValue parse_parameter(const Parameter& parameter, std::string_view text);

/// A value as parse_parameter reads it back.
std::string to_text(const ParameterValue& value);

/// The checked parameters of one node: given ones and defaults. Asking for a name or a type that was not
/// declared is a mistake of the node's author (assert); `has` tells whether an optional one has a value.
class Parameters {
 public:
  Parameters() = default;
  /// From texts. Throws a usage Error that names every problem: unknown names (with the nearest), values that
  /// do not read, required ones that are missing.
  Parameters(const std::vector<Parameter>& declared, const std::map<std::string, std::string>& given);
  /// From values that were parsed one by one.
  explicit Parameters(std::map<std::string, ParameterValue> values) : values_(std::move(values)) {}

  bool has(const std::string& name) const { return values_.contains(name); }
  bool flag(const std::string& name) const { return get<bool>(name); }
  std::int64_t integer(const std::string& name) const { return get<std::int64_t>(name); }
  std::uint64_t bytes(const std::string& name) const {
    return static_cast<std::uint64_t>(get<std::int64_t>(name));
  }
  double number(const std::string& name) const { return get<double>(name); }
  const std::string& text(const std::string& name) const { return get<std::string>(name); }
  PixelSize size(const std::string& name) const { return get<PixelSize>(name); }
  const std::map<std::string, ParameterValue>& values() const { return values_; }

 private:
  template <class T>
  const T& get(const std::string& name) const;

  std::map<std::string, ParameterValue> values_;
};

/// Of `known`, the name nearest to `name`, where it is near enough to be meant (case, a letter or two); empty
/// otherwise.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace weir
