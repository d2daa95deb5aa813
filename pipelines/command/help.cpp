#include "pipelines/command/help.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace weir::command {
namespace {

constexpr std::size_t columns = 80;
const std::string further = "Further options";

}  // namespace

std::string entry(const std::string& name, const std::string& description, std::size_t left_column) {
  std::string text = "  " + name;
  if (!name.empty() && text.size() + 2 > left_column)
    text += "\n" + std::string(left_column, ' ');
  else
    text.resize(left_column, ' ');
  std::istringstream words(description);
  std::size_t column = left_column;
  for (std::string word; words >> word;) {
    const bool is_first = column == left_column;
    if (!is_first && column + 1 + word.size() > columns) {
      text += "\n" + std::string(left_column, ' ');
      column = left_column;
    } else if (!is_first) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text + "\n";
}

void keep_in_short_help(CLI::App& command, const std::vector<std::string>& options) {
  command.set_help_all_flag("--help-all", "Print all options and exit");
  for (CLI::Option* option : command.get_options()) {
    const bool is_kept = option == command.get_help_ptr() || option == command.get_help_all_ptr() ||
                         std::find(options.begin(), options.end(), option->get_name()) != options.end();
    if (!is_kept && option->nonpositional()) option->group(further);
  }
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  shows_all_ = mode == CLI::AppFormatMode::All;
  return CLI::Formatter::make_help(app, std::move(name), mode);
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  if (group == further && !shows_all_) return "";
  return CLI::Formatter::make_group(std::move(group), is_positional, std::move(options));
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = option->get_name(is_positional, !is_positional);
  if (!is_positional && !option->get_option_text().empty()) name += " " + option->get_option_text();
  return entry(name, option->get_description());
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return entry(command->get_name(), command->get_description());
}

}  // namespace weir::command
