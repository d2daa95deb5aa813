#include "framework/file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/faulty_file_system.hpp"
#include "tests/file_support.hpp"

using namespace weir::test;
using weir::AtomicFile;
using weir::Error;
using weir::InputFile;

TEST_CASE("only temporaries of the same target whose writers have died are removed") {
  const Folder folder;
  const std::string stale = folder / ".out.tif.weir-0123456789abcdef.tmp";
  const std::string others[] = {folder / ".out2.tif.weir-0123456789abcdef.tmp",
                                folder / ".out.tif.weir-0123456789abcdeX.tmp",
                                folder / ".out.tif.weir-0123456789abcdef.tmp2",
                                folder / ".out.tif.weir-0123.tmp", folder / "out.tif.tmp"};
  put(stale, "half");
  for (const std::string& other : others) put(other, "not ours");
  fs::create_directory(folder / ".out.tif.weir-00000000000000ff.tmp");

  const std::string held = folder / ".out.tif.weir-fedcba9876543210.tmp";
  put(held, "being written");
  const int fd = ::open(held.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(fd, LOCK_EX | LOCK_NB) == 0);
  { const AtomicFile file(folder / "out.tif", false); }
  CHECK(!fs::exists(stale));
  CHECK(fs::exists(held));
  for (const std::string& other : others) CHECK(fs::exists(other));
  ::close(fd);
  { const AtomicFile file(folder / "out.tif", false); }
  CHECK(!fs::exists(held));
}

TEST_CASE("two writers of one target do not remove each other's temporaries") {
  for (const bool named : {true, false}) {
    const Folder folder;
    const std::string target = folder / "out.tif";
    put(target, "old");
    FaultyFileSystem files;
    if (named) files.unnamed_errno = EOPNOTSUPP;
    AtomicFile first(target, true, files);
    AtomicFile second(target, true, files);
    first.write_at(0, bytes_of("first"));
    second.write_at(0, bytes_of("second"));
    first.commit();
    CHECK(content(target) == "first");
    second.commit();
    CHECK(content(target) == "second");
    CHECK(folder.names().size() == 1);
  }
}

TEST_CASE("a target that came while we wrote is replaced where overwrite is set, with its permissions") {
  const Folder folder;
  const std::string target = folder / "out.tif";
  AtomicFile file(target, true);
  file.write_at(0, bytes_of("new"));
  put(target, "another's");
  ::chmod(target.c_str(), 0604);
  file.commit();
  CHECK(content(target) == "new");
  CHECK(mode_of(target) == 0604);
}

TEST_CASE("a replaced file keeps its permissions and a new one gets what the umask leaves") {
  const mode_t old_umask = ::umask(027);
  for (const int unnamed_errno : {0, EOPNOTSUPP}) {
    const Folder folder;
    const std::string target = folder / "out.tif";
    FaultyFileSystem files;
    files.unnamed_errno = unnamed_errno;
    write_new(target, false, files);
    CHECK(mode_of(target) == 0640);
    for (const mode_t mode : {0600U, 0444U, 0666U, 0777U, 0604U}) {
      ::chmod(target.c_str(), mode);
      write_new(target, true, files);
      CHECK(mode_of(target) == mode);
    }
    // The owner may be another one now.
    ::chmod(target.c_str(), 04755);
    write_new(target, true, files);
    CHECK(mode_of(target) == 0755);
    // Nobody may read a private file's successor before it has its name.
    ::chmod(target.c_str(), 0600);
    if (unnamed_errno != 0) {
      const AtomicFile file(target, true, files);
      for (const std::string& name : folder.names()) CHECK(mode_of(folder / name) == 0600);
    }
  }
  ::umask(old_umask);
}

TEST_CASE("symbolic links are followed: what they point to is replaced or made") {
  const Folder folder;
  fs::create_directory(folder / "deep");
  const auto write = [&](const std::string& target, const std::string& text) {
    AtomicFile file(target, true);
    file.write_at(0, bytes_of(text));
    file.commit();
  };
  put(folder / "deep/real.tif", "old");
  fs::create_symlink("deep/real.tif", folder / "relative.tif");
  fs::create_symlink(folder / "relative.tif", folder / "absolute.tif");
  write(folder / "absolute.tif", "new");
  CHECK(fs::is_symlink(folder / "absolute.tif"));
  CHECK(fs::is_symlink(folder / "relative.tif"));
  CHECK(content(folder / "deep/real.tif") == "new");

  fs::create_symlink("deep/later.tif", folder / "dangling.tif");
  write(folder / "dangling.tif", "made");
  CHECK(fs::is_symlink(folder / "dangling.tif"));
  CHECK(content(folder / "deep/later.tif") == "made");

  fs::create_symlink("deep", folder / "link_to_folder");
  write(folder / "link_to_folder/x.tif", "inside");
  CHECK(content(folder / "deep/x.tif") == "inside");

  fs::create_symlink("loop.tif", folder / "loop.tif");
  CHECK(error_of([&] { write(folder / "loop.tif", "x"); }).reason() == weir::system_reason(ELOOP));
  fs::create_symlink("nowhere/x.tif", folder / "lost.tif");
  CHECK(error_of([&] { write(folder / "lost.tif", "x"); }).reason() == weir::system_reason(ENOENT));
}

TEST_CASE("targets that are no files are refused with the reason") {
  const Folder folder;
  fs::create_directory(folder / "sub");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  fs::create_symlink("fifo", folder / "link_to_fifo");
  const auto reason = [](const std::string& target, bool overwrite = true) {
    const Error error = error_of([&] { const AtomicFile file(target, overwrite); });
    CHECK((target.empty() || error.object().find(target) != std::string::npos));
    return error.reason();
  };
  for (const bool overwrite : {false, true}) {
    CHECK(reason(folder.path, overwrite) == "it is a folder");
    CHECK(reason(folder / "sub/", overwrite) == "it is a folder");
    CHECK(reason(folder / "fifo", overwrite) == "it is not a regular file");
    CHECK(reason(folder / "link_to_fifo", overwrite) == "it is not a regular file");
    CHECK(reason("/dev/null", overwrite) == "it is not a regular file");
  }
  CHECK(reason("") == "its name is empty");
  CHECK(reason(folder / "new/") == "it names a folder");
  CHECK(reason(folder / "fifo/x") == weir::system_reason(ENOTDIR));
  CHECK(error_of([&] { const AtomicFile file(folder / "no/x.tif", true); }).what() ==
        "cannot open the folder " + folder.path + "/no/: No such file or directory");

  int ends[2] = {};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  CHECK(reason("/proc/self/fd/" + std::to_string(ends[1])) == "it is not a regular file");
  ::close(ends[0]);
  ::close(ends[1]);
  put(folder / "gone", "x");
  const int fd = ::open((folder / "gone").c_str(), O_RDWR | O_CLOEXEC);
  fs::remove(folder / "gone");
  put(folder / "gone (deleted)", "another's");
  CHECK(reason("/proc/self/fd/" + std::to_string(fd)) == "it has no name in a folder");
  ::close(fd);
}

TEST_CASE("a bare name is a file in the working folder") {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path);
  write_new("out.tif", false, weir::FileSystem::real());
  write_new("out.tif", true, weir::FileSystem::real());
  fs::current_path(before);
  CHECK(content(folder / "out.tif") == new_content);
  CHECK(folder.names().size() == 1);
}

TEST_CASE("too little free space is said before the work") {
  const Folder folder;
  FaultyFileSystem files;
  files.free_space = 1 << 20;
  AtomicFile file(folder / "out.tif", false, files);
  file.require_space(1 << 20);
  CHECK(error_of([&] { file.require_space((1 << 20) + 1024 * 1024); }).what() ==
        "cannot write " + folder.path +
            "/out.tif: it needs at least 2.0 MiB, the file system has 1.0 MiB free");
  AtomicFile(folder / "other.tif", false).require_space(1);
  CHECK_THROWS_AS(AtomicFile(folder / "other.tif", false).require_space(std::uint64_t{1} << 60), Error);
}

TEST_CASE("what was written can be read back before commit") {
  const Folder folder;
  AtomicFile file(folder / "out.tif", false);
  file.write_at(10, bytes_of("later"));
  file.write_at(0, bytes_of("first"));
  file.write_at(0, {});
  std::string text(20, '?');
  CHECK(file.read_at(0, std::as_writable_bytes(std::span(text))) == 15);
  CHECK(text == std::string("first\0\0\0\0\0later?????", 20));
  CHECK(file.bytes_written() == 10);
}

TEST_CASE("offsets beyond what a file can have are the end for reads and errors for writes") {
  const Folder folder;
  put(folder / "in", "0123456789");
  const InputFile in(folder / "in");
  CHECK(in.size() == 10);
  std::string text(4, '?');
  const auto out = std::as_writable_bytes(std::span(text));
  CHECK(in.read_at(8, out) == 2);
  CHECK(text == "89??");
  CHECK(in.read_at(10, out) == 0);
  CHECK(in.read_at(std::uint64_t{1} << 63, out) == 0);
  CHECK(in.read_at(~std::uint64_t{0}, out) == 0);
  CHECK(in.read_at((std::uint64_t{1} << 63) - 2, out) == 0);
  AtomicFile file(folder / "out", false);
  CHECK(error_of([&] { file.write_at(~std::uint64_t{0}, bytes_of("x")); }).reason() ==
        weir::system_reason(EFBIG));
  CHECK(error_of([&] { file.write_at((std::uint64_t{1} << 63) - 1, bytes_of("x")); }).reason() ==
        weir::system_reason(EFBIG));
}

TEST_CASE("input that is missing or no file is refused, and every failing call of a reader is an error") {
  const Folder folder;
  put(folder / "in", "0123456789");
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(error_of([&] { const InputFile in(folder / "no"); }).what() ==
        "cannot open " + folder.path + "/no: No such file or directory");
  CHECK(error_of([&] { const InputFile in(folder.path); }).reason() == "it is a folder");
  CHECK(error_of([&] { const InputFile in(folder / "fifo"); }).reason() == "it is not a regular file");

  const std::size_t before = open_files();
  for (const std::size_t k : {1U, 2U, 3U}) {
    FaultyFileSystem files;
    files.fail_at = k;
    CHECK(error_of([&] {
            const InputFile in(folder / "in", files);
            std::string text(4, '?');
            in.read_at(0, std::as_writable_bytes(std::span(text)));
          }).reason() == weir::system_reason(EIO));
  }
  CHECK(open_files() == before);
}

TEST_CASE("a file is recognised under another name") {
  const Folder folder;
  put(folder / "in", "x");
  put(folder / "other", "x");
  fs::create_symlink("in", folder / "soft");
  fs::create_hard_link(folder / "in", folder / "hard");
  const InputFile in(folder / "in");
  CHECK(in.is_same_file(folder / "in"));
  CHECK(in.is_same_file(folder / "soft"));
  CHECK(in.is_same_file(folder / "hard"));
  CHECK(!in.is_same_file(folder / "other"));
  CHECK(!in.is_same_file(folder / "no"));
  CHECK(!in.is_same_file(folder / "in/x"));
}
