#include "framework/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "framework/error.hpp"

namespace weir {
namespace {

bool is_snake_case(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), fits);
}

std::string origin_of(const NodeType& type) {
  return type.origin.empty() ? "weir itself" : type.origin;
}

/// Graph files give these words a meaning of their own beside a node's parameters.
constexpr std::array reserved = {"type", "input", "inputs", "concurrency", "include", "set"};

/// What a type's author can get wrong, so that its users need not find it.
void check_words(const NodeType& type) {
  const auto refuse = [&type](const std::string& reason) {
    return Error::usage("add", fmt::format("node type {} of {}", type.name, origin_of(type)), reason);
  };
  std::set<std::string> names;
  for (const Parameter& parameter : type.parameters) {
    if (!is_snake_case(parameter.name) ||
        std::find(reserved.begin(), reserved.end(), parameter.name) != reserved.end())
      throw refuse(fmt::format("'{}' cannot be the name of a parameter", parameter.name));
    if (!names.insert(parameter.name).second)
      throw refuse(fmt::format("it has two parameters called {}", parameter.name));
    if (!parameter.default_value) continue;
    try {
      parse_parameter(parameter, *parameter.default_value);
    } catch (const Error& error) {
      throw refuse(fmt::format("the default of {}: {}", parameter.name, error.reason()));
    }
  }
  names.clear();
  for (const Port& port : type.inputs)
    if (!is_snake_case(port.name) || !names.insert(port.name).second)
      throw refuse(fmt::format("'{}' cannot be the name of an input, or another has it", port.name));
  names.clear();
  for (const std::string& stage : type.stages) {
    const std::string_view name = std::string_view(stage).substr(0, stage.size() - stage.ends_with('K'));
    if ((!stage.empty() && !is_snake_case(name)) || !names.insert(stage).second)
      throw refuse(fmt::format("'{}' cannot be the name of a stage, or another has it", stage));
  }
  if (type.stages.empty()) throw refuse("it has no stages");
  if (!type.make) throw refuse("nothing makes it");
}

}  // namespace

void Registry::add(NodeType type) {
  if (!is_snake_case(type.name))
    throw Error::usage("add", fmt::format("node type '{}'", type.name),
                       "a name is made of small letters, digits and underscores");
  if (const NodeType* other = find(type.name))
    throw Error::usage("add", fmt::format("node type {} of {}", type.name, origin_of(type)),
                       fmt::format("{} has one of that name", origin_of(*other)));
  check_words(type);
  const std::string name = type.name;
  types_.emplace(name, std::move(type));
}

const NodeType* Registry::find(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : &found->second;
}

const NodeType& Registry::at(std::string_view name) const {
  if (const NodeType* type = find(name)) return *type;
  const std::string near = nearest_name(name, names());
  throw Error::usage("find", fmt::format("node type {}", name),
                     near.empty() ? "there is none of that name" : fmt::format("did you mean {}?", near));
}

std::vector<const NodeType*> Registry::types() const {
  std::vector<const NodeType*> all;
  for (const auto& [name, type] : types_) all.push_back(&type);
  return all;
}

std::vector<std::string> Registry::names() const {
  std::vector<std::string> all;
  for (const auto& [name, type] : types_) all.push_back(name);
  return all;
}

}  // namespace weir
