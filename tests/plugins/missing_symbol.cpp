// Needs a symbol that nobody has.
#include "plain.inc"

WEIR_PLUGIN_NOTE("plain", "1.0");
extern "C" int nowhere_to_be_found(void);
const weir_plugin_descriptor* weir_plugin(void) {
  return nowhere_to_be_found() != 0 ? &plain_descriptor : nullptr;
}
