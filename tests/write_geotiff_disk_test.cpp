// write_geotiff on disks that are full, slow to take bytes, read-only or dying.
#include <doctest/doctest.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdio>

#include "nodes/tiff/tiff_source.hpp"
#include "tests/failure_support.hpp"

using namespace weir;
using namespace weir::test;
using weir::testing::contains;

TEST_CASE("a full disk or quota ends a write with its reason, however many bytes went before") {
  // Tiles that do not get smaller, so that there is much to write. A disk fills up in the middle of a write
  // call, which is then short.
  for (const int error_number : {ENOSPC, EDQUOT, EIO})
    for (WriteWay way : all_ways()) {
      way.codec = CodecId::none;
      CAPTURE(way.text());
      good_bytes(way);
      const Leaks leaks;
      // Steps get small towards the end: there the last call comes short, and no other one would tell.
      const std::uint64_t step = error_number == ENOSPC ? 389 : 3001;
      bool is_full = true;
      for (std::uint64_t room = 0; is_full; room += room + 1000 < good_bytes(way).size() ? step : 61) {
        CAPTURE(room);
        const Scene scene(way);
        FaultyFileSystem files;
        way.set_up(files);
        files.disk_bytes = room;
        files.disk_errno = error_number;
        const Ending ending =
            ending_of("disk is full", [&] { write_tightly(small_source(), scene.target, way, files); });
        check_form(ending, ErrorKind::failed);
        leaks.check_files();
        is_full = ending.error.has_value();
        if (!is_full) {
          CHECK(scene.is_new());
          break;
        }
        check_placed(ending, system_reason(error_number));
        CHECK(way.is_sink(ending.error->node()));
        CHECK(contains(ending.error->what(), "cannot write " + scene.target + ": "));
        check_untouched(scene);
        scene.check_next_run();
      }
      leaks.check();
    }
}

TEST_CASE("short and interrupted reads and writes change nothing") {
  for (const WriteWay& way : all_ways()) {
    CAPTURE(way.text());
    const Scene scene(way);
    put(scene.folder / "in.tif", good_bytes(CodecId::zstd));
    FaultyFileSystem files;
    way.set_up(files);
    files.longest_read = 7;
    files.longest_write = 11;
    files.interrupt_every = 2;
    {
      const auto source =
          std::make_shared<const TiffSource>(scene.folder / "in.tif", TiffReadOptions{}, files);
      write_tightly(source, scene.target, way, files);
    }
    CHECK(scene.is_new());
    fs::remove(scene.folder / "in.tif");
    scene.check_next_run();
  }
}

TEST_CASE("too little free space is refused before the first byte is written") {
  for (const WriteWay& way : all_ways()) {
    const Scene scene(way);
    FaultyFileSystem files;
    way.set_up(files);
    files.free_space = 10;
    const Ending ending =
        ending_of("no space", [&] { write_tightly(small_source(), scene.target, way, files); });
    check_form(ending, ErrorKind::failed);
    check_placed(ending, "the file system has 10 B free");
    CHECK(ending.error->item() == "open");
    CHECK_FALSE(contains(files.log_text(), "pwrite"));
    check_untouched(scene);
    scene.check_next_run();
  }
}

TEST_CASE("a temporary that cannot be removed on a dying disk is removed by the next run") {
  for (const Engine engine : {Engine::serial, Engine::onetbb}) {
    const WriteWay way{engine, true, true};
    const Scene scene(way);
    FaultyFileSystem files;
    way.set_up(files);
    files.always_fail["pwrite"] = EIO;
    files.always_fail["unlink"] = EIO;
    const Ending ending =
        ending_of("disk dies", [&] { write_tightly(small_source(), scene.target, way.options(files)); });
    check_form(ending, ErrorKind::failed);
    check_placed(ending, system_reason(EIO));
    CHECK(scene.is_old());
    CHECK(scene.rests().size() == 1);
    scene.check_next_run();
  }
}

namespace {

/// Makes the calling thread nobody on file systems, where it is root, who may write everywhere. The output is
/// opened by the thread that calls write_geotiff.
class AsNobody {
 public:
  AsNobody() : before_(static_cast<uid_t>(::setfsuid(65534))) {}
  ~AsNobody() { ::setfsuid(before_); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  uid_t before_;
};

}  // namespace

TEST_CASE("a folder that may not be written is refused, and the old file stays") {
  for (const WriteWay& way : write_ways()) {
    CAPTURE(way.text());
    const Folder folder;
    const std::string target = folder / "out.tif";
    if (way.overwrite) put(target, old_bytes);
    REQUIRE(::chmod(folder.path.c_str(), 0555) == 0);
    FaultyFileSystem files;
    way.set_up(files);
    const Leaks leaks;
    const Ending ending = ending_of("read-only folder", [&] {
      const AsNobody nobody;
      write_tightly(small_source(), target, way.options(files));
    });
    check_form(ending, ErrorKind::failed);
    check_placed(ending, system_reason(EACCES));
    CHECK(ending.error->node() == "tif");
    leaks.check_files();
    REQUIRE(::chmod(folder.path.c_str(), 0755) == 0);
    CHECK(folder.names().size() == (way.overwrite ? 1 : 0));
    if (way.overwrite) CHECK(content(target) == old_bytes);
    write_tightly(small_source(), target, way.options(files));
    CHECK(content(target) == good_bytes());
  }
}

namespace {

/// A file system of its own, if this process may mount one.
class Mount {
 public:
  Mount(const std::string& path, const char* options)
      : path_(path), is_mounted_(::mount("none", path.c_str(), "tmpfs", 0, options) == 0) {}
  ~Mount() {
    if (is_mounted_) static_cast<void>(::umount2(path_.c_str(), MNT_DETACH));
  }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  explicit operator bool() const { return is_mounted_; }
  bool make_read_only() const {
    return ::mount("none", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }

 private:
  std::string path_;
  bool is_mounted_;
};

}  // namespace

TEST_CASE("a full disk and a read-only file system, real ones, end a write with the old file in place") {
  for (const WriteWay& way : all_ways()) {
    CAPTURE(way.text());
    const Folder folder;
    const Mount mount(folder.path, "size=64k");
    if (!mount) {
      std::puts("skip a full disk and a read-only file system: mounting a tmpfs is not allowed here");
      return;
    }
    const std::string target = folder / "out.tif";
    if (way.overwrite) put(target, old_bytes);
    const auto check_old = [&] {
      CHECK(folder.names().size() == (way.overwrite ? 1 : 0));
      if (way.overwrite) CHECK(content(target) == old_bytes);
    };
    FaultyFileSystem files;
    way.set_up(files);
    TerrainOptions terrain;
    terrain.height = terrain.width = 256;
    terrain.chunk_height = terrain.chunk_width = 64;
    const Ending full = ending_of("real full disk", [&] {
      write_tightly(std::make_shared<const TerrainSource>(terrain), target, way, files);
    });
    check_form(full, ErrorKind::failed);
    check_placed(full, system_reason(ENOSPC));
    CHECK(way.is_sink(full.error->node()));
    CHECK(full.error->item().starts_with("tile"));
    check_old();

    write_tightly(small_source(), target, way, files);  // what fits, fits: nothing was left
    CHECK(content(target) == good_bytes(way));

    put(target, old_bytes);
    REQUIRE(mount.make_read_only());
    WriteWay over = way;
    over.overwrite = true;
    const Ending read_only =
        ending_of("read-only", [&] { write_tightly(small_source(), target, over, files); });
    check_form(read_only, ErrorKind::failed);
    check_placed(read_only, system_reason(EROFS));
    CHECK(folder.names() == std::vector<std::string>{"out.tif"});
    CHECK(content(target) == old_bytes);
  }
}
