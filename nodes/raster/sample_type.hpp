#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

/// The type of one sample. Values in memory are in the byte order of the machine. Ten types are real numbers that
/// C++ computes with (is_arithmetic): the only ones that kernels take. The others are carried: read, cast, stored.
enum class SampleType : std::uint8_t {
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  uint64,
  int64,
  float32,
  float64,
  float16,        ///< IEEE 754 binary16
  complex_int16,  ///< two int16: real, imaginary
  complex_int32,
  complex64,   ///< two float32
  complex128,  ///< two float64
};

inline constexpr SampleType arithmetic_sample_types[] = {
    SampleType::uint8, SampleType::int8,   SampleType::uint16, SampleType::int16,   SampleType::uint32,
    SampleType::int32, SampleType::uint64, SampleType::int64,  SampleType::float32, SampleType::float64,
};
inline constexpr SampleType all_sample_types[] = {
    SampleType::uint8,         SampleType::int8,      SampleType::uint16,     SampleType::int16,
    SampleType::uint32,        SampleType::int32,     SampleType::uint64,     SampleType::int64,
    SampleType::float32,       SampleType::float64,   SampleType::float16,    SampleType::complex_int16,
    SampleType::complex_int32, SampleType::complex64, SampleType::complex128,
};

/// Bytes of the largest sample.
inline constexpr std::size_t largest_sample_bytes = 16;

/// Bytes of one sample.
constexpr std::size_t bytes_of(SampleType type) {
  switch (type) {
    case SampleType::uint8:
    case SampleType::int8:
      return 1;
    case SampleType::uint16:
    case SampleType::int16:
    case SampleType::float16:
      return 2;
    case SampleType::uint32:
    case SampleType::int32:
    case SampleType::float32:
    case SampleType::complex_int16:
      return 4;
    case SampleType::uint64:
    case SampleType::int64:
    case SampleType::float64:
    case SampleType::complex_int32:
    case SampleType::complex64:
      return 8;
    case SampleType::complex128:
      return 16;
  }
  return 0;
}

/// Whether with_sample_type has a C++ type for it.
constexpr bool is_arithmetic(SampleType type) {
  return type <= SampleType::float64;
}
/// Real floating-point numbers, of which any can be NaN.
constexpr bool is_floating(SampleType type) {
  return type == SampleType::float32 || type == SampleType::float64 || type == SampleType::float16;
}
constexpr bool is_signed_integer(SampleType type) {
  return type == SampleType::int8 || type == SampleType::int16 || type == SampleType::int32 ||
         type == SampleType::int64;
}
constexpr bool is_complex(SampleType type) {
  return type >= SampleType::complex_int16;
}
/// What a sample is made of: the type itself, or that of the two numbers of a complex one. Byte orders are its.
constexpr SampleType component_of(SampleType type) {
  switch (type) {
    case SampleType::complex_int16:
      return SampleType::int16;
    case SampleType::complex_int32:
      return SampleType::int32;
    case SampleType::complex64:
      return SampleType::float32;
    case SampleType::complex128:
      return SampleType::float64;
    default:
      return type;
  }
}

constexpr std::string_view name_of(SampleType type) {
  switch (type) {
    case SampleType::uint8:
      return "uint8";
    case SampleType::int8:
      return "int8";
    case SampleType::uint16:
      return "uint16";
    case SampleType::int16:
      return "int16";
    case SampleType::uint32:
      return "uint32";
    case SampleType::int32:
      return "int32";
    case SampleType::uint64:
      return "uint64";
    case SampleType::int64:
      return "int64";
    case SampleType::float32:
      return "float32";
    case SampleType::float64:
      return "float64";
    case SampleType::float16:
      return "float16";
    case SampleType::complex_int16:
      return "complex_int16";
    case SampleType::complex_int32:
      return "complex_int32";
    case SampleType::complex64:
      return "complex64";
    case SampleType::complex128:
      return "complex128";
  }
  return "unknown";
}

/// The type of that name ("uint16", "float32"), or nothing.
constexpr std::optional<SampleType> sample_type_named(std::string_view name) {
  for (SampleType type : all_sample_types)
    if (name_of(type) == name) return type;
  return std::nullopt;
}

/// Calls `function` with a value-initialised sample of the C++ type that `type` stands for. Arithmetic types only.
template <class Function>
decltype(auto) with_sample_type(SampleType type, Function&& function) {
  assert(is_arithmetic(type));
  switch (type) {
    case SampleType::uint8:
      return function(std::uint8_t{});
    case SampleType::int8:
      return function(std::int8_t{});
    case SampleType::uint16:
      return function(std::uint16_t{});
    case SampleType::int16:
      return function(std::int16_t{});
    case SampleType::uint32:
      return function(std::uint32_t{});
    case SampleType::int32:
      return function(std::int32_t{});
    case SampleType::uint64:
      return function(std::uint64_t{});
    case SampleType::int64:
      return function(std::int64_t{});
    case SampleType::float32:
      return function(float{});
    case SampleType::float64:
      return function(double{});
    default:
      return function(std::uint8_t{});
  }
}

}  // namespace weir
