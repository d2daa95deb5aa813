// Nodes that are wrong in ways that weir plugin-check must hear of.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "framework/plugin.hpp"

using namespace weir::plugin;

namespace {

enum class Fault {
  leaves_pixels,
  sees_windows,
  sees_threads,
  writes_outside,
  writes_input,
  crashes,
  uses_null,
  takes_nothing
};

template <Fault fault>
class Faulty {
 public:
  explicit Faulty(const Parameters&) {}
  Raster describe(std::span<const Raster> inputs) {
    if (fault == Fault::takes_nothing) throw Usage("it takes no raster at all");
    return inputs[0].with(SampleType::uint8, std::nullopt);
  }
  std::uint64_t scratch_bytes(std::uint64_t) const { return fault == Fault::uses_null ? block_bytes(64) : 0; }

  void compute(std::span<const Pixels> inputs, const Target& out, const Host& host) const {
    const int threads = ++inside_;
    if (fault == Fault::sees_threads && out.window.height < 20)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    for (std::uint32_t sample = 0; sample < out.samples; ++sample)
      for (std::uint64_t row = 0; row < out.window.height; ++row)
        for (std::uint64_t col = 0; col < out.window.width; ++col) {
          if (fault == Fault::leaves_pixels && row == 3 && col == 5) continue;
          int value = static_cast<int>(inputs[0].number(row, col, sample)) & 0x7f;
          if (fault == Fault::sees_windows && row == 0) ++value;
          if (fault == Fault::sees_threads && threads > 1) ++value;
          out.set(row, col, static_cast<std::uint8_t>(value), sample);
        }
    if (fault == Fault::writes_outside)
      *(out.at(out.window.height - 1, out.window.width - 1) + out.samples) = std::byte{1};
    if (fault == Fault::writes_input) *const_cast<std::byte*>(inputs[0].at(0, 0)) ^= std::byte{1};
    if (fault == Fault::crashes) __builtin_trap();
    if (fault == Fault::uses_null) {
      void* block = host.c()->allocate(host.c(), 64);
      *static_cast<volatile char*>(block) = 1;
      host.c()->release(host.c(), block);
    }
    --inside_;
  }

 private:
  mutable std::atomic<int> inside_{0};
};

/// A copy that is wrong in one way.
template <Fault fault>
class FaultyCodec {
 public:
  explicit FaultyCodec(const Parameters&) {}
  CodecPlan describe() const {
    return {.tiff_compression = static_cast<std::uint16_t>(60020 + static_cast<int>(fault))};
  }
  std::uint64_t max_encoded_bytes(std::uint64_t raw) const { return raw; }
  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) const {
    std::copy(raw.begin(), raw.end(), out.begin());
    if (fault == Fault::writes_outside) *(out.data() + out.size()) = std::byte{1};
    if (fault == Fault::leaves_pixels && raw.size() > 100) out[100] = std::byte{7};
    return raw.size();
  }
  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) const {
    if (fault == Fault::crashes && encoded.size() < out.size()) __builtin_trap();
    const std::size_t count = std::min(encoded.size(), out.size());
    std::copy_n(encoded.begin(), count, out.begin());
    return count;
  }
};

About about(const char* name) {
  return {.name = name, .help = "is wrong", .bytes = "nothing"};
}

}  // namespace

WEIR_PLUGIN("faulty", "1.0", "MIT", transform<Faulty<Fault::leaves_pixels>>(about("leaves_pixels")),
            transform<Faulty<Fault::sees_windows>>(about("sees_windows")),
            transform<Faulty<Fault::sees_threads>>(about("sees_threads")),
            transform<Faulty<Fault::writes_outside>>(about("writes_outside")),
            transform<Faulty<Fault::writes_input>>(about("writes_input")),
            transform<Faulty<Fault::crashes>>(about("crashes")),
            transform<Faulty<Fault::uses_null>>(about("uses_null")),
            transform<Faulty<Fault::takes_nothing>>(about("takes_nothing")),
            codec<FaultyCodec<Fault::writes_outside>>(about("codec_writes_outside")),
            codec<FaultyCodec<Fault::leaves_pixels>>(about("codec_alters")),
            codec<FaultyCodec<Fault::crashes>>(about("codec_crashes")));
