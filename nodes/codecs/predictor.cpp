#include "nodes/codecs/predictor.hpp"

#include <bit>
#include <cassert>
#include <cstring>
#include <type_traits>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

// Rows are taken one by one and stay in the first-level cache. MB/s of one core (AMD EPYC, 256x256 tiles,
// g++ 12 -O3), the plain loops against the SSE2 ones (tests/bench/codec_bench.cpp prints them; -DWEIR_NO_SIMD
// builds the plain ones):
//                                     apply             undo
//   horizontal, uint8, 1 sample        3250  26090       660   7530
//   horizontal, uint8, 3 samples       2930  23530      1840   7880
//   horizontal, uint16, 1 sample      14600  26310      1350  16260
//   horizontal, float32, 1 sample     23070  25820      7230  20120
//   floating point, float32, 1         1730  14740       480   6800
//   floating point, float64, 1         1620  14130       480   6500
// libzstd decodes at about 1500 MB/s: the plain undo would take three times as long as that.

#if defined(__SSE2__) && !defined(WEIR_NO_SIMD)
#define WEIR_PREDICTOR_SSE2 1
#else
#define WEIR_PREDICTOR_SSE2 0
#endif

namespace weir {
namespace {

// Samples may lie at any address: rows are as long as they are.
template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

#if WEIR_PREDICTOR_SSE2

__m128i load_vector(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
void store_vector(std::byte* to, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), value);
}

template <class T>
__m128i add(__m128i a, __m128i b) {
  if constexpr (sizeof(T) == 1) return _mm_add_epi8(a, b);
  if constexpr (sizeof(T) == 2) return _mm_add_epi16(a, b);
  if constexpr (sizeof(T) == 4) return _mm_add_epi32(a, b);
  return _mm_add_epi64(a, b);
}

template <class T>
__m128i subtract(__m128i a, __m128i b) {
  if constexpr (sizeof(T) == 1) return _mm_sub_epi8(a, b);
  if constexpr (sizeof(T) == 2) return _mm_sub_epi16(a, b);
  if constexpr (sizeof(T) == 4) return _mm_sub_epi32(a, b);
  return _mm_sub_epi64(a, b);
}

// The first `Bytes` bytes set, the others 0.
template <int Bytes>
__m128i low_mask() {
  return _mm_srli_si128(_mm_set1_epi8(-1), 16 - Bytes);
}

// The last whole pixel of a vector, repeated in each pixel's place; the bytes behind the last pixel are any.
template <int PixelBytes>
__m128i repeat_last(__m128i pixels) {
  constexpr int used = 16 / PixelBytes * PixelBytes;
  if constexpr (PixelBytes > 8) return pixels;
  if constexpr (PixelBytes == 8) return _mm_unpackhi_epi64(pixels, pixels);
  if constexpr (PixelBytes == 4) return _mm_shuffle_epi32(pixels, 0xff);
  if constexpr (PixelBytes == 2) return _mm_shuffle_epi32(_mm_shufflehi_epi16(pixels, 0xff), 0xff);
  __m128i last = _mm_and_si128(_mm_srli_si128(pixels, used - PixelBytes), low_mask<PixelBytes>());
  last = _mm_or_si128(last, _mm_slli_si128(last, PixelBytes));
  if constexpr (2 * PixelBytes < used) last = _mm_or_si128(last, _mm_slli_si128(last, 2 * PixelBytes));
  if constexpr (4 * PixelBytes < used) last = _mm_or_si128(last, _mm_slli_si128(last, 4 * PixelBytes));
  if constexpr (8 * PixelBytes < used) last = _mm_or_si128(last, _mm_slli_si128(last, 8 * PixelBytes));
  return last;
}

// Running sums of as many whole pixels as fit a vector, by adding shifted copies (prefix sum). Only one
// addition per vector waits for the vector before. Returns the bytes done; at most 15 and one vector are
// left.
template <class T, int PixelBytes>
std::size_t accumulate_pixels(const std::byte* from, std::byte* to, std::size_t bytes) {
  constexpr int used = 16 / PixelBytes * PixelBytes;
  __m128i carry = _mm_setzero_si128();
  std::size_t done = 0;
  // The next vector is loaded before this one is stored: they may overlap, and a load behind an overlapping
  // store waits for it (in place, uint8, 3 samples: 1300 instead of 7880 MB/s).
  __m128i next = bytes >= 16 ? load_vector(from) : carry;
  for (; done + 16 <= bytes; done += used) {
    const __m128i stored = next;
    if (done + used + 16 <= bytes) next = load_vector(from + done + used);
    __m128i sums = stored;
    if constexpr (PixelBytes < used) sums = add<T>(sums, _mm_slli_si128(sums, PixelBytes));
    if constexpr (2 * PixelBytes < used) sums = add<T>(sums, _mm_slli_si128(sums, 2 * PixelBytes));
    if constexpr (4 * PixelBytes < used) sums = add<T>(sums, _mm_slli_si128(sums, 4 * PixelBytes));
    if constexpr (8 * PixelBytes < used) sums = add<T>(sums, _mm_slli_si128(sums, 8 * PixelBytes));
    __m128i out = add<T>(sums, carry);
    carry = add<T>(carry, repeat_last<PixelBytes>(sums));
    if constexpr (used < 16)  // the rest of the vector is the next one's input when done in place
      out = _mm_or_si128(_mm_and_si128(low_mask<used>(), out), _mm_andnot_si128(low_mask<used>(), stored));
    store_vector(to + done, out);
  }
  return done;
}

// The instance for this distance, if there is one.
template <class T, int PixelBytes = sizeof(T)>
std::size_t accumulate_vectors(const std::byte* from, std::byte* to, std::size_t bytes,
                               std::size_t distance) {
  if (distance == PixelBytes) return accumulate_pixels<T, PixelBytes>(from, to, bytes);
  constexpr int next = PixelBytes + static_cast<int>(sizeof(T));
  if constexpr (next <= 16) return accumulate_vectors<T, next>(from, to, bytes, distance);
  return 0;
}

// `Planes` vectors of interleaved bytes become one vector per byte of the sample, lowest address first:
// log2(Planes) perfect shuffles. interleave is the inverse.
template <std::size_t Planes>
void deinterleave(__m128i (&v)[Planes]) {
  const __m128i low = _mm_set1_epi16(0xff);
  for (std::size_t level = 1; level < Planes; level *= 2) {
    __m128i split[Planes];
    for (std::size_t i = 0; i < Planes / 2; ++i) {
      const __m128i a = v[2 * i], b = v[2 * i + 1];
      split[i] = _mm_packus_epi16(_mm_and_si128(a, low), _mm_and_si128(b, low));
      split[i + Planes / 2] = _mm_packus_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
    }
    for (std::size_t i = 0; i < Planes; ++i) v[i] = split[i];
  }
}

template <std::size_t Planes>
void interleave(__m128i (&v)[Planes]) {
  for (std::size_t level = 1; level < Planes; level *= 2) {
    __m128i merged[Planes];
    for (std::size_t i = 0; i < Planes / 2; ++i) {
      merged[2 * i] = _mm_unpacklo_epi8(v[i], v[i + Planes / 2]);
      merged[2 * i + 1] = _mm_unpackhi_epi8(v[i], v[i + Planes / 2]);
    }
    for (std::size_t i = 0; i < Planes; ++i) v[i] = merged[i];
  }
}

#endif

// to[i] = from[i] - from[i - distance]; the first pixel as it is. From the end, so that it works in place.
template <class T>
void difference(const std::byte* from, std::byte* to, std::size_t bytes, std::size_t distance) {
  std::size_t at = bytes;
#if WEIR_PREDICTOR_SSE2
  while (at >= distance + 16) {
    at -= 16;
    store_vector(to + at, subtract<T>(load_vector(from + at), load_vector(from + at - distance)));
  }
#endif
  while (at > distance) {
    at -= sizeof(T);
    store(to + at, static_cast<T>(load<T>(from + at) - load<T>(from + at - distance)));
  }
  if (from != to) std::memcpy(to, from, at);
}

#if WEIR_PREDICTOR_SSE2

// Running sums of pixels of 24 bytes, three float64, which stay in registers: a load of what was stored by halves of
// two vectors would wait for both (3970 instead of 52600 MB/s). Returns the bytes done, whole pixels.
template <class T>
std::size_t accumulate_24(const std::byte* from, std::byte* to, std::size_t bytes) {
  __m128i low = _mm_setzero_si128(), high = low;
  std::size_t at = 0;
  for (; at + 24 <= bytes; at += 24) {
    low = add<T>(low, load_vector(from + at));
    high = add<T>(high, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + at + 16)));
    store_vector(to + at, low);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + at + 16), high);
  }
  return at;
}

#endif

// to[i] = from[i] + to[i - distance]: the inverse, also in place.
template <class T>
void accumulate(const std::byte* from, std::byte* to, std::size_t bytes, std::size_t distance) {
  std::size_t at = 0;
#if WEIR_PREDICTOR_SSE2
  if (distance <= 16) at = accumulate_vectors<T>(from, to, bytes, distance);
  if (distance == 24) at = accumulate_24<T>(from, to, bytes);
#endif
  if (at < distance) {
    at = distance;
    if (from != to) std::memcpy(to, from, distance);
  }
#if WEIR_PREDICTOR_SSE2
  if (distance >= 16)
    for (; at + 16 <= bytes; at += 16)
      store_vector(to + at, add<T>(load_vector(from + at), load_vector(to + at - distance)));
#endif
  for (; at < bytes; at += sizeof(T))
    store(to + at, static_cast<T>(load<T>(from + at) + load<T>(to + at - distance)));
}

// Where plane `plane` of the samples lies inside a sample: planes go from the most significant byte down.
template <std::size_t Planes>
constexpr std::size_t byte_of_plane(std::size_t plane) {
  return std::endian::native == std::endian::little ? Planes - 1 - plane : plane;
}

template <std::size_t Planes>
void split_planes(const std::byte* samples, std::byte* planes, std::size_t count) {
  std::size_t i = 0;
#if WEIR_PREDICTOR_SSE2
  for (; i + 16 <= count; i += 16) {
    __m128i v[Planes];
    for (std::size_t k = 0; k < Planes; ++k) v[k] = load_vector(samples + i * Planes + 16 * k);
    deinterleave(v);
    for (std::size_t plane = 0; plane < Planes; ++plane)
      store_vector(planes + plane * count + i, v[byte_of_plane<Planes>(plane)]);
  }
#endif
  for (; i < count; ++i)
    for (std::size_t plane = 0; plane < Planes; ++plane)
      planes[plane * count + i] = samples[i * Planes + byte_of_plane<Planes>(plane)];
}

template <std::size_t Planes>
void merge_planes(const std::byte* planes, std::byte* samples, std::size_t count) {
  std::size_t i = 0;
#if WEIR_PREDICTOR_SSE2
  for (; i + 16 <= count; i += 16) {
    __m128i v[Planes];
    for (std::size_t plane = 0; plane < Planes; ++plane)
      v[byte_of_plane<Planes>(plane)] = load_vector(planes + plane * count + i);
    interleave(v);
    for (std::size_t k = 0; k < Planes; ++k) store_vector(samples + i * Planes + 16 * k, v[k]);
  }
#endif
  for (; i < count; ++i)
    for (std::size_t plane = 0; plane < Planes; ++plane)
      samples[i * Planes + byte_of_plane<Planes>(plane)] = planes[plane * count + i];
}

template <std::size_t Planes>
void apply_floating_point(std::byte* row, std::byte* scratch, std::size_t bytes, std::size_t samples) {
  split_planes<Planes>(row, scratch, bytes / Planes);
  difference<std::uint8_t>(scratch, row, bytes, samples);
}

template <std::size_t Planes>
void undo_floating_point(std::byte* row, std::byte* scratch, std::size_t bytes, std::size_t samples) {
  accumulate<std::uint8_t>(row, scratch, bytes, samples);
  merge_planes<Planes>(scratch, row, bytes / Planes);
}

template <class T>
void swap_all(std::byte* samples, std::size_t bytes) {
  for (std::size_t at = 0; at + sizeof(T) <= bytes; at += sizeof(T)) {
    T value = load<T>(samples + at);
    if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
    store(samples + at, value);
  }
}

// Calls `function` with an unsigned integer of that many bytes.
template <class Function>
void with_sample_bytes(std::uint32_t sample_bytes, Function&& function) {
  switch (sample_bytes) {
    case 1:
      return function(std::uint8_t{});
    case 2:
      return function(std::uint16_t{});
    case 4:
      return function(std::uint32_t{});
    case 8:
      return function(std::uint64_t{});
    default:
      assert(false && "samples have 1, 2, 4 or 8 bytes");
  }
}

}  // namespace

void apply_predictor(Predictor predictor, const RowLayout& layout, std::span<std::byte> rows,
                     std::span<std::byte> row_scratch) {
  const std::size_t row_bytes = layout.row_bytes();
  if (predictor == Predictor::none || row_bytes == 0) return;
  assert(rows.size() % row_bytes == 0);
  const std::size_t count = rows.size() / row_bytes;
  with_sample_bytes(layout.sample_bytes, [&](auto sample) {
    using T = decltype(sample);
    if (predictor == Predictor::horizontal) {
      for (std::size_t row = 0; row < count; ++row) {
        std::byte* at = rows.data() + row * row_bytes;
        difference<T>(at, at, row_bytes, layout.samples * sizeof(T));
      }
    } else {
      assert(sizeof(T) > 1 && row_scratch.size() >= row_bytes);
      if constexpr (sizeof(T) > 1)
        for (std::size_t row = 0; row < count; ++row)
          apply_floating_point<sizeof(T)>(rows.data() + row * row_bytes, row_scratch.data(), row_bytes,
                                          layout.samples);
    }
  });
}

void undo_predictor(Predictor predictor, const RowLayout& layout, std::span<std::byte> rows,
                    std::span<std::byte> row_scratch, bool swap) {
  const std::size_t row_bytes = layout.row_bytes();
  if (row_bytes == 0) return;
  assert(rows.size() % row_bytes == 0);
  const std::size_t count = rows.size() / row_bytes;
  // Row by row, so that swapped samples are still in the cache when they are added up.
  with_sample_bytes(layout.sample_bytes, [&](auto sample) {
    using T = decltype(sample);
    for (std::size_t row = 0; row < count; ++row) {
      std::byte* at = rows.data() + row * row_bytes;
      if (predictor == Predictor::floating_point) {
        assert(sizeof(T) > 1 && row_scratch.size() >= row_bytes);
        if constexpr (sizeof(T) > 1)
          undo_floating_point<sizeof(T)>(at, row_scratch.data(), row_bytes, layout.samples);
        continue;
      }
      if (swap) swap_all<T>(at, row_bytes);
      if (predictor == Predictor::horizontal) accumulate<T>(at, at, row_bytes, layout.samples * sizeof(T));
    }
  });
}

void swap_samples(std::span<std::byte> samples, std::uint32_t sample_bytes) {
  with_sample_bytes(sample_bytes,
                    [&](auto sample) { swap_all<decltype(sample)>(samples.data(), samples.size()); });
}

}  // namespace weir
