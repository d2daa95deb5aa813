#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>

#include "framework/build_info.hpp"
#include "nodes/headers/catalog_reader.hpp"
#include "nodes/headers/catalog_writer.hpp"
#include "tests/header_catalog_support.hpp"

using namespace weir;
using namespace weir::test;

TEST_CASE("a catalog has every row in its place, and every error") {
  if (skips_without_parquet("every row in its place")) return;
  const Folder folder;
  constexpr std::uint64_t units = 40;
  {
    CatalogWriter writer(folder / "out", "made up", small_parts());
    CHECK(writer.progress().units == 0);
    write_units(writer, units);
    CHECK(writer.rows() == made_paths(units).size());
    CHECK(writer.errors() == made_error_paths(units).size());
  }
  CHECK(names_of(folder / "out") == whole_catalog(6));

  CatalogReader reader(folder / "out");
  CHECK(reader.rows() == made_paths(units).size());
  std::size_t place = 0;
  for (std::vector<ListedObject> page; !(page = reader.next(77)).empty();)
    for (const ListedObject& object : page) {
      const ListedObject wanted = made_object(made_rows(units)[place++]);
      CHECK(object.path == wanted.path);
      CHECK(object.size == wanted.size);
      CHECK(object.etag == wanted.etag);
      CHECK(object.last_modified == wanted.last_modified);
    }
  CHECK(place == reader.rows());
  CHECK(error_paths(folder / "out") == made_error_paths(units));
}

TEST_CASE("a catalog is read from any row on") {
  if (skips_without_parquet("from any row on")) return;
  const Folder folder;
  write_made(folder / "out", 14);
  const std::vector<std::string> paths = paths_of(folder / "out");
  CatalogReader reader(folder / "out");
  for (std::uint64_t row = 0; row <= paths.size() + 1; ++row) {
    reader.seek(row);
    const std::vector<ListedObject> page = reader.next(3);
    REQUIRE(page.size() == (row < paths.size() ? std::min<std::size_t>(3, paths.size() - row) : 0));
    for (std::size_t i = 0; i < page.size(); ++i) CHECK(page[i].path == paths[row + i]);
  }
}

TEST_CASE("a catalog of nothing has a part without rows, which has the columns") {
  if (skips_without_parquet("a catalog of nothing")) return;
  const Folder folder;
  write_made(folder / "out", 0);
  CHECK(names_of(folder / "out") == whole_catalog(1));
  CHECK(paths_of(folder / "out").empty());
  CHECK(error_paths(folder / "out").empty());
}

TEST_CASE("units without rows end a part by their errors, or it would never end") {
  if (skips_without_parquet("parts end by errors")) return;
  const Folder folder;
  CatalogWriter writer(folder / "out", "made up", small_parts());
  const std::vector<HeaderError> errors(150, made_error(11));
  writer.add({}, errors, "1");
  CHECK(names_of(folder / "out") == std::vector<std::string>{"manifest.json"});
  writer.add({}, errors, "2");
  CHECK(writer.progress().units == 2);
  CHECK(writer.progress().cursor == "2");
  CHECK(names_of(folder / "out") ==
        std::vector<std::string>{"errors-00000.parquet", "manifest.json", "part-00000.parquet"});
  writer.finish();
  CHECK(names_of(folder / "out") == whole_catalog(1));
  CHECK(error_paths(folder / "out").size() == 300);
}

TEST_CASE(
    "a run that stopped after any unit is gone on with, and the files are those of a run that did not stop") {
  if (skips_without_parquet("a run is gone on with")) return;
  const Folder folder;
  constexpr std::uint64_t units = 15;
  const auto whole = write_made(folder / "whole", units);
  for (std::uint64_t until = 0; until <= units; ++until) {
    CAPTURE(until);
    const std::string out = folder / fmt::format("out{}", until);
    {
      CatalogWriter writer(out, "made up", small_parts());
      write_units(writer, units, 1, nullptr, until);
    }
    if (until < units) {
      CatalogWriter writer(out, "made up", small_parts());
      CHECK(writer.progress().units <= until);
      CHECK(writer.progress().units + 7 > until);  // not more than a part is done again
      write_units(writer, units);
    }
    CHECK((contents_of(out) == whole));
  }
}

TEST_CASE("each file call that fails is one error, and the next run ends with the same files") {
  if (skips_without_parquet("each file call fails")) return;
  const Folder folder;
  constexpr std::uint64_t units = 8;
  const auto whole = write_made(folder / "whole", units);
  const std::size_t open_before = open_files();
  std::size_t failed = 0, passed = 0;
  const std::size_t step = std::getenv("WEIR_TEST_FULL") != nullptr ? 1 : 3;
  for (std::size_t k = 1;; k += step) {
    CAPTURE(k);
    const std::string out = folder / "out";
    FaultyFileSystem files;
    files.fail_at = k;
    files.skip_sync = true;
    std::optional<Error> error;
    try {
      CatalogWriter writer(out, "made up", small_parts(), false, files);
      write_units(writer, units);
    } catch (const Error& caught) {
      error = caught;
    }
    CAPTURE(files.log_text());
    CHECK(open_files() == open_before);
    if (k > files.calls()) {
      CHECK_FALSE(error);
      CHECK((contents_of(out) == whole));
      break;
    }
    if (error) {
      ++failed;
      CAPTURE(error->what());
      CHECK(error->reason() == system_reason(EIO));
      // Where only the last sync or close failed, the catalog is finished.
      if (const auto again = refusal_of(out)) {
        CHECK(says(*again, "it has a finished catalog"));
      } else {
        CatalogWriter writer(out, "made up", small_parts());
        write_units(writer, units);
      }
    } else {
      ++passed;  // temporaries of dead writers could not be looked for
    }
    CHECK((contents_of(out) == whole));
    fs::remove_all(out);
  }
  CHECK(failed > 60 / step);
  CHECK(passed < 20);
}

TEST_CASE("a kill at any file call loses nothing, and the next run ends with the same files") {
  if (skips_without_parquet("a kill at any file call")) return;
  const Folder folder;
  constexpr std::uint64_t units = 8;
  const auto whole = write_made(folder / "whole", units);
  const std::string child = std::string(WEIR_TEST_CHILDREN) + "/header_catalog_child";
  const bool is_full = std::getenv("WEIR_TEST_FULL") != nullptr;
  std::size_t killed = 0, finished = 0;
  for (std::size_t k = 1; finished == 0; k += is_full ? 1 : 5) {
    CAPTURE(k);
    const std::string out = folder / "out";
    const int status = std::system(fmt::format("{} {} {} weir {}", child, out, units, k).c_str());
    const bool was_killed =
        WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);
    REQUIRE((was_killed || status == 0));
    killed += was_killed ? 1 : 0;
    finished += was_killed ? 0 : 1;
    if (!refusal_of(out)) {
      CatalogWriter writer(out, "made up", small_parts());
      write_units(writer, units);
    }
    CHECK((contents_of(out) == whole));
    fs::remove_all(out);
  }
  CHECK(killed > 10);
}

TEST_CASE("a folder that is not this catalog's is refused and left as it is, but for overwrite") {
  if (skips_without_parquet("a folder is refused")) return;
  const Folder folder;
  const auto refused = [&](const std::string& reason, const std::string& identity = "made up") {
    const auto before = contents_of(folder / "out");
    const Error error = error_of([&] { CatalogWriter(folder / "out", identity, small_parts()); });
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(says(error, reason));
    CHECK((contents_of(folder / "out") == before));
  };
  const auto whole = write_made(folder / "out", 10);
  refused("it has a finished catalog");
  refused("it has a finished catalog", "other");
  {
    CatalogWriter writer(folder / "out", "other", small_parts(), true);
    CHECK(writer.progress().units == 0);
    CHECK(names_of(folder / "out") == std::vector<std::string>{"manifest.json"});
    refused("another process is writing to it", "other");
    write_units(writer, 10, 1, nullptr, 9);
  }
  refused("it has an unfinished catalog of another configuration");
  fs::remove(folder / "out/manifest.json");
  refused("it has files of a catalog, and no manifest.json");
  put(folder / "out/manifest.json", "{}");
  CHECK(says(error_of([&] { CatalogWriter(folder / "out", "made up", small_parts()); }),
             "it is no manifest of a catalog"));
  put(folder / "out/other.txt", "mine");
  {
    CatalogWriter writer(folder / "out", "made up", small_parts(), true);
    write_units(writer, 10);
  }
  auto now = contents_of(folder / "out");
  CHECK(now["other.txt"] == "mine");
  now.erase("other.txt");
  CHECK((now == whole));
}

TEST_CASE("a broken catalog is an error for those that read it") {
  if (skips_without_parquet("a broken catalog")) return;
  const Folder folder;
  const auto whole = write_made(folder / "out", 4);
  for (const std::string name : {"manifest.json", "part-00000.parquet", "errors.parquet"}) {
    CAPTURE(name);
    const std::string& good = whole.at(name);
    for (std::size_t length = 0; length < good.size();
         length += name == "manifest.json" ? 7 : good.size() / 40) {
      CAPTURE(length);
      put(folder / "out/" + name, good.substr(0, length));
      CHECK(says(error_of([&] { OldCatalog(folder / "out"); }), name));
    }
    // Whatever bytes: an error, or other values.
    for (std::size_t place = 0; place < good.size(); place += std::max<std::size_t>(good.size() / 200, 1)) {
      std::string bad = good;
      bad[place] = static_cast<char>(bad[place] ^ 0x55);
      put(folder / "out/" + name, bad);
      try {
        OldCatalog old(folder / "out");
      } catch (const Error& error) {
        CHECK(says(error, "out"));
      }
    }
    put(folder / "out/" + name, good);
  }
  CHECK(OldCatalog(folder / "out").rows() == made_paths(4).size());

  CatalogOptions narrow = small_parts();
  narrow.schema = CatalogSchema::tiff_dumper;
  {
    CatalogWriter writer(folder / "narrow", "made up", narrow);
    write_units(writer, 2);
  }
  CHECK(says(error_of([&] { CatalogReader(folder / "narrow"); }), "it was written with schema: tiff-dumper"));
  CatalogWriter writer(folder / "begun", "made up", small_parts());
  CHECK(says(error_of([&] { CatalogReader(folder / "begun"); }), "it is a catalog that is not finished"));
}

TEST_CASE("memory that is not there ends a catalog with one error") {
  if (skips_without_parquet("memory that is not there")) return;
  const Folder folder;
  std::size_t allocations = 0, failing = 0;
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 30);
  pool->before_allocation = [&] { return ++allocations != failing; };
  const auto write = [&] {
    fs::remove_all(folder / "out");
    allocations = 0;
    CatalogWriter writer(folder / "out", "made up", small_parts());
    writer.draw_from(Scratch(pool));
    write_units(writer, 12);
  };
  write();
  const std::size_t all = allocations;
  CHECK(all > 500);
  const std::size_t step = std::getenv("WEIR_TEST_FULL") != nullptr ? 1 : 1 + all / 60;
  for (failing = 1; failing <= all; failing += step) {
    CAPTURE(failing);
    CHECK(says(error_of(write), "out of memory"));
    CHECK(pool->live_bytes() == 0);
  }
}

TEST_CASE("all that Arrow takes for a run is counted by the run's pool") {
  if (skips_without_parquet("counted by the run's pool")) return;
  const Folder folder;
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 30);
  {
    CatalogWriter writer(folder / "out", "made up", small_parts());
    writer.draw_from(Scratch(pool));
    std::vector<HeaderRow> rows(1);
    rows[0].object.path = std::string(CatalogWriter::largest_row / 2, 'a');  // in one of Arrow's builders
    writer.add(rows, {}, "");
    CHECK(pool->live_bytes() > CatalogWriter::largest_row / 2);
    writer.finish();
    CHECK(pool->peak_bytes() > CatalogWriter::largest_row);  // and as a page
  }
  CHECK(pool->live_bytes() == 0);
}

TEST_CASE("a build with Arrow loads it") {  // or all tests of catalogs would be skipped
  if (build_info::libraries.find(", Arrow ") != std::string_view::npos) CHECK(why_no_parquet() == "");
}
