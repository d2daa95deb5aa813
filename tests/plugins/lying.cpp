// Lies about itself in its descriptor, each time in one way: LIE.
#include "plain.inc"

extern "C" {
static weir_plugin_descriptor lying = plain_descriptor;
static weir_node node = plain_node, second = plain_node;
static weir_kernel kernel = plain_kernel;
static weir_input input = plain_input, same_input = plain_input;
static weir_parameter parameter = {
    sizeof(weir_parameter), WEIR_INTEGER, "count", "a number", "3", nullptr, 0, 0, nullptr, 0, 0};
static const weir_parameter* parameters[] = {&parameter, &parameter};
static const weir_input* inputs[] = {&input, &same_input};
static const weir_node* nodes[] = {&node, &second};
static char endless[100000];
static const char* no_choices[] = {nullptr};
}

WEIR_PLUGIN_NOTE("plain", "1.0");
const weir_plugin_descriptor* weir_plugin(void) {
  lying.nodes = nodes;
  node.functions = &kernel;
  node.inputs = inputs;
  node.parameters = parameters;
  node.parameter_count = 1;
  second.name = "second";
  for (char& c : endless) c = 'x';
  switch (LIE) {
    case 0:
      break;  // the truth
    case 1:
      return nullptr;
    case 2:
      lying.size = 8;
      break;
    case 3:
      lying.size = 0xffffffff;
      break;
    case 4:
      lying.magic = 1;
      break;
    case 5:
      lying.name = nullptr;
      break;
    case 6:
      lying.name = "another";
      break;
    case 7:
      lying.abi_minor = 7;
      break;
    case 8:
      lying.node_count = 0;
      break;
    case 9:
      lying.node_count = 0xffffffff;
      break;
    case 10:
      lying.nodes = nullptr;
      break;
    case 11:
      nodes[0] = nullptr;
      break;
    case 12:
      node.size = 4;
      break;
    case 13:
      node.name = nullptr;
      break;
    case 14:
      node.name = "Not A Name";
      break;
    case 15:
      node.name = endless;
      break;
    case 16:
      node.kind = 77;
      break;
    case 17:
      node.functions = nullptr;
      break;
    case 18:
      kernel.compute = nullptr;
      break;
    case 19:
      kernel.size = 12;
      break;
    case 20:
      node.parameter_count = 0x80000000;
      break;
    case 21:
      node.parameters = nullptr;
      break;
    case 22:
      node.parameter_count = 2;  // twice the same
      break;
    case 23:
      parameter.type = 99;
      break;
    case 24:
      parameter.default_value = "many";
      break;
    case 25:
      parameter.flags = WEIR_HAS_LEAST | WEIR_HAS_MOST;
      parameter.least = 5;
      parameter.most = 4;
      break;
    case 26:
      parameter.type = WEIR_CHOICE;
      parameter.choices = no_choices;
      parameter.choice_count = 1;
      break;
    case 27:
      node.input_count = 0;
      break;
    case 28:
      node.input_count = 2;  // of the same name
      break;
    case 29:
      lying.node_count = 2;
      second.name = "plain_copy";
      break;
    case 30:
      node.help = nullptr;
      break;
    default:
      node.input_count = 1000;
      break;
  }
  return &lying;
}
