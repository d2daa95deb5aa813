// write_cog under faults, as write_geotiff_failure_test.cpp does it with write_geotiff. Kills, full disks, and slow ones are in
// crash_test.cpp and write_geotiff_disk_test.cpp, for both.
#include <doctest/doctest.h>

#include "tests/fail_each.hpp"

using namespace weir;
using namespace weir::test;

TEST_CASE(
    "each file call that fails ends a COG with one clear error, and the old file or the whole new one") {
  for (const WriteWay& way : cog_ways()) fail_each_file_call(way);
  for (const WriteWay& way : cog_ways())
    if (way.is_named && way.engine == Engine::serial) fail_each_file_call(way, ENOSPC);
}

TEST_CASE("each allocation that fails ends a COG with one clear error, and nothing was touched") {
  for (const CodecId codec : {CodecId::deflate, CodecId::zstd, CodecId::none})
    for (WriteWay way : cog_ways()) {
      way.codec = codec;
      if (!way.is_named && way.overwrite && way.cog == CogPacking::automatic) fail_each_allocation(way);
    }
}

TEST_CASE("each node body that fails ends a COG with one clear error, and nothing was touched") {
  for (const WriteWay& way : cog_ways()) fail_each_body(way);
}

TEST_CASE("a failure in each node of a COG names that node") {
  for (const char* node : {"plan", "decode", "assemble", "cut", "take", "compress", "level0", "gather1",
                           "reduce1", "compress1", "level1", "gather2"})
    for (const WriteWay& way : cog_ways()) fail_node(way, node, 1);
  for (const char* node : {"reduce2", "compress2", "level2"})  // one tile
    for (const WriteWay& way : cog_ways()) fail_node(way, node, 0);
}

TEST_CASE("a source that throws at a chunk ends a COG with the chunk's name") {
  for (const WriteWay& way : cog_ways()) fail_each_chunk(way);
}

TEST_CASE("packing, a sync, a link, a rename or a close that fails is an error of a COG's sink at close") {
  struct Case {
    const char* call;
    bool is_named, overwrite, keeps_old;
    CogPacking packing = CogPacking::automatic;
  };
  for (const Case& c : {Case{"fallocate", false, true, true}, Case{"fallocate", true, false, true},
                        Case{"ftruncate", false, true, true},
                        Case{"pread", true, true, true, CogPacking::copy}, Case{"fsync", false, true, true},
                        Case{"fsync", true, false, true}, Case{"linkat", false, false, true},
                        Case{"linkat", false, true, true}, Case{"linkat", true, false, true},
                        Case{"rename", false, true, true}, Case{"rename", true, true, true},
                        Case{"close", false, false, false}, Case{"close", true, true, false}})
    for (const Engine engine : {Engine::serial, Engine::onetbb})
      fail_at_close({engine, c.is_named, c.overwrite, CodecId::deflate, c.packing}, c.call, c.keeps_old);
}
