// The headers of a folder's TIFF files, into a sink of our own instead of Parquet: what is larger than a megapixel.
//
//   list ──► fetch ──► parse ──► large
//
// The nodes are those of `weir headers`; with "s3://bucket" for the folder they list and fetch a bucket, several ranges of keys and
// hundreds of requests at once.
//
// Output:
//   scenes/large.tif: 2000 x 1500, uint of 16 bits
//   3 files listed, 1 of them is no TIFF

#include <filesystem>
#include <fstream>
#include <iostream>

#include "nodes/headers/catalog_nodes.hpp"
#include "nodes/headers/parse_headers.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "pipelines/write_geotiff.hpp"

namespace {

void write_scene(const std::string& path, std::uint64_t width, std::uint64_t height) {
  weir::TerrainOptions terrain;
  terrain.width = width;
  terrain.height = height;
  terrain.type = weir::SampleType::uint16;
  weir::WriteGeotiffOptions options;
  options.overwrite = true;
  weir::write_geotiff(std::make_shared<const weir::TerrainSource>(terrain), path, options);
}

/// Called in the order of the listing, 32 files at a time.
struct TellLarge {
  std::uint64_t* broken;
  void operator()(const weir::RowBatch& batch) {
    for (const weir::HeaderRow& row : batch.rows)
      if (row.image_width.value_or(0) * row.image_height.value_or(0) > 1'000'000)
        std::cout << row.object.path << ": " << *row.image_width << " x " << *row.image_height << ", uint of "
                  << row.bits_per_sample->front() << " bits\n";
    *broken += batch.errors.size();
  }
};

}  // namespace

int main() try {
  std::filesystem::create_directory("scenes");
  write_scene("scenes/large.tif", 2000, 1500);
  write_scene("scenes/small.tif", 300, 200);
  std::ofstream("scenes/zero.tif") << "no picture";

  weir::CatalogConfig config;
  config.store = ".";
  config.prefixes = {"scenes"};
  const auto store = weir::open_catalog_store(config);
  const auto listing = std::make_shared<weir::CatalogListing>(config, store);
  const auto counts = std::make_shared<weir::FetchCounts>();
  const weir::GraphOptions limits = weir::catalog_limits({}, config, *store);
  const weir::FetchHeaders fetch(*store, weir::fetch_options(config, *store, limits), counts);
  std::uint64_t broken = 0;

  weir::Graph graph(limits);
  const auto keys =
      graph.source<weir::KeyBatch>("list", weir::ListHeaders{listing}, weir::list_node(listing));
  const auto fetched = graph.transform<weir::FetchedBatch>("fetch", keys, fetch, weir::fetch_node(fetch));
  const auto rows =
      graph.transform<weir::RowBatch>("parse", fetched, weir::ParseHeaders{}, weir::parse_node(limits));
  graph.ordered_sink("large", rows, TellLarge{&broken});
  graph.run();
  std::cout << listing->lister().listed() << " files listed, " << broken << " of them is no TIFF\n";
} catch (const weir::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
