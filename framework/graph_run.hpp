#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/graph_file.hpp"

namespace weir {

struct GraphRunOptions {
  GraphOptions limits = {};  ///< what is not 0 (or automatic) wins over what the graph says
  bool overwrite = false;    ///< whether sinks may replace what exists
  FileSystem* files = &FileSystem::real();
};

/// A graph that is ready to run, made from a description: its node types looked
/// up, their inputs looked at, the flow graph made and planned. One thread.
class GraphRun {
 public:
  /// Throws a ProblemError: what check finds, else what the nodes say of their
  /// parameters and inputs, else a concurrency that a node cannot have, else a
  /// budget that is too small, with the smallest that works. No output is
  /// touched. The registry must outlive the run.
  GraphRun(const GraphFile& file, const Registry& registry, const GraphRunOptions& options = {});
  ~GraphRun();
  GraphRun(const GraphRun&) = delete;
  GraphRun& operator=(const GraphRun&) = delete;

  std::string explain() const;  ///< what the nodes say of their plans, then the
                                ///< graph's own explanation
  std::string dot() const { return graph_.dot(); }
  const Graph& graph() const { return graph_; }
  /// What of its inputs could not be used, and is no reason to fail: "dem: ...", a line each.
  const std::vector<std::string>& notes() const { return notes_; }
  const Plan& plan() const { return plan_; }
  /// Once. Throws the first Error, with node and item.
  RunReport run(const RunOptions& options = {});

 private:
  struct Made {
    std::string name;
    std::unique_ptr<NodeInstance> instance;
  };
  GraphSetup setup_;
  std::vector<std::string> notes_;
  std::vector<Made> nodes_;  ///< producers before consumers
  Graph graph_;              ///< after the instances, which its bodies may look at
  Plan plan_;
  std::string help_;
};

}  // namespace weir
