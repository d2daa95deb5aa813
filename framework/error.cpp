#include "framework/error.hpp"

#include <system_error>

namespace weir {
namespace {

/// Texts come from outside too: file names, what() of other people's exceptions. Line breaks and other control
/// characters become single spaces, none at the end.
std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  bool is_gap = false;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f) {
      is_gap = true;
      continue;
    }
    if (is_gap && !line.empty()) line += ' ';
    is_gap = false;
    line += c;
  }
  return line;
}

}  // namespace

Error::Error(std::string_view action, std::string_view object, std::string_view reason, ErrorKind kind)
    : action_(one_line(action)), object_(one_line(object)), reason_(one_line(reason)), kind_(kind) {
  compose();
}

Error Error::at(std::string_view node, std::string_view item) const {
  Error placed = *this;
  if (node_.empty()) {
    placed.node_ = one_line(node);
    placed.item_ = one_line(item);
    placed.compose();
  }
  return placed;
}

void Error::compose() {
  message_.clear();
  if (!node_.empty()) {
    message_ += "node " + node_;
    if (!item_.empty()) message_ += ", " + item_;
    message_ += ": ";
  }
  message_ += "cannot " + action_;
  if (!object_.empty()) message_ += " " + object_;
  if (!reason_.empty()) message_ += ": " + reason_;
}

std::string system_reason(int error_number) {
  return std::generic_category().message(error_number);
}

}  // namespace weir
