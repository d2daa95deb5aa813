// Built for a newer minor version of the border.
#define WEIR_PLUGIN_ABI_MINOR 99
#include "plain.inc"

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  return &plain_descriptor;
}
