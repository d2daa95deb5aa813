#pragma once

#include <vector>

#include "framework/parameters.hpp"
#include "nodes/stores/http_options.hpp"

namespace weir {

/// What a node that reads a path has for one that is a URL: timeout, retries, requests.
std::vector<Parameter> http_parameters();
HttpOptions http_options(const Parameters& parameters);

}  // namespace weir
