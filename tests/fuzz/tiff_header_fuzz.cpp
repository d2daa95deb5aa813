// TIFF headers of any content, given to the reader in pieces: it ends within its bounds of calls, bytes and memory, asks only for
// what lies in the file, finds the same header whatever the pieces, and makes a row or says why not. The first four bytes of an
// input choose prefix and pieces, the rest is the file.
// Seeds: seeds/tiff_header_fuzz, headers of stored files and ones with SubIFDs, far values and damage.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "tests/header_support.hpp"

namespace {

using namespace weir;

void check(bool is_true) {
  if (!is_true) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto file = std::as_bytes(std::span(data, size)).subspan(4);
  test::Feeding feeding;
  feeding.prefix = data[0] * std::uint64_t{data[1]};
  feeding.piece = data[2] == 0 ? ~0ULL : std::uint64_t{data[2]} * 16;
  const bool keeps = (data[3] & 1) == 0;

  HeaderLimits limits;
  limits.arrays = (data[3] & 2) != 0;
  const test::ReadHeader read = test::read_header(file, feeding, limits);
  const TiffHeader& header = read.header;
  check(read.calls <= 3 * (header.directories.size() + 1) + 2);
  check(header.directories.size() <= limits.directories);
  check(header.values.size() <= limits.header_bytes + 48 * limits.directories);
  check(header.header_end <= file.size());
  std::uint64_t asked = 0;
  for (const ByteRange& range : read.asked) {
    check(range.bytes > 0 && range.offset < file.size() && range.bytes <= file.size() - range.offset);
    asked += range.bytes;
  }
  check(asked <= 2 * limits.header_bytes + (header.directories.size() + 9) * (36 << 10));
  const std::string words = test::in_words(header);
  check(words == test::in_words(test::read_header(file, {.prefix = file.size()}, limits).header));
  if (!keeps) {  // each piece is gone before the next one comes
    HeaderReader reader(file.size(), limits);
    HeaderBytes bytes;
    for (auto wanted = reader.read(bytes); !wanted.empty(); wanted = reader.read(bytes)) {
      bytes.clear();
      bytes.add(wanted.front().offset, file.subspan(wanted.front().offset, wanted.front().bytes));
    }
    check(words == test::in_words(reader.take()));
  }

  const HeaderRows rows = header_rows({"a.tif", file.size()}, header);
  check(rows.row.has_value() == !header.directories.empty());
  check(rows.row || !rows.errors.empty());
  if (!rows.row) return 0;
  check(rows.row->bytes() < 8 << 20);
  for (const auto& ring : rows.row->footprint) {
    check(ring.size() >= 8 && ring[0] == ring[ring.size() - 2] && ring[1] == ring[ring.size() - 1]);
    for (std::size_t i = 0; i < ring.size(); i += 2)
      check(ring[i] >= -180 && ring[i] <= 180 && ring[i + 1] >= -90 && ring[i + 1] <= 90);
  }
  return 0;
}
