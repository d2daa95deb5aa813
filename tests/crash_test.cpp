// kill -9 during a write: at every file call, and at random moments. The target is the old file or the whole
// new one.
#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>

#include "tests/failure_support.hpp"

using namespace weir;
using namespace weir::test;
using Call = FaultyFileSystem::Call;
using Clock = std::chrono::steady_clock;

namespace {

/// A running crash_child. Killed at the end of its scope, if it still runs.
class Child {
 public:
  Child(const std::string& target, const std::string& raster, const WriteWay& way, std::size_t kill_at) {
    const std::string program = std::string(WEIR_TEST_CHILDREN) + "/crash_child";
    std::vector<std::string> words{program,
                                   target,
                                   raster,
                                   way.engine == Engine::serial ? "serial" : "onetbb",
                                   way.is_named ? "named" : "unnamed",
                                   way.overwrite ? "overwrite" : "new",
                                   way.cog ? std::string(name_of(*way.cog)) : "geotiff",
                                   std::to_string(kill_at)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    REQUIRE(::posix_spawn(&process_, program.c_str(), nullptr, nullptr, arguments.data(), environ) == 0);
  }
  ~Child() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void send(int signal) const { REQUIRE(::kill(process_, signal) == 0); }
  bool has_ended() {
    const pid_t ended = ::waitpid(process_, &status_, WNOHANG);
    REQUIRE(ended >= 0);
    if (ended == process_) process_ = 0;
    return process_ == 0;
  }
  /// True where it was killed, false where it succeeded; anything else fails the test.
  bool was_killed() {
    if (process_ != 0) {
      const weir::testing::Watchdog watchdog("crash_child");
      REQUIRE(::waitpid(process_, &status_, 0) == process_);
      process_ = 0;
    }
    const bool killed = WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
    if (!killed) REQUIRE((WIFEXITED(status_) && WEXITSTATUS(status_) == 0));
    return killed;
  }

 private:
  pid_t process_ = 0;
  int status_ = 0;
};

}  // namespace

TEST_CASE(
    "a write syncs its data, then gives the name, then syncs the folder, and removes old sidecars last") {
  for (const WriteWay& way : all_ways()) {
    CAPTURE(way.text());
    const Scene scene(way);
    FaultyFileSystem files;
    way.set_up(files);
    write_tightly(small_source(), scene.target, way, files);
    CAPTURE(files.log_text());

    std::vector<std::string> steps;
    const auto add = [&](const std::string& step) {
      if (steps.empty() || steps.back() != step) steps.push_back(step);
    };
    for (const Call& call : files.log()) {
      const bool is_folder = call.object == scene.folder.path + "/";
      if (call.name == "pwrite") add("write");
      if (call.name == "fsync") add(is_folder ? "sync folder" : "sync data");
      // Over an old file the first linkat is refused, and rename gives the name.
      if (call.object == scene.target && (call.name == "rename" || (call.name == "linkat" && !way.overwrite)))
        add("name");
      if (call.name == "unlink" && call.object == scene.sidecar()) add("remove sidecar");
    }
    std::vector<std::string> wanted{"write", "sync data", "name", "sync folder"};
    if (way.overwrite) wanted.push_back("remove sidecar");
    CHECK(steps == wanted);
    CHECK(scene.is_new());
  }
}

TEST_CASE(
    "a kill at any file call leaves the old file or the whole new one, and the next run removes the rest") {
  for (const WriteWay& way : all_ways()) {
    CAPTURE(way.text());
    good_bytes(way);
    std::size_t old_files = 0, new_files = 0, rests = 0;
    bool killed = true;
    std::size_t k = 1;
    for (; killed; ++k) {
      CAPTURE(k);
      const Scene scene(way);
      killed = Child(scene.target, "small", way, k).was_killed();
      const bool is_old = scene.is_old(), is_new = scene.is_new();
      CHECK((is_old || is_new));
      if (!killed) CHECK(is_new);
      // A sidecar may outlive the pixels that it tells of, but never the other way round.
      if (is_old && way.overwrite) CHECK(fs::exists(scene.sidecar()));
      old_files += is_old ? 1U : 0U;
      new_files += is_new ? 1U : 0U;
      rests += scene.rests().empty() ? 0U : 1U;
      scene.check_next_run();
    }
    CHECK(old_files >= 10);
    CHECK(new_files >= 3);
    // Only a temporary with a name can be left. An unnamed one gets one for a moment, when it replaces a
    // file.
    CHECK((rests > 0) == (way.is_named || way.overwrite));
  }
}

TEST_CASE(
    "a kill at a random moment leaves the old file or the whole new one, and the next run removes the rest") {
  const Folder folder;
  const std::string good_path = folder / "good.tif";
  std::map<bool, std::string> good;  // by whether it is a COG
  for (WriteWay way : {write_ways().back(), cog_ways().back()}) {
    way.overwrite = false;
    write_by(way, large_source(), good_path, large_options(way, FileSystem::real()));
    good[way.cog.has_value()] = content(good_path);
    fs::remove(good_path);
  }
  const std::string target = folder / "out.tif";

  // How long a whole run takes, the start of the program included.
  const auto started = Clock::now();
  REQUIRE_FALSE(Child(target, "large", {Engine::onetbb}, 0).was_killed());
  const std::chrono::duration<double> whole = Clock::now() - started;
  CHECK((content(target) == good[false]));

  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const bool is_full = std::getenv("WEIR_TEST_FULL") != nullptr;
  int killed = 0;
  for (const WriteWay& way : all_ways())
    for (int i = 0; i < (is_full ? 50 : way.cog ? 1 : 2); ++i) {
      CAPTURE(way.text());
      const std::string& whole_file = good[way.cog.has_value()];
      fs::remove(target);
      if (way.overwrite) put(target, old_bytes);
      const double delay = std::uniform_real_distribution(0.0, 1.05 * whole.count())(random);
      CAPTURE(delay);
      {
        Child child(target, "large", way, 0);
        std::this_thread::sleep_for(std::chrono::duration<double>(delay));
        if (!child.has_ended()) child.send(SIGKILL);
        killed += child.was_killed() ? 1 : 0;
      }
      if (!fs::exists(target)) {
        CHECK_FALSE(way.overwrite);
      } else {
        const std::string now = content(target);
        CHECK((now == whole_file || (way.overwrite && now == old_bytes)));
      }
      CHECK(folder.names().size() <= (fs::exists(target) ? 2 : 1));
      WriteWay next = way;
      next.overwrite = true;
      FaultyFileSystem files;
      next.set_up(files);
      write_by(next, large_source(), target, large_options(next, files));
      CHECK((content(target) == whole_file));
      CHECK(folder.names() == std::vector<std::string>{"out.tif"});
    }
  CHECK(killed > 0);
}

TEST_CASE("the temporary of a writer that is still alive is not removed by another one") {
  const Folder folder;
  const std::string target = folder / "out.tif";
  const WriteWay way{Engine::onetbb, true, true};
  Child child(target, "large", way, 0);
  // Once it has bytes it has its lock.
  const auto find = [&] {
    for (const std::string& name : folder.names()) {
      std::error_code gone;
      if (name != "out.tif" && fs::file_size(folder / name, gone) > 0 && !gone) return folder / name;
    }
    return std::string();
  };
  std::string temporary;
  while (temporary.empty() && !child.has_ended()) temporary = find();
  REQUIRE_FALSE(temporary.empty());
  child.send(SIGSTOP);

  write_geotiff(small_source(), target, way.options(FileSystem::real()));
  CHECK(content(target) == good_bytes());
  CHECK(fs::exists(temporary));
  child.send(SIGCONT);
  REQUIRE_FALSE(child.was_killed());
  CHECK(folder.names() == std::vector<std::string>{"out.tif"});
  CHECK((content(target) != good_bytes()));  // the last one wins
}

TEST_CASE("each allocation of the whole program that fails ends a write cleanly, and crashes nothing") {
  // With one thread nobody else takes what oneTBB's nodes have started when the next one cannot be made.
  std::vector<int> threads{0, 1};
  if (std::getenv("WEIR_TEST_FULL") != nullptr) threads.insert(threads.end(), {2, 8});
  for (const int count : threads) {
    CAPTURE(count);
    const Folder folder;
    const std::string command =
        fmt::format("{}/allocation_child {} {}", WEIR_TEST_CHILDREN, folder.path, count);
    CHECK(std::system(command.c_str()) == 0);  // prints what was wrong
    CHECK(folder.names() == std::vector<std::string>{"out.tif"});
  }
}
