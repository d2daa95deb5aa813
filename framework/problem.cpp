#include "framework/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "framework/parameters.hpp"

namespace weir {
namespace {

constexpr std::size_t most_listed = 12;
constexpr std::size_t longest_text = 600;  // of one problem: several choices, or a path

std::string readable(std::string_view text) {
  const bool is_cut = text.size() > longest_text;
  if (is_cut) {
    text = text.substr(0, longest_text);
    // not in the middle of a character
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);
    if (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80) != 0) text.remove_suffix(1);
  }
  std::string line(text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return line + (is_cut ? " ..." : "");
}

std::string all_of(const std::vector<Problem>& problems, std::size_t count) {
  std::string text = count == 1 ? "" : fmt::format("{} problems: ", count);
  for (std::size_t i = 0; i < problems.size(); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : "; ", to_text(problems[i]));
  return count > problems.size() ? text + "; ..." : text;
}

}  // namespace

std::string to_text(const Place& place) {
  if (!place.source) return "";
  if (place.line == 0) return *place.source;
  return fmt::format("{}:{}:{}", *place.source, place.line, place.column);
}

std::string to_text(const Problem& problem) {
  const std::string place = to_text(problem.place);
  return place.empty() ? problem.text : fmt::format("{}: {}", place, problem.text);
}

ProblemError::ProblemError(std::string_view object, std::vector<Problem> problems, std::size_t count,
                           ErrorKind kind)
    : Error("use", object, all_of(problems, count), kind), problems_(std::move(problems)), count_(count) {}

void Problems::add(const Place& place, std::string_view text) {
  all_failed_ = false;
  if (++count_ <= most_kept) kept_.push_back({place, readable(text)});
}

void Problems::add_unknown(const Place& place, std::string_view text, std::string_view name,
                           const std::vector<std::string>& known) {
  // Looked for where it is going to be read: it takes its time among thousands.
  if (is_full()) return add(place, text);
  const std::string near = nearest_name(name, known);
  if (!near.empty())
    add(place, fmt::format("{}; did you mean {}?", text, near));
  else if (!known.empty() && known.size() <= most_listed)
    add(place,
        fmt::format("{}; there {} {}", text, known.size() == 1 ? "is" : "are", fmt::join(known, ", ")));
  else
    add(place, text);
}

void Problems::add_failure(const Place& place, const Error& error) {
  const bool all_failed = all_failed_;
  add(place, error.what());
  all_failed_ = all_failed && error.kind() == ErrorKind::failed;
}

void Problems::throw_if_any(std::string_view object) const {
  if (empty()) return;
  // The file itself, then other sources in the order in which they were first spoken of.
  std::map<std::string, std::size_t> rank{{std::string(object), 0}};
  const auto source = [](const Problem& problem) {
    return problem.place.source ? *problem.place.source : std::string();
  };
  for (const Problem& problem : kept_) rank.emplace(source(problem), rank.size());
  std::vector<Problem> sorted = kept_;
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Problem& a, const Problem& b) {
    const auto key = [&](const Problem& p) {
      return std::tuple(rank.at(source(p)), p.place.line, p.place.column);
    };
    return key(a) < key(b);
  });
  throw ProblemError(object, std::move(sorted), count_, all_failed_ ? ErrorKind::failed : ErrorKind::usage);
}

}  // namespace weir
