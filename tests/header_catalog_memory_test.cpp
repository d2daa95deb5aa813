#include <doctest/doctest.h>

#include "tests/header_catalog_support.hpp"

using namespace weir;
using namespace weir::test;

TEST_CASE("a catalog takes no more memory than it declares, whatever rows come") {
  if (skips_without_parquet("no more memory than it declares")) return;
  const Folder folder;
  // A million rows are 1,800 MB before they are encoded.
  const int megabytes = std::getenv("WEIR_TEST_FULL") != nullptr ? 1800 : 12;
  const std::string child = std::string(WEIR_TEST_CHILDREN) + "/header_catalog_memory_child";
  const int status = std::system(fmt::format("{} {} {}", child, folder.path, megabytes).c_str());
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 3)
    std::puts("skip no more memory than it declares: sanitizers have a malloc of their own");
  else
    CHECK(WEXITSTATUS(status) == 0);  // prints what was too much
}
