#include "framework/error.hpp"

#include <system_error>

namespace weir {

Error::Error(std::string_view action, std::string_view object, std::string_view reason, ErrorKind kind)
    : action_(action), object_(object), reason_(reason), kind_(kind) {
  compose();
}

Error Error::at(std::string_view node, std::string_view item) const {
  Error placed = *this;
  if (node_.empty()) {
    placed.node_ = node;
    placed.item_ = item;
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

std::string system_reason(int error_number) { return std::generic_category().message(error_number); }

}  // namespace weir
