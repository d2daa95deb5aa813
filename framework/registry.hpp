#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "framework/node_type.hpp"

namespace weir {

/// The node types that a program knows. A value, filled by whoever makes it (add_raster_nodes, add_plugins
/// ...): nothing registers itself, and two registries can differ. Not thread-safe while it is filled.
class Registry {
 public:
  /// Throws a usage Error where the name is taken, naming both origins, or is no snake_case word; and where
  /// parameters, ports or stages have names that cannot be used, or a default that does not read.
  void add(NodeType type);
  const NodeType* find(std::string_view name) const;  ///< nullptr where there is none
  /// Throws a usage Error with the nearest name.
  const NodeType& at(std::string_view name) const;
  std::vector<const NodeType*> types() const;  ///< by name
  std::vector<std::string> names() const;

 private:
  std::map<std::string, NodeType, std::less<>> types_;
};

}  // namespace weir
