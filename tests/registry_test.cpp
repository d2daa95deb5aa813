#include "framework/registry.hpp"

#include <doctest/doctest.h>

#include "tests/graph_file_nodes.hpp"

using namespace weir;
using namespace weir::testing;

namespace {

NodeType sound() {
  NodeType type = *made_up_registry().find("add");
  type.name = "other";
  return type;
}
std::string refusal(const NodeType& type, Registry registry = made_up_registry()) {
  try {
    registry.add(type);
    return "";
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
}

}  // namespace

TEST_CASE("node types are found by name, and the nearest is named where there is none") {
  const Registry registry = made_up_registry();
  CHECK(registry.find("add")->name == "add");
  CHECK(registry.find("ad") == nullptr);
  CHECK(registry.at("total").needs_order);
  try {
    registry.at("totals");
    FAIL("found");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "cannot find node type totals: did you mean total?");
  }
  const std::vector<std::string> names = registry.names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(registry.types().size() == names.size());
}

TEST_CASE("a second type of one name is refused with both origins") {
  CHECK(refusal(sound()).empty());
  NodeType type = sound();
  type.name = "add";
  type.origin = "plugin sums (/opt/sums.so)";
  CHECK(refusal(type) ==
        "cannot add node type add of plugin sums (/opt/sums.so): weir itself has one of that name");
}

TEST_CASE("a type whose words cannot be used in a graph file is refused") {
  const auto spoiled = [](const auto& spoil) {
    NodeType type = sound();
    spoil(type);
    return refusal(type);
  };
  for (const char* name : {"", "Slope", "9lives", "a b", "a.b", "a-b"})
    CHECK_FALSE(spoiled([&](NodeType& type) { type.name = name; }).empty());
  for (const char* name : {"type", "input", "inputs", "concurrency", "include", "set", "Level", "a.b", ""})
    CHECK_FALSE(spoiled([&](NodeType& type) { type.parameters[0].name = name; }).empty());
  CHECK(contains(spoiled([](NodeType& type) { type.parameters.push_back(type.parameters[0]); }),
                 "two parameters called addend"));
  CHECK(contains(spoiled([](NodeType& type) { type.parameters[0].default_value = "many"; }),
                 "the default of addend: 'many' is not a whole number"));
  CHECK_FALSE(spoiled([](NodeType& type) { type.inputs.push_back(type.inputs[0]); }).empty());
  CHECK_FALSE(spoiled([](NodeType& type) { type.stages = {"read", "read"}; }).empty());
  CHECK_FALSE(spoiled([](NodeType& type) { type.stages.clear(); }).empty());
  CHECK_FALSE(spoiled([](NodeType& type) { type.make = nullptr; }).empty());
}
