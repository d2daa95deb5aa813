#include "nodes/raster/file_check.hpp"

#include <algorithm>

namespace weir {

std::string_view name_of(FileProblem::Severity severity) {
  return severity == FileProblem::Severity::error ? "error" : "warning";
}

bool FileCheck::has(std::string_view name) const {
  return std::ranges::any_of(problems_, [&](const FileProblem& problem) { return problem.name == name; });
}

bool FileCheck::is_listed(const FileProblem& problem) const {
  const auto count = counts_.find({problem.name, problem.where});
  return count == counts_.end() || count->second.listed < listed_;
}

void FileCheck::add(FileProblem problem) {
  ++(problem.severity == FileProblem::Severity::error ? errors_ : warnings_);
  Count& count = counts_[{problem.name, problem.where}];
  if (count.listed > 0 && count.listed >= listed_) {
    ++problems_[count.last].more;
    return;
  }
  ++count.listed;
  count.last = problems_.size();
  problems_.push_back(std::move(problem));
}

}  // namespace weir
