// Without its note.
#include "plain.inc"

const weir_plugin_descriptor* weir_plugin(void) {
  return &plain_descriptor;
}
