// Says that it was built with a sanitizer.
#define WEIR_PLUGIN_COMPILER_ABI "lp64-little+msan"
#include "plain.inc"

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  return &plain_descriptor;
}
