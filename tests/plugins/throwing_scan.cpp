// Throws an exception instead of giving its descriptor.
#include <stdexcept>

#include "plain.inc"

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  throw std::runtime_error(plain_descriptor.name);
}
