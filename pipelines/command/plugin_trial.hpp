#pragma once

#include <functional>
#include <map>
#include <string>

#include "framework/plugin_host.hpp"

namespace weir::command {

/// Who is told of each check: that it begins, and how it ended.
struct TrialReport {
  std::function<void(const std::string& check)> begin;
  std::function<void(const std::string& check)> ok;
  std::function<void(const std::string&check, const std::string&reason)> not_ok, skip;
};

/// Tries a node of a plugin out, in this process, which may not survive it: creation, wrong parameters, the same
/// result for any windows and threads, failing allocations, declared against measured memory. `given`: parameters;
/// `path`: what a text that must be given becomes, since it may be the name of a file.
void try_plugin_node(const PluginNode& node, const std::map<std::string, std::string>& given,
                     const std::string& path, const TrialReport& report);

}  // namespace weir::command
