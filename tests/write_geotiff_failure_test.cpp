// write_geotiff under faults: each file call, each allocation, each node body, each chunk failing in turn.
#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>

#include "tests/fail_each.hpp"

using namespace weir;
using namespace weir::test;
using weir::testing::contains;
using Call = FaultyFileSystem::Call;

TEST_CASE(
    "each file call that fails ends a write with one clear error, and the old file or the whole new one") {
  for (const WriteWay& way : write_ways()) fail_each_file_call(way);
}

TEST_CASE("each allocation that fails ends a write with one clear error, and nothing was touched") {
  for (const CodecId codec : {CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::none})
    for (WriteWay way : write_ways()) {
      // The ways of files do not matter to memory: the other codecs take one of them.
      way.codec = codec;
      if (codec == CodecId::deflate || (!way.is_named && way.overwrite)) fail_each_allocation(way);
    }
}

TEST_CASE("each node body that fails ends a write with one clear error, and nothing was touched") {
  for (const WriteWay& way : write_ways()) fail_each_body(way);
}

TEST_CASE("a failure in each node of a write names that node") {
  for (const char* node : {"plan", "decode", "assemble", "cut", "compress", "tif"})
    for (const WriteWay& way : write_ways()) fail_node(way, node, 1);
}

TEST_CASE("a source that throws at a chunk names the chunk, and several lines of its text become one") {
  for (const WriteWay& way : write_ways()) fail_each_chunk(way);
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
    for (const Engine engine : {Engine::serial, Engine::onetbb})
      fail_at_close({engine, c.is_named, c.overwrite}, c.call, c.keeps_old);
}
