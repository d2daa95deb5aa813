#pragma once

// What node types that are made up for tests have in common: each says beforehand what will leave it, worked
// out without the engine.

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/registry.hpp"
#include "tests/engine_support.hpp"

namespace weir::testing {

/// Something else than a Number, so that ports can fail to fit.
struct Note {
  std::uint64_t value = 0;
  Buffer payload = {};
  Alive alive = {};
};
inline std::uint64_t payload_bytes(const Note& note) {
  return note.payload.size();
}

/// The values on an edge, by unit; nothing where an item is dropped.
struct Flow : EdgeInfo {
  std::vector<std::vector<std::optional<std::uint64_t>>> units;
  std::uint64_t bytes = 0;  ///< of each item's buffer
  bool may_drop = false;

  std::vector<std::uint64_t> delivered() const {
    std::vector<std::uint64_t> all;
    for (const auto& unit : units)
      for (const auto& value : unit)
        if (value) all.push_back(*value);
    return all;
  }
};

/// What sinks have to say after runs.
struct SinkLog {
  std::mutex mutex;
  std::size_t finished = 0;        ///< sinks that got everything
  std::vector<std::string> wrong;  ///< what others got instead
};

/// The value that a source gives to its item `place` of a unit.
inline std::uint64_t source_value(std::uint64_t start, std::uint64_t unit, std::uint64_t place) {
  return (start + unit * 1'000'003 + place * 7919) * 0x9e3779b97f4a7c15ULL;
}
/// Items of a unit of an irregular source.
inline std::uint64_t irregular_items(std::uint64_t items, std::uint64_t unit) {
  return (unit * 2654435761U >> 3) % (items + 1);
}

class MadeUp : public NodeInstance {
 public:
  using Describe = std::function<void(MadeUp&)>;
  using Add = std::function<AnyOutput(MadeUp&, Graph&, std::span<const AnyOutput>)>;

  MadeUp(std::string own_name, Parameters given, Describe describe, Add add)
      : name(std::move(own_name)),
        parameters(std::move(given)),
        describe_(std::move(describe)),
        add_(std::move(add)) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> infos) override {
    for (const auto& info : infos) inputs.push_back(std::static_pointer_cast<const Flow>(info));
    describe_(*this);
    out->bytes = parameters.has("bytes") ? parameters.bytes("bytes") : 0;
    return out;
  }
  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> outputs) override {
    return add_(*this, graph, outputs);
  }
  void finish(RunReport&) override {
    if (at_end) at_end();
  }
  std::string explain() const override { return "made up"; }

  /// A number with a buffer, as planned.
  template <class T = Number>
  T made(std::uint64_t value, const Context& context) const {
    T number{value};
    if (out->bytes > 0) number.payload = context.buffer(out->bytes);
    return number;
  }
  NodeOptions options() const {
    NodeOptions options;
    if (out->bytes > 0) options.buffer_bytes = BufferPool::charge(out->bytes);
    return options;
  }

  std::string name;
  Parameters parameters;
  std::vector<std::shared_ptr<const Flow>> inputs;
  std::shared_ptr<Flow> out = std::make_shared<Flow>();
  std::function<void()> at_end;

 private:
  Describe describe_;
  Add add_;
};

/// Item by item, `f` of the value; drops stay drops.
template <class F>
void map_values(MadeUp& node, F f) {
  node.out->units = node.inputs.front()->units;
  node.out->may_drop = node.inputs.front()->may_drop;
  for (auto& unit : node.out->units)
    for (auto& value : unit)
      if (value) value = f(*value);
}

inline void refuse_drops(const MadeUp& node) {
  if (node.inputs.front()->may_drop)
    throw Error::usage("use", node.name, "it needs every item, and the nodes before it drop some");
}

inline std::vector<Parameter> with_bytes(std::vector<Parameter> parameters) {
  parameters.push_back({.name = "bytes",
                        .type = ParameterType::bytes,
                        .help = "the size of each item's buffer",
                        .default_value = "0",
                        .most = 1 << 20});
  return parameters;
}
inline Parameter whole(std::string name, std::string help, std::optional<std::string> default_value,
                       double least, double most) {
  const bool is_required = !default_value.has_value();
  return {.name = std::move(name),
          .type = ParameterType::integer,
          .help = std::move(help),
          .default_value = std::move(default_value),
          .is_required = is_required,
          .least = least,
          .most = most};
}

/// A type without its making.
inline NodeType type_of(std::string name, std::string help, std::vector<Port> inputs,
                        std::optional<Port> output, std::vector<Parameter> parameters) {
  NodeType type;
  type.name = std::move(name);
  type.help = std::move(help);
  type.inputs = std::move(inputs);
  type.output = std::move(output);
  type.parameters = std::move(parameters);
  type.bytes = "one buffer of `bytes` for each item";
  return type;
}
inline auto maker(MadeUp::Describe describe, MadeUp::Add add) {
  return [describe = std::move(describe), add = std::move(add)](const std::string& name,
                                                                const Parameters& parameters, GraphSetup&) {
    return std::make_unique<MadeUp>(name, parameters, describe, add);
  };
}

}  // namespace weir::testing
