// Old files with wrong checksums in weir read and weir convert.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

TEST_CASE(
    "chunks and shards with wrong checksums are read where they are not asked for, and written with right "
    "ones") {
  const TemporaryFolder folder;
  const std::vector<std::string> stored{"--tile", "32", "--shard", "64", "--compress", "none"};
  const auto convert = [&](const std::string& in, const char* out, std::vector<std::string> more) {
    std::vector<std::string> command{"convert", in, folder / out};
    command.insert(command.end(), stored.begin(), stored.end());
    command.insert(command.end(), more.begin(), more.end());
    return weir(command);
  };
  REQUIRE(convert("terrain:64x64:int16", "good.zarr", {}).code == 0);
  std::filesystem::copy(folder / "good.zarr", folder / "a.zarr", std::filesystem::copy_options::recursive);
  Bytes shard = file_bytes(folder / "a.zarr/c/0/0");
  shard.back() ^= std::byte{1};  // of the index's checksum
  std::ofstream(folder / "a.zarr/c/0/0", std::ios::binary)
      .write(reinterpret_cast<const char*>(shard.data()), static_cast<std::streamsize>(shard.size()));

  const auto read = [&](const char* array, std::vector<std::string> more) {
    std::vector<std::string> command{"read", folder / array, "--output", folder / "a.raw", "--overwrite"};
    command.insert(command.end(), more.begin(), more.end());
    return weir(command);
  };
  REQUIRE(read("good.zarr", {}).code == 0);
  const Bytes pixels = file_bytes(folder / "a.raw");
  const Ended refused = read("a.zarr", {});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "checksum"));
  const Ended taken = read("a.zarr", {"--no-checksums"});
  CHECK_MESSAGE(taken.code == 0, taken.err);
  CHECK(file_bytes(folder / "a.raw") == pixels);

  // Chunks do not pass through, though they are those that are wanted.
  CHECK(convert(folder / "a.zarr", "b.zarr", {}).code == 1);
  const Ended mended = convert(folder / "a.zarr", "b.zarr", {"--no-checksums"});
  CHECK_MESSAGE(mended.code == 0, mended.err);
  CHECK(!contains(mended.out, "passed through"));
  CHECK(file_bytes(folder / "b.zarr/c/0/0") == file_bytes(folder / "good.zarr/c/0/0"));
  std::ofstream(folder / "a.yaml")
      << convert(folder / "a.zarr", "c.zarr", {"--no-checksums", "--print-graph"}).out;
  CHECK(weir({"run", folder / "a.yaml"}).code == 0);
  CHECK(file_bytes(folder / "c.zarr/c/0/0") == file_bytes(folder / "good.zarr/c/0/0"));

  const Ended other = weir({"read", "terrain:9x9", "--no-checksums", "--output", folder / "b.raw"});
  CHECK(other.code == 2);
  CHECK(contains(other.err, "cannot use --no-checksums: it is for Zarr arrays"));
}

}  // namespace
}  // namespace weir::command_test
