// Exports no weir_plugin.
#include "plain.inc"

WEIR_PLUGIN_NOTE("plain", "1.0");
const void* other_entry(void);
__attribute__((visibility("default"))) const void* other_entry(void) {
  return &plain_descriptor;
}
