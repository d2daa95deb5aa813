// Scans the plugin that it is given, as `weir plugin-scan` does.
#include "nodes/plugins/plugin_nodes.hpp"

int main(int argc, char** argv) {
  return argc == 2 ? weir::answer_scan(argv[1], weir::check_plugin_node) : 2;
}
