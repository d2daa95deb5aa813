#include "framework/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "framework/bytes.hpp"

namespace weir {
namespace {

/// Above this share of the time something counts as the limit: what else there is could save a third at most.
constexpr double saturated = 0.7;
/// Admission that waits for longer than this share, with nothing saturated, is the limit.
constexpr double starved = 0.3;
/// A wait below this share is not worth a word.
constexpr double noticeable = 0.1;

std::string percent(double share) {
  return fmt::format("{:.0f} %", std::clamp(share, 0.0, 1.0) * 100);
}

bool is_sink(const NodeReport& node) {
  return node.kind == "sink" || node.kind == "ordered sink";
}

/// As a flag takes it: "256M", else "1000K" or plain bytes.
std::string flag_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t kibi = 1024, mebi = kibi * kibi;
  if (bytes % mebi == 0) return fmt::format("{}M", bytes / mebi);
  if (bytes % kibi == 0) return fmt::format("{}K", bytes / kibi);
  return fmt::format("{}", bytes);
}

/// The next power of two, which is easier to say.
std::uint64_t round_size(std::uint64_t bytes) {
  std::uint64_t size = 1024;
  while (size < bytes && size < (std::uint64_t{1} << 62)) size *= 2;
  return size;
}

class Judge {
 public:
  explicit Judge(const RunReport& report) : report_(report) {
    wall_ = std::max(report.wall_seconds, 1e-9);
    threads_ = std::max(report.threads, 1U);
    const bool serial = report.engine == "serial";
    for (const NodeReport& node : report.nodes) {
      if (!serial && node.lane == "io") continue;
      compute_busy_ += node.busy_seconds;
      if (busiest_compute_ == nullptr || node.busy_seconds > busiest_compute_->busy_seconds)
        busiest_compute_ = &node;
    }
    compute_share_ = compute_busy_ / (wall_ * threads_);
    bytes_share_ = report.waiting_for_bytes_seconds / wall_;
    tokens_share_ = report.waiting_for_tokens_seconds / wall_;
  }

  Verdict judge() {
    if (report_.engine == "serial")
      judge_one_thread();
    else
      judge_many_threads();
    verdict_.settings = settings();
    if (!report_.error.empty()) {
      verdict_.details.insert(verdict_.details.begin(), "Until then: " + verdict_.headline);
      verdict_.headline = "The run failed: " + report_.error;
      if (!report_.repeat.empty())
        verdict_.details.insert(verdict_.details.begin(), "This repeats just that item: " + report_.repeat);
      return verdict_;
    }
    if (wall_ < 0.05)
      verdict_.details.push_back(
          fmt::format("The run took only {:.0f} ms: its figures are rough.", wall_ * 1000));
    return verdict_;
  }

 private:
  double share(const NodeReport& node) const {
    return node.busy_seconds / (wall_ * std::max(node.concurrency, 1U));
  }
  bool is_input(const NodeReport& node) const {
    return node.kind == "source" || node.is_input || (node.lane == "io" && !is_sink(node));
  }

  /// The node with the highest share of those that `counts` takes.
  template <class F>
  const NodeReport* busiest(F counts) const {
    const NodeReport* best = nullptr;
    for (const NodeReport& node : report_.nodes)
      if (counts(node) && (best == nullptr || share(node) > share(*best))) best = &node;
    return best;
  }

  void judge_many_threads() {
    const NodeReport* sink = busiest([](const NodeReport& n) { return is_sink(n); });
    const NodeReport* input = busiest([&](const NodeReport& n) { return is_input(n); });
    const NodeReport* narrow = busiest([&](const NodeReport& n) {
      return !is_sink(n) && !is_input(n) && n.lane != "io" && n.concurrency < threads_;
    });
    const double of_sink = sink != nullptr ? share(*sink) : 0,
                 of_input = input != nullptr ? share(*input) : 0;
    const double of_narrow = narrow != nullptr ? share(*narrow) : 0;
    const double most = std::max({of_sink, of_input, of_narrow, compute_share_});
    if (most >= saturated) {
      // All threads busy says more than that one of the nodes they are in is full.
      if (compute_share_ >= 0.95 * most)
        say_cores();
      else if (of_sink == most)
        say_writing(*sink);
      else if (of_input == most)
        say_source(*input);
      else
        say_node(*narrow);
      return;
    }
    if (items_are_small())
      say_small_items();
    else if (bytes_share_ >= starved && bytes_share_ >= tokens_share_)
      say_budget();
    else if (tokens_share_ >= starved)
      say_tokens();
    else
      say_nothing();
  }

  /// The serial engine does everything on one thread, so that the thread is always busy: what counts is with
  /// what.
  void judge_one_thread() {
    const NodeReport* node = busiest([](const NodeReport&) { return true; });
    if (node == nullptr || share(*node) < 0.5)
      say_cores();
    else if (is_sink(*node))
      say_writing(*node);
    else if (is_input(*node))
      say_source(*node);
    else
      say_cores();
    verdict_.details.push_back("The serial engine does everything on one thread, I/O included.");
  }

  void say_writing(const NodeReport& sink) {
    verdict_.limit = Limit::writing;
    verdict_.node = sink.name;
    verdict_.headline = fmt::format("Writing was the limit: {} was busy {} of the time{}.", sink.name,
                                    percent(share(sink)), while_admission_waited());
    say_compute_idle();
    if (sink.bytes_in > 0 && sink.busy_seconds > 0)
      verdict_.details.push_back(fmt::format(
          "It took in {} at {}/s while it was busy.", format_bytes(sink.bytes_in),
          format_bytes(static_cast<std::uint64_t>(static_cast<double>(sink.bytes_in) / sink.busy_seconds))));
    verdict_.details.push_back(
        "More memory, tokens or threads would not help; a faster place to write to would, or fewer bytes.");
  }

  void say_source(const NodeReport& input) {
    verdict_.limit = Limit::source;
    verdict_.node = input.name;
    std::string after;
    const NodeReport* idle = nullptr;
    for (const NodeReport& node : report_.nodes)
      if (!is_input(node) && (idle == nullptr || node.busy_seconds > idle->busy_seconds)) idle = &node;
    if (idle != nullptr && idle->idle.input / wall_ >= noticeable)
      after = fmt::format(" while {} waited for input {} of the time", idle->name,
                          percent(idle->idle.input / wall_));
    verdict_.headline = fmt::format("The source was the limit: {} was busy {} of the time{}.", input.name,
                                    percent(share(input)), after);
    say_compute_idle();
    if (input.lane == "io" && report_.engine != "serial") {
      verdict_.details.push_back(
          fmt::format("It reads with {} thread{} at once; more may be faster where the "
                      "place it reads from answers slowly.",
                      input.concurrency, input.concurrency == 1 ? "" : "s"));
      verdict_.advice = fmt::format("--set {}.concurrency={}", input.name, 2 * input.concurrency);
    } else {
      verdict_.details.push_back("More memory or tokens would not help.");
    }
  }

  void say_node(const NodeReport& node) {
    verdict_.limit = Limit::node;
    verdict_.node = node.name;
    verdict_.headline =
        fmt::format("{} was the limit: with {} at a time it was busy {} of the time{}.", node.name,
                    node.concurrency == 1 ? "one item" : fmt::format("{} items", node.concurrency),
                    percent(share(node)), while_admission_waited());
    say_compute_idle();
    if (node.concurrency > 1) {
      verdict_.details.push_back(fmt::format("There are {} compute threads, and {} may use {}.", threads_,
                                             node.name, node.concurrency));
      verdict_.advice = fmt::format("--set {}.concurrency={}", node.name, threads_);
    }
  }

  void say_cores() {
    verdict_.limit = Limit::cores;
    std::string where;
    if (busiest_compute_ != nullptr && compute_busy_ > 0) {
      verdict_.node = busiest_compute_->name;
      where = fmt::format(", {} of that in {}", percent(busiest_compute_->busy_seconds / compute_busy_),
                          busiest_compute_->name);
    }
    const double cpu = report_.cpu_seconds / (wall_ * threads_);
    verdict_.headline = fmt::format(
        "The {} were the limit: {} {} busy {} of the time{}.", cpu < 0.5 ? "compute threads" : "cores",
        threads_ == 1 ? "the compute thread" : fmt::format("the {} compute threads", threads_),
        threads_ == 1 ? "was" : "were", percent(compute_share_), where);
    if (cpu < 0.7)
      verdict_.details.push_back(
          fmt::format("They had a core for only {} of that: others used the machine, or a node waits for "
                      "something itself.",
                      percent(cpu / std::max(compute_share_, 1e-9))));
    else
      verdict_.details.push_back("More threads help where there are more cores; else only less work does.");
  }

  void say_budget() {
    verdict_.limit = Limit::budget;
    const std::uint64_t fixed = report_.standing_bytes + report_.carried_bytes;
    const std::uint64_t free = report_.memory_limit > fixed ? report_.memory_limit - fixed : 0;
    const std::uint64_t now =
        report_.largest_unit > 0 ? std::max<std::uint64_t>(free / report_.largest_unit, 1) : 1;
    verdict_.headline = fmt::format("The budget was the limit: admission waited for bytes {} of the time",
                                    percent(bytes_share_));
    std::uint64_t memory = 0;
    const bool fits = !__builtin_mul_overflow(report_.largest_unit, std::uint64_t{report_.tokens}, &memory) &&
                      !__builtin_add_overflow(memory, fixed, &memory) && memory < (std::uint64_t{1} << 62);
    if (fits && now < report_.tokens && round_size(memory) > report_.memory_limit) {
      const std::string flag = flag_bytes(round_size(memory));
      verdict_.headline += fmt::format("; --memory {} would let {} units in flight instead of {}", flag,
                                       std::min<std::uint64_t>(report_.tokens, report_.units),
                                       std::max<std::uint64_t>(report_.most_units_in_flight, 1));
      verdict_.advice = "--memory " + flag;
    }
    verdict_.headline += ".";
    say_compute_idle();
    verdict_.details.push_back(
        fmt::format("A unit takes up to {} of the {}, of which {} are kept through the whole run.",
                    format_bytes(report_.largest_unit), format_bytes(report_.memory_limit),
                    format_bytes(report_.standing_bytes)));
  }

  void say_tokens() {
    verdict_.limit = Limit::tokens;
    const unsigned more = std::max(2 * report_.tokens, 2 * threads_ + 2);
    verdict_.headline = fmt::format(
        "The tokens were the limit: admission waited for one of {} {} of the time; --tokens {} would let "
        "more "
        "units in flight.",
        report_.tokens, percent(tokens_share_), more);
    verdict_.advice = fmt::format("--tokens {}", more);
    say_compute_idle();
  }

  /// Bodies that do less than it costs to carry an item to them.
  bool items_are_small() const {
    const double cpu = report_.cpu_seconds / (wall_ * threads_);
    return mean_body_seconds() < 20e-6 && cpu > 2 * compute_share_ && cpu > 0.5;
  }
  double mean_body_seconds() const {
    double busy = 0, bodies = 0;
    for (const NodeReport& node : report_.nodes) {
      busy += node.busy_seconds;
      bodies += static_cast<double>(node.items_in);
    }
    return bodies > 0 ? busy / bodies : 0;
  }
  void say_small_items() {
    verdict_.limit = Limit::small_items;
    verdict_.headline = fmt::format(
        "The items were too small: a node worked {:.1f} us on one on average, less than it costs to carry "
        "it.",
        mean_body_seconds() * 1e6);
    verdict_.details.push_back(
        "More pixels, records or bytes in an item would help; more memory, tokens or threads would not.");
  }

  void say_nothing() {
    const NodeReport* node = busiest([](const NodeReport&) { return true; });
    verdict_.headline = "No single thing was the limit";
    if (node != nullptr)
      verdict_.headline +=
          fmt::format(": the busiest, {}, was busy {} of the time", node->name, percent(share(*node)));
    verdict_.headline += ".";
    say_compute_idle();
  }

  std::string while_admission_waited() const {
    if (bytes_share_ >= noticeable && bytes_share_ >= tokens_share_)
      return fmt::format(" while admission waited for bytes {} of it", percent(bytes_share_));
    if (tokens_share_ >= noticeable)
      return fmt::format(" while admission waited for tokens {} of it", percent(tokens_share_));
    return "";
  }

  void say_compute_idle() {
    if (report_.engine == "serial") return;
    verdict_.details.push_back(fmt::format("The {} compute thread{} had nothing to do {} of the time.",
                                           threads_, threads_ == 1 ? "" : "s", percent(1 - compute_share_)));
  }

  std::string settings() const {
    std::string flags = fmt::format("--memory {} --tokens {} --threads {}", flag_bytes(report_.memory_limit),
                                    report_.tokens, threads_);
    if (report_.engine == "serial") flags += " --engine serial";
    for (const NodeReport& node : report_.nodes)
      if (node.concurrency > 1)
        flags += fmt::format(" --set {}.concurrency={}", quoted(node.name), node.concurrency);
    return flags;
  }

  /// A node's name as a shell takes it.
  static std::string quoted(const std::string& name) {
    const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '-';
    });
    if (plain) return name;
    std::string text = "'";
    for (const char c : name) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
  }

  const RunReport& report_;
  Verdict verdict_;
  double wall_ = 0, compute_busy_ = 0, compute_share_ = 0, bytes_share_ = 0, tokens_share_ = 0;
  unsigned threads_ = 1;
  const NodeReport* busiest_compute_ = nullptr;
};

}  // namespace

std::string name_of(Limit limit) {
  switch (limit) {
    case Limit::writing:
      return "writing";
    case Limit::source:
      return "source";
    case Limit::node:
      return "node";
    case Limit::cores:
      return "cores";
    case Limit::budget:
      return "budget";
    case Limit::tokens:
      return "tokens";
    case Limit::small_items:
      return "small items";
    case Limit::none:
      return "none";
  }
  return "none";
}

Verdict verdict_of(const RunReport& report) {
  return Judge(report).judge();
}

}  // namespace weir
