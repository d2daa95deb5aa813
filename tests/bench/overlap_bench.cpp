// How much of two cores a streaming write uses, against two peers that anyone would write:
//
//   limit   the CPU time of a plain serial loop over the same work (make, cut, predictor, codec, write), perfectly spread
//           over the threads. Ratio 1.00 is the physical limit; the bar is 1.08 for zstd 3 and deflate 6.
//   peer    the wall time of a plain loop on as many threads: each takes the next chunk, makes, cuts and encodes it, waits
//           for its turn to take its place in the file, and writes there, beside the others. On one thread it is the serial
//           loop. Without a codec the memory and the page cache are the limit, which two threads share: no loop reaches
//           half of one thread's time there, and the bar is 1.10 of the peer.
//
//   build/bench/overlap_bench [FOLDER [SIDE [ROUNDS [WORDS]]]]      default: /dev/shm 8192 5, all rows
//
// WORDS: only rows whose name contains it ("none", "strips"). Prints medians of interleaved rounds.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "framework/machine.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "nodes/tiff/tiff_writer.hpp"
#include "pipelines/write_geotiff.hpp"

namespace {

using namespace weir;

struct Times {
  double wall = 0, cpu = 0;
};

Times timed(const std::function<void()>& work) {
  const double cpu = process_cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          process_cpu_seconds() - cpu};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// How the pieces (tiles or strips) of a file are made, by anyone's loop. Chunk rows are as high as tiles, or chunks as
/// wide as strips: a chunk is a run of whole pieces that follow each other in the file.
class Pieces {
 public:
  Pieces(const ChunkSource& source, const WriteGeotiffOptions& options) : source_(source) {
    layout_.info = source.info();
    layout_.tiled = !options.strip_rows;
    layout_.tile_height = options.strip_rows.value_or(options.tile_height);
    layout_.tile_width = options.strip_rows ? layout_.info.width : options.tile_width;
    layout_.codec = options.codec.id;
    layout_.predictor = *options.predictor;
    codec_ = resolved(options.codec);
    raw_bytes_ = layout_.tile_height * layout_.tile_width * layout_.info.pixel_bytes();
    layout_.max_tile_bytes = max_encoded_bytes(codec_, raw_bytes_);
  }
  const TiffOutputLayout& layout() const { return layout_; }
  std::uint64_t chunks() const { return source_.grid().count(); }
  std::uint64_t pieces_of_chunk() const {
    return source_.grid().rows.largest() * source_.grid().cols.largest() /
           (layout_.tile_height * layout_.tile_width);
  }

  /// What one thread keeps.
  struct Hands {
    explicit Hands(const Pieces& pieces)
        : raw(pieces.raw_bytes_),
          row(pieces.layout_.tile_width * pieces.layout_.info.pixel_bytes()),
          encoder(pieces.codec_.id == CodecId::none
                      ? nullptr
                      : make_encoder(pieces.codec_, pieces.raw_bytes_, context.scratch())),
          local(pieces.source_.make_local(context.scratch())) {}
    Context context;
    std::vector<std::byte> raw, row;
    std::unique_ptr<Encoder> encoder;
    std::unique_ptr<ChunkSource::Local> local;
  };

  /// Makes a chunk and calls piece(cut and encode it to `out`, and say its size) for each of its pieces.
  void make(std::uint64_t chunk, Hands& hands,
            const std::function<void(const std::function<std::size_t(std::span<std::byte>)>&)>& piece) const {
    const std::uint64_t cols = source_.grid().cols.count();
    Band band;
    auto block = std::make_shared<Block>(
        source_.decode({chunk / cols, chunk % cols}, {}, hands.local.get(), hands.context));
    band.window = block->window;
    band.blocks.push_back(block);
    const Fill fill = fill_for(layout_.info);
    const RowLayout rows{layout_.tile_width, layout_.info.samples,
                         static_cast<std::uint32_t>(bytes_of(layout_.info.type))};
    for (std::uint64_t row = 0; row < band.window.height; row += layout_.tile_height)
      for (std::uint64_t col = 0; col < band.window.width; col += layout_.tile_width) {
        const Window window{band.window.row + row, band.window.col + col, layout_.tile_height,
                            layout_.tile_width};
        piece([&](std::span<std::byte> out) {
          if (!hands.encoder) {
            cut_tile(band, window, 0, layout_.info.samples, fill, out.data());
            return static_cast<std::size_t>(raw_bytes_);
          }
          cut_tile(band, window, 0, layout_.info.samples, fill, hands.raw.data());
          apply_predictor(layout_.predictor, rows, hands.raw, hands.row);
          return hands.encoder->encode(hands.raw, out);
        });
      }
  }

 private:
  const ChunkSource& source_;
  TiffOutputLayout layout_;
  CodecSpec codec_;
  std::uint64_t raw_bytes_ = 0;
};

/// The same file by a serial loop.
void plain_loop(const Pieces& pieces, const std::string& path) {
  TiffWriter writer(pieces.layout(), path, true);
  Pieces::Hands hands(pieces);
  EncodedTiles tile;
  tile.bytes = hands.context.buffer(pieces.layout().max_tile_bytes);
  for (std::uint64_t chunk = 0; chunk < pieces.chunks(); ++chunk)
    pieces.make(chunk, hands, [&](const auto& encode) {
      tile.bytes.resize(pieces.layout().max_tile_bytes);
      const std::size_t size = encode(tile.bytes.span());
      tile.bytes.resize(size);
      tile.sizes = {static_cast<std::uint32_t>(size)};
      writer.write(tile);
      ++tile.first_tile;
    });
  writer.close();
}

/// The data of the same file (without its header and directory) by a loop on several threads. A chunk is encoded to a
/// buffer of its thread's, which is used again and again, and written with one call at its place.
void threaded_loop(const Pieces& pieces, const std::string& path, unsigned threads) {
  const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666);
  if (file < 0) throw std::runtime_error("cannot open " + path);
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::condition_variable moved;
  std::uint64_t turn = 0, end = 0;
  const auto work = [&] {
    Pieces::Hands hands(pieces);
    std::vector<std::byte> out(pieces.pieces_of_chunk() * pieces.layout().max_tile_bytes);
    for (std::uint64_t chunk = next++; chunk < pieces.chunks(); chunk = next++) {
      std::size_t used = 0;
      pieces.make(chunk, hands, [&](const auto& encode) { used += encode(std::span(out).subspan(used)); });
      std::uint64_t offset = 0;
      {
        std::unique_lock lock(mutex);
        moved.wait(lock, [&] { return turn == chunk; });
        offset = end;
        end += used;
        ++turn;
      }
      moved.notify_all();
      for (std::size_t done = 0; done < used;) {
        const ssize_t count =
            ::pwrite(file, out.data() + done, used - done, static_cast<off_t>(offset + done));
        if (count <= 0) throw std::runtime_error("cannot write " + path);
        done += static_cast<std::size_t>(count);
      }
    }
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  if (::fsync(file) != 0 || ::close(file) != 0) throw std::runtime_error("cannot finish " + path);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "/dev/shm";
  const std::uint64_t side = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 8192;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  const unsigned cores = usable_cores();
  const std::string words = argc > 4 ? argv[4] : "";
  struct Case {
    const char* name;
    SampleType type;
    CodecSpec codec;
    Predictor predictor;
    unsigned threads;
    bool is_tiled;
  };
  const CodecSpec none{CodecId::none, {}}, zstd1{CodecId::zstd, 1}, zstd3{CodecId::zstd, 3},
      deflate6{CodecId::deflate, 6};
  std::vector<Case> cases = {
      {"uint16 zstd 3", SampleType::uint16, zstd3, Predictor::horizontal, cores, true},
      {"uint16 deflate 6", SampleType::uint16, deflate6, Predictor::horizontal, cores, true},
      {"float32 zstd 3", SampleType::float32, zstd3, Predictor::floating_point, cores, true},
      {"float32 deflate 6", SampleType::float32, deflate6, Predictor::floating_point, cores, true},
      {"uint16 zstd 3", SampleType::uint16, zstd3, Predictor::horizontal, 1, true},
  };
  for (const unsigned threads : {1U, cores})
    for (const bool is_tiled : {true, false}) {
      cases.push_back({is_tiled ? "uint16 none tiles" : "uint16 none strips", SampleType::uint16, none,
                       Predictor::none, threads, is_tiled});
      cases.push_back({is_tiled ? "uint16 zstd 1 tiles" : "uint16 zstd 1 strips", SampleType::uint16, zstd1,
                       Predictor::horizontal, threads, is_tiled});
    }
  fmt::print(
      "terrain {0} x {0}; tiles 256 x 256 of chunks 256 x 1024, strips of 16 rows of chunks 64 x {0}; {1} "
      "cores, {2} rounds, "
      "in {3}\n",
      side, cores, rounds, folder);
  fmt::print("{:<21} {:>7} {:>13} {:>9} {:>8} {:>8} {:>7} {:>9} {:>7}\n", "work", "threads", "loop CPU (s)",
             "limit (s)", "wall (s)", "CPU (s)", "ratio", "peer (s)", "ratio");
  for (const Case& one : cases) {
    if (std::string(one.name).find(words) == std::string::npos) continue;
    TerrainOptions terrain;
    terrain.height = terrain.width = side;
    terrain.type = one.type;
    terrain.chunk_height = one.is_tiled ? 256 : 64;
    terrain.chunk_width = one.is_tiled ? 1024 : side;
    const auto source = std::make_shared<const TerrainSource>(terrain);
    WriteGeotiffOptions options;
    if (!one.is_tiled) options.strip_rows = 16;
    options.codec = one.codec;
    options.predictor = one.predictor;
    options.overwrite = true;
    options.graph.threads = one.threads;
    const Pieces pieces(*source, options);
    const std::string path = folder + "/weir_overlap_bench.tif";
    std::vector<double> loop_cpu, wall, cpu, ratio, peer_wall, peer_ratio;
    for (int round = 0; round < rounds; ++round) {
      // Throwing a file away costs as much as writing it: nobody does it on the clock.
      const auto fresh = [&](const std::function<void()>& work) {
        std::filesystem::remove(path);
        return timed(work);
      };
      const Times loop = fresh([&] { plain_loop(pieces, path); });
      const Times peer = one.threads == 1 ? loop : fresh([&] { threaded_loop(pieces, path, one.threads); });
      const Times ours = fresh([&] { write_geotiff(source, path, options); });
      loop_cpu.push_back(loop.cpu);
      wall.push_back(ours.wall);
      cpu.push_back(ours.cpu);
      ratio.push_back(ours.wall / (loop.cpu / one.threads));
      peer_wall.push_back(peer.wall);
      peer_ratio.push_back(ours.wall / peer.wall);
    }
    std::filesystem::remove(path);
    fmt::print("{:<21} {:>7} {:>13.2f} {:>9.2f} {:>8.2f} {:>8.2f} {:>7.3f} {:>9.2f} {:>7.3f}\n", one.name,
               one.threads, median(loop_cpu), median(loop_cpu) / one.threads, median(wall), median(cpu),
               median(ratio), median(peer_wall), median(peer_ratio));
    std::fflush(stdout);
  }
}
