// A first graph of three nodes: numbers come out of a source, are squared on every core, and arrive in order.
//
//   numbers ──► square ──► print
//   source      all cores  ordered sink
//
// Output:
//   0 1 4 9 16 25 36 49 64 81 100 121
//   12 items in 4 units, at most 2 of them in flight

#include <cstdint>
#include <iostream>

#include "framework/graph.hpp"

// A node is a function object. A const call operator says that many threads may be inside.
struct Square {
  std::uint64_t operator()(const std::uint64_t& number) const { return number * number; }
};

int main() {
  weir::Graph graph({.memory = 1 << 20, .tokens = 2, .threads = 2});

  // Four work units of three items each. A unit is what is admitted as one; tokens limit how many are in flight.
  auto numbers = graph.source<std::uint64_t>("numbers",
                                             [](std::uint64_t unit, weir::Emit<std::uint64_t>& emit) {
                                               for (std::uint64_t i = 0; i < 3; ++i) emit(3 * unit + i);
                                             },
                                             {.units = 4, .items = 3, .item_bytes = sizeof(std::uint64_t)});
  auto squares =
      graph.transform<std::uint64_t>("square", numbers, Square{}, {.item_bytes = sizeof(std::uint64_t)});

  // Squares are made in any order and arrive in that of the numbers.
  std::uint64_t received = 0;
  graph.ordered_sink("print", squares, [&received](const std::uint64_t& square) {
    std::cout << (received++ > 0 ? " " : "") << square;
  });

  const weir::RunReport report = graph.run();
  std::cout << "\n"
            << received << " items in " << report.units << " units, at most " << report.tokens
            << " of them in flight\n";
}
