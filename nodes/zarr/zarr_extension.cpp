#include "nodes/zarr/zarr_extension.hpp"

#include <utility>

namespace weir {

std::optional<JsonPlace> ZarrExtension::find(std::string_view name_of_member) const {
  return configuration ? configuration->find(name_of_member) : std::nullopt;
}

JsonPlace ZarrExtension::member(std::string_view name_of_member) const {
  if (!configuration) place.refuse_member("configuration", "is missing");
  return configuration->member(name_of_member);
}

void ZarrExtension::allow_only(std::initializer_list<std::string_view> members) const {
  if (configuration) configuration->allow_only(members);
}

ZarrExtension zarr_extension(const JsonPlace& place) {
  if (const std::string* name = place.value().text()) return {place, *name, std::nullopt};
  // Whether it must be understood or not changes nothing: none of what is read here can be left out.
  place.allow_only({"name", "configuration", "must_understand"});
  if (const auto must_understand = place.find("must_understand")) must_understand->boolean();
  auto configuration = place.find("configuration");
  if (configuration) configuration->object();
  return {place, place.member("name").text(), std::move(configuration)};
}

JsonValue extension_json(std::string_view name, JsonValue::Object configuration) {
  if (configuration.empty()) return JsonValue::Object{{"name", std::string(name)}};
  return JsonValue::Object{{"name", std::string(name)}, {"configuration", std::move(configuration)}};
}

}  // namespace weir
