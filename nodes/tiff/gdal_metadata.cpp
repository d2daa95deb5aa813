#include "nodes/tiff/gdal_metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace weir {
namespace {

// An item of 15 bytes of text takes 170 of memory: this bounds it at 17 MB. A raster of 20,000 samples with name, unit,
// scale, offset and a class has as many.
constexpr std::size_t most_items = 100'000;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void append_utf8(std::string& to, std::uint32_t code) {
  const auto add = [&](std::uint32_t byte) { to += static_cast<char>(byte); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      add(0xe0 | code >> 12);
    } else {
      add(0xf0 | code >> 18);
      add(0x80 | (code >> 12 & 0x3f));
    }
    add(0x80 | (code >> 6 & 0x3f));
  }
  add(0x80 | (code & 0x3f));
}

/// The character that an entity stands for, `name` being what is between & and ;.
std::optional<std::uint32_t> character(std::string_view name) {
  if (name == "amp") return '&';
  if (name == "lt") return '<';
  if (name == "gt") return '>';
  if (name == "quot") return '"';
  if (name == "apos") return '\'';
  if (!name.starts_with('#')) return std::nullopt;
  name.remove_prefix(1);
  const int base = name.starts_with('x') ? 16 : 10;
  if (base == 16) name.remove_prefix(1);
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), code, base);
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  if (error != std::errc() || end != name.data() + name.size() || code == 0 || code > 0x10ffff ||
      is_surrogate)
    return std::nullopt;
  return code;
}

/// Text with its entities replaced. An ampersand that begins none is kept where `strict` is not set.
std::optional<std::string> unescaped(std::string_view text, bool strict) {
  constexpr std::size_t longest_name = 10;  // &#x0010FFFF;
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text[at] == '&' ? text.substr(at, longest_name + 2).find(';') : 0;
    const auto code = text[at] == '&' && end != std::string_view::npos
                          ? character(text.substr(at + 1, end - 1))
                          : std::nullopt;
    if (code) {
      append_utf8(plain, *code);
      at += end + 1;
    } else {
      if (text[at] == '&' && strict) return std::nullopt;
      plain += text[at++];
    }
  }
  return plain;
}

std::string escaped(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

/// Reads from the front of a text. Each function says whether it found what it is for, and then stands behind it.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool is_at_end() const { return rest_.empty(); }
  bool take(std::string_view literal) {
    if (!rest_.starts_with(literal)) return false;
    rest_.remove_prefix(literal.size());
    return true;
  }
  bool skip_spaces() {
    const std::size_t before = rest_.size();
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    return rest_.size() != before;
  }
  /// Up to the first of `ends`, which stays.
  std::optional<std::string_view> take_until(std::string_view ends) {
    const std::size_t length = rest_.find_first_of(ends);
    if (length == std::string_view::npos) return std::nullopt;
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return text;
  }

 private:
  std::string_view rest_;
};

/// ATTRIBUTE="value"; each of the four at most once.
bool read_attribute(Reader& reader, MetadataItem& item, unsigned& seen) {
  const std::optional<std::string_view> key = reader.take_until("= \t\r\n<>/\"'");
  if (!key || !reader.take("=")) return false;
  const std::string_view quote = reader.take("\"") ? "\"" : "'";
  if (quote == "'" && !reader.take("'")) return false;
  const std::optional<std::string_view> raw = reader.take_until(quote == "\"" ? "\"<" : "'<");
  if (!raw || !reader.take(quote)) return false;
  const std::optional<std::string> value = unescaped(*raw, true);
  if (!value) return false;

  constexpr std::string_view keys[] = {"name", "sample", "role", "domain"};
  const auto place = static_cast<unsigned>(std::find(std::begin(keys), std::end(keys), *key) - keys);
  if (place == std::size(keys) || (seen & 1U << place) != 0) return false;
  seen |= 1U << place;
  switch (place) {
    case 0:
      item.name = *value;
      return true;
    case 1: {
      std::uint32_t sample = 0;
      const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), sample);
      item.sample = sample;
      return error == std::errc() && end == value->data() + value->size();
    }
    case 2:
      item.role = *value;
      return !value->empty();  // an empty one would not be printed again
    default:
      item.domain = *value;
      return !value->empty();
  }
}

/// Behind "<Item".
std::optional<MetadataItem> read_item(Reader& reader) {
  MetadataItem item;
  unsigned seen = 0;
  for (;;) {
    const bool is_apart = reader.skip_spaces();
    if (reader.take("/>")) break;
    if (reader.take(">")) {
      const std::optional<std::string_view> raw = reader.take_until("<");
      if (!raw || !reader.take("</Item>")) return std::nullopt;
      const std::optional<std::string> once = unescaped(*raw, true);
      if (!once) return std::nullopt;
      item.text = unescaped(*once, false).value();
      break;
    }
    if (!is_apart || !read_attribute(reader, item, seen)) return std::nullopt;
  }
  if ((seen & 1U) == 0) return std::nullopt;
  return item;
}

}  // namespace

std::optional<std::vector<MetadataItem>> parse_gdal_metadata(std::string_view text) {
  const std::string_view xml = text.substr(0, text.find('\0'));
  if (text.find_first_not_of('\0', xml.size()) != std::string_view::npos) return std::nullopt;
  Reader reader(xml);
  reader.skip_spaces();
  std::vector<MetadataItem> items;
  if (!reader.take("<GDALMetadata/>")) {
    if (!reader.take("<GDALMetadata>")) return std::nullopt;
    for (reader.skip_spaces(); !reader.take("</GDALMetadata>"); reader.skip_spaces()) {
      if (items.size() == most_items || !reader.take("<Item")) return std::nullopt;
      std::optional<MetadataItem> item = read_item(reader);
      if (!item) return std::nullopt;
      items.push_back(std::move(*item));
    }
  }
  reader.skip_spaces();
  if (!reader.is_at_end()) return std::nullopt;
  return items;
}

std::string print_gdal_metadata(const std::vector<MetadataItem>& items) {
  std::string text = "<GDALMetadata>\n";
  for (const MetadataItem& item : items) {
    text += fmt::format("  <Item name=\"{}\"", escaped(item.name));
    if (item.sample) text += fmt::format(" sample=\"{}\"", *item.sample);
    if (!item.role.empty()) text += fmt::format(" role=\"{}\"", escaped(item.role));
    if (!item.domain.empty()) text += fmt::format(" domain=\"{}\"", escaped(item.domain));
    text += fmt::format(">{}</Item>\n", escaped(escaped(item.text)));
  }
  return text + "</GDALMetadata>\n";
}

}  // namespace weir
