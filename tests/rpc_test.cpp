#include "nodes/raster/rpc.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <numeric>

#include "nodes/raster/window_source.hpp"
#include "tests/pipeline_support.hpp"

namespace weir::pipeline_test {
namespace {

constexpr std::uint16_t rpc_tag = 50844;

/// 92 numbers, with these offsets and scales of lines and samples.
RawTag tag_with(double line_off, double samp_off, double line_scale, double samp_scale) {
  std::vector<double> values(92);
  std::iota(values.begin(), values.end(), 0.0);
  values[2] = line_off, values[3] = samp_off, values[7] = line_scale, values[8] = samp_scale;
  RawTag tag{rpc_tag, 12, 92, Bytes(92 * sizeof(double))};
  std::memcpy(tag.bytes.data(), values.data(), tag.bytes.size());
  return tag;
}

std::vector<MetadataItem> items_with(const char* line_off, const char* samp_off, const char* line_scale,
                                     const char* samp_scale) {
  return {{"TITLE", "t"},
          {"LINE_OFF", line_off, {}, "", "RPC"},
          {"SAMP_OFF", samp_off, {}, "", "RPC"},
          {"LINE_SCALE", line_scale, {}, "", "RPC"},
          {"SAMP_SCALE", samp_scale, {}, "", "RPC"},
          {"LAT_OFF", "17.5", {}, "", "RPC"},
          {"LINE_OFF", "12", {}, "", "OTHER"},
          {"LINE_OFF", "13"}};
}

RasterInfo info_with(RawTag tag, std::vector<MetadataItem> items) {
  RasterInfo info;
  info.tags = {RawTag{305, 2, 2, Bytes(2)}, std::move(tag)};
  info.metadata = std::move(items);
  return info;
}

}  // namespace

TEST_CASE("RPCs of a window count from its first pixel, in the tag and in the items") {
  Raster raster = made_raster(30, 40);
  raster.info.tags = {tag_with(79.5, 101.25, 80.5, 102)};
  raster.info.metadata = items_with("79.5", "101.25", "80.5", "102");
  const WindowSource part(source_of(raster, 16, 16), {20, 10, 5, 30});
  REQUIRE(part.info().tags.size() == 1);
  CHECK(part.info().tags[0].bytes == tag_with(59.5, 91.25, 80.5, 102).bytes);
  CHECK(part.info().metadata == items_with("59.5", "91.25", "80.5", "102"));
  const WindowSource again(std::make_shared<const WindowSource>(part), {3, 4, 1, 1});
  CHECK(again.info().tags[0].bytes == tag_with(56.5, 87.25, 80.5, 102).bytes);
  const WindowSource whole(source_of(raster, 16, 16), {0, 0, 30, 40});
  CHECK(whole.info().tags[0].bytes == raster.info.tags[0].bytes);
  CHECK(whole.info().metadata == raster.info.metadata);
}

TEST_CASE("RPCs of an overview count its pixels, from the centre of the first") {
  // Line 79.5 is 80 from the upper edge: 20 in the overview, whose line 19.5 that is.
  RasterInfo info =
      info_with(tag_with(79.5, 101.25, 80.5, 102), items_with("79.5", "101.25", "+80.5", "102"));
  scale_rpcs(info, 160, 200, 40, 100);
  CHECK(info.tags[1].bytes == tag_with(19.5, 50.375, 20.125, 51).bytes);
  CHECK(info.metadata == items_with("19.5", "50.375", "20.125", "51"));
  CHECK(info.tags[0].bytes == Bytes(2));
}

TEST_CASE("a tag that is no RPCs stays, and items that cannot be moved go") {
  RawTag few = tag_with(1, 2, 3, 4), integers = few, cut = few;
  few.count = 91;
  few.bytes.resize(91 * sizeof(double));
  integers.type = 16;
  cut.bytes.resize(8);
  for (const RawTag& tag : {few, integers, cut})
    for (const char* broken : {"", "12 pixels", "nan", "1e999"}) {
      RasterInfo info = info_with(tag, items_with("1", "2", "3", broken));
      shift_rpcs(info, 1, 0);
      CHECK(info.tags[1].bytes == tag.bytes);
      CHECK(info.metadata == std::vector<MetadataItem>{
                                 {"TITLE", "t"}, {"LINE_OFF", "12", {}, "", "OTHER"}, {"LINE_OFF", "13"}});
    }
}

}  // namespace weir::pipeline_test
