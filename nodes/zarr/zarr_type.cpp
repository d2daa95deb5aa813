#include "nodes/zarr/zarr_type.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

using Kind = ZarrType::Kind;

struct Named {
  std::string_view name;
  ZarrType type;
};
constexpr Named named_types[] = {
    {"bool", {Kind::boolean, 1}},
    {"int8", {Kind::integer, 1}},
    {"int16", {Kind::integer, 2}},
    {"int32", {Kind::integer, 4}},
    {"int64", {Kind::integer, 8}},
    {"uint8", {Kind::unsigned_integer, 1}},
    {"uint16", {Kind::unsigned_integer, 2}},
    {"uint32", {Kind::unsigned_integer, 4}},
    {"uint64", {Kind::unsigned_integer, 8}},
    {"float16", {Kind::floating, 2}},
    {"float32", {Kind::floating, 4}},
    {"float64", {Kind::floating, 8}},
    {"complex64", {Kind::complex, 8}},
    {"complex128", {Kind::complex, 16}},
};

}  // namespace

std::string name_of(const ZarrType& type) {
  if (type.kind == Kind::raw) return fmt::format("r{}", std::uint64_t{8} * type.bytes);
  for (const Named& named : named_types)
    if (named.type == type) return std::string(named.name);
  return fmt::format("unknown type of {} bytes", type.bytes);
}

ZarrType zarr_type_named(const std::string& name) {
  for (const Named& named : named_types)
    if (named.name == name) return named.type;
  const auto refuse = [&](std::string_view reason) {
    return Error::usage("use", fmt::format("data type '{}'", name.substr(0, 80)), reason);
  };
  if (name.size() > 1 && name[0] == 'r' && name.find_first_not_of("0123456789", 1) == std::string::npos) {
    const auto bits = number_in<std::uint32_t>(std::string_view(name).substr(1));
    if (!bits || *bits == 0 || *bits % 8 != 0 || name[1] == '0')
      throw refuse("raw types have a multiple of 8 bits, below 2^32");
    return {Kind::raw, *bits / 8};
  }
  throw refuse("only numbers, bool and raw bytes (r8, r16, ...) are read and written");
}

SampleType sample_type_of(const ZarrType& type) {
  if (const auto sample = sample_type_named(name_of(type))) return *sample;
  throw Error("use", fmt::format("data type {}", name_of(type)), "pixels of rasters are numbers");
}

ZarrType zarr_type_of(SampleType type) {
  for (const Named& named : named_types)
    if (named.name == name_of(type)) return named.type;
  throw Error("use", fmt::format("sample type {}", name_of(type)), "Zarr has no such data type");
}

}  // namespace weir
