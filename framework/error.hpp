#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace weir {

/// What a failure means to the caller; the command maps it to its exit code.
enum class ErrorKind {
  failed,     ///< the work could not be done (exit 1)
  usage,      ///< wrong arguments, configuration or budget; nothing was touched (exit 2)
  cancelled,  ///< stopped on request (exit 130 or 143)
  outdated,   ///< an object is not what it was any more: looking again and doing it again may work (exit 1)
};

/// The one exception type of Weir. Reads "cannot <action> <object>: <reason>", with the node and the item in
/// front once the engine has added them: "node tif, tile 17: cannot write out.tif: No space left on device".
/// One line, no trailing period. Copyable, so that it can travel between threads.
class Error : public std::exception {
 public:
  Error(std::string_view action, std::string_view object, std::string_view reason,
        ErrorKind kind = ErrorKind::failed);

  /// An error of the caller's making: bad argument, unknown name, budget too small.
  static Error usage(std::string_view action, std::string_view object, std::string_view reason) {
    return Error(action, object, reason, ErrorKind::usage);
  }
  static Error cancelled() { return Error("finish", "the run", "it was cancelled", ErrorKind::cancelled); }

  /// The same error with the node and the item that it happened in. An error that has a node already keeps it:
  /// the innermost place is the true one.
  Error at(std::string_view node, std::string_view item) const;

  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& action() const { return action_; }
  const std::string& object() const { return object_; }
  const std::string& reason() const { return reason_; }
  const std::string& node() const { return node_; }  ///< empty outside a graph
  const std::string& item() const { return item_; }  ///< empty outside a graph
  ErrorKind kind() const { return kind_; }

 private:
  void compose();

  std::string action_, object_, reason_, node_, item_, message_;
  ErrorKind kind_;
};

/// The text of an errno value, thread-safe.
std::string system_reason(int error_number);

}  // namespace weir
