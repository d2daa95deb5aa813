#include "nodes/stores/folder_store.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faulty_file_system.hpp"
#include "tests/store_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

const Bytes& old_object() {
  static const Bytes bytes = made_bytes(5000, 1);
  return bytes;
}
const Bytes& new_object() {
  static const Bytes bytes = made_bytes(7000, 2);
  return bytes;
}

/// Thousands of syncs would be most of the time here.
const FolderStoreOptions quick{.durable = false};

/// Something that is done to the object "d/e/x", which is an old_object() where `exists`.
struct Deed {
  std::string name;
  bool exists;
  std::function<void(const Store&)> work;
  bool is_atomic = true;  ///< the object is the old one, or what the deed makes of it
};

std::vector<Deed> deeds() {
  const auto put = [](const Store& store) { store.put("d/e/x", new_object()); };
  const auto write = [](const Store& store) {
    const auto writer = store.writer("d/e/x");
    writer->append(std::span(new_object()).first(100));
    writer->append(std::span(new_object()).subspan(100));
    writer->patch(0, std::span(new_object()).first(10));
    writer->commit();
  };
  const auto copy = [](const Store& store) {
    const auto writer = store.writer("d/e/x");
    writer->append(std::span(new_object()).first(100));
    writer->copy(10, 4000);
    writer->commit();
  };
  const auto change = [](const Store& store) {
    store.put_range("d/e/x", 100, std::span(new_object()).first(2000));
    store.sync("d/e/x");
  };
  return {{"put", false, put},
          {"put over", true, put},
          {"writer", false, write},
          {"writer over", true, write},
          {"writer that copies", true, copy},
          {"put_range", true, change, false},
          {"erase", true, [](const Store& store) { store.erase("d/e/x"); }},
          {"lock", true, [](const Store& store) { static_cast<void>(store.lock("d/e/x")); }},
          {"lock before there is a folder", false,
           [](const Store& store) { static_cast<void>(store.lock("d/e/x")); }},
          {"size", true,
           [](const Store& store) {
             const std::optional<std::uint64_t> size = store.size("d/e/x");
             CHECK(size == 5000u);
           }},
          {"get", true,
           [](const Store& store) {
             Bytes out(5000);
             store.get("d/e/x", out);
             CHECK((out == old_object()));
           }},
          {"get_end", true,
           [](const Store& store) {
             Bytes out(10);
             store.get_end("d/e/x", out);
             CHECK(std::equal(out.begin(), out.end(), old_object().end() - 10));
           }},
          {"get_ranges", true,
           [](const Store& store) {
             Bytes a(10), b(20), c(30);
             const std::vector<ObjectRange> ranges{{100, a}, {110, b}, {4970, c}};
             store.get_ranges("d/e/x", ranges);
             CHECK(std::equal(b.begin(), b.end(), old_object().begin() + 110));
           }},
          {"list", true, [](const Store& store) {
             const auto found = listed(store, "d");
             CHECK(found.size() == 1);
           }}};
}

/// A folder with the object as it is before a deed.
struct Place {
  explicit Place(const Deed& deed) {
    const FolderStore store(folder.path, quick);
    store.put("other", old_object());
    if (deed.exists) store.put("d/e/x", old_object());
  }
  std::optional<Bytes> object() const {
    const FolderStore store(folder.path);
    if (!store.size("d/e/x")) return std::nullopt;
    return whole(store, "d/e/x");
  }
  std::vector<std::string> rests() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path))
      if (entry.is_regular_file() && entry.path().filename() != "x" && entry.path().filename() != "other")
        found.push_back(entry.path().filename().string());
    return found;
  }
  Folder folder;
};

std::optional<Bytes> done_of(const Deed& deed) {
  const Place place(deed);
  deed.work(FolderStore(place.folder.path, quick));
  return place.object();
}

/// In a child process, which `work` may kill. True where it was killed, false where it came to its end.
bool is_killed_by(const std::function<void()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      work();
      ::_exit(0);
    } catch (...) {
      ::_exit(1);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) return true;
  REQUIRE(WEXITSTATUS(status) == 0);
  return false;
}

}  // namespace

TEST_CASE(
    "an object that is written over in place is another version, though it has the same file and size") {
  const Folder folder;
  const FolderStore store(folder.path, quick);
  store.put("x", old_object());
  Bytes out(old_object().size());
  ObjectVersion before, same, after;
  store.get("x", out, {}, &before);
  store.get("x", out, {}, &same);
  CHECK(before.is_known());
  CHECK(before == same);
  const std::string path = folder / "x";
  const std::array<timespec, 2> later{{{0, UTIME_OMIT}, {2'000'000'000, 1}}};  // clocks tick in milliseconds
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), later.data(), 0) == 0);
  store.get("x", out, {}, &after);
  CHECK(after != before);
}

TEST_CASE(
    "each file call of a store that fails is one error with store and key, and leaves nothing half done") {
  for (const Deed& deed : deeds())
    for (const bool has_unnamed : {true, false}) {
      CAPTURE(deed.name);
      const std::optional<Bytes> done = done_of(deed);
      std::size_t errors = 0;
      for (std::size_t k = 1;; ++k) {
        CAPTURE(k);
        const Place place(deed);
        const std::size_t files_open = open_files();
        FaultyFileSystem files;
        files.skip_sync = true;
        if (!has_unnamed) files.unnamed_errno = EOPNOTSUPP;
        {
          const FolderStore store(place.folder.path, {}, files);
          files.fail_at = files.calls() + k;
          try {
            deed.work(store);
          } catch (const Error& error) {
            ++errors;
            CAPTURE(error.what());
            CAPTURE(files.log_text());
            const std::string text = error.what();
            CHECK(text.find(place.folder.path) != std::string::npos);
            const bool names_key = text.find("d/e/x in ") != std::string::npos ||
                                   (deed.name == "list" && text.starts_with("cannot list d"));
            CHECK(names_key);
            CHECK(text.find(system_reason(EIO)) != std::string::npos);
          }
          if (files.calls() < files.fail_at) break;
          files.fail_at = FaultyFileSystem::never;
          const std::optional<Bytes> now = place.object();
          if (deed.is_atomic)
            CHECK((now == done || (deed.exists ? now == old_object() : !now)));
          else
            CHECK(now->size() == old_object().size());
          // The next one finds nothing in its way, and removes what could not be removed.
          if (now != done || deed.exists == now.has_value()) {
            if (deed.exists) store.put("d/e/x", old_object());
            deed.work(store);
          }
          CHECK((place.object() == done));
        }
        CHECK(open_files() == files_open);
        if (!place.rests().empty()) FolderStore(place.folder.path, quick).put("d/e/x", new_object());
        if (!place.rests().empty()) static_cast<void>(FolderStore(place.folder.path, quick).lock("d/e/x"));
        CHECK(place.rests().empty());
      }
      CHECK(errors >= 2);
    }
}

TEST_CASE("a kill at each file call of a change leaves the object as it was before or is after it") {
  for (const Deed& deed : deeds())
    for (const bool has_unnamed : {true, false}) {
      CAPTURE(deed.name);
      const std::optional<Bytes> done = done_of(deed);
      std::size_t kills = 0;
      for (bool killed = true; killed;) {
        const Place place(deed);
        killed = is_killed_by([&] {
          FaultyFileSystem files;
          files.skip_sync = true;
          if (!has_unnamed) files.unnamed_errno = EOPNOTSUPP;
          const FolderStore store(place.folder.path, {}, files);
          files.kill_at = files.calls() + kills + 1;
          deed.work(store);
          files.kill_at = FaultyFileSystem::never;
        });
        if (killed) ++kills;
        CAPTURE(kills);
        const std::optional<Bytes> now = place.object();
        if (!killed) CHECK((now == done));
        if (deed.is_atomic)
          CHECK((now == done || (deed.exists ? now == old_object() : !now)));
        else
          CHECK(now->size() == old_object().size());
        const FolderStore next(place.folder.path, quick);
        CHECK(listed(next, "").size() == (now ? 2 : 1));  // nothing else is seen
        next.put("d/e/x", new_object());
        static_cast<void>(next.lock("d/e/x"));
        CHECK(place.rests().empty());
      }
      CHECK(kills >= 2);
    }
}

TEST_CASE("an object is durable before put returns: its bytes, then its name, and the folders made for it") {
  const Folder folder;
  FaultyFileSystem files;
  const FolderStore store(folder.path, {}, files);
  store.put("a/b/x", new_object());
  std::vector<std::string> steps;
  for (const FaultyFileSystem::Call& call : files.log())
    if (call.name == "mkdir" || call.name == "fsync" || call.name == "pwrite" || call.name == "linkat")
      steps.push_back(call.name + " " + call.object.substr(std::min(call.object.size(), folder.path.size())));
  CHECK(steps == std::vector<std::string>{"mkdir /a", "fsync /", "mkdir /a/b", "fsync /a/", "pwrite ",
                                          "fsync ", "linkat /a/b/x", "fsync /a/b/"});
  FaultyFileSystem other_files;
  const FolderStore not_durable(folder.path, quick, other_files);
  not_durable.put("c/d/x", new_object());
  not_durable.sync("c/d/x");
  not_durable.erase("c/d/x");
  for (const FaultyFileSystem::Call& call : other_files.log()) CHECK(call.name != "fsync");
}

TEST_CASE("symbolic links that lead out of the folder are an error in every call, and those inside work") {
  const Folder outside, folder;
  put(outside / "secret", "secret");
  const FolderStore store(folder.path);
  store.put("in/side", old_object());
  fs::create_symlink(outside / "secret", folder / "link");
  fs::create_symlink(outside.path, folder / "away");
  fs::create_symlink("../" + fs::path(outside.path).filename().string(), folder / "up");
  fs::create_symlink("in/side", folder / "near");
  fs::create_symlink("in", folder / "in2");
  fs::create_symlink("nowhere", folder / "dangling");
  Bytes out(6);
  const ObjectRange range{0, out};
  for (const std::string key : {"link", "away/secret", "up/secret", "away/new", "up/deep/new"}) {
    CAPTURE(key);
    check_names_both(store, key, [&] { static_cast<void>(store.size(key)); });
    check_names_both(store, key, [&] { store.get(key, out); });
    check_names_both(store, key, [&] { store.get_end(key, out); });
    check_names_both(store, key, [&] { store.get_ranges(key, {&range, 1}); });
    check_names_both(store, key, [&] { store.put(key, out); });
    check_names_both(store, key, [&] { static_cast<void>(store.writer(key)); });
    check_names_both(store, key, [&] { store.put_range(key, 0, out); });
    check_names_both(store, key, [&] { store.sync(key); });
    check_names_both(store, key, [&] { store.erase(key); });
    if (key != "link") check_names_both(store, key, [&] { static_cast<void>(store.lock(key)); });
  }
  CHECK(outside.names() == std::vector<std::string>{"secret"});
  CHECK(content(outside / "secret") == "secret");
  CHECK_THROWS_AS(listed(store, "away"), Error);
  // Folders are not followed in a listing, which so has an end.
  fs::create_symlink("..", folder / "in/loop");
  CHECK(listed(store, "") ==
        std::vector<std::pair<std::string, std::uint64_t>>{{"in/side", 5000}, {"near", 5000}});
  CHECK((whole(store, "near") == old_object()));
  CHECK((whole(store, "in2/side") == old_object()));
  check_names_both(store, "dangling", [&] { store.put("dangling", out); });
}

TEST_CASE("what is no regular file is an error or no object, and nobody waits for it") {
  const Folder folder;
  const FolderStore store(folder.path);
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0666) == 0);
  Bytes out(6);
  check_names_both(store, "pipe", [&] { store.get("pipe", out); });
  check_names_both(store, "pipe", [&] { store.put("pipe", out); });
  check_names_both(store, "pipe", [&] { store.put_range("pipe", 0, out); });
  fs::create_directory(folder / "d");
  CHECK_FALSE(store.size("d"));
  check_names_both(store, "d", [&] { store.put("d", out); });
  check_names_both(store, "d", [&] { store.put_range("d", 0, out); });
  store.erase("d");
  CHECK(fs::exists(folder / "d"));
  CHECK(listed(store, "").empty());
  check_names_both(store, std::string(300, 'n'), [&] { store.put(std::string(300, 'n'), out); });
  check_names_both(store, "x", [&] {
    store.put("x", out);
    store.put_range("x", std::uint64_t{1} << 63, out);
  });
  CHECK_THROWS_AS(FolderStore(folder / "missing"), Error);
  CHECK_THROWS_AS(FolderStore(folder / "x"), Error);
  CHECK_THROWS_AS(FolderStore(folder / "x/y", {.create = true}), Error);
}

TEST_CASE("bytes are copied also where the kernel does not, does it in pieces, or stops half way") {
  for (const int kind : {0, 1, 2}) {
    CAPTURE(kind);
    const Folder folder;
    const Bytes old = made_bytes(700'000, 3);
    FaultyFileSystem files;
    if (kind == 0) files.always_fail["copy_file_range"] = EXDEV;
    if (kind == 1) files.longest_write = 1000;
    if (kind == 2) files.interrupt_every = 2;
    const FolderStore store(folder.path, {}, files);
    store.put("x", old);
    const auto writer = store.writer("x");
    writer->append(std::span(old).first(3));
    writer->copy(5, 600'000);
    writer->commit();
    Bytes wanted(old.begin(), old.begin() + 3);
    wanted.insert(wanted.end(), old.begin() + 5, old.begin() + 600'005);
    CHECK((whole(store, "x") == wanted));
    FaultyFileSystem slow;
    slow.longest_read = 100;
    const FolderStore reader(folder.path, {}, slow);
    Bytes a(1000), b(2000);
    const std::vector<ObjectRange> ranges{{10, a}, {1010, b}};
    CHECK(reader.get_ranges("x", ranges));
    CHECK(std::equal(b.begin(), b.end(), wanted.begin() + 1010));
  }
}

TEST_CASE("ranges that follow each other are one call of the kernel") {
  const Folder folder;
  FaultyFileSystem files;
  const FolderStore store(folder.path, {}, files);
  const Bytes old = made_bytes(300'000, 3);
  store.put("x", old);
  Bytes out(250'000);
  std::vector<ObjectRange> ranges;
  for (std::size_t i = 0; i < 2500; ++i) ranges.push_back({i * 100, std::span(out).subspan(i * 100, 100)});
  const std::size_t before = files.calls();
  CHECK(store.get_ranges("x", ranges));
  CHECK(files.calls() - before == 6);  // open, look, three of at most 1024 ranges, close
  CHECK(std::equal(out.begin(), out.end(), old.begin()));
}

TEST_CASE("a folder of more names than a listing holds is listed whole and in order") {
  const Folder folder;
  constexpr int count = 66'000;  // a listing holds 65,536
  for (int i = 0; i < count; ++i) {
    const int fd = ::open((folder / std::to_string(i)).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    REQUIRE(fd >= 0);
    ::close(fd);
  }
  const FolderStore store(folder.path);
  int seen = 0;
  std::string last;
  bool is_ordered = true;
  store.list("", [&](std::string_view key, std::uint64_t) {
    is_ordered = is_ordered && last < key;
    last = key;
    ++seen;
    return true;
  });
  CHECK(seen == count);
  CHECK(is_ordered);
}

TEST_CASE("a lock keeps other processes out until its holder ends, in whatever way") {
  const Folder folder;
  const FolderStore store(folder.path);
  store.put("count", std::as_bytes(std::span("0", 2)));
  constexpr int processes = 4, times = 50;
  std::vector<pid_t> children;
  for (int i = 0; i < processes; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      try {
        const FolderStore mine(folder.path, quick);
        for (int k = 0; k < times; ++k) {
          const auto lock = mine.lock("count");
          char text[16] = "";
          static_cast<void>(mine.get("count", std::as_writable_bytes(std::span(text))));
          const std::string next = std::to_string(std::atoi(text) + 1);
          mine.put("count", std::as_bytes(std::span(next.c_str(), next.size() + 1)));
        }
        ::_exit(0);
      } catch (...) {
        ::_exit(1);
      }
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  const Bytes last = whole(store, "count");
  CHECK(std::atoi(reinterpret_cast<const char*>(last.data())) == processes * times);
  CHECK(folder.names() == std::vector<std::string>{"count"});

  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const pid_t holder = ::fork();
  REQUIRE(holder >= 0);
  if (holder == 0) {
    const FolderStore mine(folder.path);
    const auto lock = mine.lock("deep/x");
    static_cast<void>(::write(pipe[1], "x", 1) == 1);
    for (;;) ::pause();
  }
  char one = 0;
  REQUIRE(::read(pipe[0], &one, 1) == 1);
  ::close(pipe[0]);
  ::close(pipe[1]);
  std::stop_source stop;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  CHECK(error_of([&] { static_cast<void>(store.lock("deep/x", stop.get_token())); }).kind() ==
        ErrorKind::cancelled);
  later.join();
  store.put("deep/x", old_object());  // writers that do not ask for it are not kept out, and do it no harm
  CHECK(listed(store, "deep").size() == 1);
  REQUIRE(::kill(holder, SIGKILL) == 0);
  int status = 0;
  REQUIRE(::waitpid(holder, &status, 0) == holder);
  static_cast<void>(store.lock("deep/x"));
  CHECK(fs::directory_iterator(folder / "deep")->path().filename() == "x");
}

TEST_CASE(
    "a lock that was taken on a file whose last owner has just removed it is taken again, on one with a "
    "name") {
  class Removing : public FileSystem {
   public:
    explicit Removing(std::string path) : path_(std::move(path)) {}
    int lock_range(int fd, short type, off_t offset, off_t bytes) override {
      if (!std::exchange(done_, true)) REQUIRE(::unlink(path_.c_str()) == 0);
      return FileSystem::lock_range(fd, type, offset, bytes);
    }

   private:
    const std::string path_;
    bool done_ = false;
  };
  const Folder folder;
  const std::string path = folder / ".weir-lock";
  Removing files(path);
  const FolderStore store(folder.path, quick, files);
  {
    const auto lock = store.lock("x");
    CHECK(fs::exists(path));
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("objects of one folder have locks of their own, in one file that is there as long as any is held") {
  const Folder folder;
  const FolderStore here(folder.path, quick), there(folder.path, quick);
  std::stop_source once;
  once.request_stop();
  const auto is_free = [&](const FolderStore& store, const std::string& key) {
    try {
      return static_cast<bool>(store.lock(key, once.get_token()));
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::cancelled);
      return false;
    }
  };
  auto x = here.lock("d/x"), z = here.lock("d/z");
  auto y = there.lock("d/y");
  for (const FolderStore* store : {&here, &there}) {
    for (const char* held : {"d/x", "d/y", "d/z"}) CHECK_FALSE(is_free(*store, held));
    for (const char* other : {"d/a", "d/xx", "x", "e/x"}) CHECK(is_free(*store, other));
  }
  CHECK(fs::exists(folder / "d/.weir-lock"));
  x.reset();
  CHECK(is_free(there, "d/x"));
  CHECK_FALSE(is_free(there, "d/z"));
  z.reset();
  CHECK(is_free(there, "d/z"));
  CHECK_FALSE(is_free(here, "d/y"));
  CHECK(fs::exists(folder / "d/.weir-lock"));
  y.reset();
  CHECK(fs::is_empty(folder / "d"));
}
