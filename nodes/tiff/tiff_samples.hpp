#pragma once

#include "framework/file.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/sample_type.hpp"
#include "nodes/tiff/unpack_samples.hpp"

namespace weir {

/// What the samples of a file become, and how they are stored.
struct TiffSamples {
  SampleType type = SampleType::uint8;
  StoredSamples stored;
};

/// From BitsPerSample (258) and SampleFormat (339). Unsigned samples that fill no type become the next larger
/// one, with their values as they are: 1 to 7 bits uint8, 9 to 15 uint16, 17 to 31 uint32. float16 becomes
/// float32, or stays with `keep_half`. Throws Error naming tag and value of what is not read:
/// - signed integers of such sizes: libtiff gives their bits and GDAL reads them as unsigned, so that no two
///   readers need agree on a negative one;
/// - 24 bits in big-endian files: libtiff takes each sample for a number in the file's order, GDAL writes and
///   reads the lowest byte first (all agree in little-endian files: packed, as all other widths);
/// - floats of 24 bits, and integers of 33 to 63, which nobody is known to write.
TiffSamples tiff_samples(const ReadableFile& file, unsigned bits, unsigned format, bool is_little_endian,
                         bool keep_half);

/// Throws Error where `predictor` cannot be undone on such samples. Differences of complex numbers are
/// libtiff's: of 32 or 64 bits as one integer, the real part lowest. What that means in the other byte order,
/// libtiff itself reads otherwise on machines of either kind.
void check_predictor(const ReadableFile& file, Predictor predictor, const TiffSamples& samples,
                     bool is_swapped);

}  // namespace weir
