// One pass: a COG's run reads each chunk once, encodes each tile once, and has one file open for writing, ever.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <set>
#include <utility>

#include "tests/cog_support.hpp"
#include "tests/faulty_file_system.hpp"

using namespace weir;
using namespace weir::pipeline_test;

namespace {

/// Device and inode.
using FileId = std::pair<std::uint64_t, std::uint64_t>;

FileId id_of(const struct ::stat& status) {
  return {status.st_dev, status.st_ino};
}

/// The regular files, memory files among them, that this process has open for writing: as the kernel sees it.
std::set<FileId> files_open_for_writing() {
  std::set<FileId> files;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    const int fd = std::stoi(entry.path().filename().string());
    struct stat status = {};
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || ::fstat(fd, &status) != 0) continue;
    if (S_ISREG(status.st_mode)) files.insert(id_of(status));
  }
  return files;
}

/// Keeps how files were opened.
class WatchedFileSystem : public test::FaultyFileSystem {
 public:
  WatchedFileSystem() { skip_sync = true; }
  int open(const char* path, int flags, mode_t mode) override {
    const int fd = FaultyFileSystem::open(path, flags, mode);
    if (fd >= 0 && (flags & O_ACCMODE) != O_RDONLY) {
      const std::lock_guard lock(mutex_);
      for_writing.emplace_back(path);
    }
    return fd;
  }
  std::vector<std::string> for_writing;

 private:
  std::mutex mutex_;
};

}  // namespace

TEST_CASE("a COG is written to one file from the beginning to the end, and every tile is encoded once") {
  const Raster raster = made_raster(700, 900);
  for (const Engine engine : {Engine::onetbb, Engine::serial})
    for (const CogPacking packing : {CogPacking::automatic, CogPacking::copy, CogPacking::holes})
      for (const bool is_named : {false, true})
        for (const bool is_tight : {false, true}) {
          CAPTURE(name_of(packing));
          CAPTURE(is_named);
          CAPTURE(is_tight);
          const TemporaryFolder folder;
          WatchedFileSystem files;
          if (is_named) files.unnamed_errno = EOPNOTSUPP;
          WriteCogOptions options;
          options.tile_height = options.tile_width = 64;
          options.packing = packing;
          options.files = &files;
          options.graph.threads = engine == Engine::serial ? 1 : 4;
          options.graph.engine = engine;

          const std::set<FileId> before = files_open_for_writing();
          std::mutex mutex;
          std::set<FileId> seen;
          std::size_t most_names = 0;
          const auto source =
              std::make_shared<const WatchedSource>(source_of(raster, is_tight ? 64 : 128, 64), [&] {
                const std::lock_guard lock(mutex);
                for (const FileId& file : files_open_for_writing())
                  if (!before.contains(file)) seen.insert(file);
                most_names = std::max(most_names, folder.names().size());
              });
          if (is_tight) options.graph.memory = smallest_budget(source, options);
          const RunReport report = write_cog(source, folder / "a.tif", options);

          struct stat status = {};
          REQUIRE(::stat((folder / "a.tif").c_str(), &status) == 0);
          CHECK(seen == std::set<FileId>{id_of(status)});  // the very file that is there in the end
          CHECK(files.for_writing.size() == 1);
          CHECK(most_names == (is_named ? 1 : 0));
          CHECK(folder.names() == std::vector<std::string>{"a.tif"});

          CHECK(source->counts() == std::vector<unsigned>(source->grid().count(), 1));
          CHECK(report.source_reads == report.source_chunks);
          std::uint64_t height = 700, width = 900, tiles = 0;
          for (unsigned level = 0; level < 5; ++level, height = (height + 1) / 2, width = (width + 1) / 2) {
            const std::uint64_t wanted = ((height + 63) / 64) * ((width + 63) / 64);
            const std::string number = level == 0 ? "" : std::to_string(level);
            CHECK(report.node("compress" + number).items_in == wanted);
            CHECK(report.node("compress" + number).items_out == wanted);
            CHECK(report.node("level" + std::to_string(level)).items_in == wanted);
            tiles += wanted;
          }
          CHECK(tiles == 11 * 15 + 6 * 8 + 3 * 4 + 2 * 2 + 1);
        }
}
