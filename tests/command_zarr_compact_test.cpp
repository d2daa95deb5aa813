// weir compact.
#include <doctest/doctest.h>

#include "nodes/stores/folder_store.hpp"
#include "tests/run_command.hpp"
#include "tests/tiff_helpers.hpp"
#include "tests/zarr_update_support.hpp"

namespace weir::command_test {
namespace {

TEST_CASE("compact saves the room that updates in place have left, says how much, and changes no element") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.zarr";
  const auto store = std::make_shared<FolderStore>(path, FolderStoreOptions{.create = true});
  create_zarr(*store, "dem", test::sharded_arrays()[4].metadata);
  const auto array = open_zarr(store, "dem");
  const ZarrSelection all = everything(*array);
  std::mt19937 random(4);
  test::update(array, all, batched::Elements(2 * test::count_of(all), std::byte{1}), test::copy_on_write());
  for (int i = 0; i < 8; ++i) {
    const ZarrSelection part = test::random_selection({12, 8}, random);
    test::update(array, part, test::random_elements(test::count_of(part), random), test::in_place());
  }
  const batched::Elements before = test::read_all(array);
  const std::uint64_t bytes = *store->size("dem/c/0/0");

  const Ended ended = weir({"compact", path + "/dem", "--memory", "32M", "--order", "row-major"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(contains(ended.out, path + "/dem: 1 of 6 shards rewritten, "));
  CHECK(*store->size("dem/c/0/0") < bytes);
  CHECK(test::read_all(open_zarr(store, "dem")) == before);
  CHECK(contains(weir({"compact", path + "/dem"}).out, ": 0 of 6 shards rewritten, 0 B of "));

  const Ended small = weir({"compact", path + "/dem", "--memory", "1K"});
  CHECK(small.code == 2);
  CHECK(contains(small.err, "memory"));
  CHECK(weir({"compact", path}).code == 1);  // a group
  CHECK(weir({"compact", path + "/dem", "--order", "hilbert"}).code == 2);
  CHECK(weir({"explain", "compact", path}).code == 2);
}

}  // namespace
}  // namespace weir::command_test
