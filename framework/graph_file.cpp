#include "framework/graph_file.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::size_t longest_line = 100;

/// As YAML, in any place: plain where it is a simple word, else in double
/// quotes, as JSON has them.
std::string scalar(const std::string& text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '+';
  };
  // A minus alone begins a list, and null is nothing.
  const bool is_word = !text.empty() &&
                       std::all_of(text.begin() + (text.size() > 1 && text[0] == '-' ? 1 : 0), text.end(),
                                   [&](char c) { return is_plain(c) || c == '-'; }) &&
                       text[0] != '-' && text != "..." && text != "null" && text != "Null" && text != "NULL";
  const bool is_negative = text.size() > 1 && text[0] == '-' && text[1] >= '0' && text[1] <= '9' &&
                           std::all_of(text.begin() + 1, text.end(), is_plain);
  return is_word || is_negative ? text : json_string(text);
}

/// The same for what the reader looks for variables in.
std::string value(const std::string& text) {
  std::string escaped;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "${") == 0) escaped += '$';
    escaped += text[at];
  }
  return scalar(escaped);
}

std::string inputs_of(const GraphNode& node) {
  std::string all;
  const bool has_ports = !node.inputs.front().port.text.empty();
  for (const GraphNode::Input& input : node.inputs)
    all += fmt::format("{}{}{}", all.empty() ? "" : ", ",
                       has_ports ? fmt::format("{}: ", scalar(input.port.text)) : "", value(input.from.text));
  if (has_ports) return fmt::format("inputs: {{{}}}", all);
  return node.inputs.size() == 1 ? "input: " + all : fmt::format("inputs: [{}]", all);
}

std::string concurrency_of(const GraphNode& node) {
  std::string all;
  for (const GraphNode::Concurrency& stage : node.concurrency) {
    if (stage.stage.text.empty() && node.concurrency.size() == 1)
      return "concurrency: " + value(stage.number.text);
    all +=
        fmt::format("{}{}: {}", all.empty() ? "" : ", ", scalar(stage.stage.text), value(stage.number.text));
  }
  return fmt::format("concurrency: {{{}}}", all);
}

std::string node_text(const GraphNode& node) {
  std::vector<std::string> parts{"type: " + value(node.type.text)};
  if (!node.inputs.empty()) parts.push_back(inputs_of(node));
  for (const GraphNode::Setting& parameter : node.parameters)
    parts.push_back(fmt::format("{}: {}", scalar(parameter.name.text), value(parameter.value.text)));
  if (!node.concurrency.empty()) parts.push_back(concurrency_of(node));
  const std::string name = scalar(node.name.text);
  const std::string line = fmt::format("  {}: {{{}}}\n", name, fmt::join(parts, ", "));
  return line.size() <= longest_line ? line
                                     : fmt::format("  {}:\n    {}\n", name, fmt::join(parts, "\n    "));
}

}  // namespace

std::string to_yaml(const GraphFile& graph) {
  std::string text = "weir: 1\n";
  if (!graph.help.empty()) text += fmt::format("help: {}\n", value(graph.help));
  if (graph.limits.memory > 0) text += fmt::format("memory: {}\n", graph.limits.memory);
  if (graph.limits.tokens > 0) text += fmt::format("tokens: {}\n", graph.limits.tokens);
  if (graph.limits.threads > 0) text += fmt::format("threads: {}\n", graph.limits.threads);
  if (graph.limits.engine != Engine::automatic)
    text += fmt::format("engine: {}\n", graph.limits.engine == Engine::serial ? "serial" : "onetbb");
  text += "nodes:\n";
  for (const GraphNode& node : graph.nodes) text += node_text(node);
  return text;
}

}  // namespace weir
