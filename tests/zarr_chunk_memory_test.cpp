#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

namespace weir {
namespace {

TEST_CASE("what Zarr's codecs and c-blosc take is declared") {
  CHECK(std::system((std::string(WEIR_TEST_CHILDREN) + "/zarr_codec_memory_child").c_str()) == 0);
}

}  // namespace
}  // namespace weir
