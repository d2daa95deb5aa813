#pragma once

// Graph files: a graph in words, in YAML (so in JSON too), UTF-8, at most 1 MiB.
//
//   weir: 1                          the version of this format
//   help: slope of a terrain         optional, a sentence
//   memory: 256M                     optional, as are tokens, threads and engine (auto, onetbb, serial);
//   tokens: 8                        the command line's flags win
//   variables:                       ${name} in any value below; --set name=value sets them
//     input: {default: in.tif, help: what to read}
//     output: {help: what to write}  without a default it has to be set
//     level: 9                       short for {default: 9}
//   nodes:
//     dem:   {type: read_tiff, path: "${input}"}
//     bands: {type: assemble_bands, input: dem}
//     ndvi:  {type: normalized_difference, inputs: {positive: nir, negative: red}}
//     ratio: {type: ratio, inputs: [nir, red]}                    in the order of the type's ports
//     zstd:  {type: compress_tiles, input: tiles, codec: zstd, concurrency: 2}
//     raw:   {type: read_tiff, path: b.tif, concurrency: {plan: 1, decode: 2}}
//     hills: {include: hills.yaml, input: dem, set: {z_factor: 2}}
//
// Every node has a name (letters, digits, _ and -) and a type; `input` (or `inputs`) says whose output it
// takes, `concurrency` how many of it run at once: of its last stage, or by stage. All other keys are
// parameters of the type. The order of nodes does not matter. Scalars are texts, read as the parameter's type
// says; "$${" stands for "${".
//
// An include puts in the nodes of another file, whose path is relative to the including one; they are called
// hills.slope and so on. `set` gives values to its variables. That file is a graph file too, with
//
//   inputs: {dem: chunks}            names for what comes in, with the type of what flows
//   output: slope                    the node (or input) whose output leaves it; none: it ends in sinks
//
// and it says nothing of memory, tokens, threads and engine. Aliases and tags of YAML are refused.

#include <cstdint>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "framework/problem.hpp"
#include "framework/registry.hpp"

namespace weir {

/// A word of a graph file, with the place where it stands; equal where the
/// words are.
struct Written {
  std::string text;
  Place place = {};
  bool is_broken = false;  ///< a problem was told of it, and nothing more is to be said

  Written() = default;
  Written(std::string words, Place where = {}) : text(std::move(words)), place(std::move(where)) {}
  Written(const char* words) : text(words) {}
  bool operator==(const Written& other) const { return text == other.text; }
};

struct GraphNode {
  struct Setting {
    Written name, value;
    bool operator==(const Setting&) const = default;
  };
  struct Input {
    Written port;  ///< empty: the next port in order
    Written from;  ///< the node whose output it takes
    bool operator==(const Input&) const = default;
  };
  struct Concurrency {
    Written stage;  ///< empty: the last one
    Written number;
    bool operator==(const Concurrency&) const = default;
  };

  Written name;  ///< "slope"; "hills.slope" for one from an include
  Written type;
  std::vector<Input> inputs = {};
  std::vector<Setting> parameters = {};
  std::vector<Concurrency> concurrency = {};
  bool operator==(const GraphNode&) const = default;
};

/// A graph in words: what a graph file says once its variables and includes are
/// put in. A plain value, which can be made in C++ as well.
struct GraphFile {
  std::string name;          ///< for messages: the file's name
  std::string help;          ///< a sentence; may be empty
  GraphOptions limits = {};  ///< 0 and automatic: not said
  Place memory_place = {};
  std::vector<GraphNode> nodes = {};
};

/// A graph file that reads as this description, with its nodes in the same
/// order. Throws a usage Error for a text that is not UTF-8.
std::string to_yaml(const GraphFile& graph);

struct ReadGraphOptions {
  /// "variable=value", "node.parameter=value", "node.concurrency=N",
  /// "node.stage.concurrency=N", and "include.variable=value"; of two for the
  /// same thing the later one wins.
  std::vector<std::string> sets = {};
  FileSystem* files = &FileSystem::real();
};

/// Reads a graph file and checks all that can be known without touching data:
/// names, types, values, ranges, ports, inputs, circles, order. Throws a
/// ProblemError that names every problem with its place and the nearest valid
/// name. A usage Error where the build reads no YAML.
GraphFile read_graph_file(const std::string& path, const ReadGraphOptions& options, const Registry& registry);

/// The same from a text; includes are relative to the folder of `name`.
GraphFile parse_graph_text(const std::string& text, const std::string& name, const ReadGraphOptions& options,
                           const Registry& registry);

}  // namespace weir
