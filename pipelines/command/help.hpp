#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace weir::command {

/// A line of help: the name, and on its right the description from `left_column` on, wrapped at 80 columns.
std::string entry(const std::string& name, const std::string& description, std::size_t left_column = 24);

/// Help that fits 80 columns: name and placeholder (Option::option_text) on the left, the description wrapped
/// on the right. CLI11's own writes the whole list of allowed values into the left column and never wraps.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

}  // namespace weir::command
