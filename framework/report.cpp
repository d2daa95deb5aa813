#include "framework/report.hpp"

#include <fmt/format.h>

#include <string_view>

#include "framework/error.hpp"
#include "framework/utf8.hpp"
#include "framework/verdict.hpp"

namespace weir {

const NodeReport& RunReport::node(const std::string& name) const {
  for (const NodeReport& node : nodes)
    if (node.name == name) return node;
  throw Error::usage("find", "node " + name, "the report has no node of that name");
}

std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = utf8_length(text, i);
    if (length == 0) {  // a file name may be any bytes, JSON may not
      quoted += "\\ufffd";
      ++i;
      continue;
    }
    if (length > 1) {
      quoted.append(text, i, length);
    } else if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      quoted += c;
    }
    i += length;
  }
  return quoted + "\"";
}

std::string to_json(const RunReport& report) {
  std::string json = "{\n";
  const auto add = [&json](const char* name, const auto& value) {
    json += fmt::format("  \"{}\": {},\n", name, value);
  };
  add("error", json_string(report.error));
  add("failed_node", json_string(report.failed_node));
  add("failed_item", json_string(report.failed_item));
  add("repeat", json_string(report.repeat));
  add("verdict", json_string(verdict_of(report).headline));
  add("was_recorded", report.was_recorded);
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
  add("standing_bytes", report.standing_bytes);
  add("largest_unit", report.largest_unit);
  add("carried_bytes", report.carried_bytes);
  add("smallest_memory", report.smallest_memory);
  add("waiting_for_bytes_seconds", report.waiting_for_bytes_seconds);
  add("waiting_for_tokens_seconds", report.waiting_for_tokens_seconds);
  add("source_chunks", report.source_chunks);
  add("source_reads", report.source_reads);
  add("raw_bytes", report.raw_bytes);
  add("output_bytes", report.output_bytes);
  add("requests", report.requests);
  add("fetched_bytes", report.fetched_bytes);
  std::string counts;
  for (const auto& [name, count] : report.counts)
    counts += fmt::format("{}{}: {}", counts.empty() ? "" : ", ", json_string(name), count);
  if (!counts.empty()) add("counts", "{" + counts + "}");
  json += "  \"nodes\": [";
  for (std::size_t i = 0; i < report.nodes.size(); ++i) {
    const NodeReport& node = report.nodes[i];
    std::string inputs;
    for (const std::string& input : node.inputs) inputs += (inputs.empty() ? "" : ", ") + json_string(input);
    json += fmt::format(
        "{}\n    {{\"name\": {}, \"kind\": {}, \"lane\": {}, \"inputs\": [{}], \"output_type\": {}, "
        "\"is_input\": {}, \"concurrency\": {}, ",
        i == 0 ? "" : ",", json_string(node.name), json_string(node.kind), json_string(node.lane), inputs,
        json_string(node.output_type), node.is_input, node.concurrency);
    json += fmt::format(
        "\"items_in\": {}, \"items_out\": {}, \"bytes_in\": {}, \"bytes_out\": {}, \"busy_seconds\": {}, "
        "\"waiting_seconds\": {}, \"waiting_order_seconds\": {}, \"waiting_body_seconds\": {}, "
        "\"waiting_thread_seconds\": {}, \"most_in_flight\": {}, ",
        node.items_in, node.items_out, node.bytes_in, node.bytes_out, node.busy_seconds, node.waiting_seconds,
        node.waiting_order_seconds, node.waiting_body_seconds, node.waiting_thread_seconds,
        node.most_in_flight);
    json += fmt::format(
        "\"idle\": {{\"input\": {}, \"order\": {}, \"thread\": {}, \"bytes\": {}, \"tokens\": {}, \"done\": "
        "{}}}}}",
        node.idle.input, node.idle.order, node.idle.thread, node.idle.bytes, node.idle.tokens,
        node.idle.done);
  }
  return json + "\n  ]\n}\n";
}

}  // namespace weir
