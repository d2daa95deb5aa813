// Ends the process when it is loaded, as if all were well.
#include <unistd.h>

#include "plain.inc"

__attribute__((constructor)) static void at_load() {
  ::_exit(0);
}

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  return &plain_descriptor;
}
