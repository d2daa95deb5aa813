#pragma once

// What the trial of a plugin's nodes works with: rasters and bytes made up, memory that is counted and can fail.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "framework/buffer.hpp"
#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir::command {

using Bytes = std::vector<std::byte>;

inline constexpr std::uint64_t height = 83, width = 101, window_step = 16;  // no side a multiple of the step
inline constexpr std::byte guard{0xa5};
inline constexpr std::size_t guard_bytes = 64;
// What libraries keep behind one's back: tables of the C++ runtime, arenas of threads.
inline constexpr std::uint64_t memory_slack = 512 * 1024;

struct Failed {
  std::string reason;
};
inline void require(bool holds, const std::string& reason) {
  if (!holds) throw Failed{reason};
}

/// Bytes without a pattern that a plugin could lean on.
inline Bytes noise(std::size_t bytes, std::uint64_t seed) {
  Bytes made(bytes);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (std::byte& byte : made) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(state >> 56);
  }
  return made;
}

/// A raster in memory, with guards around its pixels: what a plugin writes beyond them shows.
struct Canvas {
  Canvas(Window window_in, SampleType type_in, std::uint32_t samples_in, std::byte fill)
      : window(window_in),
        type(type_in),
        samples(samples_in),
        row_bytes(window.width * samples * bytes_of(type) + guard_bytes),
        bytes(guard_bytes + window.height * row_bytes, guard) {
    for (std::uint64_t row = 0; row < window.height; ++row)
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(guard_bytes + row * row_bytes),
                  row_bytes - guard_bytes, fill);
  }
  PixelTarget target() {
    return {bytes.data() + guard_bytes, window,        type, samples, row_bytes,
            samples * bytes_of(type),   bytes_of(type)};
  }
  PixelView view() const {
    return {bytes.data() + guard_bytes, window,        type, samples, row_bytes,
            samples * bytes_of(type),   bytes_of(type)};
  }
  PixelView part(const Window& of) const {
    PixelView all = view();
    all.data = all.at(of.row - window.row, of.col - window.col);
    all.window = of;
    return all;
  }
  bool has_guards() const {
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      const bool is_guard = at < guard_bytes || (at - guard_bytes) % row_bytes >= row_bytes - guard_bytes;
      if (is_guard && bytes[at] != guard) return false;
    }
    return true;
  }

  Window window;
  SampleType type;
  std::uint32_t samples;
  std::size_t row_bytes;
  Bytes bytes;
};

/// Numbers of some hundred, so that sums and differences stay in any type.
inline Canvas made_canvas(std::uint64_t rows, std::uint64_t cols, SampleType type, std::uint32_t samples,
                          std::uint64_t seed) {
  Canvas canvas({0, 0, rows, cols}, type, samples, std::byte{0});
  const PixelTarget target = canvas.target();
  const Bytes random = noise(rows * cols * samples, seed);
  std::size_t at = 0;
  with_sample_type(type, [&](auto zero) {
    using Sample = decltype(zero);
    for (std::uint64_t row = 0; row < rows; ++row)
      for (std::uint64_t col = 0; col < cols; ++col)
        for (std::uint32_t sample = 0; sample < samples; ++sample) {
          const std::uint64_t number = std::to_integer<unsigned>(random[at++]) % 100 + row / 8;
          const auto value = static_cast<Sample>(number);
          std::memcpy(target.at(row, col, sample), &value, sizeof value);
        }
  });
  return canvas;
}

inline RasterInfo info_of(const Canvas& canvas) {
  RasterInfo info;
  info.height = canvas.window.height;
  info.width = canvas.window.width;
  info.type = canvas.type;
  info.samples = canvas.samples;
  info.extra_samples.assign(canvas.samples - 1, 0);
  info.georeferencing.pixel_scale = {10, 10, 0};
  info.georeferencing.tiepoints = {0, 0, 0, 500'000, 5'000'000, 0};
  return info;
}

inline std::vector<Window> windows_of(std::uint64_t rows, std::uint64_t cols, std::uint64_t step) {
  std::vector<Window> windows;
  for (std::uint64_t row = 0; row < rows; row += step)
    for (std::uint64_t col = 0; col < cols; col += step)
      windows.push_back({row, col, std::min(step, rows - row), std::min(step, cols - col)});
  return windows;
}

/// Scratch memory that is counted, and whose k-th allocation can be made to fail.
struct CountedScratch {
  explicit CountedScratch(std::uint64_t failing = 0)
      : pool(std::make_shared<BufferPool>(std::numeric_limits<std::uint64_t>::max() / 4)) {
    pool->before_allocation = [this, failing] { return ++allocations != failing; };
  }
  Scratch scratch() const { return Scratch(pool); }
  std::shared_ptr<BufferPool> pool;
  std::atomic<std::uint64_t> allocations{0};
};

/// Runs `body(thread)` on four threads at once, and throws the first failure.
inline void on_threads(const std::function<void(unsigned)>& body) {
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      try {
        body(i);
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!first) first = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

/// Calls `body` with the first, second, ... allocation failing, until none does. Each failure is an Error.
inline void with_failing_allocations(const std::function<void(const Scratch&)>& body) {
  for (std::uint64_t k = 1; k < 1000; ++k) {
    CountedScratch counted(k);
    try {
      body(counted.scratch());
    } catch (const Error&) {
      continue;
    }
    if (counted.allocations < k) return;
  }
}

inline std::uint64_t status_kib(const char* field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::strtoull(line.c_str() + std::strlen(field), nullptr, 10);
  return 0;
}

/// The most that resident memory grew while `body` ran. Blocks of 64 KiB and more are mapped apart and so show
/// whenever they are touched (see try_plugin_node).
inline std::uint64_t measured_bytes(const std::function<void()>& body) {
  const int file = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  const bool is_reset = file >= 0 && ::write(file, "5", 1) == 1;  // proc(5): forget the peak
  if (file >= 0) ::close(file);
  if (!is_reset) throw Error("measure", "memory", "/proc/self/clear_refs cannot be written");
  const std::uint64_t before = status_kib("VmRSS:");
  body();
  const std::uint64_t peak = status_kib("VmHWM:");
  return peak > before ? (peak - before) * 1024 : 0;
}
inline void require_measured(std::uint64_t declared, const std::function<void()>& body) {
  const std::uint64_t measured = measured_bytes(body);
  require(
      measured <= declared + memory_slack,
      fmt::format(
          "it took about {} where it declared {} of scratch memory; take it from the host, and declare it",
          format_bytes(measured), format_bytes(declared)));
}

}  // namespace weir::command
