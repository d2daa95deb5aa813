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

#include <atomic>
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

#include "nodes/raster/terrain_source.hpp"
#include "tests/bench/plain_loop.hpp"

namespace {

using namespace weir;
using namespace weir::bench;

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
