// Decoders of Zarr's chunks on any bytes: a chunk or an Error, without a crash, a hang or a byte outside. In half of the inputs the
// payload is encoded first and damaged afterwards, so that it gets behind the headers. Seeds: seeds/zarr_chunk_fuzz, small
// chunks made for this, one per codec.
//
//   byte 0     chain of codecs (modulo their number); bit 7: encode and damage
//   bytes 1-2  bytes of the chunk, below 2^14
//   byte 3     bit 0: checksums are checked; bits 1-2: log2 of an element's bytes
//   bytes 4-5  where to damage, byte 6: how, byte 7: how much to cut off
//   the rest   payload
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "framework/error.hpp"
#include "nodes/zarr/chunk_codec.hpp"

namespace {

using namespace weir;
using Bytes = std::vector<std::byte>;
using Id = ZarrCodecSpec::Id;
using Codecs = std::vector<ZarrCodecSpec>;

constexpr std::size_t header_bytes = 8;

ZarrCodecSpec codec(Id id, std::optional<int> level = std::nullopt) {
  ZarrCodecSpec spec;
  spec.id = id;
  spec.level = level;
  return spec;
}

std::vector<Codecs> make_chains() {
  std::vector<Codecs> chains = {{codec(Id::bytes)}};
  for (const Id id :
       {Id::crc32c, Id::gzip, Id::zlib, Id::zstd, Id::lz4, Id::bz2, Id::lzma, Id::shuffle, Id::pack_bits})
    chains.push_back({codec(id)});
  for (const char* compressor : {"lz4", "blosclz", "zstd", "zlib", "snappy"}) {
    ZarrCodecSpec blosc = codec(Id::blosc);
    blosc.compressor = compressor;
    blosc.shuffling = static_cast<int>(chains.size() % 3);
    chains.push_back({blosc});
  }
  ZarrCodecSpec delta = codec(Id::delta), scale = codec(Id::fixed_scale_offset);
  delta.type = delta.as_type = {ZarrType::Kind::integer, 2};
  scale.type = {ZarrType::Kind::integer, 4};
  scale.as_type = {ZarrType::Kind::floating, 4};
  scale.scale = 0;
  chains.push_back({delta, codec(Id::shuffle), codec(Id::zstd)});
  chains.push_back({scale, codec(Id::zlib)});
  chains.push_back(
      {codec(Id::crc32c), codec(Id::gzip), codec(Id::crc32c), codec(Id::zstd), codec(Id::crc32c)});
  return chains;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < header_bytes) return 0;
  static const std::vector<Codecs> chains = make_chains();
  const Codecs& codecs = chains[(data[0] & 0x7f) % chains.size()];
  const bool encode = (data[0] & 0x80) != 0, check_sums = (data[3] & 1) != 0;
  const std::uint32_t element = 1u << (data[3] >> 1 & 3);
  const std::uint64_t elements = ((std::uint64_t{data[1]} << 8 | data[2]) & 0x3fff) / element;
  Bytes payload(size - header_bytes);
  if (!payload.empty()) std::memcpy(payload.data(), data + header_bytes, payload.size());
  try {
    const ChunkCodec chunks(codecs, {ZarrType::Kind::unsigned_integer, element},
                            std::vector<std::uint64_t>{elements});
    Bytes raw(chunks.raw_bytes()), out(chunks.raw_bytes()), part(chunks.raw_bytes() / 2);
    if (encode) {
      payload.resize(raw.size());
      raw = payload;
      payload.resize(chunks.max_encoded_bytes());
      payload.resize(chunks.make_encoder(Scratch())->encode(raw, payload));
      if (!payload.empty())
        payload[(std::size_t{data[4]} << 8 | data[5]) % payload.size()] ^= static_cast<std::byte>(data[6]);
      payload.resize(payload.size() - std::min<std::size_t>(payload.size(), data[7] % 32));
    }
    const auto decoder = chunks.make_decoder(Scratch(), check_sums);
    try {
      (void)decoder->decode_part(payload, raw.size() / 4 / element * element, part);
    } catch (const Error&) {
    }
    decoder->decode(payload, out);
    if (encode && data[6] == 0 && data[7] % 32 == 0 && out != raw) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
