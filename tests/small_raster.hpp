#pragma once

// The rasters of the failure and crash tests, and the ways to write them. Without doctest: helper programs
// use it too.

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/raster/function_source.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "pipelines/write_cog.hpp"
#include "pipelines/write_geotiff.hpp"
#include "tests/faulty_file_system.hpp"

namespace weir::test {

/// 96 rows of 80 pixels, chunks of 24 against tiles of 32: chunks straddle tiles, and the right column of
/// tiles overhangs. 16 chunks, 9 tiles.
inline RasterInfo small_info() {
  RasterInfo info;
  info.height = 96;
  info.width = 80;
  info.type = SampleType::uint16;
  return info;
}
inline std::uint16_t small_value(std::uint64_t row, std::uint64_t col) {
  return static_cast<std::uint16_t>(row * 131 + col * col * 7);
}
constexpr std::uint64_t small_chunks = 16;

inline std::shared_ptr<const ChunkSource> small_source() {
  return std::make_shared<const FunctionSource>(
      small_info(), 24, 24,
      each_sample(small_info(),
                  [](std::uint64_t row, std::uint64_t col, std::uint32_t) { return small_value(row, col); }));
}

/// One way to write the small raster.
struct WriteWay {
  Engine engine = Engine::serial;
  bool is_named = false;  ///< no O_TMPFILE: the temporary has a name
  bool overwrite = false;
  CodecId codec = CodecId::deflate;
  std::optional<CogPacking> cog = {};  ///< as a COG of three levels, packed so; nothing: a plain GeoTIFF

  std::string text() const {
    return fmt::format("{}, {} temporary, {}, {}", engine == Engine::serial ? "serial" : "oneTBB",
                       is_named ? "named" : "unnamed", overwrite ? "over an old file" : "new file",
                       cog ? fmt::format("COG, {}", name_of(*cog)) : "GeoTIFF");
  }
  /// Whether a node is one that writes the file.
  bool is_sink(std::string_view node) const { return cog ? node.starts_with("level") : node == "tif"; }
  void set_up(FaultyFileSystem& files) const {
    files.skip_sync = true;
    if (is_named) files.unnamed_errno = EOPNOTSUPP;
  }
  WriteGeotiffOptions options(FileSystem& files) const {
    WriteGeotiffOptions options;
    options.tile_height = options.tile_width = 32;
    options.codec.id = codec;
    options.codec.engine = codec == CodecId::deflate ? DeflateEngine::zlib : DeflateEngine::automatic;
    options.overwrite = overwrite;
    options.pass_through = PassThrough::never;  // these tests are of decoding and encoding
    options.files = &files;
    options.graph = {.tokens = 3, .threads = engine == Engine::serial ? 1U : 2U, .engine = engine};
    return options;
  }
};

/// The same as a COG.
inline WriteCogOptions as_cog(const WriteGeotiffOptions& options, CogPacking packing) {
  WriteCogOptions cog;
  static_cast<GeotiffOptions&>(cog) = options;
  cog.graph = options.graph;
  cog.packing = packing;
  return cog;
}

inline std::vector<WriteWay> write_ways() {
  std::vector<WriteWay> ways;
  for (const Engine engine : {Engine::serial, Engine::onetbb})
    for (const bool is_named : {false, true})
      for (const bool overwrite : {false, true}) ways.push_back({engine, is_named, overwrite});
  return ways;
}
/// The same for a COG, packed as the file system can, or copied: four ways in which each setting comes twice; all sixteen with
/// WEIR_TEST_FULL.
inline std::vector<WriteWay> cog_ways() {
  const bool is_full = std::getenv("WEIR_TEST_FULL") != nullptr;
  std::vector<WriteWay> ways;
  for (WriteWay way : write_ways())
    for (const CogPacking packing : {CogPacking::automatic, CogPacking::copy}) {
      const bool is_serial = way.engine == Engine::serial, is_copied = packing == CogPacking::copy;
      if (!is_full && (is_serial != way.overwrite || is_copied != (way.is_named == way.overwrite))) continue;
      way.cog = packing;
      ways.push_back(way);
    }
  return ways;
}
inline std::vector<WriteWay> all_ways() {
  std::vector<WriteWay> ways = write_ways();
  for (const WriteWay& way : cog_ways()) ways.push_back(way);
  return ways;
}

/// 9 MiB in 256 chunks: written in some tenths of a second, long enough to be killed in the middle.
inline std::shared_ptr<const ChunkSource> large_source() {
  TerrainOptions terrain;
  terrain.height = terrain.width = 1536;
  terrain.chunk_height = terrain.chunk_width = 96;
  return std::make_shared<const TerrainSource>(terrain);
}
inline WriteGeotiffOptions large_options(const WriteWay& way, FileSystem& files) {
  WriteGeotiffOptions options = way.options(files);
  options.tile_height = options.tile_width = 128;
  options.codec = {CodecId::zstd, 3, DeflateEngine::automatic};
  return options;
}

/// As the way says: a GeoTIFF or a COG.
inline RunReport write_by(const WriteWay& way, const std::shared_ptr<const ChunkSource>& source,
                          const std::string& path, const WriteGeotiffOptions& options,
                          const RunOptions& run = {}) {
  return way.cog ? write_cog(source, path, as_cog(options, *way.cog), run)
                 : write_geotiff(source, path, options, run);
}

}  // namespace weir::test
