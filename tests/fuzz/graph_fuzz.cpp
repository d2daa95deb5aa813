// Any bytes as a graph file over made-up node types: a description that prints and reads back the same, or an
// Error; no crash, no hang, no file touched. What is accepted is also planned, and run where it is small.
// Seeds: seeds/graph_fuzz, sound and broken files made for this.
#define DOCTEST_CONFIG_IMPLEMENT  // the test nodes' header names it
#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "framework/graph_run.hpp"
#include "tests/graph_file_nodes.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

/// Includes find nothing.
class NoFiles : public FileSystem {
 public:
  int open(const char*, int, mode_t) override {
    errno = ENOENT;
    return -1;
  }
};

void run(const GraphFile& file) {
  const auto log = std::make_shared<SinkLog>();
  const Registry registry = made_up_registry(log);
  GraphRun graph(file, registry, {.limits = {.memory = 64 << 20, .threads = 1, .engine = Engine::serial}});
  std::uint64_t items = 0;
  for (const std::uint64_t of_node : graph.plan().items) items += of_node;
  if (items > 10'000) return;
  graph.run();
  if (!log->wrong.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Registry registry = made_up_registry();
  static NoFiles no_files;
  const std::string text(data, data + size);
  try {
    const GraphFile file = parse_graph_text(text, "fuzz.yaml", {.files = &no_files}, registry);
    const std::string printed = to_yaml(file);
    if (parse_graph_text(printed, "fuzz.yaml", {.files = &no_files}, registry).nodes != file.nodes)
      std::abort();
    run(file);
  } catch (const Error& error) {
    if (std::string(error.what()).empty()) std::abort();
  }
  return 0;
}
