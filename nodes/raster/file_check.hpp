#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

/// Something that is wrong with a stored raster. Reads "<where>, <item>: <text>".
struct FileProblem {
  enum class Severity : std::uint8_t {
    warning,  ///< readers get the pixels, but not as well as they could
    error,    ///< the file is not what it should be
  };
  Severity severity = Severity::error;
  std::string name;        ///< stable, for programs: "tile-leader"
  std::string where = {};  ///< the part of the file: "overview 2 (directory 3)"; empty: all of it
  std::string item = {};   ///< "tile (row 0, col 4)"; empty: all of the part
  std::string text = {};   ///< one line, no trailing period
  std::uint64_t more = 0;  ///< as many of the same name and part come after it, and are not listed
};

std::string_view name_of(FileProblem::Severity severity);  ///< "error"

/// What a check found. However bad a file is, the list stays short: of each name, up to `listed` problems of a part of the file are
/// kept, the others counted. One thread at a time.
class FileCheck {
 public:
  /// `kind`: what the file should be, in a word: "COG".
  FileCheck(std::string kind, std::uint64_t listed) : kind_(std::move(kind)), listed_(listed) {}

  const std::string& kind() const { return kind_; }
  const std::vector<FileProblem>& problems() const { return problems_; }  ///< in the order they were found
  const std::vector<std::string>& notes() const { return notes_; }        ///< what was not looked at, and why
  std::uint64_t errors() const { return errors_; }                        ///< with those that are not listed
  std::uint64_t warnings() const { return warnings_; }
  bool is_valid(bool strict) const { return errors_ == 0 && (!strict || warnings_ == 0); }
  bool has(std::string_view name) const;

  void note(std::string text) { notes_.push_back(std::move(text)); }
  void error(std::string_view name, const std::string& where, std::string text) {
    add({FileProblem::Severity::error, std::string(name), where, {}, std::move(text)});
  }
  void warn(std::string_view name, const std::string& where, std::string text) {
    add({FileProblem::Severity::warning, std::string(name), where, {}, std::move(text)});
  }
  void add(FileProblem problem);
  /// An error of one of very many items; `describe` fills item and text in, and is called only where they will be listed.
  template <class Describe>
  void error_of_item(std::string_view name, const std::string& where, Describe&& describe) {
    FileProblem problem{FileProblem::Severity::error, std::string(name), where};
    if (is_listed(problem)) describe(problem);
    add(std::move(problem));
  }

 private:
  struct Count {
    std::uint64_t listed = 0;
    std::size_t last = 0;  // in problems_
  };
  bool is_listed(const FileProblem& problem) const;

  std::string kind_;
  std::uint64_t listed_;
  std::vector<FileProblem> problems_;
  std::vector<std::string> notes_;
  std::map<std::pair<std::string, std::string>, Count> counts_;  // by name and part
  std::uint64_t errors_ = 0, warnings_ = 0;
};

}  // namespace weir
