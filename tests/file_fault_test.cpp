// The file layer under faults: each call failing, each call the last one, each way to a name.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/file.hpp"
#include "tests/faulty_file_system.hpp"
#include "tests/file_support.hpp"

using namespace weir::test;
using Call = FaultyFileSystem::Call;
using weir::AtomicFile;
using weir::Error;
using weir::ErrorKind;
using weir::InputFile;

namespace {

/// The ways that a file can take to its name.
struct Way {
  const char* description;
  bool overwrite, target_exists;
  std::function<void(FaultyFileSystem&)> set_up;
};

std::vector<Way> ways() {
  const auto nothing = [](FaultyFileSystem&) {};
  const auto no_unnamed = [](FaultyFileSystem& files) { files.unnamed_errno = EOPNOTSUPP; };
  const auto no_links = [](FaultyFileSystem& files) {
    files.unnamed_errno = EISDIR;
    files.always_fail["linkat"] = EPERM;
  };
  const auto no_proc = [](FaultyFileSystem& files) { files.always_fail["access"] = ENOENT; };
  return {
      {"unnamed, new", false, false, nothing},
      {"unnamed, new, overwrite allowed", true, false, nothing},
      {"unnamed, overwrite", true, true, nothing},
      {"named, new", false, false, no_unnamed},
      {"named, new, overwrite allowed", true, false, no_unnamed},
      {"named, overwrite", true, true, no_unnamed},
      {"named, new, no hard links", false, false, no_links},
      {"no /proc, new", false, false, no_proc},
      {"no /proc, overwrite", true, true, no_proc},
  };
}

}  // namespace

TEST_CASE("a file has its name only after commit, whole, whichever way it takes") {
  for (const Way& way : ways()) {
    CAPTURE(way.description);
    const Folder folder;
    const std::string target = folder / "out.tif";
    if (way.target_exists) put(target, "old");
    FaultyFileSystem files;
    way.set_up(files);
    const std::size_t before = open_files();
    {
      AtomicFile file(target, way.overwrite, files);
      file.write_at(0, bytes_of(new_content));
      CHECK(file.bytes_written() == new_content.size());
      CHECK(fs::exists(target) == way.target_exists);
      file.commit();
      CHECK(content(target) == new_content);
    }
    CHECK(content(target) == new_content);
    CHECK(folder.names() == std::vector<std::string>{"out.tif"});
    CHECK(open_files() == before);
  }
}

TEST_CASE("without commit nothing is left and the old file stays") {
  for (const Way& way : ways()) {
    CAPTURE(way.description);
    const Folder folder;
    const std::string target = folder / "out.tif";
    if (way.target_exists) put(target, "old");
    FaultyFileSystem files;
    way.set_up(files);
    const std::size_t before = open_files();
    {
      AtomicFile file(target, way.overwrite, files);
      file.write_at(0, bytes_of(new_content));
    }
    CHECK(folder.names().size() == (way.target_exists ? 1 : 0));
    if (way.target_exists) CHECK(content(target) == "old");
    CHECK(open_files() == before);
  }
}

TEST_CASE("data is synced first, then the name is given, then the folder is synced") {
  for (const Way& way : ways()) {
    CAPTURE(way.description);
    const Folder folder;
    const std::string target = folder / "out.tif";
    if (way.target_exists) put(target, "old");
    FaultyFileSystem files;
    way.set_up(files);
    write_new(target, way.overwrite, files);

    std::vector<std::string> steps;
    for (const Call& call : files.log()) {
      if (call.name == "pwrite") steps.push_back("write");
      if (call == Call{"fsync", folder.path + "/"})
        steps.push_back("sync folder");
      else if (call.name == "fsync")
        steps.push_back("sync data");
      const bool fails = call.name == "linkat" && (way.target_exists || files.always_fail.contains("linkat"));
      if ((call.name == "linkat" || call.name == "rename") && call.object == target && !fails)
        steps.push_back("name");
    }
    CAPTURE(files.log_text());
    CHECK(steps == std::vector<std::string>{"write", "write", "sync data", "name", "sync folder"});
  }
}

TEST_CASE("any single failing call gives one clear error, the old file or the whole new one, and no rest") {
  for (const int error_number : {EIO, EINTR}) {
    for (const Way& way : ways()) {
      std::size_t failed = 0, last = FaultyFileSystem::never;
      for (std::size_t k = 1; k <= last; ++k) {
        const Folder folder;
        const std::string target = folder / "out.tif";
        if (way.target_exists) put(target, "old");
        FaultyFileSystem files;
        way.set_up(files);
        files.skip_sync = true;
        files.fail_at = k;
        files.fail_errno = error_number;
        const std::size_t before = open_files();
        bool succeeded = false;
        std::string message;
        try {
          write_new(target, way.overwrite, files);
          succeeded = true;
        } catch (const Error& error) {
          message = error.what();
          ++failed;
          CHECK(error.reason() == weir::system_reason(error_number));
          CHECK(error.object().find(folder.path) !=
                std::string::npos);  // names the target, its temporary or the folder
        }
        CAPTURE(way.description);
        CAPTURE(error_number);
        CAPTURE(k);
        CAPTURE(message);
        CAPTURE(files.log_text());
        const bool is_new = fs::exists(target) && content(target) == new_content;
        if (succeeded)
          CHECK(is_new);
        else if (way.target_exists)
          CHECK((is_new || content(target) == "old"));
        else
          CHECK((is_new || !fs::exists(target)));
        CHECK(folder.names().size() == (fs::exists(target) ? 1 : 0));
        CHECK(open_files() == before);
        if (succeeded && files.calls() < k) last = k;  // the run had fewer calls
      }
      CAPTURE(way.description);
      CHECK(failed >=
            2);  // calls that are interrupted are made again, two aside: the look for a link, the name
    }
  }
}

TEST_CASE("a close that fails after the data was synced is an error, with the whole new file") {
  for (const Way& way : ways()) {
    CAPTURE(way.description);
    const Folder folder;
    const std::string target = folder / "out.tif";
    if (way.target_exists) put(target, "old");
    FaultyFileSystem files;
    way.set_up(files);
    files.always_fail["close"] = EIO;
    const std::size_t before = open_files();
    CHECK(error_of([&] { write_new(target, way.overwrite, files); }).action() == "close");
    CHECK(content(target) == new_content);
    CHECK(folder.names().size() == 1);
    CHECK(open_files() == before);
  }
}

TEST_CASE("a kill at any call leaves the old file or the whole new one, and the next run removes the rest") {
  for (const Way& way : ways()) {
    bool killed = true;
    bool left_something = false;
    for (std::size_t k = 1; killed; ++k) {
      const Folder folder;
      const std::string target = folder / "out.tif";
      if (way.target_exists) put(target, "old");
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        FaultyFileSystem files;
        way.set_up(files);
        files.skip_sync = true;
        files.kill_at = k;
        try {
          write_new(target, way.overwrite, files);
        } catch (...) {
          ::_exit(1);
        }
        ::_exit(0);
      }
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      killed = WIFSIGNALED(status);
      CAPTURE(way.description);
      CAPTURE(k);
      if (!killed) REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
      if (fs::exists(target))
        CHECK((content(target) == new_content || (killed && way.target_exists && content(target) == "old")));
      else
        CHECK((killed && !way.target_exists));
      left_something = left_something || folder.names().size() > (fs::exists(target) ? 1 : 0);

      FaultyFileSystem next;
      next.skip_sync = true;
      write_new(target, true, next);
      CHECK(folder.names() == std::vector<std::string>{"out.tif"});
    }
    CAPTURE(way.description);
    CHECK(left_something ==
          (way.target_exists || std::string_view(way.description).substr(0, 7) != "unnamed"));
  }
}

namespace {

/// Starts another writer of the same target at a call: the moment when both can meet.
class MeetingFileSystem : public FaultyFileSystem {
 public:
  std::string at, target;
  int rename(const char* from, const char* to) override {
    meet("rename");
    return FaultyFileSystem::rename(from, to);
  }
  int flock(int fd, int operation) override {
    meet("flock");
    return FaultyFileSystem::flock(fd, operation);
  }

 private:
  void meet(const char* call) {
    if (at != call) return;
    at.clear();
    const AtomicFile other(target, true);
  }
};

}  // namespace

TEST_CASE("a writer that starts while another one commits does not take its temporary") {
  for (const char* at : {"rename", "flock"}) {
    for (const bool named : {false, true}) {
      CAPTURE(at);
      CAPTURE(named);
      const Folder folder;
      MeetingFileSystem files;
      files.at = at;
      files.target = folder / "out.tif";
      if (named) files.unnamed_errno = EOPNOTSUPP;
      put(files.target, "old");
      write_new(files.target, true, files);
      CHECK(files.at.empty());
      CHECK(content(files.target) == new_content);
      CHECK(folder.names().size() == 1);
    }
  }
}

TEST_CASE("file systems without locks can be written, and no temporary is taken for a dead one's there") {
  const Folder folder;
  const std::string other = folder / ".out.tif.weir-0123456789abcdef.tmp";
  put(other, "perhaps being written");
  for (const bool named : {true, false}) {
    FaultyFileSystem files;
    files.always_fail["flock"] = ENOLCK;
    if (named) files.unnamed_errno = EOPNOTSUPP;
    write_new(folder / "out.tif", true, files);
    CHECK(content(folder / "out.tif") == new_content);
    CHECK(fs::exists(other));
  }
}

TEST_CASE("short and interrupted calls change nothing") {
  for (const Way& way : ways()) {
    CAPTURE(way.description);
    const Folder folder;
    const std::string target = folder / "out.tif";
    if (way.target_exists) put(target, "old");
    FaultyFileSystem files;
    way.set_up(files);
    files.longest_read = 7;
    files.longest_write = 11;
    files.interrupt_every = 2;
    write_new(target, way.overwrite, files);
    CHECK(content(target) == new_content);
    const InputFile in(target, files);
    std::string read(new_content.size() + 10, '?');
    CHECK(in.read_at(0, std::as_writable_bytes(std::span(read))) == new_content.size());
    CHECK(read == new_content + std::string(10, '?'));
  }
}

TEST_CASE(
    "a full disk, a full quota and a broken disk are errors that name the target, which stays as it was") {
  for (const int error_number : {ENOSPC, EDQUOT, EIO}) {
    for (const std::uint64_t room : {0U, 1U, 2000U, 3002U}) {
      const Folder folder;
      const std::string target = folder / "out.tif";
      put(target, "old");
      FaultyFileSystem files;
      files.disk_bytes = room;
      files.disk_errno = error_number;
      const Error error = error_of([&] { write_new(target, true, files); });
      CHECK(error.what() == "cannot write " + target + ": " + weir::system_reason(error_number));
      CHECK(error.kind() == ErrorKind::failed);
      CHECK(content(target) == "old");
      CHECK(folder.names().size() == 1);
    }
    const Folder folder;
    FaultyFileSystem files;
    files.disk_bytes = new_content.size();
    write_new(folder / "out.tif", false, files);
    CHECK(content(folder / "out.tif") == new_content);
  }
}

TEST_CASE("an existing target is refused without overwrite, also one that came while we wrote") {
  for (const Way& way : ways()) {
    if (way.overwrite) continue;
    CAPTURE(way.description);
    const Folder folder;
    const std::string target = folder / "out.tif";
    FaultyFileSystem files;
    way.set_up(files);
    {
      AtomicFile file(target, false, files);
      file.write_at(0, bytes_of("new"));
      put(target, "another's");
      const Error error = error_of([&] { file.commit(); });
      CHECK(error.what() == "cannot write " + target + ": it exists already");
      CHECK(error.kind() == ErrorKind::usage);
      CHECK(folder.names().size() == 1);  // also while the object lives
    }
    CHECK(content(target) == "another's");
    const std::size_t calls = files.calls();
    CHECK(error_of([&] { const AtomicFile file(target, false, files); }).kind() == ErrorKind::usage);
    CHECK(files.calls() == calls + 2);  // no link, a file: nothing was touched
  }
}

TEST_CASE("the longest name that the file system takes can be written, whichever way") {
  for (const Way& way : ways()) {
    CAPTURE(way.description);
    const Folder folder;
    std::string name;
    while (name.size() + 2 <= 254) name += "\xc3\xa9";
    const std::string target = folder / (name + "x");
    if (way.target_exists) put(target, "old");
    FaultyFileSystem files;
    way.set_up(files);
    write_new(target, way.overwrite, files);
    CHECK(content(target) == new_content);
    CHECK(folder.names().size() == 1);
  }
}
