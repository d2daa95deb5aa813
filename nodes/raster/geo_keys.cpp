#include "nodes/raster/geo_keys.hpp"

#include <algorithm>
#include <span>

#include "framework/error.hpp"

namespace weir {
namespace {

// TIFF tags that values lie in (GeoTIFF 1.1 section 7.1.2); 0: in the entry itself.
constexpr std::uint16_t in_entry = 0, directory_tag = 34735, doubles_tag = 34736, ascii_tag = 34737;

/// An entry of the directory.
struct Entry {
  std::uint16_t key, tag, count, value;
};

/// What the values of all keys together may take. Keys can share a value, but 16383 of them that share all of a long
/// tag would take gigabytes.
struct Room {
  explicit Room(const Georeferencing& place)
      : doubles(4 * place.key_doubles.size()), text(4 * (place.key_ascii.size() + 1)) {}
  std::size_t doubles, text;
};

bool takes(std::size_t& room, std::size_t size) {
  if (size > room) return false;
  room -= size;
  return true;
}

bool is_inside(const Entry& entry, std::size_t size) {
  return entry.count > 0 && entry.value <= size && entry.count <= size - entry.value;
}

std::optional<GeoKeyValue> value_of(const Entry& entry, const Georeferencing& place, Room& room) {
  switch (entry.tag) {
    case in_entry:
      return GeoKeyValue(entry.value);
    case directory_tag:  // behind the entries; no key of several codes is defined, so the first is the value
      if (!is_inside(entry, place.key_directory.size())) return std::nullopt;
      return GeoKeyValue(place.key_directory[entry.value]);
    case doubles_tag: {
      if (!is_inside(entry, place.key_doubles.size()) || !takes(room.doubles, entry.count))
        return std::nullopt;
      const std::span all(place.key_doubles);
      const auto part = all.subspan(entry.value, entry.count);
      return GeoKeyValue(std::vector<double>(part.begin(), part.end()));
    }
    case ascii_tag: {
      // The count has the '|' or NUL at the end in it, which trailing NULs that were cut off may have been.
      const std::size_t size = place.key_ascii.size();
      if (entry.count == 0 || entry.value > size || entry.count > size - entry.value + 1 ||
          !takes(room.text, entry.count))
        return std::nullopt;
      std::string text = place.key_ascii.substr(entry.value, entry.count);
      while (!text.empty() && (text.back() == '|' || text.back() == '\0')) text.pop_back();
      std::erase(text, '\0');
      return GeoKeyValue(std::move(text));
    }
    default:
      return std::nullopt;
  }
}

/// Calls `visit(entry)` for each entry of a directory with a sound header.
template <class Visit>
void for_each_entry(const std::vector<std::uint16_t>& directory, Visit visit) {
  if (directory.size() < 4 || directory[0] != 1) return;
  const std::size_t entries = directory[3];
  if (entries > directory.size() / 4 - 1) return;
  for (std::size_t i = 1; i <= entries; ++i)
    visit(Entry{directory[4 * i], directory[4 * i + 1], directory[4 * i + 2], directory[4 * i + 3]});
}

bool is_vertical(std::uint16_t key) {
  return key >= geo_key::vertical_crs && key <= geo_key::vertical_units;
}

}  // namespace

std::optional<std::uint16_t> GeoKeys::code(std::uint16_t key) const {
  const auto found = values.find(key);
  const auto* code = found == values.end() ? nullptr : std::get_if<std::uint16_t>(&found->second);
  return code == nullptr ? std::nullopt : std::optional(*code);
}

std::optional<double> GeoKeys::number(std::uint16_t key) const {
  const auto found = values.find(key);
  const auto* numbers = found == values.end() ? nullptr : std::get_if<std::vector<double>>(&found->second);
  return numbers == nullptr || numbers->empty() ? std::nullopt : std::optional(numbers->front());
}

std::optional<std::string> GeoKeys::text(std::uint16_t key) const {
  const auto found = values.find(key);
  const auto* text = found == values.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? std::nullopt : std::optional(*text);
}

GeoKeys geo_keys_of(const Georeferencing& place) {
  GeoKeys keys;
  Room room(place);
  for_each_entry(place.key_directory, [&](const Entry& entry) {
    std::optional<GeoKeyValue> value = value_of(entry, place, room);
    if (value)
      keys.values.try_emplace(entry.key, *std::move(value));
    else
      ++keys.broken;
  });
  return keys;
}

void set_geo_keys(Georeferencing& place, const GeoKeys& keys) {
  constexpr std::size_t most = 65535;  // counts and places are 16 bits wide
  if (keys.values.size() > most) throw Error("write", "GeoKeys", "there are more than 65535");
  place.key_directory.clear();
  place.key_doubles.clear();
  place.key_ascii.clear();
  if (keys.empty()) return;
  const bool is_1_1 =
      std::ranges::any_of(keys.values, [](const auto& key) { return is_vertical(key.first); });
  // KeyDirectoryVersion, KeyRevision, MinorRevision, NumberOfKeys.
  place.key_directory = {1, 1, static_cast<std::uint16_t>(is_1_1 ? 1 : 0),
                         static_cast<std::uint16_t>(keys.values.size())};
  for (const auto& [key, value] : keys.values) {
    Entry entry{key, in_entry, 1, 0};
    if (const auto* code = std::get_if<std::uint16_t>(&value)) {
      entry.value = *code;
    } else if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
      entry = {key, doubles_tag, static_cast<std::uint16_t>(numbers->size()),
               static_cast<std::uint16_t>(place.key_doubles.size())};
      place.key_doubles.insert(place.key_doubles.end(), numbers->begin(), numbers->end());
    } else {
      std::string text = std::get<std::string>(value);
      if (key != geo_key::geodetic_citation) std::ranges::replace(text, '|', ' ');
      text += '|';
      entry = {key, ascii_tag, static_cast<std::uint16_t>(text.size()),
               static_cast<std::uint16_t>(place.key_ascii.size())};
      place.key_ascii += text;
    }
    if (place.key_doubles.size() > most || place.key_ascii.size() > most)
      throw Error("write", "GeoKeys", "their values take more than 65535 numbers or letters");
    place.key_directory.insert(place.key_directory.end(), {entry.key, entry.tag, entry.count, entry.value});
  }
}

PixelIs pixel_is(const Georeferencing& place) {
  std::optional<std::uint16_t> type;  // of the first entry; without reading the others' values
  for_each_entry(place.key_directory, [&](const Entry& entry) {
    if (entry.key == geo_key::raster_type && entry.tag == in_entry && !type) type = entry.value;
  });
  return type == 2 ? PixelIs::point : PixelIs::area;
}

}  // namespace weir
