#include "nodes/raster/metadata.hpp"

#include <doctest/doctest.h>

#include "framework/error.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir {
namespace {

using Items = std::vector<MetadataItem>;
using test::contains;
using test::reason_of;

TEST_CASE("items follow their samples to new places, and those of the whole raster stay") {
  const Items items{{"TITLE", "t", {}, "", ""},
                    {"DESCRIPTION", "red", 0, "description", ""},
                    {"DESCRIPTION", "nir", 3, "description", ""},
                    {"K", "v", 3, "", "D"}};
  CHECK(metadata_of_samples(items, {3, 0}) == Items{{"TITLE", "t", {}, "", ""},
                                                    {"DESCRIPTION", "red", 1, "description", ""},
                                                    {"DESCRIPTION", "nir", 0, "description", ""},
                                                    {"K", "v", 0, "", "D"}});
  CHECK(metadata_of_samples(items, {3, 1, 3}) == Items{{"TITLE", "t", {}, "", ""},
                                                       {"DESCRIPTION", "nir", 0, "description", ""},
                                                       {"DESCRIPTION", "nir", 2, "description", ""},
                                                       {"K", "v", 0, "", "D"},
                                                       {"K", "v", 2, "", "D"}});
  CHECK(metadata_of_samples(items, {}) == Items{items[0]});
}

TEST_CASE("statistics go, and what only sounds like them stays") {
  const Items items{{"STATISTICS_MEAN", "1", 0, "", ""},
                    {"STATISTICS_MEAN", "1", 0, "", "OTHER"},
                    {"STATISTICS_VALID_PERCENT", "1", {}, "", ""},
                    {"MY_STATISTICS_MEAN", "1", 0, "", ""}};
  CHECK(without_statistics(items) == Items{items[1], items[3]});
}

TEST_CASE("an item takes the place of the one that says the same, by role or else by name") {
  const Items items{{"TITLE", "old", {}, "", ""},
                    {"Description", "old", 1, "description", ""},
                    {"TITLE", "other", {}, "", "D"},
                    {"TITLE", "of a band", 0, "", ""}};
  const MetadataItem title{"TITLE", "new", {}, "", ""}, name{"DESCRIPTION", "new", 1, "description", ""},
      more{"DESCRIPTION", "another band", 0, "description", ""};
  CHECK(with_items(items, {title, name, more}) == Items{title, name, items[2], items[3], more});
  CHECK(with_items({}, {title, title}) == Items{title});
}

TEST_CASE("items and bands are read as people write them, and printed the same") {
  CHECK(parse_metadata_item("A=b=c, d") == MetadataItem{"A", "b=c, d", {}, "", ""});
  CHECK(parse_metadata_item("A=").text.empty());
  const Items band{{"DESCRIPTION", "near, infrared=nir", 1, "description", ""},
                   {"UNITTYPE", "W/m2", 1, "unittype", ""},
                   {"SCALE", "0.1", 1, "scale", ""},
                   {"OFFSET", "-3e2", 1, "offset", ""}};
  CHECK(parse_band_items("2:name=near, infrared=nir,unit=W/m2,scale=0.1,offset=-3e2") == band);
  CHECK(parse_band_items("1:unit=") == Items{{"UNITTYPE", "", 0, "unittype", ""}});

  Items all = band;
  all.push_back({"TITLE", "a = b", {}, "", ""});
  all.push_back({"NOT", "said", {}, "", "DOMAIN"});
  all.push_back({"NOT", "said", 1, "", ""});
  CHECK(metadata_lines(all) == "TITLE=a = b\n");
  Items read = parse_metadata_lines(metadata_lines(all), band_lines(all));
  CHECK(read == Items{all[4], all[0], all[1], all[2], all[3]});
  CHECK(parse_metadata_lines("\nA=1\n\nB=2", "") == Items{{"A", "1", {}, "", ""}, {"B", "2", {}, "", ""}});
}

TEST_CASE("items and bands that say nothing clear are refused with what they should be") {
  const auto of_item = [](const std::string& text) {
    return reason_of([&] { parse_metadata_item(text); }, ErrorKind::usage);
  };
  CHECK(contains(of_item("TITLE"), "it is not KEY=VALUE"));
  CHECK(contains(of_item("=x"), "it is not KEY=VALUE"));
  CHECK(contains(of_item("A=x\ny"), "more than one line"));
  const auto of_band = [](const std::string& text) {
    return reason_of([&] { parse_band_items(text); }, ErrorKind::usage);
  };
  for (const char* text : {"name=x", "0:name=x", "1name=x", "-1:name=x", "4294967296:name=x", ""})
    CHECK(contains(of_band(text), "a band's number, from 1"));
  for (const char* text : {"1:title=x", "1:x,name=y", "1:,name=y"})
    CHECK(contains(of_band(text), "name=, unit=, scale= and offset="));
  CHECK(contains(of_band("1:"), "says nothing"));
  for (const char* text : {"1:scale=", "1:scale=x", "1:scale=inf", "1:offset=nan"})
    CHECK(contains(of_band(text), "is not a number"));
}

}  // namespace
}  // namespace weir
