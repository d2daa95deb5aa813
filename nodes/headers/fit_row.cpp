#include "nodes/headers/fit_row.hpp"

#include <fmt/format.h>

#include <functional>
#include <utility>
#include <variant>

namespace weir {

HeaderRows rows_of(FetchedBatch::Header&& fetched) {
  HeaderRows rows = header_rows(std::move(fetched.object), fetched.header);
  if (rows.row) fit_row(*rows.row);
  for (HeaderError& error : rows.errors) {
    error.tries = fetched.tries;
    if (fetched.status != 0) error.http_status = fetched.status;
  }
  return rows;
}

void fit_row(HeaderRow& row) {
  std::uint64_t whole = row.bytes();
  const auto warn = [&](const std::string& what, std::uint64_t bytes) {
    row.warnings.push_back(
        fmt::format("{} is left out: it has {} of the row's {} bytes, and a row has at most {}", what, bytes,
                    whole, largest_row));
  };
  for (; whole > largest_row; whole = row.bytes()) {
    // The largest of all other tags, texts and arrays.
    std::uint64_t most = 0;
    std::function<void()> drop;
    const auto consider = [&](std::uint64_t bytes, std::function<void()> how) {
      if (bytes <= most) return;
      most = bytes;
      drop = std::move(how);
    };
    for (const auto& other : row.other_tags) {
      const std::uint16_t tag = other.first;
      const std::uint64_t bytes = other.second.capacity();
      consider(bytes, [&, tag, bytes] {
        row.other_tags.erase(tag);
        warn(fmt::format("tag {}", tag), bytes);
      });
    }
    const auto consider_text = [&](std::string_view name, auto& value) {
      if (!value) return;
      const std::uint64_t bytes = value->capacity() * sizeof((*value)[0]);
      consider(bytes, [&, name, bytes] {
        value.reset();
        warn(std::string(name), bytes);
      });
    };
    consider_text("artist", row.artist);
    consider_text("copyright", row.copyright);
    consider_text("document_name", row.document_name);
    consider_text("host_computer", row.host_computer);
    consider_text("image_description", row.image_description);
    consider_text("software", row.software);
    consider_text("date_time", row.date_time);
    consider_text("jpeg_tables", row.jpeg_tables);
    consider_text("bits_per_sample", row.bits_per_sample);
    consider_text("extra_samples", row.extra_samples);
    consider_text("sample_format", row.sample_format);
    consider_text("min_sample_value", row.min_sample_value);
    consider_text("max_sample_value", row.max_sample_value);
    consider_text("model_tiepoint", row.model_tiepoint);
    consider_text("model_pixel_scale", row.model_pixel_scale);
    for (const auto& known : row.geokeys.values) {
      const auto id = known.first;
      const auto* numbers = std::get_if<std::vector<double>>(&known.second);
      const auto* text = std::get_if<std::string>(&known.second);
      const std::uint64_t bytes = numbers != nullptr ? numbers->capacity() * sizeof(double)
                                  : text != nullptr  ? text->capacity()
                                                     : 0;
      consider(bytes, [&, id, bytes] {
        row.geokeys.values.erase(id);
        warn(fmt::format("GeoKey {}", id), bytes);
      });
    }
    if (!drop || most < 64) return;  // what is left is small, and bounded
    drop();
  }
}

}  // namespace weir
