#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "nodes/zarr/json_value.hpp"

namespace weir {

/// Anything in a zarr.json that can be extended: chunk grid, key encoding, codec, data type. v3, core section "Extension
/// definition": a name, or an object with a name and perhaps a configuration.
struct ZarrExtension {
  JsonPlace place;
  std::string name;
  std::optional<JsonPlace> configuration;

  /// A member of the configuration.
  std::optional<JsonPlace> find(std::string_view member) const;
  JsonPlace member(std::string_view member) const;  ///< throws where there is none
  /// Throws where the configuration has others.
  void allow_only(std::initializer_list<std::string_view> members) const;
};
ZarrExtension zarr_extension(const JsonPlace& place);

/// The long form.
JsonValue extension_json(std::string_view name, JsonValue::Object configuration);

}  // namespace weir
