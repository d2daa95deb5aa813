#pragma once

// What the tests of codecs that look at pixels share: jpeg, webp and lerc with pieces to try them on.

#include <cmath>
#include <cstring>

#include "nodes/codecs/codec_tags.hpp"
#include "tests/codec_support.hpp"

namespace weir::codec_support {

inline CodecSpec jpeg_spec(PieceFormat format, int quality = 75) {
  CodecSpec spec;
  spec.id = CodecId::jpeg;
  spec.quality = quality;
  spec.format = format;
  return resolved(spec);
}

/// Lossless where `quality` is 0.
inline CodecSpec webp_spec(PieceFormat format, int quality = 0) {
  CodecSpec spec;
  spec.id = CodecId::webp;
  spec.lossless = quality == 0;
  if (quality != 0) spec.quality = quality;
  spec.format = format;
  return resolved(spec);
}

inline CodecSpec lerc_spec(PieceFormat format, double max_error = 0,
                           LercCompression compression = LercCompression::none) {
  CodecSpec spec;
  spec.id = CodecId::lerc;
  spec.max_error = max_error;
  spec.lerc_compression = compression;
  spec.format = format;
  return resolved(spec);
}

inline constexpr SampleType lerc_types[] = {SampleType::uint8,   SampleType::int8,   SampleType::uint16,
                                            SampleType::int16,   SampleType::uint32, SampleType::int32,
                                            SampleType::float32, SampleType::float64};

/// Every codec with the kinds of pieces that it takes, `width` pixels wide.
inline std::vector<CodecSpec> image_specs(std::uint64_t width) {
  std::vector<CodecSpec> specs;
  for (const std::uint32_t samples : {1u, 2u, 3u, 4u})
    for (const int quality : {1, 75, 100}) specs.push_back(jpeg_spec({width, samples}, quality));
  for (const int quality : {1, 75, 100})
    specs.push_back(jpeg_spec({width, 3, SampleType::uint8, true}, quality));
  for (const std::uint32_t samples : {3u, 4u})
    for (const int quality : {0, 1, 75, 100}) specs.push_back(webp_spec({width, samples}, quality));
  for (const SampleType type : lerc_types)
    for (const std::uint32_t samples : {1u, 3u})
      for (const double error : {0.0, 2.5})
        for (const LercCompression compression :
             {LercCompression::none, LercCompression::deflate, LercCompression::zstd})
          if (compression == LercCompression::none || samples == 1)
            specs.push_back(lerc_spec({width, samples, type}, error, compression));
  return specs;
}

inline std::string described_image(const CodecSpec& spec) {
  std::string text = std::string(name_of(spec)) + " " + std::to_string(spec.format.width) + " x " +
                     std::to_string(spec.format.samples) + " " + std::string(name_of(spec.format.type));
  if (spec.format.is_rgb) text += " rgb";
  if (spec.quality) text += " quality " + std::to_string(*spec.quality);
  if (spec.max_error) text += " error " + std::to_string(*spec.max_error);
  return text;
}

/// What a file says of pieces made with `spec`.
inline DecodeSpec decode_spec(const CodecSpec& spec, std::uint64_t rows, bool is_padded = true) {
  DecodeSpec decode;
  decode.id = spec.id;
  decode.format = spec.format;
  decode.rows = rows;
  decode.is_padded = is_padded;
  for (const RawTag& tag : tags_of(spec).tags)
    if (tag.id == 347) decode.jpeg_tables = tag.bytes;
  if (spec.format.is_rgb) decode.ycbcr_across = decode.ycbcr_down = 2;
  decode.lerc_compression = static_cast<std::uint32_t>(spec.lerc_compression);
  return decode;
}

template <class Value>
void put_sample(Bytes& bytes, std::size_t index, double value) {
  const Value sample = static_cast<Value>(value);
  std::memcpy(bytes.data() + index * sizeof sample, &sample, sizeof sample);
}

inline double sample_at(const Bytes& bytes, SampleType type, std::size_t index) {
  return with_sample_type(type, [&](auto like) {
    decltype(like) sample;
    std::memcpy(&sample, bytes.data() + index * sizeof sample, sizeof sample);
    return static_cast<double>(sample);
  });
}

/// A slope with waves and some noise, in the range of every type; each sample of a pixel has its own.
inline Bytes picture(const PieceFormat& format, std::uint64_t rows, std::uint32_t seed, unsigned noise = 3) {
  std::mt19937 random(seed);
  Bytes bytes(rows * format.row_bytes());
  const bool is_fraction = is_floating(format.type);
  std::size_t index = 0;
  for (std::uint64_t row = 0; row < rows; ++row)
    for (std::uint64_t col = 0; col < format.width; ++col)
      for (std::uint32_t sample = 0; sample < format.samples; ++sample) {
        double value = 60 + 30 * std::sin(0.05 * static_cast<double>(row + 20 * sample)) +
                       20 * std::cos(0.07 * static_cast<double>(col));
        value += static_cast<double>(random() % (noise + 1)) + (is_fraction ? 0.1 : 0);
        with_sample_type(format.type, [&](auto like) { put_sample<decltype(like)>(bytes, index, value); });
        ++index;
      }
  return bytes;
}

/// The largest difference of two pieces' samples; NaN beside NaN is none.
inline double largest_difference(const Bytes& a, const Bytes& b, SampleType type) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size() / bytes_of(type); ++i) {
    const double x = sample_at(a, type, i), y = sample_at(b, type, i);
    if (std::isnan(x) != std::isnan(y)) return INFINITY;
    if (!std::isnan(x)) largest = std::max(largest, std::abs(x - y));
  }
  return largest;
}

inline Bytes decoded_with(const DecodeSpec& spec, const Bytes& encoded, std::size_t bytes) {
  Bytes out(bytes);
  REQUIRE(make_decoder(spec, Scratch())->decode(encoded, out) == bytes);
  return out;
}

}  // namespace weir::codec_support
