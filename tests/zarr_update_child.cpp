// Helper of zarr_update_crash_test.cpp, zarr_writers_test.cpp and zarr_replaced_test.cpp.
//
//   zarr_update_child update FOLDER ARRAY CASE KILL_AT   one update, that dies at a file call (zarr_crash_support.hpp)
//   zarr_update_child write FOLDER FIRST COUNT ALL       producers FIRST, FIRST + 1, ... of ALL, each a thread (zarr_writers_support.hpp)
//   zarr_update_child replace FOLDER SHARDS 0 0          a new version of each shard, again and again (zarr_replaced_support.hpp)
//
// Exit code 0: written; 1: an Error, on stderr; 2: bad usage.
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>

#include "tests/zarr_crash_support.hpp"
#include "tests/zarr_replaced_support.hpp"
#include "tests/zarr_writers_support.hpp"

using namespace weir;
using namespace weir::test;

int main(int count, char** arguments) {
  if (count != 6) return 2;
  // Not left behind where the test is ended.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return 2;
  const std::string what = arguments[1], folder = arguments[2];
  const auto number = [&](int i) { return std::strtoul(arguments[i], nullptr, 10); };
  try {
    if (what == "update") {
      FaultyFileSystem files;
      files.skip_sync = true;
      if (number(5) != 0) files.kill_at = number(5);
      const auto store = std::make_shared<FolderStore>(folder, FolderStoreOptions{}, files);
      crash_update(open_zarr(store, "a"), crash_cases()[number(4)]);
    } else if (what == "write") {
      const auto store = std::make_shared<FolderStore>(folder, FolderStoreOptions{.durable = false});
      run_producers(open_zarr(store, "a"), static_cast<unsigned>(number(3)), static_cast<unsigned>(number(4)),
                    static_cast<unsigned>(number(5)));
    } else if (what == "replace") {
      const auto array =
          open_zarr(std::make_shared<FolderStore>(folder, FolderStoreOptions{.durable = false}), "a");
      for (std::uint16_t version = 2;; version = static_cast<std::uint16_t>(version % 60'000 + 1))
        for (std::uint64_t shard = 0; shard < number(3); ++shard) write_version(array, shard, version);
    } else {
      return 2;
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
