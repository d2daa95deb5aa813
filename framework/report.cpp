#include "framework/report.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"

namespace weir {

const NodeReport& RunReport::node(const std::string& name) const {
  for (const NodeReport& node : nodes)
    if (node.name == name) return node;
  throw Error::usage("find", "node " + name, "the report has no node of that name");
}

std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
        else
          quoted += c;
    }
  }
  return quoted + "\"";
}

std::string to_json(const RunReport& report) {
  std::string json = "{\n";
  const auto add = [&json](const char* name, const auto& value) {
    json += fmt::format("  \"{}\": {},\n", name, value);
  };
  add("engine", json_string(report.engine));
  add("threads", report.threads);
  add("threads_seen", report.threads_seen);
  add("wall_seconds", report.wall_seconds);
  add("cpu_seconds", report.cpu_seconds);
  add("memory_limit", report.memory_limit);
  add("peak_planned", report.peak_planned);
  add("peak_leased", report.peak_leased);
  add("peak_payload", report.peak_payload);
  add("peak_resident", report.peak_resident);
  add("tokens", report.tokens);
  add("units", report.units);
  add("most_units_in_flight", report.most_units_in_flight);
  add("source_chunks", report.source_chunks);
  add("source_reads", report.source_reads);
  add("raw_bytes", report.raw_bytes);
  add("output_bytes", report.output_bytes);
  json += "  \"nodes\": [";
  for (std::size_t i = 0; i < report.nodes.size(); ++i) {
    const NodeReport& node = report.nodes[i];
    json += fmt::format(
        "{}\n    {{\"name\": {}, \"kind\": {}, \"concurrency\": {}, \"items_in\": {}, \"items_out\": {}, "
        "\"bytes_in\": {}, "
        "\"bytes_out\": {}, \"busy_seconds\": {}, \"waiting_seconds\": {}, \"most_in_flight\": {}}}",
        i == 0 ? "" : ",", json_string(node.name), json_string(node.kind), node.concurrency, node.items_in,
        node.items_out, node.bytes_in, node.bytes_out, node.busy_seconds, node.waiting_seconds,
        node.most_in_flight);
  }
  return json + "\n  ]\n}\n";
}

}  // namespace weir
