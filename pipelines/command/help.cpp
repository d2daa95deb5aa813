#include "pipelines/command/help.hpp"

#include <sstream>

namespace weir::command {
namespace {

constexpr std::size_t columns = 80;

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

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = option->get_name(is_positional, !is_positional);
  if (!is_positional && !option->get_option_text().empty()) name += " " + option->get_option_text();
  return entry(name, option->get_description());
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  return entry(command->get_name(), command->get_description());
}

}  // namespace weir::command
