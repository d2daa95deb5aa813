#include <doctest/doctest.h>

#include "nodes/headers/catalog_reader.hpp"
#include "nodes/headers/catalog_writer.hpp"
#include "tests/file_support.hpp"
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
