#include "framework/recording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "framework/error.hpp"

namespace weir {
namespace {

/// A sample costs about 20 us of CPU with the waking that goes with it, so 200 in a second cost 0.2 % of two
/// cores. A short run is looked at more often, or there would be nothing to see.
constexpr std::chrono::nanoseconds first_interval = std::chrono::milliseconds(5);
constexpr std::pair<std::uint64_t, std::chrono::nanoseconds> short_runs[] = {
    {50'000'000, std::chrono::milliseconds(1)}, {200'000'000, std::chrono::milliseconds(2)}};
constexpr std::size_t enough_samples = 1024;  // a page is about as many pixels wide
constexpr std::size_t fewest_samples = 16, fewest_slices = 32;
constexpr std::size_t longest_name = 120;  // bytes of an item's name

/// A name takes at most twice its length while its string grows.
constexpr std::uint64_t slow_bytes = RunRecording::slow_items * (sizeof(SlowItem) + 2 * longest_name);

}  // namespace

std::uint64_t coarsen(std::vector<RunSlice>& slices, std::size_t most, std::uint64_t resolution_ns) {
  bool is_first = true;
  while (slices.size() > most) {
    const std::uint64_t span = slices.back().start_ns + slices.back().busy_ns - slices.front().start_ns;
    // New slices may well fit once they are as coarse as the old ones. The first guess is what evenly spread
    // slices need.
    if (resolution_ns == 0)
      resolution_ns = std::max<std::uint64_t>(span / slices.size(), 1);
    else if (!is_first)
      resolution_ns *= 2;
    is_first = false;
    std::size_t group = 0, out = 0;  // the slices of the present stretch are those from `group` to `out`
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const RunSlice slice = slices[i];
      const bool joins =
          out > group && slice.start_ns + slice.busy_ns <= slices[group].start_ns + resolution_ns;
      if (!joins) group = out;
      std::size_t same = group;
      while (same < out && slices[same].node != slice.node) ++same;
      if (same == out) {
        slices[out] = slice;
        if (out > group) slices[out].start_ns = slices[out - 1].start_ns + slices[out - 1].busy_ns;
        ++out;
        continue;
      }
      if (slices[same].count == 0) slices[same].ticket = slice.ticket;
      slices[same].busy_ns += slice.busy_ns;
      slices[same].count += slice.count;
      for (std::size_t next = same + 1; next < out; ++next)
        slices[next].start_ns = slices[next - 1].start_ns + slices[next - 1].busy_ns;
    }
    slices.resize(out);
    // More kinds of slices than places: the whole run is one stretch, and it cannot get coarser.
    if (resolution_ns > span && slices.size() > most) break;
  }
  return resolution_ns;
}

void RunRecording::begin(const std::vector<std::string>& nodes, unsigned compute_threads,
                         const std::vector<unsigned>& io_threads) {
  if (has_begun()) throw Error::usage("record", "the run", "the recording holds another run already");
  std::uint64_t lanes = 1 + std::uint64_t{compute_threads};
  for (const unsigned threads : io_threads) lanes += threads;
  std::uint64_t fixed = nodes.size() * (sizeof(Node) + sizeof(std::uint32_t) + slow_bytes);
  for (const std::string& name : nodes) fixed += 2 * name.size() * (1 + io_threads.size() / nodes.size());
  fixed += lanes * (sizeof(Lane) + 64);
  const std::uint64_t sample_bytes = sizeof(RunSample) + nodes.size() * sizeof(NodeSample);
  // A lane must hold a slice of each node, and as many that are new.
  const std::uint64_t lane_bytes =
      std::max<std::uint64_t>(fewest_slices, 2 * nodes.size() + 4) * sizeof(RunSlice);
  const std::uint64_t smallest = fixed + fewest_samples * sample_bytes + lanes * lane_bytes;
  if (bytes_ < smallest)
    throw Error::usage("record", "the run",
                       fmt::format("{} bytes are too few for {} nodes and {} threads, which need {}", bytes_,
                                   nodes.size(), lanes, smallest));
  const std::uint64_t spare = bytes_ - smallest;
  most_samples_ = static_cast<std::size_t>(
      std::min<std::uint64_t>(enough_samples, fewest_samples + spare / 3 / sample_bytes));
  most_slices_ =
      static_cast<std::size_t>((bytes_ - fixed - most_samples_ * sample_bytes) / lanes / sizeof(RunSlice));

  nodes_ = std::vector<Node>(nodes.size());
  lanes_ = std::vector<Lane>(lanes);
  std::size_t lane = 0;
  lanes_[lane++].name = "admission";
  for (unsigned i = 0; i < compute_threads; ++i) lanes_[lane++].name = fmt::format("compute {}", i + 1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    nodes_[i].name = nodes[i];
    nodes_[i].slowest.reserve(slow_items + 1);
    first_io_.push_back(static_cast<std::uint32_t>(lane));
    for (unsigned thread = 0; thread < io_threads[i]; ++thread)
      lanes_[lane++].name = io_threads[i] == 1 ? fmt::format("{} I/O", nodes[i])
                                               : fmt::format("{} I/O {}", nodes[i], thread + 1);
  }
  // Memory that is never written to costs nothing, so threads that do nothing may have a lane.
  for (Lane& each : lanes_) each.slices.reserve(most_slices_);
  samples_.reserve(most_samples_);
  node_samples_.reserve(most_samples_ * nodes.size());
  interval_ = first_interval;
  began_ = Clock::now();
}

std::uint64_t RunRecording::since_begin(Clock::time_point time) const {
  return time <= began_ ? 0
                        : static_cast<std::uint64_t>(
                              std::chrono::duration_cast<std::chrono::nanoseconds>(time - began_).count());
}

void RunRecording::add(std::uint32_t thread, std::uint32_t node, std::uint64_t ticket,
                       Clock::time_point start, Clock::time_point end, std::uint32_t bodies) {
  assert(thread < lanes_.size());
  Lane& lane = lanes_[thread];
  if (lane.slices.size() == most_slices_)
    lane.resolution_ns = coarsen(lane.slices, most_slices_ / 2, lane.resolution_ns);
  RunSlice slice;
  slice.start_ns = since_begin(start);
  slice.busy_ns = since_begin(end) - slice.start_ns;
  slice.ticket = ticket;
  slice.node = node;
  slice.count = bodies;
  lane.slices.push_back(slice);
}

void RunRecording::note_slow(std::uint32_t node, SlowItem item) {
  if (item.name.size() > longest_name) {
    // Not in the middle of a UTF-8 character.
    std::size_t length = longest_name - 3;
    while (length > 0 && (static_cast<unsigned char>(item.name[length]) & 0xc0U) == 0x80U) --length;
    item.name = item.name.substr(0, length) + "...";
  }
  item.name.shrink_to_fit();
  Node& of = nodes_[node];
  std::lock_guard lock(of.mutex);
  const auto place =
      std::upper_bound(of.slowest.begin(), of.slowest.end(), item.busy_ns,
                       [](std::uint64_t busy, const SlowItem& other) { return busy > other.busy_ns; });
  of.slowest.insert(place, std::move(item));
  if (of.slowest.size() > slow_items) of.slowest.pop_back();
  if (of.slowest.size() == slow_items)
    of.threshold.store(static_cast<std::int64_t>(of.slowest.back().busy_ns), std::memory_order_relaxed);
}

void RunRecording::add_sample(const RunSample& sample, std::span<const NodeState> nodes,
                              std::uint32_t waits_for) {
  if (samples_.size() == most_samples_) halve_samples();
  samples_.push_back(sample);
  const double seconds = static_cast<double>(sample.time_ns - last_sample_ns_) * 1e-9;
  last_sample_ns_ = sample.time_ns;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const NodeState& state = nodes[i];
    node_samples_.push_back({state.inside, state.queued});
    const double places = std::max(state.concurrency, 1U);
    const double empty = std::max(0.0, 1 - state.inside / places) * seconds;
    IdleSeconds& idle = nodes_[i].idle;
    // What is queued before an ordered node that has nothing to do waits for its turn: it would be inside
    // otherwise. (Or for a thread; the engine knows that part exactly.)
    if (state.is_done)
      idle.done += empty;
    else if (state.queued > 0)
      (state.is_ordered ? idle.order : idle.thread) += empty;
    else if (state.is_source && waits_for == waiting_for_bytes)
      idle.bytes += empty;
    else if (state.is_source && waits_for == waiting_for_tokens)
      idle.tokens += empty;
    else
      idle.input += empty;
  }
}

std::chrono::nanoseconds RunRecording::sample_interval() const {
  for (const auto& [until_ns, interval] : short_runs)
    if (last_sample_ns_ < until_ns) return std::min(interval, interval_);
  return interval_;
}

void RunRecording::halve_samples() {
  const std::size_t pairs = samples_.size() / 2, nodes = nodes_.size();
  for (std::size_t i = 0; i < pairs; ++i) {
    const RunSample &a = samples_[2 * i], &b = samples_[2 * i + 1];
    samples_[i] = {b.time_ns, std::max(a.leased, b.leased), std::max(a.live, b.live),
                   std::max(a.units, b.units)};
    for (std::size_t n = 0; n < nodes; ++n) {
      const NodeSample &c = node_samples_[2 * i * nodes + n], &d = node_samples_[(2 * i + 1) * nodes + n];
      node_samples_[i * nodes + n] = {std::max(c.inside, d.inside), std::max(c.queued, d.queued)};
    }
  }
  samples_.resize(pairs);
  node_samples_.resize(pairs * nodes);
  interval_ = std::min<std::chrono::nanoseconds>(2 * interval_, std::chrono::minutes(1));
}

std::span<const RunSlice> RunRecording::slices(std::size_t thread) const {
  return lanes_[thread].slices;
}

std::vector<SlowItem> RunRecording::slowest(std::size_t node) const {
  return nodes_[node].slowest;
}

IdleSeconds RunRecording::idle(std::size_t node) const {
  return nodes_[node].idle;
}

std::uint64_t RunRecording::resolution_ns() const {
  std::uint64_t most = 0;
  for (const Lane& lane : lanes_) most = std::max(most, lane.resolution_ns);
  return most;
}

std::uint64_t RunRecording::used_bytes() const {
  std::uint64_t bytes = samples_.capacity() * sizeof(RunSample) +
                        node_samples_.capacity() * sizeof(NodeSample) +
                        first_io_.capacity() * sizeof(std::uint32_t);
  for (const Lane& lane : lanes_)
    bytes += sizeof(Lane) + lane.name.capacity() + lane.slices.capacity() * sizeof(RunSlice);
  for (const Node& node : nodes_) {
    bytes += sizeof(Node) + node.name.capacity() + node.slowest.capacity() * sizeof(SlowItem);
    for (const SlowItem& item : node.slowest) bytes += item.name.capacity();
  }
  return bytes;
}

}  // namespace weir
