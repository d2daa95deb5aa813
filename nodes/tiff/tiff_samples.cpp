#include "nodes/tiff/tiff_samples.hpp"

#include <fmt/format.h>
#include <tiff.h>

#include <string_view>

#include "nodes/tiff/fail_read.hpp"

namespace weir {
namespace {

SampleType unsigned_type(unsigned bits) {
  return bits <= 8    ? SampleType::uint8
         : bits <= 16 ? SampleType::uint16
         : bits <= 32 ? SampleType::uint32
                      : SampleType::uint64;
}

bool is_whole_integer(unsigned bits) {
  return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

TiffSamples unsigned_samples(const ReadableFile& file, unsigned bits, bool is_little_endian) {
  if (is_whole_integer(bits)) return {unsigned_type(bits), {SampleStorage::plain, bits}};
  if (bits == 24 && !is_little_endian)
    fail_read(
        file,
        "BitsPerSample (tag 258) is 24 in a big-endian file, which libtiff and GDAL read in opposite orders "
        "of "
        "bytes");
  if (is_packed_width(bits)) return {unsigned_type(bits), {SampleStorage::packed_bits, bits}};
  fail_read(file, fmt::format("BitsPerSample (tag 258) is {}; 1 to 32 and 64 are read", bits));
}

SampleType signed_type(const ReadableFile& file, unsigned bits) {
  switch (bits) {
    case 8:
      return SampleType::int8;
    case 16:
      return SampleType::int16;
    case 32:
      return SampleType::int32;
    case 64:
      return SampleType::int64;
    default:
      fail_read(
          file,
          fmt::format("BitsPerSample (tag 258) is {} with SampleFormat (tag 339) 2, signed; 8, 16, 32 and "
                      "64 are read",
                      bits));
  }
}

}  // namespace

TiffSamples tiff_samples(const ReadableFile& file, unsigned bits, unsigned format, bool is_little_endian,
                         bool keep_half) {
  const StoredSamples plain{SampleStorage::plain, bits};
  switch (format) {
    case SAMPLEFORMAT_UINT:
    case SAMPLEFORMAT_VOID:  // undefined, which TIFF 6.0 asks to be read as unsigned
      return unsigned_samples(file, bits, is_little_endian);
    case SAMPLEFORMAT_INT:
      return {signed_type(file, bits), plain};
    case SAMPLEFORMAT_IEEEFP:
      if (bits == 16 && keep_half) return {SampleType::float16, plain};
      if (bits == 16) return {SampleType::float32, {SampleStorage::half, bits}};
      if (bits == 32) return {SampleType::float32, plain};
      if (bits == 64) return {SampleType::float64, plain};
      fail_read(file,
                fmt::format("SampleFormat (tag 339) is 3, floating point, with {} bits; 16, 32 and 64 are "
                            "read",
                            bits));
    case SAMPLEFORMAT_COMPLEXINT:
      if (bits == 32) return {SampleType::complex_int16, plain};
      if (bits == 64) return {SampleType::complex_int32, plain};
      fail_read(file,
                fmt::format("SampleFormat (tag 339) is 5, complex integers, with {} bits; 32 and 64 are "
                            "read",
                            bits));
    case SAMPLEFORMAT_COMPLEXIEEEFP:
      if (bits == 64) return {SampleType::complex64, plain};
      if (bits == 128) return {SampleType::complex128, plain};
      fail_read(file,
                fmt::format("SampleFormat (tag 339) is 6, complex floating point, with {} bits; 64 and 128 "
                            "are read",
                            bits));
    default:
      fail_read(file, fmt::format("SampleFormat (tag 339) is {}; 1 to 6 are read", format));
  }
}

void check_predictor(const ReadableFile& file, Predictor predictor, const TiffSamples& samples,
                     bool is_swapped) {
  if (predictor == Predictor::floating_point && !is_floating(samples.type))
    fail_read(file, fmt::format("Predictor (tag 317) is 3, floating point, and the samples are {}",
                                name_of(samples.type)));
  if (predictor != Predictor::horizontal) return;
  const StoredSamples& stored = samples.stored;
  if (!stored.is_plain() && stored.storage != SampleStorage::half)
    fail_read(file, fmt::format("Predictor (tag 317) is 2 with samples of {} bits; 8, 16, 32 and 64 are read",
                                stored.bits));
  if (samples.type == SampleType::complex128)
    fail_read(file, "Predictor (tag 317) is 2 with complex samples of 128 bits; 32 and 64 are read");
  if (is_complex(samples.type) && is_swapped)
    fail_read(file,
              "Predictor (tag 317) is 2 with complex samples in the other byte order, which is not read");
}

}  // namespace weir
