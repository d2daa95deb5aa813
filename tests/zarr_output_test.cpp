// Where arrays are written: what is there before, meanwhile and afterwards (nodes/zarr/zarr_output.hpp).
#include "nodes/zarr/zarr_output.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "nodes/raster/window_source.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "pipelines/copy_zarr.hpp"
#include "pipelines/write_zarr_raster.hpp"
#include "tests/zarr_raster_support.hpp"

namespace weir::pipeline_test {
namespace {

TEST_CASE("a folder appears whole or not at all, and replaces an array in one step") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.zarr";
  const Raster raster = made_raster(64, 64);
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 16;
  const auto fails_at = [](std::uint64_t at) {
    RunOptions run;
    run.before_body = [at](const std::string& node, std::uint64_t ticket) {
      if (node == "store" && ticket == at) throw Error("write", "a chunk", "planted");
    };
    return run;
  };
  for (const bool has_shards : {false, true}) {
    if (has_shards) options.shard_height = options.shard_width = 32;
    CHECK_THROWS_AS(write_zarr_raster(source_of(raster, 64, 64), path, options, fails_at(2)), Error);
    CHECK(folder.names().empty());
  }
  write_zarr_raster(source_of(raster, 64, 64), path, options);
  CHECK(folder.names() == std::vector<std::string>{"a.zarr"});
  CHECK(read_back(open_zarr_raster(path)) == raster.pixels);
  CHECK(contains(
      reason_of([&] { write_zarr_raster(source_of(raster, 64, 64), path, options); }, ErrorKind::usage),
      "it exists already"));

  // Smaller, so that objects of the old one would be left over.
  const Raster other = made_raster(20, 30, SampleType::float32);
  options.overwrite = true;
  CHECK_THROWS_AS(write_zarr_raster(source_of(other, 9, 9), path, options, fails_at(0)), Error);
  CHECK(read_back(open_zarr_raster(path)) == raster.pixels);
  const FolderStore before(path);  // a reader that has it open
  write_zarr_raster(source_of(other, 64, 64), path, options);
  CHECK(folder.names() == std::vector<std::string>{"a.zarr"});
  CHECK(read_back(open_zarr_raster(path)) == other.pixels);
  CHECK(contains(reason_of([&] { before.size("zarr.json"); }, ErrorKind::failed),
                 "was replaced by another one"));
  CHECK(objects_of(FolderStore(path)).size() == 2);  // one shard
}

TEST_CASE("a folder that is replaced or removed while it is read is an error, and never fill") {
  for (const bool has_shards : {false, true})
    for (const bool is_removed : {false, true}) {
      const TemporaryFolder folder;
      const std::string path = folder / "a.zarr";
      const Raster raster = made_raster(64, 64);
      WriteZarrRasterOptions options;
      options.chunk_height = options.chunk_width = 16;
      if (has_shards) options.shard_height = options.shard_width = 32;
      write_zarr_raster(source_of(raster, 64, 64), path, options);
      const auto source = open_zarr_raster(path);
      options.overwrite = true;
      if (is_removed)
        std::filesystem::remove_all(path);
      else
        write_zarr_raster(source_of(raster, 64, 64), path, options);
      const std::string reason = reason_of([&] { read_back(source); }, ErrorKind::failed);
      CHECK_MESSAGE(contains(reason, is_removed ? "the folder was removed" : "the folder was replaced"),
                    reason);
      if (!is_removed) CHECK(read_back(open_zarr_raster(path)) == raster.pixels);
    }
}

TEST_CASE("an array in a store gets the groups above it, and leaves its neighbours alone") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(10, 12), other = made_raster(5, 6);
  write_zarr_raster(source_of(raster, 64, 64), folder / "a.zarr/x/one");
  write_zarr_raster(source_of(other, 64, 64), folder / "a.zarr/x/two");
  CHECK(read_back(open_zarr_raster(folder / "a.zarr/x/one")) == raster.pixels);
  CHECK(read_back(open_zarr_raster(folder / "a.zarr/x/two")) == other.pixels);
  CHECK(std::filesystem::exists(folder / "a.zarr/zarr.json"));
  CHECK(std::filesystem::exists(folder / "a.zarr/x/zarr.json"));
  CHECK(contains(reason_of([&] { open_zarr_raster(folder / "a.zarr/x"); }, ErrorKind::usage),
                 "it is a group, say which array: one, two"));
}

TEST_CASE("nothing is written inside of an array, in a folder or in a store") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(10, 12);
  const auto source = source_of(raster, 64, 64);
  const auto store = std::make_shared<MemoryStore>();
  write_zarr_raster(source, folder / "a.zarr/x/one");
  write_zarr_raster(source, folder / "b.zarr");
  ZarrRasterWrite(source, store, "x/one", WriteZarrRasterOptions()).run();
  const Objects before = objects_of(*store);
  for (const bool overwrite : {false, true}) {
    WriteZarrRasterOptions options;
    options.overwrite = overwrite;
    for (const char* inside : {"a.zarr/x/one/more", "a.zarr/x/one/in/it", "b.zarr/more"})
      CHECK(
          contains(reason_of([&] { write_zarr_raster(source, folder / inside, options); }, ErrorKind::usage),
                   "is an array, and holds no others"));
    CHECK(contains(
        reason_of([&] { ZarrRasterWrite(source, store, "x/one/in/it", options).run(); }, ErrorKind::usage),
        "is an array, and holds no others"));
  }
  CHECK(objects_of(*store) == before);
  CHECK_FALSE(std::filesystem::exists(folder / "a.zarr/x/one/more"));
  CHECK(folder.names() == std::vector<std::string>{"a.zarr", "b.zarr"});
}

TEST_CASE("a link to a folder is followed: what it points to is replaced, or made, and the link stays") {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  const Raster first = made_raster(10, 12), second = made_raster(5, 6);
  fs::create_directory(folder / "far");
  fs::create_directory_symlink("far/real.zarr", folder / "link.zarr");
  WriteZarrRasterOptions options;
  for (const Raster& raster : {first, second}) {
    write_zarr_raster(source_of(raster, 64, 64), folder / "link.zarr", options);
    CHECK(fs::is_symlink(folder / "link.zarr"));
    CHECK_FALSE(fs::is_symlink(folder / "far/real.zarr"));
    CHECK(read_back(open_zarr_raster(folder / "far/real.zarr")) == raster.pixels);
    CHECK(std::distance(fs::directory_iterator(folder / "far"), fs::directory_iterator()) == 1);
    CHECK(folder.names() == std::vector<std::string>{"far", "link.zarr"});
    options.overwrite = true;
  }
}

TEST_CASE("what is left of a writer that was killed is removed by the next one, and a living one's is not") {
  const TemporaryFolder folder;
  const std::string dead = folder / ".a.zarr.weir-0123456789abcdef.tmp";
  const std::string living = folder / ".a.zarr.weir-fedcba9876543210.tmp";
  for (const std::string& path : {dead, living}) {
    std::filesystem::create_directory(path);
    std::ofstream(path + "/zarr.json") << "{}";
  }
  const int held = ::open(living.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(::flock(held, LOCK_EX) == 0);
  const Raster raster = made_raster(10, 12);
  write_zarr_raster(source_of(raster, 64, 64), folder / "a.zarr");
  CHECK(folder.names() == std::vector<std::string>{".a.zarr.weir-fedcba9876543210.tmp", "a.zarr"});
  ::close(held);
}

TEST_CASE("a folder that is no Zarr is not replaced") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "home");
  std::ofstream(folder / "home/letter.txt") << "dear";
  const Raster raster = made_raster(10, 12);
  WriteZarrRasterOptions options;
  options.overwrite = true;
  CHECK(contains(reason_of([&] { write_zarr_raster(source_of(raster, 64, 64), folder / "home", options); },
                           ErrorKind::usage),
                 "neither an array nor a group"));
  CHECK(std::filesystem::exists(folder / "home/letter.txt"));
}

TEST_CASE("in a store, too, nothing is removed that is not of an array, nor anything without being asked") {
  const Raster raster = made_raster(10, 12);
  WriteZarrRasterOptions options;
  const auto put = [](const Store& store, const std::string& key) {
    store.put(key, std::as_bytes(std::span("dear", 4)));
  };
  const auto refusal = [&](const std::shared_ptr<const Store>& store, const std::string& path,
                           bool overwrite) {
    options.overwrite = overwrite;
    return reason_of([&] { ZarrRasterWrite(source_of(raster, 64, 64), store, path, options).run(); },
                     ErrorKind::usage);
  };
  const auto store = std::make_shared<MemoryStore>();
  put(*store, "letters/to/me.txt");
  options.overwrite = true;
  ZarrRasterWrite(source_of(raster, 64, 64), store, "dem", options).run();
  const Objects before = objects_of(*store);
  for (const bool overwrite : {false, true}) {
    CHECK(contains(refusal(store, "letters", overwrite), "letters/to/me.txt is there"));
    CHECK(contains(refusal(store, "", overwrite), overwrite ? "letters/to/me.txt is there" : "dem/c/0/0"));
  }
  CHECK(contains(refusal(store, "dem", false), "it exists already"));
  put(*store, "dem/letter.txt");
  CHECK(contains(refusal(store, "dem", true), "dem/letter.txt is there"));
  store->erase("dem/letter.txt");
  CHECK(objects_of(*store) == before);

  // What a writer left that did not come to its end.
  for (const char* key : {"half/c/0/0", "half/c/0/1", "half/0.1", "half/.zattrs", "half/level/c"})
    put(*store, key);
  CHECK(contains(refusal(store, "half", false), "of an array that was not finished"));
  options.overwrite = true;
  ZarrRasterWrite(source_of(raster, 64, 64), store, "half", options).run();
  CHECK(!store->size("half/c/0/1"));
  CHECK(!store->size("half/level/c"));
  for (const char* key : {"names/007", "names/7", "names/2024/07", "names/1.", "names/c.x"}) {
    put(*store, key);
    CHECK(contains(refusal(store, "names", true), fmt::format("{} is there", key)));
    store->erase(key);
  }
}

TEST_CASE("places that no array is written to are refused, and no folder of their name is made") {
  const TemporaryFolder folder;
  for (const std::string& path :
       {"file://" + (folder / "a.zarr"), std::string("az://box/a.zarr"), std::string("ftp://box/a.zarr/x")})
    CHECK_MESSAGE(
        contains(reason_of([&] { zarr_output(path, 3, false); }, ErrorKind::usage), "are not known"), path);
  CHECK(contains(reason_of([&] { zarr_output(folder / "a.zarr.zip", 3, false); }, ErrorKind::usage),
                 "zip files"));
  CHECK(folder.names().empty());
}

TEST_CASE("what a run reads is not what it removes to write, whatever lies between the two") {
  const Raster raster = made_raster(10, 12);
  WriteZarrRasterOptions options;
  const auto store = std::make_shared<MemoryStore>();
  for (const char* path : {"group/dem", "group/other", "group2"})
    ZarrRasterWrite(source_of(raster, 64, 64), store, path, options).run();
  create_zarr(*store, "group", ZarrGroupMetadata{3, "{}"});
  const Objects before = objects_of(*store);
  options.overwrite = true;
  const auto dem = open_zarr(store, "group/dem");
  const auto whole = std::make_shared<const ZarrSource>(dem, ZarrRasterOpenOptions{});
  const std::vector<std::shared_ptr<const ChunkSource>> sources{
      whole, std::make_shared<const WindowSource>(whole, Window{2, 2, 8, 8})};
  for (const auto& source : sources)
    for (const char* path : {"group/dem", "group", ""})
      for (const PassThrough pass : {PassThrough::never, PassThrough::automatic}) {
        options.pass_through = pass;
        CHECK(contains(reason_of([&] { ZarrRasterWrite(source, store, path, options); }, ErrorKind::usage),
                       "it is read, too"));
      }
  CopyZarrOptions copying;
  copying.overwrite = true;
  CHECK(
      contains(reason_of([&] { ZarrCopy(dem, dem->metadata(), store, "group", copying); }, ErrorKind::usage),
               "it is read, too"));
  CHECK(objects_of(*store) == before);
  // Beside it, and the same path of another store.
  for (const char* path : {"group/other", "group2"}) ZarrRasterWrite(whole, store, path, options).run();
  ZarrRasterWrite(whole, std::make_shared<MemoryStore>(), "group/dem", options).run();
  CHECK(read_back(whole) == raster.pixels);
}

}  // namespace
}  // namespace weir::pipeline_test
