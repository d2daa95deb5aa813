#pragma once

// Runs with the first, the second ... of something failing, and what must be true after each.

#include <atomic>
#include <stdexcept>

#include "tests/failure_support.hpp"

namespace weir::test {

/// Runs with the k-th of something failing, k = 1, 2 ... until there is no k-th. `run_once(k, scene)` returns
/// the ending and whether there was one. Every failure is clean, and there are at least `least`.
template <class RunOnce>
void fail_each(const WriteWay& way, std::size_t least, const std::string& reason, RunOnce run_once) {
  CAPTURE(way.text());
  good_bytes(way);
  const Leaks leaks;
  std::size_t k = 1;
  for (bool came = true; came; ++k) {
    CAPTURE(k);
    const Scene scene(way);
    const Ending ending = run_once(k, scene, came);
    CAPTURE(ending.text());
    check_form(ending, ErrorKind::failed);
    if (came) {
      check_placed(ending, reason);
      check_untouched(scene);
    } else {
      CHECK_FALSE(ending.error);
      CHECK(scene.is_new());
    }
    leaks.check_files();
    scene.check_next_run();
  }
  CHECK(k > least);
  leaks.check();
}

/// Each call of the file layer.
inline void fail_each_file_call(const WriteWay& way, int error_number = EIO) {
  using Call = FaultyFileSystem::Call;
  CAPTURE(way.text());
  good_bytes(way);
  const Leaks leaks;
  std::size_t failed = 0, harmless = 0, after_name = 0;
  bool came = true;
  for (std::size_t k = 1; came; ++k) {
    const Scene scene(way);
    FaultyFileSystem files;
    way.set_up(files);
    files.fail_at = k;
    files.fail_errno = error_number;
    const Ending ending =
        ending_of("file call fails", [&] { write_tightly(small_source(), scene.target, way, files); });
    const std::vector<Call> log = files.log();
    came = k <= log.size();
    const Call call = came ? log[k - 1] : Call{};
    CAPTURE(k);
    CAPTURE(ending.text());
    CAPTURE(files.log_text());
    check_form(ending, ErrorKind::failed);
    leaks.check_files();

    // Two failures do not matter. Temporaries of dead writers that cannot be removed (nor looked for) are
    // left to the next run; and without /proc the temporary gets a name.
    const bool is_of_stale = weir::testing::contains(call.object, stale_name);
    const bool is_harmless = call.name == "list_folder" || call.name == "access" || is_of_stale;
    const auto gives_name = [&](const Call& c) {
      return c.object == scene.target && (c.name == "rename" || (c.name == "linkat" && !way.overwrite));
    };
    const bool has_name =
        came && std::any_of(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(k - 1), gives_name);
    if (!came || is_harmless) {
      CHECK_FALSE(ending.error);
      CHECK(scene.is_new());
      CHECK_FALSE(fs::exists(scene.sidecar()));
      CHECK(scene.rests().empty());
      harmless += came ? 1 : 0;
    } else {
      check_placed(ending, system_reason(error_number));
      CHECK(way.is_sink(ending.error->node()));
      ++failed;
      if (has_name) {
        // The folder's sync, the closes, removing the sidecars: the name cannot be taken back.
        ++after_name;
        CHECK(scene.is_new());
        CHECK(scene.rests().empty());
      } else {
        check_untouched(scene);
      }
    }
    scene.check_next_run();
  }
  CHECK(failed >= 15);
  CHECK(harmless >= 5);
  CHECK(after_name >= 3);
  leaks.check();
}

/// Each chunk of the source.
inline void fail_each_chunk(const WriteWay& way) {
  fail_each(way, small_chunks, "the sensor failed here", [&](std::size_t k, const Scene& scene, bool& came) {
    FaultyFileSystem files;
    way.set_up(files);
    const Window broken = small_source()->grid().window({(k - 1) / 4, (k - 1) % 4});
    came = k <= small_chunks;
    const auto source = std::make_shared<const FunctionSource>(
        small_info(), 24, 24, [&](const Window& window, std::byte* pixels) {
          if (came && window == broken) throw std::runtime_error("the sensor failed\nhere\r\n");
          each_sample(small_info(), [](std::uint64_t row, std::uint64_t col, std::uint32_t) {
            return small_value(row, col);
          })(window, pixels);
        });
    const Ending ending =
        ending_of("source throws", [&] { write_tightly(source, scene.target, way, files); });
    if (came) {
      REQUIRE(ending.error);
      CHECK(ending.error->node() == "decode");
      CHECK(ending.error->item() == fmt::format("chunk ({}, {})", (k - 1) / 4, (k - 1) % 4));
    }
    return ending;
  });
}

/// Each allocation of payload and scratch.
inline void fail_each_allocation(const WriteWay& way) {
  fail_each(way, small_chunks + 3, "out of memory", [&](std::size_t k, const Scene& scene, bool& came) {
    FaultyFileSystem files;
    way.set_up(files);
    std::atomic<std::size_t> allocations = 0;
    RunOptions run;
    run.before_allocation = [&] { return ++allocations != k; };
    const Ending ending =
        ending_of("allocation fails", [&] { write_tightly(small_source(), scene.target, way, files, run); });
    came = allocations >= k;
    return ending;
  });
}

/// Each body of each node.
inline void fail_each_body(const WriteWay& way) {
  fail_each(way, 50, "planted", [&](std::size_t k, const Scene& scene, bool& came) {
    FaultyFileSystem files;
    way.set_up(files);
    std::atomic<std::size_t> bodies = 0;
    RunOptions run;
    run.before_body = [&](const std::string&, std::uint64_t) {
      if (++bodies == k) throw std::runtime_error("planted");
    };
    const Ending ending =
        ending_of("body fails", [&] { write_tightly(small_source(), scene.target, way, files, run); });
    came = bodies >= k;
    return ending;
  });
}

/// The second item of a node, or its only one.
inline void fail_node(const WriteWay& way, const std::string& node, std::uint64_t ticket) {
  CAPTURE(way.text());
  CAPTURE(node);
  const Scene scene(way);
  FaultyFileSystem files;
  way.set_up(files);
  RunOptions run;
  run.before_body = [&](const std::string& name, std::uint64_t item) {
    if (name == node && item == ticket) throw Error("do", "its work", "it is broken");
  };
  const Ending ending =
      ending_of("node fails", [&] { write_tightly(small_source(), scene.target, way, files, run); });
  check_form(ending, ErrorKind::failed);
  check_placed(ending, "it is broken");
  CHECK(ending.error->node() == node);
  check_untouched(scene);
  scene.check_next_run();
}

/// A call of the file layer that always fails, once everything is written.
inline void fail_at_close(const WriteWay& way, const std::string& call, bool keeps_old) {
  CAPTURE(way.text());
  CAPTURE(call);
  const Scene scene(way);
  FaultyFileSystem files;
  way.set_up(files);
  files.always_fail[call] = EIO;
  const Ending ending =
      ending_of("close fails", [&] { write_tightly(small_source(), scene.target, way, files); });
  check_form(ending, ErrorKind::failed);
  check_placed(ending, system_reason(EIO));
  CHECK(way.is_sink(ending.error->node()));
  CHECK(ending.error->item() == "close");
  if (keeps_old)
    check_untouched(scene);
  else
    CHECK(scene.is_new());
  scene.check_next_run();
}

}  // namespace weir::test
