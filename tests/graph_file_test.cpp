#include "framework/graph_file.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "framework/graph_run.hpp"
#include "framework/yaml_document.hpp"
#include "tests/file_support.hpp"
#include "tests/graph_file_nodes.hpp"
#include "tests/slower.hpp"

using namespace weir;
using namespace weir::testing;

namespace {

GraphFile parse(const std::string& text, std::vector<std::string> sets = {},
                const std::string& name = "g.yaml") {
  return parse_graph_text(text, name, {.sets = std::move(sets)}, made_up_registry());
}

/// The problems, a line for each; empty where there are none.
std::string problems(const std::string& text, std::vector<std::string> sets = {},
                     const std::string& name = "g.yaml") {
  try {
    parse(text, std::move(sets), name);
    return "";
  } catch (const ProblemError& error) {
    std::string all;
    for (const Problem& problem : error.problems()) all += to_text(problem) + "\n";
    return all;
  }
}

/// The same of a graph whose nodes are these.
std::string problems_of_nodes(const std::string& nodes) {
  return problems("weir: 1\nnodes:\n" + nodes);
}

bool can_read() {
  if (!has_yaml()) std::puts("skip reading graph files: no yaml-cpp in this build");
  return has_yaml();
}

constexpr const char* plain = R"(weir: 1
memory: 1M
tokens: 3
threads: 2
engine: serial
nodes:
  out: {type: list, input: more}
  numbers: {type: fetch_numbers, units: 4, concurrency: {fetch: 3}}
  more: {type: add, input: numbers, addend: "7", concurrency: 2}
)";

}  // namespace

TEST_CASE("a graph file says nodes, inputs, parameters, concurrency and limits") {
  if (!can_read()) return;
  const GraphFile file = parse(plain);
  CHECK(file.limits.memory == 1 << 20);
  CHECK(file.limits.tokens == 3);
  CHECK(file.limits.threads == 2);
  CHECK(file.limits.engine == Engine::serial);
  REQUIRE(file.nodes.size() == 3);
  CHECK(file.nodes[2].name.text == "more");
  CHECK(to_text(file.nodes[2].name.place) == "g.yaml:9:3");
  CHECK(file.nodes[2].inputs.at(0).from.text == "numbers");
  CHECK(file.nodes[2].parameters.at(0).value.text == "7");
  CHECK(file.nodes[1].concurrency.at(0).stage.text == "fetch");
}

TEST_CASE("JSON is a graph file too") {
  if (!can_read()) return;
  const GraphFile file = parse(R"({"weir": 1, "nodes": {
    "a": {"type": "count", "units": 3, "irregular": true},
    "b": {"type": "list", "input": "a"}}})");
  CHECK(file.nodes.size() == 2);
  CHECK(file.nodes[0].parameters[1].value.text == "true");
}

TEST_CASE("a graph file runs, and the command line wins over it") {
  if (!can_read()) return;
  const auto log = std::make_shared<SinkLog>();
  const Registry registry = made_up_registry(log);
  const GraphFile file = parse(plain, {"more.addend=9", "numbers.concurrency=2", "numbers.items=5"});
  GraphRun run(file, registry, {.limits = {.memory = 2 << 20, .engine = Engine::onetbb}});
  CHECK(run.plan().memory == 2 << 20);
  CHECK(run.plan().tokens == 3);
  CHECK(contains(run.explain(), "numbers\n  made up\n"));
  CHECK(contains(run.dot(), "numbers.fetch"));
  const RunReport report = run.run();
  CHECK(report.engine == "oneTBB");
  CHECK(report.node("numbers.fetch").concurrency == 2);
  CHECK(report.node("more").concurrency == 2);
  CHECK(report.node("more").items_in == 20);
  CHECK(log->finished == 1);
}

TEST_CASE("a graph made in C++ runs without any YAML") {
  const auto log = std::make_shared<SinkLog>();
  const Registry registry = made_up_registry(log);
  GraphFile file;
  file.nodes.push_back({.name = "a", .type = "count", .parameters = {{"units", "5"}, {"bytes", "4K"}}});
  file.nodes.push_back({.name = "b", .type = "list", .inputs = {{"", "a"}}});
  GraphRun(file, registry).run();
  CHECK(log->finished == 1);
  file.nodes[1].inputs[0].from = "c";
  try {
    const GraphRun run(file, registry);
    FAIL("accepted");
  } catch (const ProblemError& error) {
    CHECK(std::string(error.what()) == "cannot use the graph: there is no node c; there are a, b");
  }
}

TEST_CASE("printing a graph and reading it gives the same graph, whatever its texts are") {
  if (!can_read()) return;
  Registry registry = made_up_registry();
  NodeType type = *registry.find("count");
  type.name = "named";
  for (const char* name : {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10", "t11", "t12"})
    type.parameters.push_back({.name = name, .type = ParameterType::text, .help = "a text"});
  registry.add(type);
  const std::vector<std::string> texts{"",     "null",         "~",         "- a",         "a: b",
                                       "#x",   "${x} $${y} $", "\"'\\\n\t", "caf\xc3\xa9", "{a, [b]}",
                                       "true", " spaces ",     "-"};
  GraphFile file;
  file.help = "what: it # says";
  file.limits = {.memory = 123456789, .tokens = 3, .threads = 5, .engine = Engine::onetbb};
  GraphNode node{.name = "in.a-b", .type = "named", .parameters = {{"units", "-0"}}};
  node.parameters[0].value = "4";
  for (std::size_t i = 0; i < texts.size(); ++i)
    node.parameters.push_back({"t" + std::to_string(i), texts[i]});
  file.nodes.push_back(node);
  file.nodes.push_back({.name = "p",
                        .type = "pair",
                        .inputs = {{"second", "in.a-b"}, {"first", "in.a-b"}},
                        .concurrency = {{"join", "1"}, {"mix", "2"}}});
  file.nodes.push_back({.name = "l", .type = "bag", .inputs = {{"", "p"}}, .concurrency = {{"", "1"}}});
  const GraphFile again = parse_graph_text(to_yaml(file), "g.yaml", {}, registry);
  CHECK(again.nodes == file.nodes);
  CHECK(again.help == file.help);
  CHECK(again.limits.memory == file.limits.memory);
  CHECK(again.limits.tokens == 3);
  CHECK(again.limits.threads == 5);
  CHECK(again.limits.engine == Engine::onetbb);
}

TEST_CASE("variables are put into values, and --set gives them") {
  if (!can_read()) return;
  const std::string text = R"(weir: 1
variables:
  units: {default: 4, help: how many}
  half: 2
  both: "${half}${units}"
  start:
nodes:
  a: {type: count, units: "${both}", start: "${start}", items: "$${half}"}
  b: {type: list, input: a}
)";
  CHECK(problems(text) ==
        "g.yaml:6:3: the variable start of g.yaml needs a value: --set start=...\n"
        "g.yaml:8:64: items: '${half}' is not a whole number\n");
  const GraphFile file = parse(text, {"start=1", "half=1", "half=3", "a.items=2"});
  CHECK(file.nodes[0].parameters[0].value.text == "34");
  CHECK(file.nodes[0].parameters[1].value.text == "1");
  CHECK(problems(text, {"start=1", "a.items=2", "haf=3", "a.itens=4", "nothing"}) ==
        "--set nothing: it is written NAME=VALUE\n"
        "--set haf=3: there is nothing called haf to set; did you mean half?\n"
        "--set a.itens=4: count has no parameter itens; did you mean items?\n");
}

TEST_CASE("each problem is told with its line, its column and the nearest name") {
  if (!can_read()) return;
  const std::string source = "  a: {type: count, units: 3}\n", sink = "  z: {type: bag, input: a}\n";
  CHECK(problems("weir: 1\nnoeds: {}\nnodes:\n" + source + sink) ==
        "g.yaml:2:1: a graph file has no noeds; did you mean nodes?\n");
  CHECK(problems("nodes:\n" + source + sink) == "g.yaml:1:1: the version is missing: weir: 1\n");
  CHECK(problems("weir: 1\n") == "g.yaml:1:1: there are no nodes\n");
  CHECK(problems("weir: 1\nnodes: {}\n") == "g.yaml: there are no nodes\n");
  CHECK(problems("weir: 1\nnodes: []\n") == "g.yaml:2:8: nodes must be a map: names with values\n");
  CHECK(problems_of_nodes(source + "  z: {type: bga, input: a}\n") ==
        "g.yaml:4:13: there is no node type bga; did you mean bag?\n");
  CHECK(problems_of_nodes(source + "  z: {type: list, input: a, lan: io}\n") ==
        "g.yaml:4:29: list has no parameter lan; did you mean lane?\n");
  CHECK(problems_of_nodes("  a: {type: count, units: 3.5}\n" + sink) ==
        "g.yaml:3:27: units: '3.5' is not a whole number\n");
  CHECK(problems_of_nodes("  a: {type: count, units: 3000}\n" + sink) ==
        "g.yaml:3:27: units: 3000 is not from 0 to 1000\n");
  CHECK(problems_of_nodes("  a: {type: count}\n" + sink) ==
        "g.yaml:3:3: a needs the parameter units (how many work units there are)\n");
  CHECK(problems_of_nodes("  a: {type: count, units: 3, units: 4}\n" + sink) ==
        "g.yaml:3:30: units is given twice, first in line 3\n");
  CHECK(problems_of_nodes(source + source + sink) == "g.yaml:4:3: a is given twice, first in line 3\n");
  CHECK(problems_of_nodes(source + "  z: {type: bag}\n") ==
        "g.yaml:3:3: nobody uses what a puts out\ng.yaml:4:3: z has nothing for its input input\n");
  CHECK(problems_of_nodes(source + "  z: {type: note_bag, input: a}\n") ==
        "g.yaml:4:30: input of z takes notes, and a puts out numbers\n");
  CHECK(problems_of_nodes(source + sink +
                          "  p: {type: pair, inputs: {first: a, frist: a}}\n  y: {type: list, input: p}\n") ==
        "g.yaml:5:38: p has no input frist; did you mean first?\n");
  CHECK(problems_of_nodes(source + sink + "  p: {type: add, input: p}\n") ==
        "g.yaml:5:3: the nodes feed each other in a circle: p -> p\n");
  CHECK(problems_of_nodes(source + "  z: {type: bag, input: a, concurrency: many}\n") ==
        "g.yaml:4:41: concurrency: 'many' is not a whole number\n");
  CHECK(problems_of_nodes(source + "  z: {type: bag, input: a, concurrency: {go: 2}}\n") ==
        "g.yaml:4:42: bag has one stage, without a name\n");
  CHECK(problems_of_nodes("  a b: {type: count, units: 3}\n  z: {type: bag, input: a b}\n") ==
        "g.yaml:3:3: 'a b' cannot be a node's name: letters, digits, _ and -\n");
  CHECK(problems_of_nodes("  a: {type: fetch_numbers, units: 1}\n  a.plan: {type: bag, input: a}\n") ==
        "g.yaml:4:3: a.plan is a stage of a too: give one another name\n");
}

TEST_CASE("what nodes refuse, and a budget that is too small, have places as well") {
  if (!can_read()) return;
  const Registry registry = made_up_registry();
  const auto refusal = [&](const std::string& text, const GraphOptions& limits = {}) {
    const GraphFile file = parse(text);
    try {
      const GraphRun run(file, registry, {.limits = limits});
      return std::string();
    } catch (const ProblemError& error) {
      return to_text(error.problems().at(0));
    }
  };
  const std::string tail = "nodes:\n  a: {type: count, units: 3, bytes: 8K}\n";
  CHECK(refusal("weir: 1\nmemory: 8K\n" + tail + "  z: {type: bag, input: a}\n") ==
        "g.yaml:2:9: a memory budget of 8.0 KiB (8192 bytes) is too small; the smallest that works is 16384 "
        "bytes");
  CHECK(refusal("weir: 1\nmemory: 8K\n" + tail + "  z: {type: bag, input: a}\n", {.memory = 16383}) ==
        "g.yaml: a memory budget of 16.0 KiB (16383 bytes) is too small; the smallest that works is 16384 "
        "bytes");
  CHECK(refusal("weir: 1\nmemory: 8K\n" + tail + "  z: {type: bag, input: a}\n", {.memory = 16384}).empty());
  CHECK(refusal("weir: 1\n" + tail +
                "  k: {type: keep, input: a}\n  s: {type: gather, input: k}\n  z: {type: bag, input: s}\n") ==
        "g.yaml:5:3: node s: cannot use s: it needs every item, and the nodes before it drop some");
  CHECK(refusal("weir: 1\n" + tail + "  z: {type: list, input: a, concurrency: 2}\n") ==
        "g.yaml:4:42: cannot set z.concurrency: the node runs one item at a time, 2 was asked for");
}

TEST_CASE("included files have inputs, an output and variables of their own") {
  if (!can_read()) return;
  const test::Folder folder;
  const std::string path = folder / "g.yaml";
  const auto sub = [&](const std::string& text) { test::put(folder / "sub.yaml", text); };
  const auto shortened = [&](std::string text) {
    for (std::size_t at = text.find(folder.path); at != std::string::npos; at = text.find(folder.path))
      text.erase(at, folder.path.size() + 1);
    return text;
  };
  const std::string outer =
      "weir: 1\nnodes:\n  a: {type: count, units: 3}\n  s: {include: sub.yaml, input: a, set: {by: 5}}\n"
      "  z: {type: bag, input: s}\n";
  sub("weir: 1\ninputs: {it: numbers}\noutput: more\nvariables: {by: 1}\n"
      "nodes:\n  more: {type: add, input: it, addend: \"${by}\"}\n");
  const GraphFile file = parse(outer, {}, path);
  CHECK(file.nodes[1].name.text == "s.more");
  CHECK(file.nodes[1].inputs[0].from.text == "a");
  CHECK(file.nodes[1].parameters[0].value.text == "5");
  CHECK(file.nodes[2].inputs[0].from.text == "s.more");
  CHECK(parse(outer, {"s.by=6"}, path).nodes[1].parameters[0].value.text == "6");
  CHECK(parse(outer, {"s.more.addend=7"}, path).nodes[1].parameters[0].value.text == "7");

  sub("weir: 1\ninputs: {it: notes}\noutput: more\nvariables: {by: 1}\nnodes:\n  more: {type: add, input: "
      "it}\n");
  CHECK(shortened(problems(outer, {}, path)) ==
        "g.yaml:4:33: it of sub.yaml takes notes, and a puts out numbers\n");
  sub("weir: 1\ninputs: {it: numbers, more: numbers}\nmemory: 5\nnodes:\n  x: {type: add, input: it}\n");
  CHECK(shortened(problems(outer, {}, path)) ==
        "g.yaml:4:3: s has nothing for its input more\n"
        "g.yaml:4:42: sub.yaml has no variable by\n"
        "g.yaml:5:25: s puts out nothing: sub.yaml declares no output\n"
        "sub.yaml:2:29: nobody uses the input more\n"
        "sub.yaml:3:9: memory is for the whole graph, and not for a file that is included\n");
  sub("weir: 1\nnodes:\n  again: {include: g.yaml}\n");
  CHECK(contains(shortened(problems(outer, {}, path)),
                 "sub.yaml:3:20: the file includes itself: g.yaml -> sub.yaml -> g.yaml\n"));
  sub("weir: 1\ninputs: {it: numbers}\noutput: it\nnodes: {}\n");
  CHECK(parse("weir: 1\nnodes:\n  a: {type: count, units: 3}\n  s: {include: sub.yaml, input: a}\n"
              "  z: {type: bag, input: s}\n",
              {}, path)
            .nodes[1]
            .inputs[0]
            .from.text == "a");
  CHECK(contains(
      shortened(problems("weir: 1\nnodes:\n  s: {include: sub.yaml, input: s}\n  z: {type: bag, input: s}\n",
                         {}, path)),
      "is put out by itself"));
  CHECK(contains(problems("weir: 1\ninputs: {a: numbers}\nnodes:\n  z: {type: bag, input: a}\n"),
                 "g.yaml:2:9: only a file that is included has inputs"));
}

TEST_CASE("includes that unfold without end are refused quickly") {
  if (!can_read()) return;
  const test::Folder folder;
  for (unsigned i = 0; i < 20; ++i) {  // each includes the next ten times: 10^20 files
    std::string text = "weir: 1\nnodes:\n";
    for (unsigned j = 0; j < 10; ++j)
      text += "  n" + std::to_string(j) + ": {include: f" + std::to_string(i + 1) + ".yaml}\n";
    test::put(folder / ("f" + std::to_string(i) + ".yaml"), text);
  }
  const auto started = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(read_graph_file(folder / "f0.yaml", {}, made_up_registry()), ProblemError);
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(5));
}

TEST_CASE("what is no graph file is refused quickly, with a sentence") {
  if (!can_read()) return;
  const auto repeated = [](const std::string& piece, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += piece;
    return text;
  };
  const std::string good = "weir: 1\nnodes:\n  a: {type: count, units: 3}\n";
  const std::vector<std::pair<std::string, std::string>> texts{
      {"", "g.yaml: it is empty"},
      {"# nothing\n", "g.yaml: it is empty"},
      {"---\n...\n", "must be a map"},
      {"hello", "g.yaml:1:1: a graph file must be a map"},
      {good + "---\n" + good, "g.yaml:4:1: a second document"},
      {std::string("\xff\xfew\0e\0", 6), "it is UTF-16"},
      {std::string("w\0e\0i\0", 6), "byte 0x00"},
      {good + "  caf\xe9: {}\n", "g.yaml:4:6: byte 0xe9 is not UTF-8"},
      {"\x7f"
       "ELF\x02\x01",
       "it is not text"},
      {"a: &x [1]\nb: *x\n", "g.yaml:2:4: aliases"},
      {"a: !!python/object x\n", "tags"},
      {"weir: 1\nnodes:\n  a: {type: count\n", "this is not YAML"},
      {"weir: 1\nnodes:\n\ta: 1\n", "this is not YAML"},
      {"[1]: 2\n", "a key must be a word"},
      {repeated("[", 5000), "nested more than 20"},
      {repeated("- ", 5000), "nested more than 20"},
      {repeated("{a: ", 1 << 20), "nested more than 20"},
      {repeated("a: 1\n", 1'000'000), "more than 100000 values"},
      {repeated("x", 10 << 20), "at most 1048576 are read"},
  };
  for (const auto& [text, words] : texts) {
    const std::string& part = words;
    CAPTURE(part);
    const auto started = std::chrono::steady_clock::now();
    const std::string told = problems(text);
    CHECK_MESSAGE(contains(told, part), told);
    CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(5));
  }
  // Variables that double, 100 times.
  std::string bomb = "weir: 1\nvariables:\n  v0: xxxxxxxxxx\n";
  for (unsigned i = 1; i < 100; ++i) bomb += fmt::format("  v{}: \"${{v{}}}${{v{}}}\"\n", i, i - 1, i - 1);
  CHECK(contains(problems(bomb + "nodes: {}\n"), "has more than 65536 bytes"));
  // Thousands of wrong names, each with thousands of names near to it.
  std::string many = "weir: 1\nnodes:\n";
  for (unsigned i = 0; i < 4000; ++i)
    many += fmt::format("  node_number_{}: {{type: cuont, input: node_nubmer_{}}}\n", i, i);
  const auto started = std::chrono::steady_clock::now();
  try {
    parse(many);
    FAIL("accepted");
  } catch (const ProblemError& error) {
    CHECK(error.count() == 8000);
    CHECK(error.problems().size() == 50);
  }
  CHECK(std::chrono::steady_clock::now() - started < weir::testing::slower * std::chrono::seconds(5));
}

TEST_CASE("a build without YAML says what is missing") {
  if (has_yaml()) return;
  try {
    parse(plain);
    FAIL("read");
  } catch (const Error& error) {
    CHECK(contains(error.what(), "libyaml-cpp-dev"));
    CHECK(error.kind() == ErrorKind::usage);
  }
}
