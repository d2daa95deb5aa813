#pragma once

#include <doctest/doctest.h>
#include <tiffio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/context.hpp"
#include "framework/error.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/tiff/tiff_output_layout.hpp"
#include "nodes/tiff/tiff_writer.hpp"
#include "tests/text_support.hpp"

// What tests of TIFF files share: rasters out of nothing, tiles without our codecs, and libtiff as the
// reader.

namespace weir::test {

/// A folder of its own, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "weir_test_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder for tests");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline std::vector<std::byte> file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

/// Pixel-interleaved samples that differ from their neighbours, reproducibly; finite where floating.
inline std::vector<std::byte> made_pixels(const RasterInfo& info) {
  std::vector<std::byte> pixels(info.height * info.width * info.pixel_bytes());
  with_sample_type(info.type, [&](auto zero) {
    using Sample = decltype(zero);
    for (std::uint64_t i = 0; i < pixels.size() / sizeof(Sample); ++i) {
      const auto sample = static_cast<Sample>((i * 2654435761u >> 7) % 251);
      std::memcpy(pixels.data() + i * sizeof(Sample), &sample, sizeof(Sample));
    }
  });
  return pixels;
}

inline std::vector<std::byte> encoded(CodecId codec, const std::vector<std::byte>& raw) {
  std::vector<std::byte> out;
  if (codec == CodecId::none) {
    out = raw;
  } else if (codec == CodecId::deflate) {
    uLongf size = compressBound(raw.size());
    out.resize(size);
    REQUIRE(compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
                      raw.size(), 6) == Z_OK);
    out.resize(size);
  } else {
    REQUIRE(codec == CodecId::zstd);
    out.resize(ZSTD_compressBound(raw.size()));
    const std::size_t size = ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), 3);
    REQUIRE(ZSTD_isError(size) == 0);
    out.resize(size);
  }
  return out;
}

/// Raw bytes of one tile or strip: overhanging tiles end in zeros, the last strip is short.
inline std::vector<std::byte> cut_tile(const TiffOutputLayout& layout, const std::vector<std::byte>& pixels,
                                       std::uint64_t tile_row, std::uint32_t plane, std::uint64_t tile_col) {
  const RasterInfo& info = layout.info;
  const std::size_t sample = bytes_of(info.type);
  const bool separate = layout.tiles().planes > 1;
  const std::size_t piece = separate ? sample : info.pixel_bytes();  // of one pixel in the tile
  const std::uint64_t first_row = tile_row * layout.tile_height, first_col = tile_col * layout.tile_width;
  const std::uint64_t rows = std::min(layout.tile_height, info.height - first_row);
  const std::uint64_t cols = std::min(layout.tile_width, info.width - first_col);
  std::vector<std::byte> tile((layout.tiled ? layout.tile_height : rows) * layout.tile_width * piece);
  for (std::uint64_t row = 0; row < rows; ++row)
    for (std::uint64_t col = 0; col < cols; ++col)
      std::memcpy(tile.data() + (row * layout.tile_width + col) * piece,
                  pixels.data() + ((first_row + row) * info.width + first_col + col) * info.pixel_bytes() +
                      (separate ? plane * sample : 0),
                  piece);
  return tile;
}

/// A run of tiles; an empty one is sparse.
inline EncodedTiles tile_run(std::uint64_t first, const std::vector<std::vector<std::byte>>& tiles) {
  EncodedTiles run;
  run.first_tile = first;
  std::vector<std::byte> all;
  for (const auto& tile : tiles) {
    run.sizes.push_back(static_cast<std::uint32_t>(tile.size()));
    all.insert(all.end(), tile.begin(), tile.end());
  }
  run.bytes = Context().buffer(all.size());
  std::ranges::copy(all, run.bytes.data());
  return run;
}

/// All tiles of a raster in file order.
inline std::vector<std::vector<std::byte>> all_tiles(const TiffOutputLayout& layout,
                                                     const std::vector<std::byte>& pixels) {
  const TileLayout grid = layout.tiles();
  std::vector<std::vector<std::byte>> tiles;
  for (std::uint64_t row = 0; row < grid.tile_rows(); ++row)
    for (std::uint32_t plane = 0; plane < grid.planes; ++plane)
      for (std::uint64_t col = 0; col < grid.tile_cols(); ++col)
        tiles.push_back(encoded(layout.codec, cut_tile(layout, pixels, row, plane, col)));
  return tiles;
}

/// A TIFF opened by libtiff. Its warnings and errors are kept, and fail the test that did not look at them.
class LibTiff {
 public:
  explicit LibTiff(const std::string& path) {
    TIFFOpenOptions* options = TIFFOpenOptionsAlloc();
    REQUIRE(options != nullptr);
    TIFFOpenOptionsSetWarningHandlerExtR(options, keep, &messages_);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep, &messages_);
    tiff_ = TIFFOpenExt(path.c_str(), "rc", options);  // c: one strip stays one strip
    TIFFOpenOptionsFree(options);
    if (tiff_ == nullptr) FAIL("libtiff cannot open " << path << ": " << messages_);
  }
  ~LibTiff() {
    CHECK(messages_ == "");
    TIFFClose(tiff_);
  }
  LibTiff(const LibTiff&) = delete;
  LibTiff& operator=(const LibTiff&) = delete;

  TIFF* get() const { return tiff_; }
  const std::string& messages() const { return messages_; }

  template <class T>
  T value(std::uint32_t tag) const {
    T value{};
    CHECK_MESSAGE(TIFFGetField(tiff_, tag, &value) == 1, "tag " << tag << " is missing");
    return value;
  }
  bool has(std::uint32_t tag) const {
    void* a = nullptr;
    void* b = nullptr;
    void* c = nullptr;
    return TIFFGetField(tiff_, tag, &a, &b, &c) == 1;
  }
  /// The values of a tag that libtiff counts (all that it does not know by name).
  template <class T>
  std::vector<T> values(std::uint32_t tag) const {
    const TIFFField* field = TIFFFindField(tiff_, tag, TIFF_ANY);
    if (field == nullptr) return {};
    const T* data = nullptr;
    std::uint32_t count = 0;
    if (TIFFFieldReadCount(field) == TIFF_VARIABLE2) {
      if (TIFFGetField(tiff_, tag, &count, &data) != 1) return {};
    } else {
      std::uint16_t short_count = 0;
      if (TIFFGetField(tiff_, tag, &short_count, &data) != 1) return {};
      count = short_count;
    }
    return {data, data + count};
  }

  /// All pixels, interleaved, through TIFFReadEncodedTile or TIFFReadEncodedStrip.
  std::vector<std::byte> pixels(const RasterInfo& info) const {
    const bool tiled = TIFFIsTiled(tiff_) != 0;
    const std::uint64_t tile_height =
        std::min<std::uint64_t>(value<std::uint32_t>(tiled ? TIFFTAG_TILELENGTH : TIFFTAG_ROWSPERSTRIP),
                                tiled ? UINT32_MAX : info.height);
    const std::uint64_t tile_width = tiled ? value<std::uint32_t>(TIFFTAG_TILEWIDTH) : info.width;
    const bool separate = value<std::uint16_t>(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
    const std::size_t sample = bytes_of(info.type), piece = separate ? sample : info.pixel_bytes();
    const TileLayout grid{info.height, info.width, tile_height, tile_width, separate ? info.samples : 1};
    std::vector<std::byte> pixels(info.height * info.width * info.pixel_bytes()),
        tile(tile_height * tile_width * piece);
    std::uint32_t index = 0;
    for (std::uint32_t plane = 0; plane < grid.planes; ++plane)
      for (std::uint64_t row = 0; row < grid.tile_rows(); ++row)
        for (std::uint64_t col = 0; col < grid.tile_cols(); ++col, ++index) {
          const std::uint64_t rows = std::min(tile_height, info.height - row * tile_height);
          const std::uint64_t cols = std::min(tile_width, info.width - col * tile_width);
          const auto wanted = static_cast<tmsize_t>((tiled ? tile_height : rows) * tile_width * piece);
          const tmsize_t got = tiled ? TIFFReadEncodedTile(tiff_, index, tile.data(), wanted)
                                     : TIFFReadEncodedStrip(tiff_, index, tile.data(), wanted);
          REQUIRE_MESSAGE(got == wanted, "tile " << index << ": " << messages_);
          for (std::uint64_t r = 0; r < rows; ++r)
            for (std::uint64_t c = 0; c < cols; ++c)
              std::memcpy(
                  pixels.data() +
                      ((row * tile_height + r) * info.width + col * tile_width + c) * info.pixel_bytes() +
                      plane * (separate ? sample : 0),
                  tile.data() + (r * tile_width + c) * piece, piece);
        }
    return pixels;
  }

 private:
  __attribute__((format(printf, 4, 0))) static int keep(TIFF*, void* messages, const char* module,
                                                        const char* format, va_list arguments) {
    // Geo tags and tags of others are unknown to plain libtiff; it reads them all the same.
    if (std::strstr(format, "Unknown field with tag") != nullptr) return 1;
    char text[512];
    if (std::vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    *static_cast<std::string*>(messages) += std::string(module != nullptr ? module : "") + ": " + text + "\n";
    return 1;
  }

  std::string messages_;
  TIFF* tiff_ = nullptr;
};

using Bytes = std::vector<std::byte>;

inline TiffOutputLayout layout_of(std::uint64_t height, std::uint64_t width, std::uint32_t samples = 1,
                                  SampleType type = SampleType::uint8) {
  TiffOutputLayout layout;
  layout.info.height = height;
  layout.info.width = width;
  layout.info.samples = samples;
  layout.info.type = type;
  layout.tile_height = 16;
  layout.tile_width = 32;
  layout.max_tile_bytes = 1 << 16;
  return layout;
}

inline TiffOutputLayout strips_of(TiffOutputLayout layout, std::uint64_t rows) {
  layout.tiled = false;
  layout.tile_height = rows;
  layout.tile_width = layout.info.width;
  return layout;
}

inline void write_all(const TiffOutputLayout& layout, const std::string& path,
                      const std::vector<Bytes>& tiles, std::size_t run = 3) {
  TiffWriter writer(layout, path, true);
  for (std::size_t first = 0; first < tiles.size(); first += run) {
    const std::size_t last = std::min(first + run, tiles.size());
    writer.write(tile_run(first, {tiles.begin() + static_cast<std::ptrdiff_t>(first),
                                  tiles.begin() + static_cast<std::ptrdiff_t>(last)}));
  }
  writer.close();
  CHECK(writer.bytes_written() == std::filesystem::file_size(path));
}

inline std::string reason_of(const auto& function, ErrorKind kind) {
  try {
    function();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
  FAIL("nothing was thrown");
  return "";
}

template <class T>
T number_at(const Bytes& file, std::uint64_t at) {
  T value{};
  REQUIRE(at + sizeof value <= file.size());
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

// A second opinion beside libtiff: the entries as they stand in the file.
struct Entry {
  std::uint16_t type = 0;
  std::uint64_t count = 0, at = 0;
  Bytes bytes;
};
inline std::map<std::uint16_t, Entry> entries_of(const Bytes& file) {
  const bool big = number_at<std::uint16_t>(file, 2) == 43;
  const auto word = [&](std::uint64_t at) {
    return big ? number_at<std::uint64_t>(file, at) : number_at<std::uint32_t>(file, at);
  };
  std::uint64_t at = word(big ? 8 : 4);
  const std::uint64_t count = big ? number_at<std::uint64_t>(file, at) : number_at<std::uint16_t>(file, at);
  at += big ? 8 : 2;
  std::map<std::uint16_t, Entry> entries;
  for (std::uint64_t i = 0; i < count; ++i, at += big ? 20 : 12) {
    const auto id = number_at<std::uint16_t>(file, at);
    CHECK_MESSAGE((entries.empty() || entries.rbegin()->first < id), "tag " << id << " is out of order");
    constexpr std::uint64_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    Entry entry{number_at<std::uint16_t>(file, at + 2), word(at + 4), at + (big ? 12 : 8), {}};
    REQUIRE(entry.type <= 18);
    const std::uint64_t bytes = sizes[entry.type] * entry.count;
    if (bytes > (big ? 8 : 4)) entry.at = word(entry.at);
    CHECK(entry.at % 2 == 0);
    REQUIRE(entry.at + bytes <= file.size());
    const auto first = file.begin() + static_cast<std::ptrdiff_t>(entry.at);
    entry.bytes.assign(first, first + static_cast<std::ptrdiff_t>(bytes));
    entries.emplace(id, std::move(entry));
  }
  CHECK(word(at) == 0);
  return entries;
}

inline std::vector<std::uint64_t> numbers(const Entry& entry) {
  std::vector<std::uint64_t> values(entry.count, 0);
  const std::size_t size = entry.bytes.size() / entry.count;
  for (std::size_t i = 0; i < values.size(); ++i)
    std::memcpy(&values[i], entry.bytes.data() + i * size, size);
  return values;
}

inline RawTag raw_tag(std::uint16_t id, TiffType type, std::uint64_t count, std::size_t value_bytes) {
  RawTag tag{id, static_cast<std::uint16_t>(type), count, Bytes(count * value_bytes)};
  for (std::size_t i = 0; i < tag.bytes.size(); ++i) tag.bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return tag;
}

template <class T>
RawTag tag_of(std::uint16_t id, TiffType type, const std::vector<T>& values) {
  RawTag tag{id, static_cast<std::uint16_t>(type), values.size(), Bytes(values.size() * sizeof(T))};
  std::memcpy(tag.bytes.data(), values.data(), tag.bytes.size());
  return tag;
}

}  // namespace weir::test
