// What codecs and predictors cost: raw MB per CPU-second of one core and ratio, on 256x256 tiles of terrain.
// The constants in nodes/codecs come from tables like this one.
//
//   build/bench/codec_bench [TILES [LEVEL_SECONDS]]      default: 32 0.3
//
// Every line is the best of several rounds over the same tiles; LEVEL_SECONDS is about what one line may
// take.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/terrain_source.hpp"

namespace {

using namespace weir;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t side = 256;

double cpu_seconds() {
  std::timespec now{};
  if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
    throw Error("read", "the CPU clock", "clock_gettime failed");
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// CPU-seconds of the fastest round, with as many rounds as fit `budget`, at least 2 unless one takes longer
/// than that.
double fastest(double budget, const std::function<void()>& prepare, const std::function<void()>& work) {
  double best = 1e9, spent = 0;
  do {
    prepare();
    const double start = cpu_seconds();
    work();
    const double taken = cpu_seconds() - start;
    best = std::min(best, taken);
    spent += taken;
  } while (spent < budget);
  return best;
}

struct Tiles {
  std::string name;
  RowLayout layout;
  Predictor predictor = Predictor::none;
  std::vector<Bytes> raw, predicted;
};

Tiles make_tiles(const std::string& name, SampleType type, std::uint32_t samples, Predictor predictor,
                 std::size_t count) {
  Tiles tiles;
  tiles.name = name;
  tiles.predictor = predictor;
  tiles.layout = {side, samples, static_cast<std::uint32_t>(bytes_of(type))};
  TerrainOptions options;
  options.type = type;
  options.height = side;
  options.width = side * count * samples;
  options.chunk_height = options.chunk_width = side;
  const TerrainSource source(options);
  const auto local = source.make_local(Scratch());
  Bytes row(tiles.layout.row_bytes());
  for (std::size_t i = 0; i < count; ++i) {
    Bytes tile(side * tiles.layout.row_bytes());
    for (std::uint32_t sample = 0; sample < samples; ++sample) {
      const Block block = source.decode({0, i * samples + sample}, Buffer(), local.get(), Context());
      for (std::uint64_t r = 0; r < side; ++r)
        for (std::uint64_t c = 0; c < side; ++c)
          std::memcpy(&tile[((r * side + c) * samples + sample) * bytes_of(type)], block.at(r, c),
                      bytes_of(type));
    }
    tiles.raw.push_back(tile);
    apply_predictor(predictor, tiles.layout, tile, row);
    tiles.predicted.push_back(std::move(tile));
  }
  return tiles;
}

double raw_megabytes(const Tiles& tiles) {
  return static_cast<double>(tiles.raw.size() * tiles.raw.front().size()) / 1e6;
}

void bench_predictor(const Tiles& tiles, double budget) {
  Bytes row(tiles.layout.row_bytes());
  std::vector<Bytes> work;
  const double apply = fastest(
      budget, [&] { work = tiles.raw; },
      [&] {
        for (Bytes& tile : work) apply_predictor(tiles.predictor, tiles.layout, tile, row);
      });
  const double undo = fastest(
      budget, [&] { work = tiles.predicted; },
      [&] {
        for (Bytes& tile : work) undo_predictor(tiles.predictor, tiles.layout, tile, row);
      });
  fmt::print("{:<34} {:>9.0f} {:>9.0f}\n", tiles.name, raw_megabytes(tiles) / apply,
             raw_megabytes(tiles) / undo);
}

void bench_codec(const Tiles& tiles, const CodecSpec& given, double budget) {
  const CodecSpec spec = resolved(given);
  const std::size_t raw = tiles.raw.front().size();
  const auto encoder = make_encoder(spec, raw, Scratch());
  const auto decoder = make_decoder(spec.id, Scratch());
  std::vector<Bytes> encoded(tiles.raw.size(), Bytes(max_encoded_bytes(spec, raw)));
  std::vector<std::size_t> bytes(tiles.raw.size());
  Bytes out(raw);
  const double encoding = fastest(
      budget, [] {},
      [&] {
        for (std::size_t i = 0; i < encoded.size(); ++i)
          bytes[i] = encoder->encode(tiles.predicted[i], encoded[i]);
      });
  std::size_t total = 0;
  for (const std::size_t one : bytes) total += one;
  const double decoding = fastest(
      budget, [] {},
      [&] {
        for (std::size_t i = 0; i < encoded.size(); ++i)
          if (decoder->decode(std::span(encoded[i]).first(bytes[i]), out) != raw)
            throw Error("decode", "a tile", "it came back short");
      });
  if (out != tiles.predicted.back()) throw Error("decode", "a tile", "it came back changed");
  const std::string engine = spec.id == CodecId::deflate ? std::string(name_of(spec.engine)) : "";
  fmt::print("{:<9} {:<11} {:>5} {:>12.0f} {:>9.0f} {:>8.3f}\n", name_of(spec.id), engine,
             spec.level ? std::to_string(*spec.level) : "", raw_megabytes(tiles) / encoding,
             raw_megabytes(tiles) / decoding, raw_megabytes(tiles) * 1e6 / static_cast<double>(total));
}

void run(std::size_t count, double budget) {
  fmt::print("predictors, MB/s of one core           apply      undo\n");
  const auto bench = [&](Predictor predictor, SampleType type, std::uint32_t samples) {
    const std::string name = fmt::format("{}, {}, {} sample{}",
                                         predictor == Predictor::horizontal ? "horizontal" : "floating point",
                                         name_of(type), samples, samples == 1 ? "" : "s");
    bench_predictor(make_tiles(name, type, samples, predictor, count), budget);
  };
  for (const SampleType type :
       {SampleType::uint8, SampleType::uint16, SampleType::float32, SampleType::float64})
    for (const std::uint32_t samples : {1u, 3u}) bench(Predictor::horizontal, type, samples);
  for (const SampleType type : {SampleType::float32, SampleType::float64})
    for (const std::uint32_t samples : {1u, 3u}) bench(Predictor::floating_point, type, samples);

  for (const Tiles& tiles :
       {make_tiles("uint16, predictor 2", SampleType::uint16, 1, Predictor::horizontal, count),
        make_tiles("float32, predictor 3", SampleType::float32, 1, Predictor::floating_point, count)}) {
    fmt::print("\n{:<27} {:>12} {:>9} {:>8}\n", tiles.name, "encode MB/s", "decode", "ratio");
    bench_codec(tiles, {CodecId::none}, budget);
    bench_codec(tiles, {CodecId::packbits}, budget);
    bench_codec(tiles, {CodecId::lzw}, budget);
    for (int level : {1, 2, 3, 4, 5, 6, 9, 12, 15, 19, 22})
      bench_codec(tiles, {CodecId::zstd, level}, budget);
    if (missing_reason(CodecId::lzma).empty())
      for (int level : {0, 3, 6, 9}) bench_codec(tiles, {CodecId::lzma, level}, budget);
    for (DeflateEngine engine : deflate_engines())
      for (int level = 1; level <= 12; ++level) {
        const CodecSpec spec{CodecId::deflate, level, engine};
        try {
          (void)resolved(spec);
        } catch (const Error&) {
          break;  // the engine has no such level
        }
        bench_codec(tiles, spec, budget);
      }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::size_t count = argc > 1 ? std::max<std::size_t>(1, std::strtoul(argv[1], nullptr, 10)) : 32;
    run(count, argc > 2 ? std::strtod(argv[2], nullptr) : 0.3);
  } catch (const std::exception& error) {
    fmt::print(stderr, "codec_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
