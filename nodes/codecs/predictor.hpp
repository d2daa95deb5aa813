#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// TIFF's Predictor tag (317).
enum class Predictor : std::uint8_t { none = 1, horizontal = 2, floating_point = 3 };

/// How the rows of one tile or strip lie: `width` pixels of `samples` interleaved samples of `sample_bytes` each, rows
/// back to back. Planar tiles have samples = 1.
struct RowLayout {
  std::uint64_t width = 0;
  std::uint32_t samples = 1;
  std::uint32_t sample_bytes = 1;
  std::uint64_t row_bytes() const { return width * samples * sample_bytes; }
};

/// Replaces whole rows by their differences, in place (TIFF 6.0 section 14; Technote 3 for floating point).
/// Horizontal: samples of 1, 2, 4 or 8 bytes in machine order, modulo their size, each from the same sample of the
/// pixel before. Floating point: samples of 2, 4 or 8 bytes; each row becomes byte planes, most significant first,
/// then byte differences at a distance of `samples`; `row_scratch` has at least one row.
void apply_predictor(Predictor predictor, const RowLayout& layout, std::span<std::byte> rows,
                     std::span<std::byte> row_scratch);

/// The inverse. `swap` says that the stored samples are in the other byte order: horizontal differences are then taken
/// after swapping (floating-point planes have no byte order).
void undo_predictor(Predictor predictor, const RowLayout& layout, std::span<std::byte> rows,
                    std::span<std::byte> row_scratch, bool swap = false);

/// Reverses the bytes of each sample of `sample_bytes` (1, 2, 4 or 8), in place.
void swap_samples(std::span<std::byte> samples, std::uint32_t sample_bytes);

}  // namespace weir
