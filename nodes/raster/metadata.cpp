#include "nodes/raster/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "framework/error.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

/// What people call them, and the name and role that GDAL gives them in GDAL_METADATA (frmts/gtiff/geotiff.cpp).
struct BandRole {
  std::string_view key, name, role;
  bool is_number;
};
constexpr std::array band_roles = {
    BandRole{"name", "DESCRIPTION", "description", false},
    BandRole{"unit", "UNITTYPE", "unittype", false},
    BandRole{"scale", "SCALE", "scale", true},
    BandRole{"offset", "OFFSET", "offset", true},
};

const BandRole* role_at(std::string_view text) {
  for (const BandRole& role : band_roles)
    if (text.starts_with(role.key) && text.substr(role.key.size()).starts_with('=')) return &role;
  return nullptr;
}

[[noreturn]] void refuse(std::string_view what, std::string_view line, std::string_view reason) {
  throw Error::usage("read", fmt::format("{} '{}'", what, line), reason);
}

bool says_the_same(const MetadataItem& a, const MetadataItem& b) {
  return a.sample == b.sample && a.domain == b.domain && a.role == b.role &&
         (!a.role.empty() || a.name == b.name);
}

template <class Function>
void for_each_line(std::string_view text, Function&& function) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) function(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::vector<MetadataItem> metadata_of_samples(const std::vector<MetadataItem>& items,
                                              const std::vector<std::uint32_t>& samples) {
  std::vector<MetadataItem> chosen;
  for (const MetadataItem& item : items) {
    if (!item.sample) {
      chosen.push_back(item);
      continue;
    }
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (samples[i] != *item.sample) continue;
      chosen.push_back(item);
      chosen.back().sample = static_cast<std::uint32_t>(i);
    }
  }
  return chosen;
}

std::vector<MetadataItem> without_statistics(std::vector<MetadataItem> items) {
  std::erase_if(items, [](const MetadataItem& item) {
    return item.domain.empty() && item.role.empty() && item.name.starts_with("STATISTICS_");
  });
  return items;
}

std::vector<RawAttribute> without_statistics(std::vector<RawAttribute> attributes) {
  std::erase_if(attributes, [](const RawAttribute& each) {
    return each.name == "actual_range" || each.name.starts_with("STATISTICS_");
  });
  return attributes;
}

std::vector<RawAttribute> without_lists_of_bands(std::vector<RawAttribute> attributes) {
  constexpr std::string_view of_bands[] = {"long_name", "descriptions", "nodatavals", "scales",
                                           "offsets",   "scale_factor", "add_offset", "units"};
  std::erase_if(attributes, [&](const RawAttribute& each) {
    return each.json.starts_with('[') && std::ranges::find(of_bands, each.name) != std::end(of_bands);
  });
  return attributes;
}

std::vector<RawAttribute> without_place(std::vector<RawAttribute> attributes) {
  std::erase_if(attributes, [](const RawAttribute& each) {
    return each.name == "transform" || each.name == "GeoTransform" || each.name == "bounds" ||
           each.name == "bbox";
  });
  return attributes;
}

std::vector<RawAttribute> without_values(std::vector<RawAttribute> attributes) {
  // CF 1.11, appendix A: those of which a value is one of the stored ones, or a unit or packing of them.
  constexpr std::string_view about_values[] = {
      "flag_values", "flag_masks",    "flag_meanings", "valid_min",  "valid_max", "valid_range",
      "_FillValue",  "missing_value", "scale_factor",  "add_offset", "units"};
  std::erase_if(attributes, [&](const RawAttribute& each) {
    return std::ranges::find(about_values, each.name) != std::end(about_values);
  });
  return without_statistics(std::move(attributes));
}

std::vector<MetadataItem> with_items(std::vector<MetadataItem> items,
                                     const std::vector<MetadataItem>& changes) {
  for (const MetadataItem& change : changes) {
    const auto same = std::find_if(items.begin(), items.end(),
                                   [&](const MetadataItem& item) { return says_the_same(item, change); });
    if (same != items.end())
      *same = change;
    else
      items.push_back(change);
  }
  return items;
}

MetadataItem parse_metadata_item(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos || equals == 0)
    refuse("the metadata item", line, "it is not KEY=VALUE");
  if (line.find('\n') != std::string_view::npos)
    refuse("the metadata item", line, "it is more than one line");
  MetadataItem item;
  item.name = line.substr(0, equals);
  item.text = line.substr(equals + 1);
  return item;
}

std::vector<MetadataItem> parse_band_items(std::string_view line) {
  constexpr std::string_view what = "the band";
  std::uint32_t band = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), band);
  const auto digits = static_cast<std::size_t>(end - line.data());
  if (error != std::errc() || !line.substr(digits).starts_with(':') || band == 0)
    refuse(what, line, "it does not begin with a band's number, from 1, and a colon");
  if (line.find('\n') != std::string_view::npos) refuse(what, line, "it is more than one line");

  std::vector<MetadataItem> items;
  for (std::string_view rest = line.substr(digits + 1); !rest.empty();) {
    const BandRole* role = role_at(rest);
    if (role == nullptr) refuse(what, line, "it has name=, unit=, scale= and offset=, with commas between");
    std::size_t length = rest.find(',');
    while (length != std::string_view::npos && role_at(rest.substr(length + 1)) == nullptr)
      length = rest.find(',', length + 1);
    length = std::min(length, rest.size());
    MetadataItem item;
    item.name = role->name;
    item.text = rest.substr(role->key.size() + 1, length - role->key.size() - 1);
    item.sample = band - 1;
    item.role = role->role;
    if (role->is_number) {
      const std::optional<double> number = number_in<double>(item.text);
      if (!number || !std::isfinite(*number))
        refuse(what, line, fmt::format("its {} is not a number", role->key));
    }
    items.push_back(std::move(item));
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  if (items.empty()) refuse(what, line, "it says nothing of the band");
  return items;
}

std::string metadata_lines(const std::vector<MetadataItem>& items) {
  std::string lines;
  for (const MetadataItem& item : items)
    if (!item.sample && item.role.empty() && item.domain.empty())
      lines += fmt::format("{}={}\n", item.name, item.text);
  return lines;
}

std::string band_lines(const std::vector<MetadataItem>& items) {
  std::string lines;
  for (const MetadataItem& item : items)
    for (const BandRole& role : band_roles)
      if (item.sample && item.role == role.role)
        lines += fmt::format("{}:{}={}\n", *item.sample + 1, role.key, item.text);
  return lines;
}

std::vector<MetadataItem> parse_metadata_lines(std::string_view items, std::string_view bands) {
  std::vector<MetadataItem> all;
  for_each_line(items, [&](std::string_view line) { all.push_back(parse_metadata_item(line)); });
  for_each_line(bands, [&](std::string_view line) {
    for (MetadataItem& item : parse_band_items(line)) all.push_back(std::move(item));
  });
  return all;
}

}  // namespace weir
