// The spool: pixels that wait on disk for later bands. What it keeps is what came, its failures end a write with one
// clear error, and nothing of it stays.
#include <fmt/format.h>

#include <filesystem>

#include "nodes/raster/spool_chunks.hpp"
#include "nodes/raster/window_source.hpp"
#include "pipelines/write_rows.hpp"
#include "tests/faulty_file_system.hpp"
#include "tests/stencil_support.hpp"

namespace weir::pipeline_test {
namespace {

using test::FaultyFileSystem;

/// A write that needs the spool: a budget with nothing to spare.
WriteGeotiffOptions spooling(const std::shared_ptr<const ChunkSource>& source, FileSystem& files,
                             Engine engine = Engine::onetbb) {
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 32;
  options.codec.id = CodecId::none;
  options.predictor = Predictor::none;
  options.overwrite = true;
  options.files = &files;
  options.graph = {.threads = 2, .engine = engine};
  options.kernels = {weighted_sum(1)};
  options.graph.memory = smallest_budget(source, options);
  options.kernels = {weighted_sum(1)};
  return options;
}

TEST_CASE(
    "each call on the spool that fails ends the write with an error that names it, and nothing is left") {
  const Raster raster = made_raster(100, 400, SampleType::float32);
  const auto source = source_of(raster, 32, 32);
  const TemporaryFolder folder;
  for (const int unnamed_errno : {0, EOPNOTSUPP})
    for (const Engine engine : {Engine::serial, Engine::onetbb}) {
      FaultyFileSystem good;
      good.skip_sync = true;
      good.unnamed_errno = unnamed_errno;
      const std::string target = folder / "out.tif";
      const RunReport report = write_geotiff(source, target, spooling(source, good, engine));
      CHECK(report.node("spool").items_in > 0);
      const Bytes right = file_bytes(target);
      CHECK(right == one_piece_file(computed_whole(*weighted_sum(1), raster), spooling(source, good)));
      CHECK(folder.names() == std::vector<std::string>{"out.tif"});
      const std::size_t calls = good.calls();
      std::size_t of_spool = 0;
      for (std::size_t call = 1; call <= calls; call += 3) {
        CAPTURE(call);
        FaultyFileSystem files;
        files.skip_sync = true;
        files.unnamed_errno = unnamed_errno;
        files.fail_at = call;
        try {
          write_geotiff(source, target, spooling(source, files, engine));
        } catch (const Error& error) {
          CHECK(error.kind() == ErrorKind::failed);
          if (error.node() == "spool") {
            ++of_spool;
            CHECK(contains(error.what(), folder / ""));  // the file, or the folder that it is made in
            CHECK(contains(error.item(), "chunk ("));
          }
        }
        CHECK(file_bytes(target) == right);
        CHECK(folder.names() == std::vector<std::string>{"out.tif"});
      }
      CHECK(of_spool > 5);
    }
}

TEST_CASE("too little room for the spool is refused at the first chunk, with how much it takes") {
  const Raster raster = made_raster(100, 400, SampleType::float32);
  const auto source = source_of(raster, 32, 32);
  const TemporaryFolder folder;
  FaultyFileSystem files;
  const WriteGeotiffOptions options = spooling(source, files);
  GeotiffWrite write(source, folder / "out.tif", options);
  const std::uint64_t needed = spool_file_bytes(*write.plan().bands);
  CHECK(contains(write.explain(), "come back from a nameless file of at most"));
  files.free_space = static_cast<std::int64_t>(needed) - 1;
  const std::string reason = reason_of([&] { write.run(); }, ErrorKind::failed);
  CHECK(contains(reason, "it needs at least"));
  CHECK(folder.names().empty());
}

TEST_CASE("the spool lies beside the output, in the folder that was named, or nowhere") {
  const Raster raster = made_raster(100, 400, SampleType::float32);
  const auto source = source_of(raster, 32, 32);
  const TemporaryFolder folder, other;
  FaultyFileSystem files;
  WriteGeotiffOptions options = spooling(source, files);
  CHECK(GeotiffWrite(source, folder / "out.tif", options).plan().spool->path == folder / "out.tif.spool");
  options.kernels = {weighted_sum(1)};
  options.spool = other / "";
  CHECK(GeotiffWrite(source, folder / "out.tif", options).plan().spool->path == other / "out.tif.spool");
  options.kernels = {weighted_sum(1)};
  options.spool = "none";
  CHECK_FALSE(GeotiffWrite(source, folder / "out.tif", options).plan().spool.has_value());
  options.kernels = {weighted_sum(1)};
  options.spool = other / "missing";
  const std::string reason =
      reason_of([&] { write_geotiff(source, folder / "out.tif", options); }, ErrorKind::failed);
  CHECK(contains(reason, "No such file"));
  CHECK(folder.names().empty());
}

TEST_CASE(
    "blocks of any layout come back from the spool as they went: windows of files, planes, several samples") {
  const Raster raster = made_raster(134, 1500, SampleType::uint16, 3);
  const TemporaryFolder folder;
  WriteGeotiffOptions of_input;
  of_input.tile_height = 64;
  of_input.tile_width = 80;
  of_input.overwrite = true;
  for (const bool is_planar : {false, true})
    for (const CodecId codec : {CodecId::none, CodecId::zstd}) {
      of_input.planar_separate = is_planar;
      of_input.codec.id = codec;
      write_geotiff(source_of(raster, 64, 64), folder / "in.tif", of_input);
      const Window window{3, 7, 130, 1470};
      const auto source = std::make_shared<const WatchedSource>(std::make_shared<const WindowSource>(
          std::make_shared<const TiffSource>(folder / "in.tif"), window));
      const WriteGeotiffOptions options = spooling(source, FileSystem::real());
      GeotiffWrite write(source, folder / "out.tif", options);
      REQUIRE(write.plan().spool.has_value());
      const RunReport report = write.run();
      CHECK(report.peak_payload <= options.graph.memory);
      CHECK(source->total() == source->grid().count());
      CHECK(source->fetches() == source->grid().count());
      CHECK(file_bytes(folder / "out.tif") ==
            one_piece_file(computed_whole(*weighted_sum(1), slice(raster, window)), options));
    }
}

TEST_CASE("a wide raster is written row by row through the spool, each chunk read once") {
  const Raster raster = made_raster(96, 6000, SampleType::uint16);
  const auto source = std::make_shared<const WatchedSource>(source_of(raster, 32, 100));
  const TemporaryFolder folder;
  WriteRowsOptions options;
  options.graph = {.memory = 1, .threads = 2};
  options.graph.memory =
      smallest_named(reason_of([&] { write_rows(source, folder / "out.raw", options); }, ErrorKind::usage));
  write_rows(source, folder / "out.raw", options);
  CHECK(source->total() == source->grid().count());
  CHECK(file_bytes(folder / "out.raw") == raster.pixels);
  CHECK(folder.names() == std::vector<std::string>{"out.raw"});
}

}  // namespace
}  // namespace weir::pipeline_test
