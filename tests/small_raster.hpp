#pragma once

// The rasters of the failure and crash tests, and the ways to write them. Without doctest: helper programs
// use it too.

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nodes/raster/function_source.hpp"
#include "nodes/raster/terrain_source.hpp"
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

  std::string text() const {
    return fmt::format("{}, {} temporary, {}", engine == Engine::serial ? "serial" : "oneTBB",
                       is_named ? "named" : "unnamed", overwrite ? "over an old file" : "new file");
  }
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

inline std::vector<WriteWay> write_ways() {
  std::vector<WriteWay> ways;
  for (const Engine engine : {Engine::serial, Engine::onetbb})
    for (const bool is_named : {false, true})
      for (const bool overwrite : {false, true}) ways.push_back({engine, is_named, overwrite});
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

}  // namespace weir::test
