#include "nodes/tiff/unpack_samples.hpp"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "nodes/raster/half.hpp"

namespace weir {
namespace {

/// Bytes that end where the page behind them may not be touched.
class FencedBytes {
 public:
  explicit FencedBytes(std::size_t bytes) : bytes_(bytes) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    mapped_ = (bytes / page + 2) * page;
    map_ = ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(map_ != MAP_FAILED);
    std::byte* fence = static_cast<std::byte*>(map_) + mapped_ - page;
    REQUIRE(::mprotect(fence, page, PROT_NONE) == 0);
    data_ = fence - bytes;
  }
  ~FencedBytes() { ::munmap(map_, mapped_); }
  FencedBytes(const FencedBytes&) = delete;
  FencedBytes& operator=(const FencedBytes&) = delete;

  std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  std::size_t bytes_, mapped_;
  void* map_;
  std::byte* data_;
};

/// Bits of a row one by one: TIFF 6.0 says that the first one is the highest of the first byte.
std::uint32_t bits_at(const std::byte* row, std::size_t first, std::uint32_t bits) {
  std::uint32_t value = 0;
  for (std::size_t at = first; at < first + bits; ++at)
    value = value << 1 | std::to_integer<std::uint32_t>(row[at / 8] >> (7 - at % 8) & std::byte{1});
  return value;
}

void make_up(const FencedBytes& bytes) {
  std::uint64_t state = bytes.size() + 1;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    bytes.data()[i] = static_cast<std::byte>(state >> 56);
  }
}

}  // namespace

TEST_CASE("samples of every width are their bits, and nothing beyond the row is read or written") {
  for (std::uint32_t bits = 1; bits < 32; ++bits) {
    if (bits == 8 || bits == 16) continue;
    const StoredSamples stored{SampleStorage::packed_bits, bits};
    const std::size_t size = bits > 16 ? 4 : bits > 8 ? 2 : 1;
    for (std::uint64_t count = 0; count < 67; ++count) {
      const FencedBytes row(stored.row_bytes(count)), out(count * size);
      make_up(row);
      unpack_row(stored, row.data(), count, out.data());
      for (std::uint64_t i = 0; i < count; ++i) {
        std::uint32_t sample = 0;
        std::memcpy(&sample, out.data() + i * size, size);
        const std::uint32_t expected = bits_at(row.data(), i * bits, bits);
        REQUIRE_MESSAGE(sample == expected, bits << " bits, sample " << i << " of " << count);
      }
    }
  }
}

TEST_CASE("every half becomes the float of the same value") {
  constexpr std::uint64_t count = 65536;
  const FencedBytes row(2 * count), out(4 * count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    std::memcpy(row.data() + 2 * i, &half, 2);
  }
  unpack_row({SampleStorage::half, 16}, row.data(), count, out.data());
  for (std::uint32_t i = 0; i < count; ++i) {
    float number = 0;
    std::memcpy(&number, out.data() + 4 * i, 4);
    const int exponent = static_cast<int>(i >> 10 & 31), fraction = static_cast<int>(i & 1023);
    double expected = exponent == 0    ? std::ldexp(fraction, -24)
                      : exponent == 31 ? std::numeric_limits<double>::infinity()
                                       : std::ldexp(1024 + fraction, exponent - 25);
    if (i >= 0x8000) expected = -expected;
    if (exponent == 31 && fraction != 0)
      REQUIRE(std::isnan(number));
    else
      REQUIRE_MESSAGE(number == expected, "half " << i);
    REQUIRE(std::signbit(number) == (i >= 0x8000));
  }
}

TEST_CASE("the bits of a byte are turned around") {
  for (const std::size_t count : {0u, 1u, 7u, 8u, 9u, 16u, 23u}) {
    const FencedBytes bytes(count);
    make_up(bytes);
    const std::vector<std::byte> before(bytes.data(), bytes.data() + count);
    reverse_bits(bytes.data(), count);
    for (std::size_t i = 0; i < count; ++i)
      for (int bit = 0; bit < 8; ++bit)
        CHECK((bytes.data()[i] >> bit & std::byte{1}) == (before[i] >> (7 - bit) & std::byte{1}));
  }
}

TEST_CASE("rows of packed samples end at whole bytes") {
  CHECK(StoredSamples{SampleStorage::packed_bits, 1}.row_bytes(8) == 1);
  CHECK(StoredSamples{SampleStorage::packed_bits, 1}.row_bytes(9) == 2);
  CHECK(StoredSamples{SampleStorage::packed_bits, 12}.row_bytes(1) == 2);
  CHECK(StoredSamples{SampleStorage::packed_bits, 12}.row_bytes(2) == 3);
  CHECK(StoredSamples{SampleStorage::plain, 128}.row_bytes(3) == 48);
}

}  // namespace weir
