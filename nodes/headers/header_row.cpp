#include "nodes/headers/header_row.hpp"

#include <type_traits>

namespace weir {
namespace {

std::uint64_t held(const std::string& text) {
  return text.capacity();
}
template <class T>
requires std::is_arithmetic_v<T> || std::is_same_v<T, std::byte> std::uint64_t held(
    const std::vector<T>& values) {
  return values.capacity() * sizeof(T);
}
template <class T>
std::uint64_t held(const std::optional<T>& value) {
  return value ? held(*value) : 0;
}
template <class... Ts>
std::uint64_t sum(const Ts&... values) {
  return (held(values) + ...);
}
constexpr std::uint64_t map_node = 48;  // of libstdc++, beside the pair

}  // namespace

std::uint64_t HeaderRow::bytes() const {
  std::uint64_t bytes =
      sizeof *this + sum(object.path, object.etag, artist, copyright, date_time, document_name, host_computer,
                         image_description, software, bits_per_sample, extra_samples, max_sample_value,
                         min_sample_value, sample_format, jpeg_tables, model_pixel_scale, model_tiepoint,
                         transform);
  for (const auto& [key, value] : geokeys.values) {
    bytes += map_node + sizeof key + sizeof value;
    if (const auto* numbers = std::get_if<std::vector<double>>(&value)) bytes += held(*numbers);
    if (const auto* text = std::get_if<std::string>(&value)) bytes += held(*text);
  }
  for (const auto& [tag, text] : other_tags)
    bytes += map_node + sizeof tag + sizeof(std::string) + held(text);
  for (const std::string& warning : warnings) bytes += sizeof(std::string) + held(warning);
  for (const std::vector<double>& ring : footprint) bytes += sizeof(std::vector<double>) + held(ring);
  return bytes;
}

std::uint64_t HeaderError::bytes() const {
  return sizeof *this + sum(path, stage, code, reason);
}

}  // namespace weir
