// The second of two plugins with a class of the same name.
#define TWIN_VALUE 2
#include "twin.inc"

WEIR_PLUGIN("twin_two", "1.0", "MIT",
            transform<Twin>({.name = "twin_two", .help = "twos", .bytes = "nothing"}));
