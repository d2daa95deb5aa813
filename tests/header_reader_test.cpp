#include <doctest/doctest.h>

#include "tests/header_support.hpp"
#include "tests/tiff_recipes.hpp"

namespace weir {

using namespace test;

TEST_CASE("a header of any byte order and kind is read") {
  for (const bool is_little : {true, false})
    for (const bool is_big : {false, true}) {
      HeaderMaker maker(is_little, is_big);
      maker.add(maker.picture({HeaderMaker::text(270, "a picture"), maker.doubles(33550, {2, 3, 0})}));
      const HeaderRows rows = rows_of(maker.bytes());
      REQUIRE(rows.row);
      CHECK(rows.errors.empty());
      CHECK(rows.row->warnings.empty());
      CHECK(rows.row->is_little_endian == is_little);
      CHECK(rows.row->is_bigtiff == is_big);
      CHECK(rows.row->image_width == 40);
      CHECK(rows.row->image_height == 30);
      CHECK(rows.row->image_description == "a picture");
      CHECK(rows.row->model_pixel_scale == std::vector<double>{2, 3, 0});
      CHECK(rows.row->header_end == maker.bytes().size());
    }
}

}  // namespace weir
