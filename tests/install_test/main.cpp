// A user of weir::framework alone: a graph with a node of its own.
#include <cstdint>
#include <cstdio>
#include <weir/framework/build_info.hpp>
#include <weir/framework/graph.hpp>

struct Triple {
  weir::Buffer operator()(const std::uint64_t& number, const weir::Context& context) const {
    weir::Buffer buffer = context.buffer(sizeof number);
    *reinterpret_cast<std::uint64_t*>(buffer.data()) = 3 * number;
    return buffer;
  }
};

int main() {
  weir::Graph graph({.memory = 1 << 20, .threads = 2});
  auto numbers = graph.source<std::uint64_t>(
      "numbers", [](std::uint64_t unit, weir::Emit<std::uint64_t>& emit) { emit(unit); }, {.units = 100});
  auto tripled = graph.transform<weir::Buffer>(
      "triple", numbers, Triple{}, {.buffer_bytes = weir::BufferPool::charge(sizeof(std::uint64_t))});
  std::uint64_t sum = 0;
  bool in_order = true;
  graph.ordered_sink("sum", tripled, [&, next = std::uint64_t{0}](const weir::Buffer& buffer) mutable {
    const std::uint64_t number = *reinterpret_cast<const std::uint64_t*>(buffer.data());
    in_order = in_order && number == 3 * next++;
    sum += number;
  });
  const weir::RunReport report = graph.run();
  std::printf("weir %s: sum %llu of %llu units, peak %llu bytes\n", weir::build_info::version.data(),
              static_cast<unsigned long long>(sum), static_cast<unsigned long long>(report.units),
              static_cast<unsigned long long>(report.peak_payload));
  return sum == 3 * 4950 && in_order && report.peak_payload <= (1 << 20) ? 0 : 1;
}
