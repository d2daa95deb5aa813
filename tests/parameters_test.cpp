#include "framework/parameters.hpp"

#include <doctest/doctest.h>

#include "framework/error.hpp"

using namespace weir;

namespace {

Parameter of(ParameterType type) {
  return {.name = "p", .type = type, .help = "a parameter"};
}
Parameter between(ParameterType type, double least, double most) {
  Parameter parameter = of(type);
  parameter.least = least;
  parameter.most = most;
  return parameter;
}
/// Why a value is refused; empty where it is not.
std::string refusal(const Parameter& parameter, std::string_view text) {
  try {
    parse_parameter(parameter, text);
    return "";
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.reason();
  }
}

}  // namespace

TEST_CASE("parameters read what their types say") {
  CHECK(parse_parameter(of(ParameterType::flag), "yes") == ParameterValue(true));
  CHECK(parse_parameter(of(ParameterType::flag), "false") == ParameterValue(false));
  CHECK(parse_parameter(of(ParameterType::integer), "-12") == ParameterValue(std::int64_t{-12}));
  CHECK(parse_parameter(of(ParameterType::number), "1e-3") == ParameterValue(1e-3));
  CHECK(parse_parameter(of(ParameterType::text), "1e-3") == ParameterValue(std::string("1e-3")));
  CHECK(parse_parameter(of(ParameterType::bytes), "64K") == ParameterValue(std::int64_t{65536}));
  CHECK(parse_parameter(of(ParameterType::size), "256x1024") == ParameterValue(PixelSize{256, 1024}));
  CHECK(parse_parameter(of(ParameterType::size), "512") == ParameterValue(PixelSize{512, 512}));
}

TEST_CASE("parameters refuse what is not of their type") {
  for (const char* text : {"", "maybe", "1", "True "})
    CHECK_FALSE(refusal(of(ParameterType::flag), text).empty());
  for (const char* text : {"", "1.5", "0x10", " 1", "1 ", "9223372036854775808", "one"})
    CHECK_FALSE(refusal(of(ParameterType::integer), text).empty());
  for (const char* text : {"", "nan", "inf", "1,5", "1e999", "1.5m"})
    CHECK_FALSE(refusal(of(ParameterType::number), text).empty());
  for (const char* text : {"", "-1", "12Q", "9E", "16777216T"})
    CHECK_FALSE(refusal(of(ParameterType::bytes), text).empty());
  for (const char* text : {"", "0", "0x5", "5x0", "5x", "x5", "5x5x5", "-1", "1.5"})
    CHECK_FALSE(refusal(of(ParameterType::size), text).empty());
}

TEST_CASE("ranges hold their ends, and nothing beyond them") {
  const Parameter level = between(ParameterType::integer, 1, 22);
  CHECK(refusal(level, "1").empty());
  CHECK(refusal(level, "22").empty());
  CHECK(refusal(level, "23") == "23 is not from 1 to 22");
  CHECK(refusal(level, "0") == "0 is not from 1 to 22");
  CHECK(refusal(between(ParameterType::bytes, 4096, 1 << 20), "2M") == "2M is not from 4096 to 1048576");
  CHECK(refusal(between(ParameterType::size, 16, 4096), "16x8192") == "16x8192 is not from 16 to 4096");
  Parameter at_least = of(ParameterType::number);
  at_least.least = 0;
  CHECK(refusal(at_least, "-0.5") == "-0.5 is not at least 0");
}

TEST_CASE("a choice that is not there is told with the others and the nearest") {
  Parameter codec = of(ParameterType::choice);
  codec.choices = {"none", "deflate", "zstd"};
  CHECK(parse_parameter(codec, "zstd") == ParameterValue(std::string("zstd")));
  CHECK(refusal(codec, "zsdt") == "'zsdt' is not one of none, deflate, zstd; did you mean zstd?");
  CHECK(refusal(codec, "jpeg") == "'jpeg' is not one of none, deflate, zstd");
}

TEST_CASE("values are written as they are read") {
  for (const auto& [type, text] :
       std::vector<std::pair<ParameterType, std::string>>{{ParameterType::flag, "true"},
                                                          {ParameterType::integer, "-7"},
                                                          {ParameterType::number, "0.1"},
                                                          {ParameterType::number, "1e+300"},
                                                          {ParameterType::bytes, "65536"},
                                                          {ParameterType::size, "256x512"},
                                                          {ParameterType::text, "a: b"}}) {
    const ParameterValue value = parse_parameter(of(type), text);
    CHECK(to_text(value) == text);
    CHECK(parse_parameter(of(type), to_text(value)) == value);
  }
}

TEST_CASE("all that is wrong with a node's parameters is told at once") {
  std::vector<Parameter> declared{between(ParameterType::integer, 1, 9), of(ParameterType::text),
                                  of(ParameterType::flag)};
  declared[0].name = "level";
  declared[1].name = "path";
  declared[1].is_required = true;
  declared[2].name = "fast";
  declared[2].default_value = "yes";
  const Parameters good(declared, {{"path", "x"}});
  CHECK(good.text("path") == "x");
  CHECK(good.flag("fast"));
  CHECK_FALSE(good.has("level"));
  try {
    const Parameters bad(declared, {{"levle", "3"}, {"level", "30"}});
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(
        std::string(error.what()) ==
        "cannot use the parameters: level: 30 is not from 1 to 9; there is no parameter levle; did you mean "
        "level?; path is missing");
  }
}

TEST_CASE("the nearest name is one that can be meant") {
  const std::vector<std::string> names{"read_tiff", "write_tiff", "slope", "cut_tiles"};
  CHECK(nearest_name("read_tif", names) == "read_tiff");
  CHECK(nearest_name("read-tiff", names) == "read_tiff");
  CHECK(nearest_name("SLOPE", names) == "slope");
  CHECK(nearest_name("sloep", names) == "slope");
  CHECK(nearest_name("hillshade", names).empty());
  CHECK(nearest_name("", names).empty());
  CHECK(nearest_name(std::string(100'000, 'a'), names).empty());
}
