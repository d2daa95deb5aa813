#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

namespace weir {
namespace {

TEST_CASE("what libtiff and its libraries take for jpeg, webp and lerc is declared") {
  CHECK(std::system((std::string(WEIR_TEST_CHILDREN) + "/codec_memory_child").c_str()) == 0);
}

}  // namespace
}  // namespace weir
