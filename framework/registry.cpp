#include "framework/registry.hpp"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace

void Registry::add(NodeType type) {
  if (!is_snake_case(type.name))
    throw Error::usage("add", fmt::format("node type '{}'", type.name),
                       "a name is made of small letters, digits and underscores");
  if (const NodeType* other = find(type.name))
    throw Error::usage("add", fmt::format("node type {} of {}", type.name, origin_of(type)),
                       fmt::format("{} has one of that name", origin_of(*other)));
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
