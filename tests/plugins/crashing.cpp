// Crashes when it is loaded.
#include <unistd.h>

#include "plain.inc"

__attribute__((constructor)) static void at_load() {
  __builtin_trap();
}

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  return &plain_descriptor;
}
