// The first of two plugins with a class of the same name.
#define TWIN_VALUE 1
#include "twin.inc"

WEIR_PLUGIN("twin_one", "1.0", "MIT",
            transform<Twin>({.name = "twin_one", .help = "ones", .bytes = "nothing"}));
