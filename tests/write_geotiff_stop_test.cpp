// write_geotiff stopped on request (Ctrl-C): at each node body, at each file call, and at random moments.
#include <doctest/doctest.h>

#include <atomic>
#include <random>
#include <stdexcept>

#include "tests/failure_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// Stopped: one Error of its kind, and all as it was. The next run works.
void check_stopped(const Scene& scene, const Ending& ending) {
  CAPTURE(ending.text());
  check_form(ending, ErrorKind::cancelled);
  REQUIRE(ending.error);
  CHECK(std::string(ending.error->what()) == "cannot finish the run: it was cancelled");
  check_untouched(scene);
}

/// Requests a stop at a call on a file that is open for writing, or that gives it a name.
class StoppingFiles : public FaultyFileSystem {
 public:
  std::size_t stop_at = never;
  std::stop_source stop;
  std::size_t counted = 0;

  ssize_t pwrite(int fd, const void* data, std::size_t bytes, off_t offset) override {
    count();
    return FaultyFileSystem::pwrite(fd, data, bytes, offset);
  }
  int fsync(int fd) override {
    count();
    return FaultyFileSystem::fsync(fd);
  }
  int stat(const char* path, struct ::stat* status) override {
    count();
    return FaultyFileSystem::stat(path, status);
  }
  int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) override {
    count();
    return FaultyFileSystem::linkat(from_fd, from, to_fd, to, flags);
  }
  int rename(const char* from, const char* to) override {
    count();
    return FaultyFileSystem::rename(from, to);
  }
  int close(int fd) override {
    count();
    return FaultyFileSystem::close(fd);
  }

 private:
  void count() {
    if (++counted == stop_at) stop.request_stop();
  }
};

}  // namespace

TEST_CASE("a stop before the run ends it before the output is opened") {
  for (const WriteWay& way : write_ways()) {
    CAPTURE(way.text());
    const Scene scene(way);
    FaultyFileSystem files;
    std::stop_source stop;
    stop.request_stop();
    RunOptions run;
    run.stop = stop.get_token();
    check_stopped(scene, ending_of("stopped before", [&] {
                    write_tightly(small_source(), scene.target, way.options(files), run);
                  }));
    CHECK(files.calls() == 0);
    scene.check_next_run();
  }
}

TEST_CASE("a stop at any node body ends a write as cancelled, and nothing was touched") {
  for (const WriteWay& way : write_ways()) {
    CAPTURE(way.text());
    good_bytes();
    const Leaks leaks;
    bool came = true;
    std::size_t k = 1;
    for (; came; ++k) {
      CAPTURE(k);
      const Scene scene(way);
      FaultyFileSystem files;
      way.set_up(files);
      std::stop_source stop;
      std::atomic<std::size_t> bodies = 0;
      RunOptions run;
      run.stop = stop.get_token();
      run.before_body = [&](const std::string&, std::uint64_t) {
        if (++bodies == k) stop.request_stop();
      };
      const Ending ending =
          ending_of("stopped", [&] { write_tightly(small_source(), scene.target, way.options(files), run); });
      came = bodies >= k;
      if (came) {
        check_stopped(scene, ending);
      } else {
        CHECK_FALSE(ending.error);
        CHECK(scene.is_new());
      }
      leaks.check_files();
      scene.check_next_run();
    }
    CHECK(k > 50);
    leaks.check();
  }
}

TEST_CASE("a failure that comes after a stop does not hide it") {
  for (const WriteWay& way : write_ways()) {
    CAPTURE(way.text());
    const Scene scene(way);
    FaultyFileSystem files;
    way.set_up(files);
    std::stop_source stop;
    RunOptions run;
    run.stop = stop.get_token();
    run.before_body = [&](const std::string& node, std::uint64_t ticket) {
      if (node != "compress" || ticket != 2) return;
      stop.request_stop();
      throw std::runtime_error("planted");
    };
    check_stopped(scene, ending_of("stopped, then failed", [&] {
                    write_tightly(small_source(), scene.target, way.options(files), run);
                  }));
    scene.check_next_run();
  }
}

TEST_CASE("a stop at any file call is cancelled with the old file, or comes too late and the run succeeds") {
  for (const WriteWay& way : write_ways()) {
    CAPTURE(way.text());
    good_bytes();
    std::size_t cancelled = 0, late = 0;
    bool came = true;
    for (std::size_t k = 1; came; ++k) {
      CAPTURE(k);
      const Scene scene(way);
      StoppingFiles files;
      way.set_up(files);
      files.stop_at = k;
      RunOptions run;
      run.stop = files.stop.get_token();
      const Ending ending =
          ending_of("stopped", [&] { write_tightly(small_source(), scene.target, way.options(files), run); });
      came = files.counted >= k;
      CAPTURE(files.log_text());
      if (ending.error) {
        check_stopped(scene, ending);
        ++cancelled;
      } else {
        // Only the last steps are not given up any more: what they do may be done already.
        CHECK(scene.is_new());
        CHECK(scene.rests().empty());
        ++late;
      }
      scene.check_next_run();
    }
    CHECK(cancelled >= 5);
    CHECK(late >= 3);
  }
}

TEST_CASE(
    "a stop at a random moment of a larger write ends it at once, with the old file or the whole new one") {
  const auto source = large_source();
  const Folder folder;
  const std::string good_path = folder / "good.tif";
  const Ending first = ending_of("good file", [&] {
    write_geotiff(source, good_path, large_options({Engine::onetbb}, FileSystem::real()));
  });
  REQUIRE_FALSE(first.error);
  const std::string good = content(good_path);
  const std::string target = folder / "out.tif";

  const std::uint32_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const int moments = std::getenv("WEIR_TEST_FULL") != nullptr ? 100 : 4;
  const Leaks leaks;
  int cancelled = 0;
  for (const WriteWay& way : write_ways())
    for (int i = 0; i < moments; ++i) {
      CAPTURE(way.text());
      fs::remove(target);
      if (way.overwrite) put(target, old_bytes);
      FaultyFileSystem files;
      way.set_up(files);
      std::stop_source stop;
      RunOptions run;
      run.stop = stop.get_token();
      const double delay = std::uniform_real_distribution(0.0, 1.1 * first.seconds)(random);
      CAPTURE(delay);
      std::chrono::steady_clock::time_point stopped_at;
      std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::duration<double>(delay));
        stopped_at = std::chrono::steady_clock::now();
        stop.request_stop();
      });
      const Ending ending = ending_of("stopped at random",
                                      [&] { write_tightly(source, target, large_options(way, files), run); });
      const auto ended_at = std::chrono::steady_clock::now();
      stopper.join();
      CHECK(ended_at - stopped_at < std::chrono::seconds(1));
      CAPTURE(ending.text());
      if (ending.error) {
        ++cancelled;
        CHECK(ending.error->kind() == ErrorKind::cancelled);
        CHECK(fs::exists(target) == way.overwrite);
        if (way.overwrite) CHECK(content(target) == old_bytes);
      } else {
        CHECK((content(target) == good));
      }
      CHECK(folder.names().size() == (fs::exists(target) ? 2 : 1));
      leaks.check_files();
    }
  CHECK(cancelled > 0);
  leaks.check();
}
