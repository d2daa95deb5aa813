// Helper of header_catalog_memory_test.cpp: what a catalog's writer and reader really take, with what Arrow takes besides the pool that it
// is given, against what they declare. Rows as they are, and rows made to cost most.
//
//   header_catalog_memory_child FOLDER MEGABYTES [ALL]    of rows for each case; ALL: prints all cases, not only bad ones
//
// Exit code 0: all within; 1: some not; 3: this build has no Parquet, or has a malloc of its own.
#include <filesystem>
#include <functional>
#include <random>

#include "nodes/headers/catalog_reader.hpp"
#include "tests/counting_malloc.hpp"
#include "tests/made_header_rows.hpp"

using namespace weir;
using namespace weir::test;

namespace {

std::mt19937_64 random_bits(7);

/// Text that no codec makes smaller.
std::string noise(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>('!' + random_bits() % 90);
  return text;
}
std::vector<double> numbers(std::size_t count) {
  std::vector<double> values(count);
  for (double& value : values) value = static_cast<double>(random_bits());
  return values;
}

using Make = std::function<HeaderRow(std::uint64_t n)>;
struct Case {
  std::string name;
  Make make;
};

HeaderRow texts(std::uint64_t n, std::size_t bytes) {
  HeaderRow row = made_row(n);
  for (auto text :
       {&HeaderRow::artist, &HeaderRow::copyright, &HeaderRow::date_time, &HeaderRow::document_name,
        &HeaderRow::host_computer, &HeaderRow::image_description, &HeaderRow::software})
    row.*text = noise(bytes);
  for (const int key : {1026, 2049, 3073, 4097})
    row.geokeys.set(static_cast<std::uint16_t>(key), noise(bytes));
  for (std::uint16_t tag = 1; tag < 10; ++tag) row.other_tags[tag] = noise(bytes);
  for (int i = 0; i < 9; ++i) row.warnings.push_back(noise(bytes));
  for (auto list : {&HeaderRow::bits_per_sample, &HeaderRow::extra_samples, &HeaderRow::max_sample_value,
                    &HeaderRow::min_sample_value, &HeaderRow::sample_format})
    (row.*list).emplace(bytes / 8, static_cast<std::int64_t>(random_bits()));
  row.model_pixel_scale = numbers(bytes / 8);
  row.model_tiepoint = numbers(bytes / 8);
  row.footprint = {numbers(bytes / 8)};
  for (auto number :
       {&HeaderRow::compression, &HeaderRow::image_height, &HeaderRow::image_width, &HeaderRow::orientation,
        &HeaderRow::predictor, &HeaderRow::tile_height, &HeaderRow::tile_width, &HeaderRow::epsg})
    row.*number = static_cast<std::int64_t>(random_bits());
  return row;
}

std::vector<Case> cases() {
  constexpr std::size_t mib = 1000 << 10;
  return {
      {"rows of Sentinel-2", [](std::uint64_t n) { return made_row(n); }},
      {"all texts are noise of 30 bytes", [](std::uint64_t n) { return texts(n, 30); }},
      {"all texts are noise of 2 KB", [](std::uint64_t n) { return texts(n, 2000); }},
      {"one text of 1 MB",
       [=](std::uint64_t n) {
         HeaderRow row = made_row(n);
         row.image_description = noise(mib);
         return row;
       }},
      {"1 MB in 4000 tags",
       [=](std::uint64_t n) {
         HeaderRow row = made_row(n);
         for (std::uint16_t tag = 0; tag < 4000; ++tag) row.other_tags[tag] = noise(mib / 4000 - 100);
         return row;
       }},
      {"130,000 numbers in a list",
       [](std::uint64_t n) {
         HeaderRow row = made_row(n);
         row.model_tiepoint = numbers(130'000);
         return row;
       }},
      {"now this, now that",
       [=](std::uint64_t n) {
         HeaderRow row = made_row(n);
         if (n % 700 == 0) row.image_description = noise(mib);
         if (n % 700 == 1) row.jpeg_tables = std::vector<std::byte>(mib, std::byte{1});
         if (n % 700 == 2) row.model_tiepoint = numbers(130'000);
         if (n % 700 > 650) return texts(n, 1000);
         return row;
       }},
  };
}

void write(const std::string& folder, const Make& make, std::uint64_t bytes) {
  CatalogWriter writer(folder, "made up", CatalogOptions());
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
  writer.draw_from(Scratch(pool));
  std::uint64_t n = 0;
  for (std::uint64_t made = 0; made < bytes; ++n) {
    const HeaderRow row = make(n);
    made += row.bytes();
    writer.add(std::span(&row, 1), {}, "");
  }
  writer.finish();
  if (shows_all) std::printf("pool: %llu\n", static_cast<unsigned long long>(pool->peak_bytes()));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  if (!has_parquet() || WEIR_COUNTS_MALLOC == 0) return 3;
  // What Arrow takes behind our back comes from malloc, too, and is counted.
  ::setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 1);
  shows_all = count > 3;
  const std::string folder = arguments[1];
  const std::uint64_t bytes = std::strtoull(arguments[2], nullptr, 10) << 20;
  constexpr std::uint64_t of_the_test = 4 << 20;  // a row, and how it was made
  try {
    write(folder + "/first", cases()[0].make, 1 << 20);  // what Arrow makes once for all
    for (const Case& it : cases()) {
      const std::string out = folder + "/out";
      compare(it.name, CatalogWriter::standing_bytes(CatalogOptions()) + of_the_test,
              [&] { write(out, it.make, bytes); });
      compare("  reading its objects", CatalogReader::standing_bytes() + of_the_test, [&] {
        CatalogReader reader(out);
        while (!reader.next(100).empty()) {
        }
      });
      compare("  as an earlier catalog", OldCatalog::standing_bytes(out) + of_the_test,
              [&] { OldCatalog old(out); });
      compare("  taking it over",
              CatalogWriter::standing_bytes(CatalogOptions(), 1'000'000) + OldCatalog::standing_bytes(out),
              [&] {
                const OldCatalog old(out);
                CatalogWriter writer(folder + "/next", "made up", CatalogOptions());
                for (std::uint32_t row = 0; row < old.rows(); ++row)
                  if (row % 10 != 3)
                    writer.add({}, {}, "", std::span(std::initializer_list<OldRow>{{row, true}}.begin(), 1));
                writer.finish(&old);
              });
      std::filesystem::remove_all(out);
      std::filesystem::remove_all(folder + "/next");
    }
    HeaderError error = made_error(11);
    compare("errors alone", CatalogWriter::standing_bytes(CatalogOptions()) + of_the_test, [&] {
      CatalogWriter writer(folder + "/errors", "made up", CatalogOptions());
      for (std::uint64_t made = 0; made < bytes; made += error.bytes()) {
        error.reason = noise(300);
        writer.add({}, std::span(&error, 1), "");
      }
      writer.finish();
    });
  } catch (const Error& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
  return failures > 0 ? 1 : 0;
}
