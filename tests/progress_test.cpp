#include "framework/progress.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <limits>

namespace {

using namespace weir;

/// What a printer writes of these, one after the other.
std::string printed(ProgressStyle style, const std::vector<Progress>& all) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = ::open_memstream(&text, &size);
  REQUIRE(stream != nullptr);
  const auto print = progress_printer(style, stream);
  for (const Progress& progress : all) print(progress);
  std::fclose(stream);
  std::string result(text, size);
  std::free(text);
  return result;
}

Progress half_done() {
  return {.items_done = 500,
          .items_planned = 1000,
          .bytes_in = 420'000'000,
          .bytes_out = 210'000'000,
          .memory_in_use = 58 << 20,
          .memory_limit = 64 << 20,
          .seconds = 2};
}

TEST_CASE("progress says done of planned, megabytes a second in and out, memory of the budget, time left") {
  CHECK(describe(half_done()) == "50% 500/1.0K 210 MB/s in, 105 out, 58 of 64 MiB, 2 s left");
}

TEST_CASE("memory in use and budget have units of their own where one would not do") {
  Progress progress = half_done();
  progress.memory_limit = std::uint64_t{1} << 30;
  CHECK(describe(progress).find(" 58 MiB of 1 GiB,") != std::string::npos);
  progress.memory_in_use = 0;
  CHECK(describe(progress).find(" 0 of 1 GiB,") != std::string::npos);
}

TEST_CASE("progress that is finished says how long it took instead of how long is left") {
  Progress progress = half_done();
  progress.items_done = progress.items_planned;
  progress.finished = true;
  progress.seconds = 75;
  CHECK(describe(progress) == "100% 1.0K/1.0K 5.6 MB/s in, 2.8 out, 58 of 64 MiB, 1:15");
}

TEST_CASE("100 % is not said before all is done, and nothing of the time left before anything is") {
  Progress progress = half_done();
  progress.items_planned = 100000;
  progress.items_done = 99999;
  CHECK(describe(progress).starts_with("99% "));
  progress.items_done = 0;
  CHECK(describe(progress).find("left") == std::string::npos);
}

TEST_CASE("a bar fits 79 columns whatever the numbers are") {
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  std::size_t longest = 0;
  for (const std::uint64_t items : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{999'499}, huge})
    for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{999'600'000}, huge})
      for (const std::uint64_t memory : {std::uint64_t{1}, std::uint64_t{1047527424}, huge})
        for (const double seconds : {0.0, 0.001, 59.9, 359999.0, 1e9}) {
          Progress progress{.items_done = items / 3,
                            .items_planned = items,
                            .bytes_in = bytes,
                            .bytes_out = bytes,
                            .memory_in_use = memory,
                            .memory_limit = memory,
                            .seconds = seconds};
          for (const bool finished : {false, true}) {
            progress.finished = finished;
            const std::string text = describe(progress);
            CHECK_MESSAGE(text.size() <= 71, text);
            const std::string bar = printed(ProgressStyle::bar, {progress});
            const std::size_t columns = bar.find('\x1b') - 1;  // without the carriage return
            longest = std::max(longest, columns);
            CHECK_MESSAGE(columns <= 79, bar);
          }
        }
  CHECK(longest > 60);
}

TEST_CASE("lines come once a second, and once at the end") {
  std::vector<Progress> all(31, half_done());
  for (std::size_t i = 0; i < all.size(); ++i) all[i].seconds = static_cast<double>(i) * 0.1;
  all.back().finished = true;
  all.back().items_done = all.back().items_planned;
  const std::string lines = printed(ProgressStyle::line, all);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
  CHECK(lines.find('\r') == std::string::npos);
}

TEST_CASE("a JSON line has the seconds that are left, null where nobody knows") {
  CHECK(printed(ProgressStyle::json, {half_done()}).find("\"seconds_left\": 2.0,") != std::string::npos);
  Progress progress = half_done();
  progress.items_done = 0;
  CHECK(printed(ProgressStyle::json, {progress}).find("\"seconds_left\": null,") != std::string::npos);
}

}  // namespace
