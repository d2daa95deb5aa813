#include "nodes/tiff/gdal_metadata.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

namespace weir {
namespace {

using Items = std::vector<MetadataItem>;

// Written by GDAL 3.6.2: an item of the raster, one of a domain, one of a band, and those with roles.
const std::string by_gdal =
    "<GDALMetadata>\n"
    "  <Item name=\"A&amp;B\">x</Item>\n"
    "  <Item name=\"TITLE\">a &amp;amp; b &amp;lt; c &amp;quot;q&amp;quot; 's' \xc3\xa9\nline2\ttab</Item>\n"
    "  <Item name=\"IN\" domain=\"MYDOM\">dom</Item>\n"
    "  <Item name=\"K\" sample=\"0\">v</Item>\n"
    "  <Item name=\"OFFSET\" sample=\"0\" role=\"offset\">-3</Item>\n"
    "  <Item name=\"DESCRIPTION\" sample=\"11\" role=\"description\">near infrared</Item>\n"
    "</GDALMetadata>\n";

TEST_CASE("what GDAL writes is read, unescaped twice, and printed again byte for byte") {
  const auto items = parse_gdal_metadata(by_gdal);
  REQUIRE(items);
  CHECK(*items == Items{
                      {"A&B", "x", {}, "", ""},
                      {"TITLE", "a & b < c \"q\" 's' \xc3\xa9\nline2\ttab", {}, "", ""},
                      {"IN", "dom", {}, "", "MYDOM"},
                      {"K", "v", 0, "", ""},
                      {"OFFSET", "-3", 0, "offset", ""},
                      {"DESCRIPTION", "near infrared", 11, "description", ""},
                  });
  CHECK(print_gdal_metadata(*items) == by_gdal);
  CHECK(parse_gdal_metadata(by_gdal + std::string(3, '\0')) == items);
}

TEST_CASE("texts that were escaped once mean the same, and character references are characters") {
  const auto text_of = [](const std::string& xml) {
    const auto items =
        parse_gdal_metadata("<GDALMetadata><Item name=\"a\">" + xml + "</Item></GDALMetadata>");
    REQUIRE_MESSAGE(items, xml);
    return items->at(0).text;
  };
  CHECK(text_of("a &amp; b &lt;c&gt;") == "a & b <c>");
  CHECK(text_of("&amp;amp;amp;") == "&amp;");
  CHECK(text_of("&#65;&#x42;&apos;&quot;") == "AB'\"");
  CHECK(text_of("&#xe9;&#8364;&#x1F30D;") == "\xc3\xa9\xe2\x82\xac\xf0\x9f\x8c\x8d");
  CHECK(text_of("&amp;nbsp; &amp;#0; &amp;#xD800; &amp;") == "&nbsp; &#0; &#xD800; &");
  CHECK(text_of("  spaces stay ") == "  spaces stay ");
  CHECK(text_of("") == "");
}

TEST_CASE("the forms that mean no items or empty ones are read") {
  CHECK(parse_gdal_metadata("<GDALMetadata/>") == Items{});
  CHECK(parse_gdal_metadata(" <GDALMetadata>\n</GDALMetadata> ") == Items{});
  CHECK(parse_gdal_metadata("<GDALMetadata><Item name='a' sample='7'/></GDALMetadata>") ==
        Items{{"a", "", 7, "", ""}});
  CHECK(parse_gdal_metadata("<GDALMetadata><Item\n role=\"r\"\tname=\"\" >x</Item></GDALMetadata>") ==
        Items{{"", "x", {}, "r", ""}});
}

TEST_CASE("everything else is left to be carried as it is") {
  for (const std::string inside : {"<Item>x</Item>",
                                   "<Item sample=\"1\">x</Item>",
                                   "<Item name=\"a\" format=\"xml\"><b/></Item>",
                                   "<Item name=\"a\"><b/></Item>",
                                   "<Item name=\"a\">x</item>",
                                   "<Item name=\"a\" name=\"b\">x</Item>",
                                   "<Item name=\"a\"sample=\"1\">x</Item>",
                                   "<Item name=\"a\" sample=\"-1\">x</Item>",
                                   "<Item name=\"a\" sample=\"4294967296\">x</Item>",
                                   "<Item name=\"a\" sample=\"1x\">x</Item>",
                                   "<Item name=\"a\" sample=\"\">x</Item>",
                                   "<Item name=\"a\" role=\"\">x</Item>",
                                   "<Item name=\"a\" domain=\"\">x</Item>",
                                   "<Item name=\"a>x</Item>",
                                   "<Item name=a>x</Item>",
                                   "<Item name=\"a'>x</Item>",
                                   "<Item name=\"a<\">x</Item>",
                                   "<Item name=\"&b;\">x</Item>",
                                   "<Item name=\"a\">x & y</Item>",
                                   "<Item name=\"a\">&#0;</Item>",
                                   "<Item name=\"a\">&#xD800;</Item>",
                                   "<Item name=\"a\">&#1114112;</Item>",
                                   "<Item name=\"a\">&amp</Item>",
                                   "<!-- no --><Item name=\"a\"/>",
                                   "text",
                                   "<Items name=\"a\"/>"}) {
    CAPTURE(inside);
    CHECK_FALSE(parse_gdal_metadata("<GDALMetadata>" + inside + "</GDALMetadata>"));
  }
  for (const std::string text : {"", "x", "<?xml version=\"1.0\"?><GDALMetadata/>", "<GDALMetadata/>x",
                                 "<GDALMetadata></GDALMetadata><x/>", "<GDALMetadata a=\"b\"/>"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_gdal_metadata(text));
  }
  CHECK_FALSE(parse_gdal_metadata(by_gdal + '\0' + "more"));
}

TEST_CASE("metadata cut at every length is no metadata") {
  for (std::size_t length = 0; length + 1 < by_gdal.size(); ++length)  // the last byte is a line feed
    CHECK_FALSE(parse_gdal_metadata(by_gdal.substr(0, length)));
}

TEST_CASE("more items than memory should hold are left alone") {
  const auto of = [](std::size_t count) {
    std::string text = "<GDALMetadata>";
    for (std::size_t i = 0; i < count; ++i) text += "<Item name=\"\"/>";
    return parse_gdal_metadata(text + "</GDALMetadata>");
  };
  REQUIRE(of(100'000));
  CHECK(of(100'000)->size() == 100'000);
  CHECK_FALSE(of(100'001));
}

TEST_CASE("items of any text are printed and read back the same") {
  std::mt19937 random(7);
  const std::vector<std::string> parts{"&",  "amp;", "lt;",      "<", ">", "\"", "'",    "#38;", " ",
                                       "\n", "Item", "\xc3\xa9", "/", "=", "a",  "\x01", "\r"};
  const auto text = [&](std::size_t least) {
    std::string made;
    for (std::size_t i = least + random() % 6; i > 0; --i) made += parts[random() % parts.size()];
    return made;
  };
  for (int round = 0; round < 2000; ++round) {
    Items items;
    for (std::size_t i = random() % 4; i > 0; --i) {
      MetadataItem item{text(0), text(0), {}, "", ""};
      if (random() % 2 == 0) item.sample = random();
      if (random() % 2 == 0) item.role = text(1);
      if (random() % 2 == 0) item.domain = text(1);
      items.push_back(item);
    }
    CAPTURE(print_gdal_metadata(items));
    CHECK(parse_gdal_metadata(print_gdal_metadata(items)) == items);
  }
}

}  // namespace
}  // namespace weir
