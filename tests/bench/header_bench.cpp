// What a TIFF header costs on one core: open + one pread + a walk of the directories, beside libtiff's, on the same files in the same
// run; parse and row alone; two threads.
//
//   build/bench/header_bench make FOLDER [FILES]     makes FILES (2,000) COG-like files: 6 directories, 11 KB of header and pixels
//   build/bench/header_bench FOLDER [ROUNDS]         microseconds a file, the best of ROUNDS (5)
//
// tests/bench/header_bench.py runs tifffile, GDAL and rasterio over the same folder.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "nodes/headers/header_rows.hpp"

namespace {

using namespace weir;

[[noreturn]] void fail(const std::string& reason) {
  fmt::print(stderr, "header_bench: {}\n", reason);
  std::exit(1);
}

/// As GDAL lays out a COG of 10,980 x 10,980 pixels of a Sentinel-2 band, without its pixels: directories in front.
void make(const std::string& path, int number) {
  TIFF* tiff = TIFFOpen(path.c_str(), "w");
  if (tiff == nullptr) fail("cannot write " + path);
  for (std::uint32_t level = 0; level < 6; ++level) {
    const std::uint32_t size = 10980U >> level;
    TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, level > 0 ? FILETYPE_REDUCEDIMAGE : 0);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, size);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, size);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 16);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(tiff, TIFFTAG_PREDICTOR, 2);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 1024);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, 1024);
    if (level == 0) {
      static const std::array<TIFFFieldInfo, 5> fields = {{
          {33550, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("ModelPixelScale")},
          {33922, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("ModelTiepoint")},
          {34735, -1, -1, TIFF_SHORT, FIELD_CUSTOM, 1, 1, const_cast<char*>("GeoKeyDirectory")},
          {34737, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("GeoAsciiParams")},
          {42113, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("GDAL_NODATA")},
      }};
      TIFFMergeFieldInfo(tiff, fields.data(), static_cast<std::uint32_t>(fields.size()));
      const std::array<double, 3> scale = {10, 10, 0};
      const std::array<double, 6> tiepoint = {0, 0, 0, 300'000.0 + 60 * (number % 5000), 5'300'040, 0};
      const std::array<std::uint16_t, 32> keys = {
          1,    1,    0,    7,     1024, 0,    1,
          1,    1025, 0,    1,     1,    1026, 34737,
          22,   0,    2049, 34737, 7,    22,   2054,
          0,    1,    9102, 3072,  0,    1,    static_cast<std::uint16_t>(32601 + number % 60),
          3076, 0,    1,    9001};
      TIFFSetField(tiff, 33550, 3, scale.data());
      TIFFSetField(tiff, 33922, 6, tiepoint.data());
      TIFFSetField(tiff, 34735, 32, keys.data());
      TIFFSetField(tiff, 34737, "WGS 84 / UTM zone 33N|WGS 84|");
      TIFFSetField(tiff, 42113, "0");
    }
    if (TIFFWriteCheck(tiff, 1, "header_bench") == 0 || TIFFWriteDirectory(tiff) == 0)
      fail("cannot write " + path);
  }
  TIFFClose(tiff);
}

/// Microseconds a file, of `threads` threads together.
struct Cost {
  double wall = 1e9, cpu = 1e9;
};

Cost cost_of(const std::vector<std::string>& files, const std::function<void(const std::string&)>& each,
             unsigned threads) {
  const auto cpu_seconds = [] {
    std::timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  };
  const double cpu = cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::jthread> running;
  for (unsigned t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      for (std::size_t i = t; i < files.size(); i += threads) each(files[i]);
    });
  running.clear();
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  const auto count = static_cast<double>(files.size());
  return {took.count() / count, 1e6 * (cpu_seconds() - cpu) / count};
}

struct OpenFile {
  explicit OpenFile(const std::string& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct ::stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0) fail("cannot open " + path);
    size = static_cast<std::uint64_t>(status.st_size);
  }
  ~OpenFile() { ::close(fd); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) const {
    const ssize_t got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0) fail("cannot read");
    return static_cast<std::size_t>(got);
  }
  int fd;
  std::uint64_t size = 0;
};

constexpr std::size_t prefix_bytes = 16 << 10;

TiffHeader walk(const std::string& path) {
  thread_local std::vector<std::byte> prefix(prefix_bytes);
  const OpenFile file(path);
  HeaderBytes bytes;
  bytes.add(0, std::span(prefix).first(file.read(0, prefix)));
  HeaderReader reader(file.size);
  std::vector<std::vector<std::byte>> more;
  for (std::vector<ByteRange> wanted = reader.read(bytes); !wanted.empty(); wanted = reader.read(bytes))
    for (const ByteRange& range : wanted) {
      more.emplace_back(range.bytes);
      file.read(range.offset, more.back());
      bytes.add(range.offset, more.back());
    }
  return reader.take();
}

void walk_by_libtiff(const std::string& path) {
  TIFF* tiff = TIFFOpen(path.c_str(), "r");
  if (tiff == nullptr) fail("libtiff cannot open " + path);
  while (TIFFReadDirectory(tiff) != 0) {
  }
  TIFFClose(tiff);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) fail("say a folder");
  if (arguments[0] == "make") {
    if (arguments.size() < 2) fail("say a folder");
    std::filesystem::create_directories(arguments[1]);
    const int files = arguments.size() > 2 ? std::stoi(arguments[2]) : 2000;
    for (int i = 0; i < files; ++i) make(fmt::format("{}/{:06}.tif", arguments[1], i), i);
    return 0;
  }
  const int rounds = arguments.size() > 1 ? std::stoi(arguments[1]) : 5;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[0])) files.push_back(entry.path());
  std::ranges::sort(files);
  if (files.empty()) fail("there are no files in " + arguments[0]);
  TIFFSetWarningHandler(nullptr);

  const auto print = [&](const char* name, const std::function<void(const std::string&)>& each) {
    Cost one, two;
    for (int round = 0; round < rounds; ++round)
      for (const unsigned threads : {1U, 2U}) {
        const Cost cost = cost_of(files, each, threads);
        Cost& best = threads == 1 ? one : two;
        best = {std::min(best.wall, cost.wall), std::min(best.cpu, cost.cpu)};
      }
    fmt::print("{:<42} {:>8.2f} {:>8.2f} {:>8.2f} {:>8.2f}\n", name, one.wall, one.cpu, two.wall, two.cpu);
  };
  fmt::print("{:<42} {:>17} {:>17}\n{:<42} {:>8} {:>8} {:>8} {:>8}\n", "", "1 thread", "2 threads",
             fmt::format("{} files, us a file", files.size()), "wall", "CPU", "wall", "CPU");
  print("weir: open, one pread, directories", [](const std::string& path) { walk(path); });
  print("weir: the same, and the row", [](const std::string& path) { header_rows({path, 1}, walk(path)); });
  print("libtiff: TIFFOpen, TIFFReadDirectory ...", walk_by_libtiff);

  // In memory.
  std::vector<std::byte> file(prefix_bytes);
  const OpenFile first(files[0]);
  file.resize(first.read(0, file));
  HeaderBytes bytes;
  bytes.add(0, file);
  print("weir: directories, in memory", [&](const std::string&) {
    HeaderReader reader(first.size);
    reader.read(bytes);
    reader.take();
  });
  HeaderReader reader(first.size);
  reader.read(bytes);
  const TiffHeader header = reader.take();
  print("weir: the row of a header, always the same", [&](const std::string&) {
    header_rows({"a.tif", 1}, header);
  });
  // Every row in another place: nothing that a thread remembers helps.
  std::vector<TiffHeader> headers;
  for (const std::string& path : files) headers.push_back(walk(path));
  print("weir: rows of these headers", [&](const std::string& path) {
    const auto index = static_cast<std::size_t>(&path - files.data());
    header_rows({"a.tif", 1}, headers[index]);
  });
  return 0;
}
