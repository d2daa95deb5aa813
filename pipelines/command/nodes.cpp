#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "framework/registry.hpp"
#include "framework/report.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/help.hpp"
#include "pipelines/command/plugins.hpp"

namespace weir::command {
namespace {

/// 9007199254740991, not 9.00719925474099e+15.
std::string in_words(double value) {
  return value == std::floor(value) && std::abs(value) < 9e18
             ? fmt::format("{}", static_cast<std::int64_t>(value))
             : fmt::format("{}", value);
}

/// What a value may be, in words: "from 1 to 22 pixels", "one of a, b".
std::string limits_of(const Parameter& parameter) {
  const bool has_least = std::isfinite(parameter.least), has_most = std::isfinite(parameter.most);
  std::string words;
  if (!parameter.choices.empty())
    words = fmt::format("one of {}", fmt::join(parameter.choices, ", "));
  else if (has_least && has_most)
    words = fmt::format("from {} to {}", in_words(parameter.least), in_words(parameter.most));
  else if (has_least)
    words = "at least " + in_words(parameter.least);
  else if (has_most)
    words = "at most " + in_words(parameter.most);
  if (!parameter.unit.empty()) words += fmt::format("{}{}", words.empty() ? "in " : " ", parameter.unit);
  return words;
}

std::string default_of(const Parameter& parameter) {
  if (parameter.default_value) return parameter.default_value->empty() ? "\"\"" : *parameter.default_value;
  return parameter.is_required ? "needed" : "-";
}

/// A value that the parameter could have, as YAML.
std::string sample_of(const Parameter& parameter) {
  if (parameter.default_value && !parameter.default_value->empty()) return *parameter.default_value;
  if (!parameter.choices.empty()) return parameter.choices.front();
  switch (parameter.type) {
    case ParameterType::flag:
      return "true";
    case ParameterType::integer:
    case ParameterType::number:
      return std::isfinite(parameter.least) ? in_words(parameter.least) : "1";
    case ParameterType::bytes:
      return "64K";
    case ParameterType::size:
      return "512";
    default:
      return parameter.name == "path" ? "file.tif" : "\"...\"";
  }
}

std::string example_of(const NodeType& type) {
  std::string words = fmt::format("my_{}: {{type: {}", type.name, type.name);
  if (type.inputs.size() == 1) words += ", input: another";
  if (type.inputs.size() > 1) {
    std::string ports;
    for (const Port& port : type.inputs)
      ports += fmt::format("{}{}: {}", ports.empty() ? "" : ", ", port.name, port.name);
    words += fmt::format(", inputs: {{{}}}", ports);
  }
  for (const Parameter& parameter : type.parameters)
    if (parameter.is_required) words += fmt::format(", {}: {}", parameter.name, sample_of(parameter));
  return words + "}";
}

std::string ports_text(const std::vector<Port>& ports) {
  std::string text;
  for (const Port& port : ports) text += entry(fmt::format("{:<12} {}", port.name, port.type), port.help);
  return text;
}

std::string parameters_text(const NodeType& type) {
  std::size_t name_width = 0, default_width = 0;
  for (const Parameter& parameter : type.parameters) {
    name_width = std::max(name_width, parameter.name.size());
    default_width = std::max(default_width, default_of(parameter).size());
  }
  default_width = std::min<std::size_t>(default_width, 14);
  std::string text;
  for (const Parameter& parameter : type.parameters) {
    std::string help = parameter.help;
    if (const std::string limits = limits_of(parameter); !limits.empty())
      help += fmt::format(" ({})", limits);
    text += entry(fmt::format("{:<{}}  {:<7}  {:<{}}", parameter.name, name_width, name_of(parameter.type),
                              default_of(parameter), default_width),
                  help, 2 + name_width + 2 + 7 + 2 + default_width + 2);
  }
  return text;
}

void print_type(const NodeType& type) {
  fmt::print("{}\n{}", type.name, entry("", type.help, 2));
  if (!type.origin.empty()) fmt::print("{}", entry("from", type.origin, 8));
  if (!type.inputs.empty()) fmt::print("\ninputs\n{}", ports_text(type.inputs));
  if (type.output) fmt::print("\noutput\n{}", ports_text({*type.output}));
  if (!type.parameters.empty())
    fmt::print("\nparameters: name, type, default, meaning\n{}", parameters_text(type));
  if (type.needs_order || type.is_unordered)
    fmt::print("\norder\n  {}\n", type.needs_order ? "it takes its items in order"
                                                   : "its output comes in no order that is known before");
  if (!type.bytes.empty()) fmt::print("\nmemory\n{}", entry("", type.bytes, 2));
  if (type.stages.size() > 1)
    fmt::print("\nstages\n{}", entry("",
                                     fmt::format("{}; concurrency: N is for {}", fmt::join(type.stages, ", "),
                                                 type.stages.back()),
                                     2));
  fmt::print("\nexample\n{}", entry("", example_of(type), 2));
}

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{:.17g}", value) : "null";
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted;
  for (const std::string& text : texts) quoted.push_back(json_string(text));
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string json_port(const Port& port) {
  return fmt::format("{{\"name\": {}, \"type\": {}, \"help\": {}}}", json_string(port.name),
                     json_string(port.type), json_string(port.help));
}

std::string json_parameter(const Parameter& parameter) {
  return fmt::format(
      "{{\"name\": {}, \"type\": {}, \"help\": {}, \"default\": {}, \"required\": {}, \"unit\": {}, "
      "\"least\": {}, "
      "\"most\": {}, \"choices\": {}}}",
      json_string(parameter.name), json_string(std::string(name_of(parameter.type))),
      json_string(parameter.help), parameter.default_value ? json_string(*parameter.default_value) : "null",
      parameter.is_required, json_string(parameter.unit), json_number(parameter.least),
      json_number(parameter.most), json_strings(parameter.choices));
}

std::string to_json(const NodeType& type) {
  std::vector<std::string> inputs, parameters;
  for (const Port& port : type.inputs) inputs.push_back(json_port(port));
  for (const Parameter& parameter : type.parameters) parameters.push_back(json_parameter(parameter));
  return fmt::format(
      "{{\"name\": {}, \"help\": {}, \"origin\": {},\n \"inputs\": [{}],\n \"output\": {},\n \"parameters\": "
      "[{}],\n"
      " \"is_unordered\": {}, \"needs_order\": {}, \"bytes\": {}, \"stages\": {}, \"example\": {}}}",
      json_string(type.name), json_string(type.help), json_string(type.origin), fmt::join(inputs, ", "),
      type.output ? json_port(*type.output) : "null", fmt::join(parameters, ",\n  "), type.is_unordered,
      type.needs_order, json_string(type.bytes), json_strings(type.stages), json_string(example_of(type)));
}

}  // namespace

Action add_nodes(CLI::App& app) {
  struct NodesOptions {
    std::string name;
    bool json = false;
  };
  auto options = std::make_shared<NodesOptions>();
  CLI::App* nodes = app.add_subcommand("nodes", "List the node types of graph files, or say all about one");
  nodes->add_option("NAME", options->name, "A node type");
  nodes->add_flag("--json", options->json, "For programs: all that is known of them");
  return [options, nodes](const std::stop_token&) {
    if (!nodes->parsed()) return;
    const Registry registry = known_nodes();
    std::vector<const NodeType*> types = registry.types();
    if (!options->name.empty()) types = {&registry.at(options->name)};
    if (options->json) {
      std::vector<std::string> all;
      for (const NodeType* type : types) all.push_back(to_json(*type));
      const bool is_list = options->name.empty();
      fmt::print("{}{}{}\n", is_list ? "[" : "", fmt::join(all, ",\n"), is_list ? "]" : "");
    } else if (!options->name.empty()) {
      print_type(*types.front());
    } else {
      std::size_t width = 0;
      for (const NodeType* type : types) width = std::max(width, type->name.size());
      for (const NodeType* type : types)
        fmt::print("{}",
                   entry(type->name,
                         type->origin.empty() ? type->help : fmt::format("{} ({})", type->help, type->origin),
                         2 + width + 2));
    }
  };
}

}  // namespace weir::command
