// What taking packed and half-precision samples out of their rows costs: MB/s of samples that come out, of one core.
//
//   build/bench/unpack_bench
//
// Rows of 1024 samples, as tiles have them; the best of twenty rounds over 4096 of them.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <vector>

#include "nodes/tiff/unpack_samples.hpp"

namespace {

using namespace weir;

double cpu_seconds() {
  std::timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void print_speed(const StoredSamples& stored, std::size_t sample_bytes) {
  constexpr std::uint64_t count = 1024, rows = 4096;
  const std::uint64_t row_bytes = stored.row_bytes(count);
  std::vector<std::byte> packed(64 * row_bytes), samples(count * sample_bytes);
  for (std::size_t i = 0; i < packed.size(); ++i) packed[i] = static_cast<std::byte>(i * 37 >> 2);
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    const double start = cpu_seconds();
    for (std::uint64_t row = 0; row < rows; ++row)
      unpack_row(stored, packed.data() + row % 64 * row_bytes, count, samples.data());
    best = std::min(best, cpu_seconds() - start);
  }
  fmt::print("{:<12} {:>2} bits {:>8.0f} MB/s\n", stored.storage == SampleStorage::half ? "half" : "packed",
             stored.bits, static_cast<double>(rows * samples.size()) / best / 1e6);
}

}  // namespace

int main() {
  for (const std::uint32_t bits : {1U, 2U, 4U, 7U, 10U, 12U, 14U, 17U, 24U, 31U})
    print_speed({SampleStorage::packed_bits, bits}, bits < 8 ? 1 : bits < 16 ? 2 : 4);
  print_speed({SampleStorage::half, 16}, 4);
  std::vector<std::byte> bytes(64 << 10);
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    const double start = cpu_seconds();
    for (int i = 0; i < 100; ++i) reverse_bits(bytes.data(), bytes.size());
    best = std::min(best, cpu_seconds() - start);
  }
  fmt::print("turning bits around   {:>8.0f} MB/s\n", 100.0 * static_cast<double>(bytes.size()) / best / 1e6);
  return 0;
}
