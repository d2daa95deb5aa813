#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace weir::command {

/// A line of help: the name, and on its right the description from `left_column` on, wrapped at 80 columns.
std::string entry(const std::string& name, const std::string& description, std::size_t left_column = 24);

/// Leaves --help of a command with many options those that people look for, so that it fits a screen; --help-all, which this adds,
/// has them all. To be called when all options are there.
void keep_in_short_help(CLI::App& command, const std::vector<std::string>& options);

/// Help that fits 80 columns: name and placeholder (Option::option_text) on the left, the description wrapped
/// on the right. CLI11's own writes the whole list of allowed values into the left column and never wraps.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;

 private:
  mutable bool shows_all_ = false;  ///< CLI11 does not tell make_group which help it is for
};

}  // namespace weir::command
