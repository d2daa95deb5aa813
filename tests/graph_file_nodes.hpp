#pragma once

// Node types made up for tests of graph files. Each sink compares what it gets with what the nodes before it
// said.

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/made_up_node.hpp"

namespace weir::testing {

inline void add_sources(Registry& registry) {
  const Port numbers{"output", "numbers", "the numbers"};
  const std::vector<Parameter> parameters =
      with_bytes({whole("units", "how many work units there are", std::nullopt, 0, 1000),
                  whole("items", "items of a unit", "2", 0, 16),
                  whole("start", "changes all numbers", "0", 0, 1e9),
                  {.name = "irregular",
                   .type = ParameterType::flag,
                   .help = "units have from no to `items` items",
                   .default_value = "false"}});
  const auto describe = [](MadeUp& node) {
    const auto items = static_cast<std::uint64_t>(node.parameters.integer("items"));
    const auto start = static_cast<std::uint64_t>(node.parameters.integer("start"));
    node.out->units.resize(static_cast<std::size_t>(node.parameters.integer("units")));
    for (std::uint64_t unit = 0; unit < node.out->units.size(); ++unit) {
      const std::uint64_t count = node.parameters.flag("irregular") ? irregular_items(items, unit) : items;
      for (std::uint64_t i = 0; i < count; ++i) node.out->units[unit].push_back(source_value(start, unit, i));
    }
  };
  const auto source_options = [](const MadeUp& node, NodeOptions options) {
    options.units = node.out->units.size();
    options.items = static_cast<std::uint64_t>(node.parameters.integer("items"));
    if (node.parameters.flag("irregular"))
      options.items_of_unit = [items = options.items](std::uint64_t unit) {
        return irregular_items(items, unit);
      };
    return options;
  };
  const auto count_of = [](const MadeUp& node, std::uint64_t unit) {
    const auto items = static_cast<std::uint64_t>(node.parameters.integer("items"));
    return node.parameters.flag("irregular") ? irregular_items(items, unit) : items;
  };

  NodeType count = type_of("count", "Makes numbers up", {}, numbers, parameters);
  count.make = maker(describe, [=](MadeUp& node, Graph& graph, auto) -> AnyOutput {
    return graph.source<Number>(
        node.name,
        [&node, count_of](std::uint64_t unit, Emit<Number>& emit, const Context& context) {
          const auto start = static_cast<std::uint64_t>(node.parameters.integer("start"));
          for (std::uint64_t i = 0; i < count_of(node, unit); ++i)
            emit(node.made(source_value(start, unit, i), context));
        },
        source_options(node, node.options()));
  });
  registry.add(count);

  NodeType fetch = type_of("fetch_numbers", "Makes numbers up on the I/O lane", {}, numbers, parameters);
  fetch.stages = {"plan", "fetch"};
  fetch.make = maker(describe, [=](MadeUp& node, Graph& graph, auto) -> AnyOutput {
    auto planned = graph.source<std::uint64_t>(
        node.name + ".plan",
        [&node, count_of](std::uint64_t unit, Emit<std::uint64_t>& emit) {
          const auto start = static_cast<std::uint64_t>(node.parameters.integer("start"));
          for (std::uint64_t i = 0; i < count_of(node, unit); ++i) emit(source_value(start, unit, i));
        },
        source_options(node, {.item_bytes = 16}));
    NodeOptions options = node.options();
    options.lane = Lane::io;
    return graph.transform<Number>(
        node.name + ".fetch", planned,
        [&node](const std::uint64_t& value, const Context& context) { return node.made(value, context); },
        options);
  });
  registry.add(fetch);
}

inline void add_transforms(Registry& registry) {
  const Port in{"input", "numbers", "numbers"}, out{"output", "numbers", "numbers"};

  NodeType add = type_of("add", "Adds to each number", {in}, out,
                         with_bytes({whole("addend", "what is added", "1", 0, 1e6),
                                     {.name = "lane",
                                      .type = ParameterType::choice,
                                      .help = "which threads run it",
                                      .default_value = "compute",
                                      .choices = {"compute", "io"}}}));
  add.make = maker(
      [](MadeUp& node) {
        map_values(node, [&](std::uint64_t v) {
          return v + static_cast<std::uint64_t>(node.parameters.integer("addend"));
        });
      },
      [](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        NodeOptions options = node.options();
        if (node.parameters.text("lane") == "io") options.lane = Lane::io;
        return graph.transform<Number>(
            node.name, ins[0].as<Number>(),
            [&node](const Number& n, const Context& context) {
              return node.made(n.value + static_cast<std::uint64_t>(node.parameters.integer("addend")),
                               context);
            },
            options);
      });
  registry.add(add);

  NodeType total = type_of("total", "Sums up all numbers so far", {in}, out, with_bytes({}));
  total.needs_order = true;
  total.make = maker(
      [](MadeUp& node) {
        std::uint64_t sum = 0;
        map_values(node, [&](std::uint64_t v) { return sum = sum * 3 + v; });
      },
      [](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        NodeOptions options = node.options();
        options.ordered = true;
        return graph.transform<Number>(
            node.name, ins[0].as<Number>(),
            [&node, sum = std::uint64_t{0}](const Number& n, const Context& context) mutable {
              return node.made(sum = sum * 3 + n.value, context);
            },
            options);
      });
  registry.add(total);

  // As a stencil does, it keeps the payload of the item before, beyond its unit.
  NodeType previous = type_of("previous", "Each number with the one before it", {in}, out, with_bytes({}));
  previous.needs_order = true;
  previous.make = maker(
      [](MadeUp& node) {
        std::uint64_t last = 0;
        map_values(node, [&](std::uint64_t v) { return std::exchange(last, v) * 5 + v; });
      },
      [](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        NodeOptions options = node.options();
        options.ordered = true;
        const std::uint64_t kept = node.inputs[0]->bytes;
        options.carried_bytes = [kept](std::uint64_t unit) {
          return unit == 0 || kept == 0 ? 0 : BufferPool::charge(kept);
        };
        return graph.expand<Number>(
            node.name, ins[0].as<Number>(),
            [&node, last = std::shared_ptr<const Number>()](const Item<Number>& item, Emit<Number>& emit,
                                                            const Context& context) mutable {
              const std::uint64_t before = last ? last->value : 0;
              last = item.share();
              emit(node.made(before * 5 + item->value, context));
            },
            options);
      });
  registry.add(previous);

  NodeType keep =
      type_of("keep", "Drops one number in a few", {in}, out,
              with_bytes({whole("drop_every", "about how many there are per one dropped", "3", 1, 100)}));
  const auto is_dropped = [](const MadeUp& node, std::uint64_t value) {
    return (value >> 7) % static_cast<std::uint64_t>(node.parameters.integer("drop_every")) == 0;
  };
  keep.make = maker(
      [is_dropped](MadeUp& node) {
        map_values(node, [](std::uint64_t v) { return v; });
        node.out->may_drop = true;
        for (auto& unit : node.out->units)
          for (auto& value : unit)
            if (value && is_dropped(node, *value)) value.reset();
      },
      [is_dropped](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        return graph.transform<Number>(
            node.name, ins[0].as<Number>(),
            [&node, is_dropped](const Number& n, const Context& context) -> std::optional<Number> {
              if (is_dropped(node, n.value)) return std::nullopt;
              return node.made(n.value, context);
            },
            node.options());
      });
  registry.add(keep);

  NodeType repeat = type_of("repeat", "Each number several times", {in}, out,
                            with_bytes({whole("times", "how often", "2", 0, 8)}));
  repeat.make = maker(
      [](MadeUp& node) {
        node.out->may_drop = node.inputs[0]->may_drop;
        for (const auto& unit : node.inputs[0]->units) {
          auto& to = node.out->units.emplace_back();
          for (const auto& value : unit)
            for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(node.parameters.integer("times")); ++i)
              to.push_back(value ? std::optional(*value + i) : std::nullopt);
        }
      },
      [](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        NodeOptions options = node.options();
        options.items = static_cast<std::uint64_t>(node.parameters.integer("times"));
        return graph.expand<Number>(
            node.name, ins[0].as<Number>(),
            [&node, times = options.items](const Number& n, Emit<Number>& emit, const Context& context) {
              for (std::uint64_t i = 0; i < times; ++i) emit(node.made(n.value + i, context));
            },
            options);
      });
  registry.add(repeat);

  NodeType note =
      type_of("note", "Makes notes of numbers", {in}, Port{"output", "notes", "notes"}, with_bytes({}));
  note.make = maker([](MadeUp& node) { map_values(node, [](std::uint64_t v) { return v ^ 77; }); },
                    [](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
                      return graph.transform<Note>(
                          node.name, ins[0].as<Number>(),
                          [&node](const Number& n, const Context& context) {
                            return node.made<Note>(n.value ^ 77, context);
                          },
                          node.options());
                    });
  registry.add(note);
}

/// Nodes that bring several items together.
inline void add_gatherers(Registry& registry) {
  const Port in{"input", "numbers", "numbers"}, out{"output", "numbers", "numbers"};

  NodeType gather = type_of("gather", "One number for all of a unit", {in}, out, with_bytes({}));
  gather.make = maker(
      [](MadeUp& node) {
        refuse_drops(node);
        for (const auto& unit : node.inputs[0]->units) {
          auto& to = node.out->units.emplace_back();
          std::uint64_t sum = 0;
          for (const auto& value : unit) sum += *value;
          if (!unit.empty()) to.push_back(sum);
        }
      },
      [](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        NodeOptions options = node.options();
        std::vector<std::uint64_t> tickets;
        std::uint64_t next = 0;
        for (const auto& unit : node.out->units) tickets.push_back(std::exchange(next, next + unit.size()));
        const auto flow = node.out;
        options.items_of_unit = [flow](std::uint64_t unit) { return flow->units[unit].size(); };
        return graph.expand<Number>(
            node.name, ins[0].as<Number>(),
            [&node, tickets, kept = std::map<std::uint64_t, std::vector<Item<Number>>>()](
                const Item<Number>& item, Emit<Number>& emit, const Context& context) mutable {
              auto& unit = kept[item.unit()];
              unit.push_back(item);
              if (unit.size() < node.inputs[0]->units[item.unit()].size()) return;
              std::uint64_t sum = 0;
              for (const Item<Number>& one : unit) sum += one->value;
              emit.on_behalf_of(item, tickets[item.unit()], node.made(sum, context));
              kept.erase(item.unit());
            },
            options);
      });
  registry.add(gather);

  NodeType shuffle = type_of("shuffle", "The numbers as they come", {in}, out, with_bytes({}));
  shuffle.is_unordered = true;
  shuffle.make = maker(
      [](MadeUp& node) {
        refuse_drops(node);
        map_values(node, [](std::uint64_t v) { return v; });
      },
      [](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        NodeOptions options = node.options();
        const auto flow = node.out;
        options.items_of_unit = [flow](std::uint64_t unit) { return flow->units[unit].size(); };
        return graph.expand<Number>(
            node.name, ins[0].as<Number>(),
            [&node, next = std::uint64_t{0}](const Item<Number>& item, Emit<Number>& emit,
                                             const Context& context) mutable {
              emit.on_behalf_of(item, next++, node.made(item->value, context));
            },
            options);
      });
  registry.add(shuffle);

  // Two and three inputs, each a join and what is made of it.
  const auto describe = [](MadeUp& node) {
    for (const auto& input : node.inputs) {
      node.out->may_drop = node.out->may_drop || input->may_drop;
      for (std::size_t unit = 0; unit < input->units.size(); ++unit)
        if (input->units.size() != node.inputs[0]->units.size() ||
            input->units[unit].size() != node.inputs[0]->units[unit].size())
          throw Error::usage("use", node.name, "its inputs have different numbers of items");
    }
    node.out->units = node.inputs[0]->units;
    for (std::size_t unit = 0; unit < node.out->units.size(); ++unit)
      for (std::size_t i = 0; i < node.out->units[unit].size(); ++i) {
        std::optional<std::uint64_t> mixed = 0;
        for (const auto& input : node.inputs)
          mixed = mixed && input->units[unit][i] ? std::optional(*mixed * 31 + *input->units[unit][i])
                                                 : std::nullopt;
        node.out->units[unit][i] = mixed;
      }
  };
  const auto mix = [](const auto&... one) {
    std::uint64_t mixed = 0;
    ((mixed = mixed * 31 + one->value), ...);
    return mixed;
  };
  NodeType pair = type_of("pair", "Two numbers as one",
                          {{"first", "numbers", "counts more"}, {"second", "numbers", "counts less"}}, out,
                          with_bytes({}));
  pair.needs_order = true;
  pair.stages = {"join", "mix"};
  pair.make = maker(describe, [mix](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
    return graph.transform<Number>(
        node.name + ".mix", graph.join(node.name + ".join", ins[0].as<Number>(), ins[1].as<Number>()),
        [&node, mix](const auto& both, const Context& context) {
          return node.made(std::apply(mix, both), context);
        },
        node.options());
  });
  registry.add(pair);

  NodeType triple = type_of(
      "triple", "Three numbers as one",
      {{"a", "numbers", "counts most"}, {"b", "numbers", "counts more"}, {"c", "numbers", "counts less"}},
      out, with_bytes({}));
  triple.needs_order = true;
  triple.stages = {"join", "mix"};
  triple.make =
      maker(describe, [mix](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
        return graph.transform<Number>(
            node.name + ".mix",
            graph.join(node.name + ".join", ins[0].as<Number>(), ins[1].as<Number>(), ins[2].as<Number>()),
            [&node, mix](const auto& all, const Context& context) {
              return node.made(std::apply(mix, all), context);
            },
            node.options());
      });
  registry.add(triple);
}

/// What a sink got, and has to say of it.
struct Got {
  std::mutex mutex;
  std::vector<std::uint64_t> values;
};

template <class T>
void add_sinks(Registry& registry, const std::shared_ptr<SinkLog>& log, const std::string& list,
               const std::string& bag, const std::string& port_type) {
  const Port in{"input", port_type, "what is to be delivered"};
  const auto compare = [log](MadeUp& node, const std::shared_ptr<Got>& got, bool in_order) {
    std::vector<std::uint64_t> expected = node.inputs[0]->delivered();
    if (!in_order) {
      std::sort(expected.begin(), expected.end());
      std::sort(got->values.begin(), got->values.end());
    }
    const std::lock_guard lock(log->mutex);
    if (got->values == expected)
      ++log->finished;
    else
      log->wrong.push_back(node.name + " got " + std::to_string(got->values.size()) + " items, not the " +
                           std::to_string(expected.size()) + " expected");
  };

  NodeType ordered = type_of(list, "Takes what comes, in order", {in}, std::nullopt,
                             {{.name = "lane",
                               .type = ParameterType::choice,
                               .help = "which threads run it",
                               .default_value = "io",
                               .choices = {"compute", "io"}}});
  ordered.needs_order = true;
  ordered.make = maker([](MadeUp&) {},
                       [compare](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
                         auto got = std::make_shared<Got>();
                         node.at_end = [&node, compare, got] { compare(node, got, true); };
                         graph.ordered_sink(
                             node.name, ins[0].as<T>(), [got](const T& n) { got->values.push_back(n.value); },
                             {.lane = node.parameters.text("lane") == "io" ? Lane::io : Lane::compute});
                         return {};
                       });
  registry.add(ordered);

  NodeType any = type_of(bag, "Takes what comes, in any order", {in}, std::nullopt, {});
  any.make = maker([](MadeUp&) {},
                   [compare](MadeUp& node, Graph& graph, std::span<const AnyOutput> ins) -> AnyOutput {
                     auto got = std::make_shared<Got>();
                     node.at_end = [&node, compare, got] { compare(node, got, false); };
                     graph.sink(node.name, ins[0].as<T>(), [got](const T& n) {
                       const std::lock_guard lock(got->mutex);
                       got->values.push_back(n.value);
                     });
                     return {};
                   });
  registry.add(any);
}

inline Registry made_up_registry(const std::shared_ptr<SinkLog>& log = std::make_shared<SinkLog>()) {
  Registry registry;
  add_sources(registry);
  add_transforms(registry);
  add_gatherers(registry);
  add_sinks<Number>(registry, log, "list", "bag", "numbers");
  add_sinks<Note>(registry, log, "note_list", "note_bag", "notes");
  return registry;
}

}  // namespace weir::testing
