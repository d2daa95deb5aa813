// write_rows under faults: each file call and each node body failing in turn.
#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>

#include "pipelines/write_rows.hpp"
#include "tests/failure_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

void write_rows_of(const WriteWay& way, const std::string& path, FileSystem& files,
                   const RunOptions& run = {}) {
  WriteRowsOptions options;
  options.format = RowsFormat::npy;
  options.overwrite = way.overwrite;
  options.graph = way.options(files).graph;
  options.files = &files;
  write_rows(small_source(), path, options, run);
}

}  // namespace

TEST_CASE("each file call and each node body that fails ends a write of rows with one clear error") {
  const Folder good_folder;
  write_rows_of({}, good_folder / "good.npy", FileSystem::real());
  const std::string good = content(good_folder / "good.npy");
  for (const WriteWay& way : write_ways()) {
    CAPTURE(way.text());
    const Leaks leaks;
    for (const bool fails_files : {true, false}) {
      CAPTURE(fails_files);
      bool came = true;
      std::size_t k = 1, failed = 0;
      for (; came; ++k) {
        CAPTURE(k);
        const Folder folder;
        const std::string target = folder / "out.npy";
        if (way.overwrite) put(target, old_bytes);
        FaultyFileSystem files;
        way.set_up(files);
        std::atomic<std::size_t> bodies = 0;
        RunOptions run;
        if (fails_files)
          files.fail_at = k;
        else
          run.before_body = [&](const std::string&, std::uint64_t) {
            if (++bodies == k) throw std::runtime_error("planted");
          };
        const Ending ending = ending_of("rows fail", [&] { write_rows_of(way, target, files, run); });
        came = fails_files ? files.calls() >= k : bodies >= k;
        CAPTURE(files.log_text());
        check_form(ending, ErrorKind::failed);
        const bool is_new = fs::exists(target) && content(target) == good;
        const bool is_old = fs::exists(target) ? content(target) == old_bytes : !way.overwrite;
        if (ending.error) {
          ++failed;
          check_placed(ending, fails_files ? system_reason(EIO) : "planted");
          CHECK((is_old || (is_new && fails_files)));
        } else {
          CHECK(is_new);
          CHECK((!came || (fails_files && (files.log()[k - 1].name == "list_folder" ||
                                           files.log()[k - 1].name == "access"))));
        }
        CHECK(folder.names().size() == (fs::exists(target) ? 1 : 0));
        leaks.check_files();
      }
      CHECK(failed >= 10);
    }
    leaks.check();
  }
}
