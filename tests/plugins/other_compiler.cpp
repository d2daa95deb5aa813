// Says that it was built with another compiler ABI.
#define WEIR_PLUGIN_COMPILER_ABI "ilp32-big"
#include "plain.inc"

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  return &plain_descriptor;
}
