// write_geotiff under faults: each file call, each allocation, each node body, each chunk failing in turn.
#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>

#include "tests/failure_support.hpp"

using namespace weir;
using namespace weir::test;
using weir::testing::contains;
using Call = FaultyFileSystem::Call;

namespace {

/// Runs with the k-th of something failing, k = 1, 2 ... until there is no k-th. `run_once(k, scene)` returns
/// the ending and whether there was one. Every failure is clean, and there are at least `least`.
template <class RunOnce>
void fail_each(const WriteWay& way, std::size_t least, const std::string& reason, RunOnce run_once) {
  CAPTURE(way.text());
  good_bytes(way.codec);
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

}  // namespace

TEST_CASE(
    "each file call that fails ends a write with one clear error, and the old file or the whole new one") {
  for (const WriteWay& way : write_ways()) {
    CAPTURE(way.text());
    good_bytes();
    const Leaks leaks;
    std::size_t failed = 0, harmless = 0, after_name = 0;
    bool came = true;
    for (std::size_t k = 1; came; ++k) {
      const Scene scene(way);
      FaultyFileSystem files;
      way.set_up(files);
      files.fail_at = k;
      const Ending ending = ending_of(
          "file call fails", [&] { write_tightly(small_source(), scene.target, way.options(files)); });
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
      const bool is_of_stale = contains(call.object, stale_name);
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
        check_placed(ending, system_reason(EIO));
        CHECK(ending.error->node() == "tif");
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
}

TEST_CASE("each allocation that fails ends a write with one clear error, and nothing was touched") {
  for (const CodecId codec : {CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::none})
    for (WriteWay way : write_ways()) {
      // The ways of files do not matter to memory: the other codecs take one of them.
      way.codec = codec;
      if (codec != CodecId::deflate && (way.is_named || !way.overwrite)) continue;
      fail_each(way, small_chunks + 3, "out of memory", [&](std::size_t k, const Scene& scene, bool& came) {
        FaultyFileSystem files;
        way.set_up(files);
        std::atomic<std::size_t> allocations = 0;
        RunOptions run;
        run.before_allocation = [&] { return ++allocations != k; };
        const Ending ending = ending_of("allocation fails", [&] {
          write_tightly(small_source(), scene.target, way.options(files), run);
        });
        came = allocations >= k;
        return ending;
      });
    }
}

TEST_CASE("each node body that fails ends a write with one clear error, and nothing was touched") {
  for (const WriteWay& way : write_ways())
    fail_each(way, 50, "planted", [&](std::size_t k, const Scene& scene, bool& came) {
      FaultyFileSystem files;
      way.set_up(files);
      std::atomic<std::size_t> bodies = 0;
      RunOptions run;
      run.before_body = [&](const std::string&, std::uint64_t) {
        if (++bodies == k) throw std::runtime_error("planted");
      };
      const Ending ending = ending_of(
          "body fails", [&] { write_tightly(small_source(), scene.target, way.options(files), run); });
      came = bodies >= k;
      return ending;
    });
}

TEST_CASE("a failure in each node of a write names that node") {
  for (const char* node : {"plan", "decode", "assemble", "cut", "compress", "tif"})
    for (const WriteWay& way : write_ways()) {
      CAPTURE(way.text());
      CAPTURE(node);
      const Scene scene(way);
      FaultyFileSystem files;
      way.set_up(files);
      RunOptions run;
      run.before_body = [&](const std::string& name, std::uint64_t ticket) {
        if (name == node && ticket == 1) throw Error("do", "its work", "it is broken");
      };
      const Ending ending = ending_of(
          "node fails", [&] { write_tightly(small_source(), scene.target, way.options(files), run); });
      check_form(ending, ErrorKind::failed);
      check_placed(ending, "it is broken");
      CHECK(ending.error->node() == node);
      check_untouched(scene);
      scene.check_next_run();
    }
}

TEST_CASE("a source that throws at a chunk names the chunk, and several lines of its text become one") {
  for (const WriteWay& way : write_ways())
    fail_each(
        way, small_chunks, "the sensor failed here", [&](std::size_t k, const Scene& scene, bool& came) {
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
              ending_of("source throws", [&] { write_tightly(source, scene.target, way.options(files)); });
          if (came) {
            REQUIRE(ending.error);
            CHECK(ending.error->node() == "decode");
            CHECK(ending.error->item() == fmt::format("chunk ({}, {})", (k - 1) / 4, (k - 1) % 4));
          }
          return ending;
        });
}

namespace {

/// A transform of the user's: the same raster, brighter, from a source that fetches and keeps a state per
/// thread.
class Brighter : public ChunkSource {
 public:
  enum class Fault { none, local, fetch, decode, greedy, not_an_exception };
  Brighter(Fault fault, std::uint64_t at) : fault_(fault), at_(at) {}

  const RasterInfo& info() const override { return dark_->info(); }
  const ChunkGrid& grid() const override { return dark_->grid(); }
  std::uint64_t fetch_bytes() const override { return BufferPool::charge(1); }
  std::unique_ptr<Local> make_local(const Scratch&) const override {
    fail(Fault::local);
    return std::make_unique<Local>();
  }
  Buffer fetch(ChunkIndex, const Context& context) const override {
    fail(Fault::fetch);
    return context.buffer(1);
  }
  Block decode(ChunkIndex chunk, Buffer, Local* local, const Context& context) const override {
    fail(Fault::decode);
    if (fault_ == Fault::greedy && calls_++ == at_) static_cast<void>(context.buffer(1 << 20));
    if (fault_ == Fault::not_an_exception && calls_++ == at_) throw 7;
    return dark_->decode(chunk, {}, local, context);
  }

 private:
  void fail(Fault fault) const {
    if (fault_ == fault && calls_++ == at_) throw std::runtime_error("planted");
  }
  std::shared_ptr<const ChunkSource> dark_ = small_source();
  Fault fault_;
  std::uint64_t at_;
  mutable std::atomic<std::uint64_t> calls_ = 0;
};

}  // namespace

TEST_CASE("a source of the user's that fails in any of its steps ends a write cleanly") {
  using Fault = Brighter::Fault;
  struct Case {
    Fault fault;
    const char* node;
    const char* reason;
    std::uint64_t last;
  };
  for (const Case& c :
       {Case{Fault::local, "decode", "planted", 0}, Case{Fault::fetch, "fetch", "planted", small_chunks - 1},
        Case{Fault::decode, "decode", "planted", small_chunks - 1},
        Case{Fault::greedy, "decode", "more than it declared", small_chunks - 1},
        Case{Fault::not_an_exception, "decode", "unknown type", small_chunks - 1}})
    for (const std::uint64_t at : {std::uint64_t{0}, c.last / 2, c.last})
      for (const WriteWay& way : write_ways()) {
        CAPTURE(way.text());
        CAPTURE(c.reason);
        CAPTURE(at);
        const Scene scene(way);
        FaultyFileSystem files;
        way.set_up(files);
        const Ending ending = ending_of("user's source fails", [&] {
          write_tightly(std::make_shared<const Brighter>(c.fault, at), scene.target, way.options(files));
        });
        check_form(ending, ErrorKind::failed);
        check_placed(ending, c.reason);
        CHECK(ending.error->node() == c.node);
        CHECK(contains(ending.error->item(), "chunk ("));
        check_untouched(scene);
        scene.check_next_run();
      }
}

TEST_CASE("a sync, a link, a rename or a close that fails is an error of the node tif at close") {
  struct Case {
    const char* call;
    bool is_named, overwrite, keeps_old;
  };
  for (const Case& c : {Case{"fsync", false, true, true}, Case{"fsync", true, false, true},
                        Case{"linkat", false, false, true}, Case{"linkat", false, true, true},
                        Case{"linkat", true, false, true}, Case{"rename", false, true, true},
                        Case{"rename", true, true, true}, Case{"close", false, false, false},
                        Case{"close", true, true, false}})
    for (const Engine engine : {Engine::serial, Engine::onetbb}) {
      const WriteWay way{engine, c.is_named, c.overwrite};
      CAPTURE(way.text());
      CAPTURE(c.call);
      const Scene scene(way);
      FaultyFileSystem files;
      way.set_up(files);
      files.always_fail[c.call] = EIO;
      const Ending ending =
          ending_of("close fails", [&] { write_tightly(small_source(), scene.target, way.options(files)); });
      check_form(ending, ErrorKind::failed);
      check_placed(ending, system_reason(EIO));
      CHECK(ending.error->node() == "tif");
      CHECK(ending.error->item() == "close");
      if (c.keeps_old)
        check_untouched(scene);
      else
        CHECK(scene.is_new());
      scene.check_next_run();
    }
}
