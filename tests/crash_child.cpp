// Helper of crash_test.cpp: one write_geotiff or write_cog that dies at a file call, or is killed from outside.
//
//   crash_child TARGET RASTER ENGINE TEMPORARY TARGET_STATE FORMAT KILL_AT
//
//   RASTER        small or large, see small_raster.hpp
//   ENGINE        serial or onetbb
//   TEMPORARY     unnamed or named
//   TARGET_STATE  new or overwrite
//   FORMAT        geotiff, or how a COG is packed
//   KILL_AT       number of the file call at which SIGKILL comes; 0: none, and syncs are real
//
// Exit code 0: written; 1: an Error, on stderr; 2: bad usage.
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/small_raster.hpp"

using namespace weir;
using namespace weir::test;

int main(int count, char** arguments) {
  if (count != 8) return 2;
  // Not left behind where the test is ended.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return 2;
  const std::string target = arguments[1], raster = arguments[2];
  WriteWay way{std::string(arguments[3]) == "serial" ? Engine::serial : Engine::onetbb,
               std::string(arguments[4]) == "named", std::string(arguments[5]) == "overwrite"};
  way.cog = cog_packing_named(arguments[6]);
  const unsigned long kill_at = std::strtoul(arguments[7], nullptr, 10);

  FaultyFileSystem files;
  way.set_up(files);
  files.skip_sync = kill_at != 0;
  if (kill_at != 0) files.kill_at = kill_at;
  try {
    if (raster == "large")
      write_by(way, large_source(), target, large_options(way, files));
    else
      write_by(way, small_source(), target, way.options(files));
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
