#include "nodes/stores/http_parameters.hpp"

namespace weir {

std::vector<Parameter> http_parameters() {
  return {
      {.name = "timeout",
       .type = ParameterType::number,
       .help = "of a URL: the longest time that the server may be silent",
       .default_value = "30",
       .unit = "seconds",
       .least = 0.001,
       .most = 86400},
      {.name = "retries",
       .type = ParameterType::integer,
       .help = "of a URL: how often a request is repeated that met a busy server or broke",
       .default_value = "6",
       .least = 0,
       .most = 1000},
      {.name = "requests",
       .type = ParameterType::integer,
       .help = "of a URL: requests in flight at once",
       .default_value = "16",
       .least = 1,
       .most = 1024},
  };
}

HttpOptions http_options(const Parameters& parameters) {
  HttpOptions http;
  http.timeout = seconds_of(parameters.number("timeout"));
  http.retries = static_cast<unsigned>(parameters.integer("retries"));
  http.requests = static_cast<unsigned>(parameters.integer("requests"));
  return http;
}

}  // namespace weir
