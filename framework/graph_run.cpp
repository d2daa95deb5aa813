#include "framework/graph_run.hpp"

#include <fmt/format.h>

#include <functional>
#include <utility>

#include "framework/bytes.hpp"
#include "framework/engine.hpp"
#include "framework/graph_check.hpp"

namespace weir {
namespace {

GraphOptions limits_given(const GraphFile& file, const GraphOptions& wins) {
  GraphOptions limits = file.limits;
  if (wins.memory > 0) limits.memory = wins.memory;
  if (wins.tokens > 0) limits.tokens = wins.tokens;
  if (wins.threads > 0) limits.threads = wins.threads;
  if (wins.engine != Engine::automatic) limits.engine = wins.engine;
  if (wins.recording != nullptr) limits.recording = wins.recording;
  return limits;
}

/// Whether `step` succeeded; what it threw is added at the node's place.
bool succeeds(const GraphNode& node, Problems& problems, const std::function<void()>& step) {
  try {
    step();
    return true;
  } catch (...) {
    const Error error = engine::current_error("make", "node " + node.name.text);
    if (error.kind() == ErrorKind::cancelled) throw;
    problems.add_failure(node.name.place, Error(error).at(node.name.text, ""));
    return false;
  }
}

}  // namespace

GraphRun::GraphRun(const GraphFile& file, const Registry& registry, const GraphRunOptions& options)
    : graph_(resolved(limits_given(file, options.limits))), help_(file.help) {
  const std::string object = file.name.empty() ? "the graph" : file.name;
  Problems problems;
  const CheckedGraph checked = check_graph(file, registry, problems);
  problems.throw_if_any(object);

  setup_.limits = graph_.options();
  setup_.overwrite = options.overwrite;
  setup_.files = options.files;
  for (std::size_t i = 0; i < file.nodes.size(); ++i)
    for (const auto& [stage, number] : checked.nodes[i].concurrency)
      setup_.concurrency[stage_name(file.nodes[i].name.text, stage)] = number;

  const std::size_t count = file.nodes.size();
  std::vector<NodeInstance*> instances(count);
  std::vector<std::shared_ptr<EdgeInfo>> infos(count);
  for (const std::size_t i : checked.order) {
    std::vector<std::shared_ptr<EdgeInfo>> inputs;
    bool are_known = true;
    for (const std::size_t producer : checked.nodes[i].inputs) {
      inputs.push_back(infos[producer]);
      are_known = are_known && infos[producer] != nullptr;
    }
    if (!are_known) continue;  // what comes before it was refused
    succeeds(file.nodes[i], problems, [&] {
      const CheckedNode& node = checked.nodes[i];
      nodes_.push_back(
          {file.nodes[i].name.text, node.type->make(file.nodes[i].name.text, node.parameters, setup_)});
      instances[i] = nodes_.back().instance.get();
      infos[i] = instances[i]->describe(inputs);
      if (node.type->output && infos[i] == nullptr)
        throw Error::usage("use", "node type " + node.type->name, "it says nothing of what it puts out");
      for (const std::string& note : std::exchange(setup_.notes, {}))
        notes_.push_back(fmt::format("{}: {}", file.nodes[i].name.text, note));
    });
  }
  problems.throw_if_any(object);

  if (setup_.requests_at_once > 0)
    setup_.limits = graph_.options() =
        resolved(with_requests(limits_given(file, options.limits), setup_.requests_at_once));
  std::vector<AnyOutput> outputs(count);
  for (const std::size_t i : checked.order) {
    std::vector<AnyOutput> inputs;
    for (const std::size_t producer : checked.nodes[i].inputs) inputs.push_back(outputs[producer]);
    // A later node cannot be added without this one.
    if (!succeeds(file.nodes[i], problems, [&] { outputs[i] = instances[i]->add_to(graph_, inputs); })) break;
  }
  problems.throw_if_any(object);

  for (std::size_t i = 0; i < count; ++i)
    for (const auto& [stage, number] : checked.nodes[i].concurrency) {
      Place place = file.nodes[i].name.place;
      for (const GraphNode::Concurrency& given : file.nodes[i].concurrency)
        if (given.stage.text == stage || given.stage.text.empty()) place = given.number.place;
      try {
        graph_.set_concurrency(stage_name(file.nodes[i].name.text, stage), number);
      } catch (const Error& error) {
        problems.add(place, error.what());
      }
    }
  problems.throw_if_any(object);

  Place whole_file = file.memory_place;
  if (!whole_file.source && !file.name.empty())
    whole_file.source = std::make_shared<const std::string>(file.name);
  try {
    plan_ = graph_.plan();
  } catch (const Error& error) {
    whole_file.line = 0;
    problems.add(whole_file, error.what());
  }
  problems.throw_if_any(object);
  if (plan_.smallest_memory > plan_.memory) {
    if (options.limits.memory > 0) whole_file.line = 0;
    problems.add(whole_file, fmt::format("a memory budget of {} ({} bytes) is too small; "
                                         "the smallest that works is {} bytes",
                                         format_bytes(plan_.memory), plan_.memory, plan_.smallest_memory));
  }
  problems.throw_if_any(object);
}

GraphRun::~GraphRun() = default;

std::string GraphRun::explain() const {
  std::string text;
  if (!help_.empty()) text += help_ + "\n\n";
  for (const Made& node : nodes_) {
    const std::string lines = node.instance->explain();
    if (lines.empty()) continue;
    text += fmt::format("{}\n  ", node.name);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      text += lines[i];
      if (lines[i] == '\n' && i + 1 < lines.size()) text += "  ";
    }
    text += text.back() == '\n' ? "\n" : "\n\n";
  }
  return text + graph_.explain();
}

RunReport GraphRun::run(const RunOptions& options) {
  RunReport report = graph_.run(options);
  for (const Made& node : nodes_) node.instance->finish(report);
  return report;
}

}  // namespace weir
