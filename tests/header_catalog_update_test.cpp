#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "nodes/headers/old_catalog.hpp"
#include "tests/header_catalog_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::uint64_t old_units = 12, new_units = 14;

/// Objects of the second version by how they come into an update: fetched, or taken over behind those, in the old order.
std::vector<std::string> updated_paths() {
  std::vector<std::string> fetched, taken;
  for (std::uint64_t n = 0; n < new_units * made_keys; ++n) {
    if (is_broken(n) || is_gone(n, 2)) continue;
    // What is new, has changed, or had an error.
    const bool is_fetched = n >= old_units * made_keys || has_changed(n) || is_damaged(n);
    // Tag and size, or where there is no tag time and size, say that it has changed.
    (is_fetched ? fetched : taken).push_back(made_object(n, 2).path);
  }
  fetched.insert(fetched.end(), taken.begin(), taken.end());
  return fetched;
}

void update(const std::string& out, const std::string& old_folder, FileSystem& files = FileSystem::real(),
            std::uint64_t until = ~std::uint64_t{0}) {
  const OldCatalog old(old_folder);
  CatalogWriter writer(out, "made up", small_parts(), false, files);
  write_units(writer, new_units, 2, &old, until);
}

}  // namespace

TEST_CASE("an earlier catalog knows what is the same, what has changed, and what it does not have") {
  if (skips_without_parquet("an earlier catalog knows")) return;
  const Folder folder;
  write_made(folder / "old", old_units);
  const OldCatalog old(folder / "old");
  const std::vector<std::uint64_t> rows = made_rows(old_units);
  REQUIRE(old.rows() == rows.size());
  for (std::uint64_t n = 0; n < new_units * made_keys; ++n) {
    CAPTURE(n);
    const auto place = std::ranges::find(rows, n);
    for (const int version : {1, 2}) {
      const auto found = old.find(made_object(n, version));
      CHECK(found.has_value() == (place != rows.end()));
      if (!found) continue;
      CHECK(found->row == place - rows.begin());
      CHECK(found->is_unchanged == !((version == 2 && has_changed(n)) || is_damaged(n)));
    }
  }
  // A tag decides over the time; without one the time does, and the size always.
  ListedObject object = made_object(0);
  REQUIRE_FALSE(object.etag.empty());
  object.last_modified = 1;
  CHECK(old.find(object)->is_unchanged);
  object.size += 1;
  CHECK_FALSE(old.find(object)->is_unchanged);
  object = made_object(5);
  REQUIRE(object.etag.empty());
  CHECK(old.find(object)->is_unchanged);
  object.last_modified = 1;
  CHECK_FALSE(old.find(object)->is_unchanged);
  object.last_modified.reset();
  CHECK_FALSE(old.find(object)->is_unchanged);
}

TEST_CASE("an update has the rows that it fetched, then those that did not change, and says what vanished") {
  if (skips_without_parquet("an update has the rows")) return;
  const Folder folder;
  write_made(folder / "old", old_units);
  const auto before = contents_of(folder / "old");
  update(folder / "out", folder / "old");
  CHECK((contents_of(folder / "old") == before));
  const std::vector<std::string> paths = paths_of(folder / "out");
  CHECK(paths == updated_paths());
  CHECK(std::ranges::count(names_of(folder / "out"), "vanished.parquet") == 1);
  CHECK(OldCatalog::standing_bytes(folder / "old") > made_paths(old_units).size() * 24);

  // It is a catalog as any other: with nothing changed since, the next update takes everything over.
  {
    const OldCatalog old(folder / "out");
    CatalogWriter writer(folder / "next", "made up", small_parts());
    write_units(writer, new_units, 2, &old);
  }
  std::vector<std::string> again = paths_of(folder / "next"), all = paths;
  std::ranges::sort(again);
  std::ranges::sort(all);
  CHECK(again == all);
}

TEST_CASE("an update that stopped after any unit, or failed in any file call, is gone on with") {
  if (skips_without_parquet("an update is gone on with")) return;
  const Folder folder;
  write_made(folder / "old", old_units);
  update(folder / "whole", folder / "old");
  const auto whole = contents_of(folder / "whole");
  for (const std::uint64_t until : {0U, 1U, 9U, 13U, 14U}) {
    CAPTURE(until);
    const std::string out = folder / fmt::format("out{}", until);
    update(out, folder / "old", FileSystem::real(), until);
    if (until < new_units) update(out, folder / "old");
    CHECK((contents_of(out) == whole));
  }
  std::size_t failed = 0;
  const std::size_t step = std::getenv("WEIR_TEST_FULL") != nullptr ? 1 : 13;
  for (std::size_t k = 1;; k += step) {
    CAPTURE(k);
    const std::string out = folder / "out";
    FaultyFileSystem files;
    files.fail_at = k;
    files.skip_sync = true;
    try {
      update(out, folder / "old", files);
    } catch (const Error& error) {
      CHECK(error.reason() == system_reason(EIO));
      ++failed;
    }
    if (!refusal_of(out)) update(out, folder / "old");
    CHECK((contents_of(out) == whole));
    if (k > files.calls()) break;
    fs::remove_all(out);
  }
  CHECK(failed > 10);
}

TEST_CASE("an earlier catalog that is not what it was ends the update with an error") {
  if (skips_without_parquet("an earlier catalog that is not what it was")) return;
  const Folder folder;
  write_made(folder / "old", old_units);
  const OldCatalog old(folder / "old");
  CatalogWriter writer(folder / "out", "made up", small_parts());
  fs::remove_all(folder / "old");
  write_made(folder / "old", 2);
  CHECK(says(error_of([&] { write_units(writer, new_units, 2, &old); }),
             "it is another catalog now than when the update began"));
}
