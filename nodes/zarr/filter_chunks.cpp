// v2's filters (https://numcodecs.readthedocs.io/en/stable/): delta and shuffle both ways, fixedscaleoffset and packbits reading. They
// see the elements as the chunk stores them, in its axis order, each in the type and byte order that its configuration names.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>

#include "nodes/zarr/chunk_stages.hpp"

namespace weir::chunk_stages {
namespace {

using Id = ZarrCodecSpec::Id;
using Kind = ZarrType::Kind;

/// Numbers of one type in packed memory, in one byte order.
template <class Number>
class Numbers {
 public:
  explicit Numbers(bool is_big) : swapped_(is_big == (std::endian::native == std::endian::little)) {}
  Number load(const std::byte* bytes, std::size_t i) const {
    std::array<std::byte, sizeof(Number)> word;
    std::memcpy(word.data(), bytes + i * sizeof(Number), sizeof(Number));
    if (swapped_) std::reverse(word.begin(), word.end());
    return std::bit_cast<Number>(word);
  }
  void store(std::byte* bytes, std::size_t i, Number number) const {
    auto word = std::bit_cast<std::array<std::byte, sizeof(Number)>>(number);
    if (swapped_) std::reverse(word.begin(), word.end());
    std::memcpy(bytes + i * sizeof(Number), word.data(), sizeof(Number));
  }

 private:
  bool swapped_;
};

/// Calls `work(Number())` with the C++ type of a number. Throws a usage Error for types that are none: bool, complex, raw, float16.
template <class Work>
auto with_number(std::string_view codec, const ZarrType& type, Work&& work) {
  if (type.kind == Kind::floating) {
    if (type.bytes == 4) return work(float());
    if (type.bytes == 8) return work(double());
  }
  if (type.kind == Kind::integer || type.kind == Kind::unsigned_integer) {
    const bool is_signed = type.kind == Kind::integer;
    switch (type.bytes) {
      case 1:
        if (is_signed) return work(std::int8_t());
        return work(std::uint8_t());
      case 2:
        if (is_signed) return work(std::int16_t());
        return work(std::uint16_t());
      case 4:
        if (is_signed) return work(std::int32_t());
        return work(std::uint32_t());
      case 8:
        if (is_signed) return work(std::int64_t());
        return work(std::uint64_t());
      default:
        break;
    }
  }
  throw Error::usage(
      "use", fmt::format("codec {}", codec),
      fmt::format("it takes integers and float32 and float64, not elements of {} bytes of kind {}",
                  type.bytes, static_cast<int>(type.kind)));
}

// Integers wrap around, as numpy's do.
template <class Number>
Number sum(Number a, Number b) {
  if constexpr (std::floating_point<Number>)
    return a + b;
  else
    return static_cast<Number>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <class Number>
Number difference(Number a, Number b) {
  if constexpr (std::floating_point<Number>)
    return a - b;
  else
    return static_cast<Number>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

/// A filter's work on whole elements: bytes in, bytes out.
using Filter =
    std::function<void(std::span<const std::byte> in, std::span<std::byte> out, std::size_t elements)>;

class FilterDecoder : public StageDecoder {
 public:
  FilterDecoder(std::string_view name, std::uint64_t encoded_bytes, std::uint64_t raw_bytes, Filter filter)
      : name_(name), encoded_bytes_(encoded_bytes), raw_bytes_(raw_bytes), filter_(std::move(filter)) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    if (encoded.size() % encoded_bytes_ != 0)
      throw broken(name_, fmt::format("its {} bytes are no whole elements", encoded.size()));
    const std::size_t elements = encoded.size() / static_cast<std::size_t>(encoded_bytes_);
    const std::size_t bytes = elements * static_cast<std::size_t>(raw_bytes_);
    if (bytes > out.size()) throw broken(name_, too_long);
    filter_(encoded, out, elements);
    return bytes;
  }

 private:
  std::string_view name_;
  std::uint64_t encoded_bytes_, raw_bytes_;  // of an element
  Filter filter_;
};

class FilterEncoder : public Encoder {
 public:
  FilterEncoder(std::uint64_t encoded_bytes, std::uint64_t raw_bytes, Filter filter)
      : encoded_bytes_(encoded_bytes), raw_bytes_(raw_bytes), filter_(std::move(filter)) {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    const std::size_t elements = raw.size() / static_cast<std::size_t>(raw_bytes_);
    filter_(raw, out, elements);
    return elements * static_cast<std::size_t>(encoded_bytes_);
  }

 private:
  std::uint64_t encoded_bytes_, raw_bytes_;
  Filter filter_;
};

/// A filter whose elements keep their number, each of a fixed size on both sides.
class FilterStage : public Stage {
 public:
  FilterStage(std::string_view name, std::uint64_t raw, std::uint64_t encoded_bytes, std::uint64_t raw_bytes,
              Filter decode, Filter encode)
      : name_(name),
        raw_(raw),
        encoded_bytes_(encoded_bytes),
        raw_bytes_(raw_bytes),
        decode_(std::move(decode)),
        encode_(std::move(encode)) {
    if (raw % raw_bytes != 0)
      throw Error::usage("use", fmt::format("codec {}", name),
                         fmt::format("{} bytes are no whole elements of {}", raw, raw_bytes));
  }

  std::uint64_t max_encoded_bytes() const override { return raw_ / raw_bytes_ * encoded_bytes_; }
  bool is_fixed_size() const override { return true; }
  std::uint64_t decoder_scratch_bytes() const override { return 0; }
  std::uint64_t encoder_scratch_bytes() const override { return 0; }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch&, bool) const override {
    return std::make_unique<FilterDecoder>(name_, encoded_bytes_, raw_bytes_, decode_);
  }
  std::unique_ptr<Encoder> make_encoder(const Scratch&) const override {
    if (!encode_) throw only_read(name_);
    return std::make_unique<FilterEncoder>(encoded_bytes_, raw_bytes_, encode_);
  }

 private:
  std::string_view name_;
  std::uint64_t raw_, encoded_bytes_, raw_bytes_;
  Filter decode_, encode_;
};

// The first element, then how much each differs from the one before; differences in the type of the elements, sums too.
template <class Raw, class Encoded>
std::unique_ptr<const Stage> delta_of(const ZarrCodecSpec& spec, std::uint64_t raw_bytes) {
  const Numbers<Raw> raws(spec.type_is_big);
  const Numbers<Encoded> encodeds(spec.as_type_is_big);
  return std::make_unique<FilterStage>(
      "delta", raw_bytes, sizeof(Encoded), sizeof(Raw),
      [=](std::span<const std::byte> in, std::span<std::byte> out, std::size_t elements) {
        Raw value = 0;
        for (std::size_t i = 0; i < elements; ++i) {
          const auto step = static_cast<Raw>(encodeds.load(in.data(), i));
          value = i == 0 ? step : sum(value, step);  // 0 plus -0 would be 0
          raws.store(out.data(), i, value);
        }
      },
      [=](std::span<const std::byte> in, std::span<std::byte> out, std::size_t elements) {
        Raw before = 0;
        for (std::size_t i = 0; i < elements; ++i) {
          const Raw value = raws.load(in.data(), i);
          encodeds.store(out.data(), i, static_cast<Encoded>(i == 0 ? value : difference(value, before)));
          before = value;
        }
      });
}

std::unique_ptr<const Stage> delta_stage(const ZarrCodecSpec& spec, std::uint64_t raw) {
  return with_number("delta", spec.type, [&](auto number) {
    return with_number("delta", spec.as_type, [&](auto encoded) -> std::unique_ptr<const Stage> {
      using Raw = decltype(number);
      using Encoded = decltype(encoded);
      if constexpr (std::floating_point<Raw> == std::floating_point<Encoded>)
        return delta_of<Raw, Encoded>(spec, raw);
      else
        throw Error::usage("use", "codec delta", "it does not go between integers and floating point");
    });
  });
}

// As C and numpy convert inside the range; outside, where both give anything, the nearest end, and 0 for NaN.
template <class To, class From>
To converted(From value) {
  if constexpr (std::floating_point<To>) {
    return static_cast<To>(value);
  } else {
    if (std::isnan(value)) return 0;
    // The ends as From has them: the upper one may be rounded up, to just beyond.
    constexpr auto least = static_cast<From>(std::numeric_limits<To>::min());
    constexpr auto most = static_cast<From>(std::numeric_limits<To>::max());
    if (value <= least) return std::numeric_limits<To>::min();
    if (value >= most) return std::numeric_limits<To>::max();
    return static_cast<To>(value);
  }
}

// (x - offset) * scale was rounded when it was written. numpy computes float32 in float32, all others in float64.
std::unique_ptr<const Stage> fixed_scale_offset_stage(const ZarrCodecSpec& spec, std::uint64_t raw) {
  return with_number("fixedscaleoffset", spec.type, [&](auto number) {
    return with_number("fixedscaleoffset", spec.as_type, [&](auto encoded) -> std::unique_ptr<const Stage> {
      using Raw = decltype(number);
      using Encoded = decltype(encoded);
      using Between = std::conditional_t<std::same_as<Encoded, float>, float, double>;
      const Numbers<Raw> raws(spec.type_is_big);
      const Numbers<Encoded> encodeds(spec.as_type_is_big);
      const auto scale = static_cast<Between>(spec.scale), offset = static_cast<Between>(spec.offset);
      return std::make_unique<FilterStage>(
          "fixedscaleoffset", raw, sizeof(Encoded), sizeof(Raw),
          [=](std::span<const std::byte> in, std::span<std::byte> out, std::size_t elements) {
            for (std::size_t i = 0; i < elements; ++i) {
              const auto value = static_cast<Between>(encodeds.load(in.data(), i));
              raws.store(out.data(), i, converted<Raw>(value / scale + offset));
            }
          },
          nullptr);
    });
  });
}

// All first bytes, then all second ones ...; the same for every element size.
std::unique_ptr<const Stage> shuffle_stage(const ZarrCodecSpec& spec, std::uint64_t raw,
                                           std::uint32_t type_bytes) {
  const std::size_t size = spec.element_bytes != 0 ? spec.element_bytes : type_bytes;
  return std::make_unique<FilterStage>(
      "shuffle", raw, size, size,
      [=](std::span<const std::byte> in, std::span<std::byte> out, std::size_t elements) {
        for (std::size_t k = 0; k < size; ++k)
          for (std::size_t i = 0; i < elements; ++i) out[i * size + k] = in[k * elements + i];
      },
      [=](std::span<const std::byte> in, std::span<std::byte> out, std::size_t elements) {
        for (std::size_t k = 0; k < size; ++k)
          for (std::size_t i = 0; i < elements; ++i) out[k * elements + i] = in[i * size + k];
      });
}

// A byte that says how many bits at the end mean nothing, then a bit per bool, the highest first.
class PackBitsStage : public Stage {
 public:
  explicit PackBitsStage(std::uint64_t raw) : raw_(raw) {}
  std::uint64_t max_encoded_bytes() const override { return 1 + raw_ / 8 + (raw_ % 8 != 0 ? 1 : 0); }
  bool is_fixed_size() const override { return true; }
  std::uint64_t decoder_scratch_bytes() const override { return 0; }
  std::uint64_t encoder_scratch_bytes() const override { return 0; }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch&, bool) const override;
  std::unique_ptr<Encoder> make_encoder(const Scratch&) const override { throw only_read("packbits"); }

 private:
  std::uint64_t raw_;
};

class PackBitsDecoder : public StageDecoder {
 public:
  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    if (encoded.empty()) throw broken("packbits", ends_early);
    const auto padding = std::to_integer<std::size_t>(encoded[0]);
    const std::size_t all = 8 * (encoded.size() - 1);
    if (padding > 7 || padding > all) throw broken("packbits", "its padding is more than a byte");
    const std::size_t bits = all - padding;
    if (bits > out.size()) throw broken("packbits", too_long);
    for (std::size_t i = 0; i < bits; ++i)
      out[i] = encoded[1 + i / 8] >> (7 - static_cast<int>(i % 8)) & std::byte{1};
    return bits;
  }
};

std::unique_ptr<StageDecoder> PackBitsStage::make_decoder(const Scratch&, bool) const {
  return std::make_unique<PackBitsDecoder>();
}

}  // namespace

std::unique_ptr<const Stage> filter_stage(const ZarrCodecSpec& spec, std::uint64_t raw,
                                          std::uint32_t element_bytes) {
  switch (spec.id) {
    case Id::delta:
      return delta_stage(spec, raw);
    case Id::fixed_scale_offset:
      return fixed_scale_offset_stage(spec, raw);
    case Id::pack_bits:
      return std::make_unique<PackBitsStage>(raw);
    default:
      return shuffle_stage(spec, raw, element_bytes);
  }
}

}  // namespace weir::chunk_stages
