// What making a coarser level costs, beside encoding the finer one: MB/s of the finer level's samples, of one core.
//
//   build/bench/reduce_bench
//
// A tile of 512 x 512 coarse pixels from rough terrain; the best of some rounds. "nodata": a value of the terrain
// itself, so about one pixel in 200 is without data, here and there; "mask": one in 8 is masked. The last line is what a
// kernel must not take longer than: zstd 3 with predictor 2 of the same samples, in tiles of 512 x 512.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <vector>

#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/reduce_pixels.hpp"

namespace {

using namespace weir;

double cpu_seconds() {
  std::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Finer {
  RasterInfo info;
  std::vector<std::byte> pixels, mask;
};

constexpr std::uint64_t coarse_side = 512;

/// Rough slopes: neighbours differ by about as much as those of a terrain model do.
Finer made_finer(SampleType type, std::uint32_t factor, std::uint32_t samples) {
  Finer finer;
  finer.info.height = finer.info.width = coarse_side * factor;
  finer.info.type = type;
  finer.info.samples = samples;
  finer.pixels.resize(finer.info.height * finer.info.width * finer.info.pixel_bytes());
  finer.mask.resize(finer.info.height * finer.info.width, std::byte{255});
  std::uint32_t random = 1;
  with_sample_type(type, [&](auto zero) {
    using Sample = decltype(zero);
    std::size_t at = 0;
    for (std::uint64_t row = 0; row < finer.info.height; ++row)
      for (std::uint64_t col = 0; col < finer.info.width; ++col) {
        random = random * 1664525 + 1013904223;
        if (random >> 29 == 0) finer.mask[row * finer.info.width + col] = std::byte{0};
        for (std::uint32_t sample = 0; sample < samples; ++sample, at += sizeof(Sample)) {
          const auto value = static_cast<Sample>((row + col / 2) % 200 + (random >> 26) / 3);
          std::memcpy(finer.pixels.data() + at, &value, sizeof value);
        }
      }
  });
  return finer;
}

double best_of(auto&& work) {
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const double start = cpu_seconds();
    work();
    best = std::min(best, cpu_seconds() - start);
  }
  return best;
}

double reduce_speed(Resampling resampling, const Finer& finer, std::uint32_t factor, bool has_mask) {
  const ReducePixels reduce(resampling, finer.info, factor);
  const std::size_t sample = bytes_of(finer.info.type), pixel = finer.info.pixel_bytes();
  const Window whole{0, 0, finer.info.height, finer.info.width}, coarse{0, 0, coarse_side, coarse_side};
  std::vector<std::byte> out(coarse_side * coarse_side * pixel), out_mask(coarse_side * coarse_side);
  const MaskedView from{
      {finer.pixels.data(), whole, finer.info.type, finer.info.samples, whole.width * pixel, pixel, sample},
      has_mask ? finer.mask.data() : nullptr,
      whole.width};
  const MaskedTarget to{
      {out.data(), coarse, finer.info.type, finer.info.samples, coarse_side * pixel, pixel, sample},
      has_mask ? out_mask.data() : nullptr,
      coarse_side};
  const double seconds = best_of([&] { reduce(from, to); });
  return static_cast<double>(finer.pixels.size()) / seconds / 1e6;
}

double zstd_speed(const Finer& finer) {
  constexpr std::uint64_t side = 512;
  const CodecSpec codec = resolved({CodecId::zstd, 3});
  const std::uint64_t bytes = side * side * finer.info.pixel_bytes();
  const auto encoder = make_encoder(codec, bytes, Scratch());
  std::vector<std::byte> raw(bytes), row(side * finer.info.pixel_bytes()),
      out(max_encoded_bytes(codec, bytes));
  const double seconds = best_of([&] {
    for (std::size_t tile = 0; tile < finer.pixels.size() / bytes; ++tile) {
      std::memcpy(raw.data(), finer.pixels.data() + tile * bytes, bytes);
      apply_predictor(Predictor::horizontal,
                      {side, finer.info.samples, static_cast<std::uint32_t>(bytes_of(finer.info.type))}, raw,
                      row);
      encoder->encode(raw, out);
    }
  });
  return static_cast<double>(finer.pixels.size() / bytes * bytes) / seconds / 1e6;
}

void print_table(SampleType type, std::uint32_t factor, std::uint32_t samples) {
  fmt::print("{} x {}, factor {}\n{:<10} {:>10} {:>10} {:>10}\n", samples, name_of(type), factor, "",
             "all data", "nodata", "mask");
  const Finer all = made_finer(type, factor, samples);
  Finer some = all;
  some.info.nodata = "77";
  for (const Resampling resampling : all_resamplings)
    fmt::print("{:<10} {:>10.0f} {:>10.0f} {:>10.0f}\n", name_of(resampling),
               reduce_speed(resampling, all, factor, false), reduce_speed(resampling, some, factor, false),
               reduce_speed(resampling, all, factor, true));
  fmt::print("{:<10} {:>10.0f}\n\n", "zstd 3", zstd_speed(all));
}

}  // namespace

int main() {
  print_table(SampleType::uint16, 2, 1);
  print_table(SampleType::uint8, 2, 3);
  print_table(SampleType::float32, 2, 1);
  print_table(SampleType::uint16, 4, 1);
  return 0;
}
