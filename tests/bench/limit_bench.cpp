// The physical limit of a file's way through the program, and the program beside it: one measurement of each, as a line of
// JSON, for scripts that interleave them with other programs (tests/bench/run.sh).
//
//   limit_bench write IN.tif OUT.tif CODEC LEVEL PREDICTOR THREADS STRIP_ROWS
//   limit_bench read IN.tif THREADS [WINDOWS SIDE]
//
// LEVEL 0: the codec's default; STRIP_ROWS 0: tiles of 256. All times in seconds; files are read from the page cache.
//
//   loop_cpu   CPU of a plain serial loop over the same tiles: read, decode, cut, predictor, encode, write, in memory
//              that is used again and again. Over the threads, perfectly spread, it is the limit.
//   wall, cpu  of write_geotiff, or of read_geotiff into memory that was touched before.
//   plain_wall of reads: one thread that reads the file's bytes into the same memory, and does nothing else.
//
// With WINDOWS, so many squares of SIDE pixels are read from one open source, one after the other. Each lies in a square of the
// image of its own, with its edges off those of tiles, so that no tile is decoded twice.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string_view>

#include "nodes/tiff/tiff_source.hpp"
#include "pipelines/read_geotiff.hpp"
#include "tests/bench/plain_loop.hpp"

namespace {

using namespace weir;
using namespace weir::bench;

CodecSpec codec_named(std::string_view name, int level) {
  for (const CodecId id : {CodecId::none, CodecId::deflate, CodecId::zstd, CodecId::lzw})
    if (name_of(id) == name) return {id, level > 0 ? std::optional(level) : std::nullopt};
  throw Error::usage("use", std::string(name), "codecs here are none, deflate, zstd and lzw");
}

void write(const std::string& in, const std::string& out, const CodecSpec& codec, int predictor,
           unsigned threads, std::uint64_t strip_rows) {
  WriteGeotiffOptions options;
  if (strip_rows > 0) options.strip_rows = strip_rows;
  options.codec = codec;
  options.predictor = static_cast<Predictor>(predictor);
  options.overwrite = true;
  options.pass_through = PassThrough::never;
  options.graph.threads = threads;
  options.graph.memory = 64 << 20;
  TiffReadOptions loop_reads;  // chunks that are runs of whole tiles or strips
  if (strip_rows > 0) loop_reads.chunk_width = std::uint64_t{1} << 40;
  const TiffSource source(in, loop_reads);
  const auto run_of = [&](const std::function<void()>& work) {
    std::filesystem::remove(
        out);  // throwing a file away costs as much as writing it: nobody does it on the clock
    return timed(work);
  };
  const Pieces pieces(source, options);
  const Times loop = run_of([&] { plain_loop(pieces, out); });
  const Times ours = run_of([&] { write_geotiff(std::make_shared<TiffSource>(in), out, options); });
  fmt::print("{{\"loop_cpu\": {:.6f}, \"wall\": {:.6f}, \"cpu\": {:.6f}, \"bytes\": {}}}\n", loop.cpu,
             ours.wall, ours.cpu, std::filesystem::file_size(out));
}

std::vector<Window> windows_of(const RasterInfo& info, std::uint64_t count, std::uint64_t side) {
  if (count == 0) return {{0, 0, info.height, info.width}};
  const auto across = static_cast<std::uint64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  std::vector<Window> windows;
  for (std::uint64_t i = 0; i < count; ++i)
    windows.push_back(
        {info.height / across * (i / across) + 70, info.width / across * (i % across) + 100, side, side});
  return windows;
}

/// Decodes the tiles that the windows touch, one by one, into memory that is used again and again.
void decode_all(const TiffSource& source, const std::vector<Window>& windows) {
  const Context context;
  const auto local = source.make_local(context.scratch());
  const ChunkGrid& grid = source.grid();
  for (const Window& window : windows)
    for (std::uint64_t row = grid.rows.piece_at(window.row); row <= grid.rows.piece_at(window.row_end() - 1);
         ++row)
      for (std::uint64_t col = grid.cols.piece_at(window.col);
           col <= grid.cols.piece_at(window.col_end() - 1); ++col)
        (void)source.decode({row, col}, source.fetch({row, col}, context), local.get(), context);
}

void plain_read(const std::string& path, std::vector<std::byte>& to) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw std::runtime_error("cannot open " + path);
  for (std::size_t done = 0;;) {
    const ssize_t count = ::read(file, to.data() + done, std::min<std::size_t>(to.size() - done, 1 << 20));
    if (count < 0) throw std::runtime_error("cannot read " + path);
    if (count == 0) break;
    done = (done + static_cast<std::size_t>(count)) % to.size();
  }
  ::close(file);
}

void read(const std::string& path, unsigned threads, std::uint64_t count, std::uint64_t side) {
  TiffReadOptions tile_by_tile;
  tile_by_tile.chunk_height = tile_by_tile.chunk_width = 1;
  const TiffSource tiles(path, tile_by_tile);
  const RasterInfo info = tiles.info();
  const std::vector<Window> windows = windows_of(info, count, side);
  std::vector<std::byte> target(windows.front().height * windows.front().width * info.pixel_bytes());
  ReadOptions options;
  options.graph.threads = threads;
  const auto ours = [&] {
    const auto into = [&](const Window& window) {
      return ReadTarget{target.data(),
                        {window.width * info.pixel_bytes(), info.pixel_bytes(), bytes_of(info.type)}};
    };
    if (count == 0) {
      read_geotiff(path, windows.front(), into(windows.front()), options);
      return;
    }
    const auto source = std::make_shared<const TiffSource>(path);
    for (const Window& window : windows) read_region(source, window, into(window), options);
  };
  ours();  // the first touches the memory
  const Times loop = timed([&] { decode_all(tiles, windows); });
  const Times read = timed(ours);
  const Times plain = timed([&] { plain_read(path, target); });
  fmt::print(
      "{{\"loop_cpu\": {:.6f}, \"wall\": {:.6f}, \"cpu\": {:.6f}, \"plain_wall\": {:.6f}, \"bytes\": {}}}\n",
      loop.cpu, read.wall, read.cpu, plain.wall, target.size() * windows.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto number = [&](std::size_t i) {
    return i < words.size() ? std::strtoull(words[i].c_str(), nullptr, 10) : 0;
  };
  try {
    if (words.size() == 8 && words[0] == "write")
      write(words[1], words[2], codec_named(words[3], static_cast<int>(number(4))),
            static_cast<int>(number(5)), static_cast<unsigned>(number(6)), number(7));
    else if ((words.size() == 3 || words.size() == 5) && words[0] == "read")
      read(words[1], static_cast<unsigned>(number(2)), number(3), number(4));
    else
      throw Error::usage("run", "limit_bench", "its words are in the first lines of its source");
  } catch (const std::exception& error) {
    fmt::print(stderr, "limit_bench: {}\n", error.what());
    return 1;
  }
}
