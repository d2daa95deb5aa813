#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "nodes/stores/http_options.hpp"

namespace weir::command {

/// Options of commands that read files behind http(s)://.
struct HttpSettings {
  std::optional<double> timeout;  ///< seconds
  std::optional<unsigned> retries, requests;

  void add_to(CLI::App& app);
  HttpOptions options() const;
};

}  // namespace weir::command
