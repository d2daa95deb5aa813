// Uses an installed weir::headers: a catalog of one row, where that build has Parquet. Its Arrow may be a copy that was installed with it.
#include <cstdio>
#include <filesystem>
#include <span>
#include <weir/nodes/headers/catalog_reader.hpp>
#include <weir/nodes/headers/catalog_writer.hpp>

int main() {
  if (!weir::has_parquet()) {
    std::printf("no catalogs: %s\n", weir::why_no_parquet().c_str());
    return 0;
  }
  std::filesystem::remove_all("catalog");
  weir::HeaderRow row;
  row.object = {"a.tif", 1000};
  weir::CatalogWriter writer("catalog", "outside", {});
  writer.add(std::span(&row, 1), {}, "");
  writer.finish();
  return weir::CatalogReader("catalog").next(10).size() == 1 ? 0 : 1;
}
