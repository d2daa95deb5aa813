#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "framework/error.hpp"

namespace weir {

/// A place in a text that was read, as compilers write it.
struct Place {
  std::shared_ptr<const std::string> source;  ///< the file's name as it was given; nullptr: made in C++
  unsigned line = 0,
           column = 0;  ///< from 1, columns in bytes; 0: the source as a whole
};
std::string to_text(const Place& place);  ///< "graph.yaml:7:20", "graph.yaml" or ""

/// What is wrong at a place.
struct Problem {
  Place place;
  std::string text;  ///< a sentence without its period
};
std::string to_text(const Problem& problem);  ///< "graph.yaml:7:20: there is no node type slop"

/// The error of a description in which several things may be wrong: reads
/// "cannot use graph.yaml: 2 problems: graph.yaml:3:1: ...; graph.yaml:7:20:
/// ...".
class ProblemError : public Error {
 public:
  ProblemError(std::string_view object, std::vector<Problem> problems, std::size_t count,
               ErrorKind kind = ErrorKind::usage);
  const std::vector<Problem>& problems() const { return problems_; }
  std::size_t count() const { return count_; }  ///< more than problems() where there were too many to keep

 private:
  std::vector<Problem> problems_;
  std::size_t count_;
};

/// Collects problems, so that all are told at once. The texts of outsiders are
/// cut to a length that can be read, without control characters.
class Problems {
 public:
  void add(const Place& place, std::string_view text);
  /// The same with "; did you mean ...?" where one of `known` is near to
  /// `name`.
  void add_unknown(const Place& place, std::string_view text, std::string_view name,
                   const std::vector<std::string>& known);
  bool empty() const { return count_ == 0; }
  bool is_full() const { return count_ >= most_kept; }  ///< what is added is counted, and no more
  /// A problem of the work, not of the description: an input that cannot be
  /// read.
  void add_failure(const Place& place, const Error& error);
  /// Throws a ProblemError with all of them, each file's in the order of its
  /// lines. `object`: what cannot be used.
  void throw_if_any(std::string_view object) const;

 private:
  static constexpr std::size_t most_kept = 50;  // a person reads no more, and a broken file can have 100,000
  std::vector<Problem> kept_;
  std::size_t count_ = 0;
  bool all_failed_ = true;  ///< none is about the description itself
};

}  // namespace weir
