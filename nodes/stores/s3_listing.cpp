#include "nodes/stores/s3_listing.hpp"

#ifdef WEIR_WITH_PUGIXML

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>
#include <string_view>

#include "framework/error.hpp"
#include "nodes/stores/http_objects.hpp"
#include "nodes/stores/web_time.hpp"

namespace weir {

S3Page parse_s3_page(std::string xml, const std::string& start) {
  const auto refuse = [](std::string_view reason) { throw Error("read", "a listing", reason); };
  if (static_cast<std::uint64_t>(std::ranges::count(xml, '<')) > 2 * most_s3_elements)
    refuse("the answer is no listing");
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer_inplace(xml.data(), xml.size());
  if (!parsed) refuse(fmt::format("the answer is no XML: {}", parsed.description()));
  const pugi::xml_node page = document.child("ListBucketResult");
  if (!page) refuse("the answer is no listing");
  const bool is_encoded = std::string_view(page.child_value("EncodingType")) == "url";
  const auto name_of = [&](const char* text) {
    std::string name = is_encoded ? decode_url(text, true) : std::string(text);
    if (!name.starts_with(start)) refuse(fmt::format("the answer has what was not asked for: '{}'", name));
    return name;
  };
  S3Page made;
  for (const pugi::xml_node item : page.children("Contents")) {
    S3Page::Entry entry{.name = name_of(item.child_value("Key"))};
    const std::string_view size = item.child_value("Size");
    if (std::from_chars(size.data(), size.data() + size.size(), entry.size).ptr !=
            size.data() + size.size() ||
        size.empty())
      refuse(fmt::format("the answer has what was not asked for: '{}', size '{}'", entry.name, size));
    std::string_view etag = item.child_value("ETag");
    if (etag.size() > 1 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
    entry.etag = etag;
    entry.last_modified = parse_iso_time(item.child_value("LastModified"));
    made.entries.push_back(std::move(entry));
  }
  const std::size_t objects = made.entries.size();
  for (const pugi::xml_node folder : page.children("CommonPrefixes"))
    made.entries.push_back({.name = name_of(folder.child_value("Prefix"))});
  if (made.entries.size() > objects) std::ranges::sort(made.entries, {}, &S3Page::Entry::name);
  made.is_last = std::string_view(page.child_value("IsTruncated")) != "true";
  if (!made.is_last) made.next = page.child_value("NextContinuationToken");
  return made;
}

}  // namespace weir

#endif
