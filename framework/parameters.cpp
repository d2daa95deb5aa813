#include "framework/parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "framework/bytes.hpp"
#include "framework/error.hpp"

namespace weir {
namespace {

Error not_a(const Parameter& parameter, std::string_view text, const std::string& what) {
  return Error::usage("use", parameter.name, fmt::format("'{}' is not {}", text, what));
}

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string range_of(const Parameter& parameter) {
  const bool has_least = std::isfinite(parameter.least), has_most = std::isfinite(parameter.most);
  if (has_least && has_most) return fmt::format("from {:.15g} to {:.15g}", parameter.least, parameter.most);
  if (has_least) return fmt::format("at least {:.15g}", parameter.least);
  return fmt::format("at most {:.15g}", parameter.most);
}

void check_range(const Parameter& parameter, double value, std::string_view text) {
  if (value < parameter.least || value > parameter.most)
    throw Error::usage("use", parameter.name, fmt::format("{} is not {}", text, range_of(parameter)));
}

}  // namespace

std::string_view name_of(ParameterType type) {
  switch (type) {
    case ParameterType::flag:
      return "flag";
    case ParameterType::integer:
      return "integer";
    case ParameterType::number:
      return "number";
    case ParameterType::text:
      return "text";
    case ParameterType::choice:
      return "choice";
    case ParameterType::bytes:
      return "bytes";
    case ParameterType::size:
      return "size";
  }
  return "text";
}

ParameterValue parse_parameter(const Parameter& parameter, std::string_view text) {
  switch (parameter.type) {
    case ParameterType::flag:
      if (text == "true" || text == "yes" || text == "on") return true;
      if (text == "false" || text == "no" || text == "off") return false;
      throw not_a(parameter, text, "true or false");
    case ParameterType::integer: {
      const auto value = whole<std::int64_t>(text);
      if (!value) throw not_a(parameter, text, "a whole number");
      check_range(parameter, static_cast<double>(*value), text);
      return *value;
    }
    case ParameterType::number: {
      const auto value = whole<double>(text);
      if (!value || !std::isfinite(*value)) throw not_a(parameter, text, "a number");
      check_range(parameter, *value, text);
      return *value;
    }
    case ParameterType::text:
      return std::string(text);
    case ParameterType::choice: {
      if (std::find(parameter.choices.begin(), parameter.choices.end(), text) != parameter.choices.end())
        return std::string(text);
      const std::string near = nearest_name(text, parameter.choices);
      std::string what = fmt::format("one of {}", fmt::join(parameter.choices, ", "));
      if (!near.empty()) what += fmt::format("; did you mean {}?", near);
      throw not_a(parameter, text, what);
    }
    case ParameterType::bytes: {
      std::uint64_t value = 0;
      try {
        value = parse_bytes(std::string(text));
      } catch (const Error& error) {
        throw Error::usage("use", parameter.name, error.reason());
      }
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        throw not_a(parameter, text, "a size below 8 EiB");
      check_range(parameter, static_cast<double>(value), text);
      return static_cast<std::int64_t>(value);
    }
    case ParameterType::size: {
      const std::size_t cross = text.find('x');
      const auto height = whole<std::uint64_t>(text.substr(0, cross));
      const auto width =
          cross == std::string_view::npos ? height : whole<std::uint64_t>(text.substr(cross + 1));
      if (!height || !width || *height == 0 || *width == 0)
        throw not_a(parameter, text, "a size in pixels, as 512 or 256x1024 (height x width)");
      check_range(parameter, static_cast<double>(*height), text);
      check_range(parameter, static_cast<double>(*width), text);
      return PixelSize{*height, *width};
    }
  }
  return std::string(text);
}

std::string to_text(const ParameterValue& value) {
  struct Writer {
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t integer) const { return fmt::format("{}", integer); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const PixelSize& size) const {
      return fmt::format("{}x{}", size.height, size.width);
    }
  };
  return std::visit(Writer{}, value);
}

Parameters::Parameters(const std::vector<Parameter>& declared,
                       const std::map<std::string, std::string>& given) {
  std::vector<std::string> names, problems;
  for (const Parameter& parameter : declared) names.push_back(parameter.name);
  for (const auto& [name, text] : given) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const std::string near = nearest_name(name, names);
      problems.push_back(fmt::format("there is no parameter {}{}", name,
                                     near.empty() ? "" : fmt::format("; did you mean {}?", near)));
      continue;
    }
    try {
      values_[name] = parse_parameter(declared[static_cast<std::size_t>(found - names.begin())], text);
    } catch (const Error& error) {
      problems.push_back(fmt::format("{}: {}", name, error.reason()));
    }
  }
  for (const Parameter& parameter : declared) {
    if (given.contains(parameter.name)) continue;
    if (parameter.default_value)
      values_[parameter.name] = parse_parameter(parameter, *parameter.default_value);
    else if (parameter.is_required)
      problems.push_back(fmt::format("{} is missing", parameter.name));
  }
  if (!problems.empty())
    throw Error::usage("use", "the parameters", fmt::format("{}", fmt::join(problems, "; ")));
}

template <class T>
const T& Parameters::get(const std::string& name) const {
  const auto found = values_.find(name);
  assert(found != values_.end() && std::holds_alternative<T>(found->second));
  return std::get<T>(found->second);
}
template const bool& Parameters::get(const std::string&) const;
template const std::int64_t& Parameters::get(const std::string&) const;
template const double& Parameters::get(const std::string&) const;
template const std::string& Parameters::get(const std::string&) const;
template const PixelSize& Parameters::get(const std::string&) const;

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  const auto plain = [](char c) {
    return c == '-' ? '_' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  };
  // Edits (insert, delete, replace, swap of neighbours); a name is meant where a third of its letters would
  // do.
  constexpr std::size_t longest = 64;
  std::array<std::array<std::size_t, longest + 1>, longest + 1> table;
  for (std::size_t i = 0; i <= longest; ++i) table[i][0] = table[0][i] = i;
  const auto distance = [&](std::string_view a, std::string_view b) {
    for (std::size_t i = 1; i <= a.size(); ++i)
      for (std::size_t j = 1; j <= b.size(); ++j) {
        const bool same = plain(a[i - 1]) == plain(b[j - 1]);
        table[i][j] =
            std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (same ? 0 : 1)});
        if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]))
          table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
      }
    return table[a.size()][b.size()];
  };
  const auto apart = [](std::size_t a, std::size_t b) { return a < b ? b - a : a - b; };
  if (name.size() > longest) return "";
  std::string best;
  std::size_t least = name.size() / 3 + 1;
  for (const std::string& candidate : known) {
    if (candidate.size() > longest || apart(candidate.size(), name.size()) > least) continue;
    const std::size_t edits = distance(name, candidate);
    if (edits < least || (edits == least && best.empty() && name.size() >= 3)) {
      least = edits;
      best = candidate;
    }
  }
  return best;
}

}  // namespace weir
