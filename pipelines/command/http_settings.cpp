#include "pipelines/command/http_settings.hpp"

#include <cmath>
#include <string>

namespace weir::command {

void HttpSettings::add_to(CLI::App& app) {
  app.add_option("--http-timeout", timeout, "URLs: longest silence of the server in seconds (default: 30)")
      ->option_text("S")
      ->check(CLI::Range(0.001, 86400.0))
      ->check([](const std::string& text) {  // which nan is neither above nor below
        return std::isnan(std::stod(text)) ? "it is no number" : "";
      });
  app.add_option("--http-retries", retries, "URLs: repeat what met a busy server or broke (default: 6)")
      ->option_text("N")
      ->check(CLI::Range(0U, 1000U));
  app.add_option("--http-requests", requests, "URLs: requests in flight at once (default: 16)")
      ->option_text("N")
      ->check(CLI::Range(1U, 1024U));
}

HttpOptions HttpSettings::options() const {
  HttpOptions options;
  if (timeout) options.timeout = seconds_of(*timeout);
  if (retries) options.retries = *retries;
  if (requests) options.requests = *requests;
  return options;
}

}  // namespace weir::command
