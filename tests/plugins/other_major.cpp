// Built for another major version of the border.
#define WEIR_PLUGIN_ABI_MAJOR 2
#include "plain.inc"

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  return &plain_descriptor;
}
