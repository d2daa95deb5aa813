#pragma once

#include <string>
#include <vector>

#include "framework/problem.hpp"

namespace weir {

struct YamlEntry;

/// A node of a YAML (or JSON) text. Scalars are texts, whatever they look like:
/// 512, true and "nan" mean what the reader of the text takes them for.
struct YamlNode {
  enum class Kind {
    empty,  ///< nothing, ~ or null
    text,
    list,
    map,
  };
  Kind kind = Kind::empty;
  Place place;
  std::string text;
  std::vector<YamlNode> items;     ///< of a list
  std::vector<YamlEntry> entries;  ///< of a map, as they were written: a key can be there twice
};
struct YamlEntry {
  YamlNode key, value;
};

/// Reads one document of UTF-8 text; `name` is what its places are called.
/// Aliases, tags of one's own, several documents, more than 1 MiB of text,
/// 100,000 nodes or 20 levels are refused. Throws a ProblemError with the
/// place, and a usage Error where this build has no YAML library.
YamlNode parse_yaml(const std::string& text, const std::string& name);

/// Whether this build can read YAML.
bool has_yaml();

constexpr std::size_t largest_yaml = 1 << 20;

}  // namespace weir
