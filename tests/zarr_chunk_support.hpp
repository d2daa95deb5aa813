#pragma once

// What the tests of Zarr's chunks share: chains of codecs to try, described, and one call to encode or decode.

#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/zarr/chunk_codec.hpp"
#include "tests/codec_support.hpp"

namespace weir::zarr_chunk_support {

using codec_support::Bytes;
using Id = ZarrCodecSpec::Id;
using Codecs = std::vector<ZarrCodecSpec>;

inline ZarrCodecSpec codec(Id id, std::optional<int> level = std::nullopt) {
  ZarrCodecSpec spec;
  spec.id = id;
  spec.level = level;
  return spec;
}

inline ZarrCodecSpec blosc(const std::string& compressor, int level, int shuffling, std::uint64_t block = 0) {
  ZarrCodecSpec spec = codec(Id::blosc, level);
  spec.compressor = compressor;
  spec.shuffling = shuffling;
  spec.block_bytes = block;
  return spec;
}

inline constexpr ZarrType uint16{ZarrType::Kind::unsigned_integer, 2};

struct Chain {
  std::string name;
  Codecs codecs;
};

// Whether a codec is built in.
inline bool is_built_in(const ZarrCodecSpec& spec) {
  try {
    (void)ChunkCodec({spec}, uint16, std::vector<std::uint64_t>{8});
    return true;
  } catch (const Error&) {
    return false;
  }
}

// Each codec alone, with the levels that differ in kind, and chains of several.
inline std::vector<Chain> chains() {
  std::vector<Chain> all = {{"bytes", {codec(Id::bytes)}}, {"crc32c", {codec(Id::crc32c)}}};
  const auto add = [&](const std::string& name, const ZarrCodecSpec& spec) {
    if (is_built_in(spec)) all.push_back({name, {codec(Id::bytes), spec}});
  };
  for (const int level : {0, 1, 6, 9}) {
    add("gzip " + std::to_string(level), codec(Id::gzip, level));
    add("zlib " + std::to_string(level), codec(Id::zlib, level));
  }
  for (const int level : {-7, 0, 1, 3, 9, 19}) add("zstd " + std::to_string(level), codec(Id::zstd, level));
  ZarrCodecSpec checked = codec(Id::zstd, 1);
  checked.checksum = true;
  add("zstd 1 with checksum", checked);
  for (const char* compressor : {"lz4", "lz4hc", "blosclz", "zstd", "zlib", "snappy"})
    for (const int shuffling : {0, 1, 2})
      add(std::string("blosc ") + compressor + " shuffle " + std::to_string(shuffling),
          blosc(compressor, shuffling == 0 ? 1 : 5, shuffling));
  add("lz4", codec(Id::lz4));
  for (const int level : {1, 9}) add("bz2 " + std::to_string(level), codec(Id::bz2, level));
  for (const int level : {0, 6}) add("lzma " + std::to_string(level), codec(Id::lzma, level));
  add("blosc lz4 level 0", blosc("lz4", 0, 1));
  add("blosc zstd level 9", blosc("zstd", 9, 1));
  add("blosc lz4 blocks of 1000", blosc("lz4", 5, 1, 1000));
  all.push_back({"zstd, crc32c", {codec(Id::zstd, 1), codec(Id::crc32c)}});
  all.push_back({"crc32c, zstd", {codec(Id::crc32c), codec(Id::zstd, 1)}});
  all.push_back({"crc32c, crc32c", {codec(Id::crc32c), codec(Id::crc32c)}});
  all.push_back(
      {"gzip, crc32c, zstd, crc32c, gzip",
       {codec(Id::gzip, 1), codec(Id::crc32c), codec(Id::zstd, 1), codec(Id::crc32c), codec(Id::gzip, 0)}});
  return all;
}

inline ChunkCodec chunk_codec(const Codecs& codecs, std::uint64_t bytes) {
  return ChunkCodec(codecs, {ZarrType::Kind::raw, 1}, std::vector<std::uint64_t>{bytes});
}
// Of 16-bit elements, where `bytes` is even.
inline ChunkCodec chunk_codec_16(const Codecs& codecs, std::uint64_t bytes) {
  return bytes % 2 != 0 ? chunk_codec(codecs, bytes)
                        : ChunkCodec(codecs, uint16, std::vector<std::uint64_t>{bytes / 2});
}

inline Bytes encoded_with(const ChunkCodec& codec, std::span<const std::byte> raw) {
  Bytes out(codec.max_encoded_bytes());
  out.resize(codec.make_encoder(Scratch())->encode(raw, out));
  return out;
}
inline Bytes decoded_with(const ChunkCodec& codec, std::span<const std::byte> encoded,
                          bool check_sums = true) {
  Bytes raw(codec.raw_bytes(), std::byte{0xee});
  codec.make_decoder(Scratch(), check_sums)->decode(encoded, raw);
  return raw;
}

}  // namespace weir::zarr_chunk_support
