// Chunks that other implementations made: tests/data/zarr/make_chunks.py.
#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <string>

#include "nodes/zarr/strided_copy.hpp"
#include "tests/zarr_chunk_support.hpp"

namespace weir {
namespace {

using namespace zarr_chunk_support;
using Kind = ZarrType::Kind;

const std::vector<std::uint64_t> shape = {10, 20};
constexpr ZarrType int16{Kind::integer, 2}, int32{Kind::integer, 4}, float32{Kind::floating, 4},
    float64{Kind::floating, 8}, boolean{Kind::boolean, 1};

std::map<std::string, Bytes> stored_chunks() {
  std::ifstream file(WEIR_TEST_DATA "/zarr/chunks.txt");
  std::map<std::string, Bytes> chunks;
  std::string name, hex;
  while (file >> name >> hex) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
      bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    chunks[name] = bytes;
  }
  return chunks;
}

// The array of make_chunks.py.
template <class Number>
Bytes values(Number divisor) {
  Bytes bytes;
  for (int row = 0; row < 10; ++row)
    for (int column = 0; column < 20; ++column) {
      const Number value = static_cast<Number>(row + column * column) / divisor;
      bytes.resize(bytes.size() + sizeof value);
      std::memcpy(&*(bytes.end() - sizeof value), &value, sizeof value);
    }
  return bytes;
}

ZarrCodecSpec delta(ZarrType type, ZarrType as_type, bool is_big = false) {
  ZarrCodecSpec spec = codec(Id::delta);
  spec.type = type;
  spec.as_type = as_type;
  spec.type_is_big = is_big;
  return spec;
}
ZarrCodecSpec scale_offset(ZarrType type, ZarrType as_type, double scale, double offset) {
  ZarrCodecSpec spec = codec(Id::fixed_scale_offset);
  spec.type = type;
  spec.as_type = as_type;
  spec.scale = scale;
  spec.offset = offset;
  return spec;
}

// Decoded and put into row-major memory in the machine's order.
Bytes read(const Codecs& codecs, ZarrType type, const Bytes& encoded) {
  const ChunkCodec codec(codecs, type, shape);
  const Bytes raw = decoded_with(codec, encoded);
  Bytes plain(raw.size());
  const std::int64_t element = type.bytes;
  scatter_box(codec.layout(), shape, raw, {std::vector<std::uint64_t>{0, 0}, shape}, plain.data(),
              std::vector<std::int64_t>{20 * element, element});
  return plain;
}

TEST_CASE("chunks of numcodecs and tensorstore are read, of every codec that is built in") {
  std::map<std::string, Bytes> chunks = stored_chunks();
  const Bytes raw = chunks["raw"];
  REQUIRE(raw.size() == 400);
  const auto check = [&](const std::string& name, const Codecs& codecs, ZarrType type,
                         const Bytes& expected) {
    CAPTURE(name);
    REQUIRE(chunks.count(name) == 1);
    for (const ZarrCodecSpec& spec : codecs)
      if ((spec.id == Id::blosc || spec.id == Id::lz4 || spec.id == Id::bz2 || spec.id == Id::lzma) &&
          !is_built_in(spec))
        return;
    CHECK(read(codecs, type, chunks[name]) == expected);
  };
  ZarrCodecSpec big = codec(Id::bytes), turned = codec(Id::transpose);
  big.big_endian = true;
  turned.order = {1, 0};
  const std::pair<const char*, Id> plain[] = {
      {"gzip", Id::gzip}, {"zlib", Id::zlib}, {"zstd", Id::zstd}, {"zstd_checksum", Id::zstd},
      {"lz4", Id::lz4},   {"bz2", Id::bz2},   {"lzma", Id::lzma}, {"shuffle", Id::shuffle}};
  for (const auto& [name, id] : plain)
    check(std::string("numcodecs/") + name, {codec(Id::bytes), codec(id)}, int16, values<std::int16_t>(1));
  for (const char* compressor : {"lz4", "lz4hc", "blosclz", "zstd", "zlib"})
    for (const int shuffling : {0, 1, 2})
      check("numcodecs/blosc_" + std::string(compressor) + "_" + std::to_string(shuffling),
            {blosc(compressor, 5, shuffling)}, int16, values<std::int16_t>(1));
  check("numcodecs/delta", {delta(int16, int16)}, int16, values<std::int16_t>(1));
  check("numcodecs/delta_big", {delta(int16, int32, true), big, codec(Id::zlib)}, int16,
        values<std::int16_t>(1));
  check("numcodecs/delta_f_order", {delta(int16, int16), turned, codec(Id::bytes), codec(Id::zlib)}, int16,
        values<std::int16_t>(1));
  check("numcodecs/delta_float", {delta(float32, float32)}, float32, values<float>(8));
  check("numcodecs/fixedscaleoffset", {scale_offset(float64, int16, 4, 10)}, float64, values<double>(4));
  check("numcodecs/fixedscaleoffset_float", {scale_offset(float32, float32, 3, 1)}, float32,
        chunks["fixedscaleoffset_float_raw"]);
  check("tensorstore/bytes_big", {big}, int16, values<std::int16_t>(1));
  check("tensorstore/crc32c", {codec(Id::bytes), codec(Id::crc32c)}, int16, values<std::int16_t>(1));
  check("tensorstore/gzip_crc32c", {codec(Id::bytes), codec(Id::gzip), codec(Id::crc32c)}, int16,
        values<std::int16_t>(1));
  check("tensorstore/transpose_zstd", {turned, big, codec(Id::zstd)}, int16, values<std::int16_t>(1));
  check("tensorstore/blosc", {codec(Id::bytes), blosc("zstd", 5, 2)}, int16, values<std::int16_t>(1));
}

TEST_CASE("bools that numcodecs packed are unpacked") {
  const ChunkCodec codec({zarr_chunk_support::codec(Id::pack_bits)}, boolean,
                         std::vector<std::uint64_t>{197});
  const Bytes bits = decoded_with(codec, stored_chunks()["numcodecs/packbits"]);
  const Bytes all = values<std::int16_t>(1);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    std::int16_t value;
    std::memcpy(&value, &all[2 * i], sizeof value);
    REQUIRE(bits[i] == static_cast<std::byte>(value % 3 == 0));
  }
}

}  // namespace
}  // namespace weir
