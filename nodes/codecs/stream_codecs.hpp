#pragma once

#include <cstdint>
#include <memory>

#include "nodes/codecs/codec.hpp"

/// zstd frames, and deflate in the containers that formats want: what TIFF's codecs (codec.hpp) and Zarr's are both made of.
namespace weir {

/// ZSTD_compressBound as zstd.h states it, for any size.
std::uint64_t max_zstd_bytes(std::uint64_t raw);
std::uint64_t zstd_encoder_scratch_bytes(int level, std::uint64_t raw);
/// Any level of libzstd's, negative ones too. One frame per piece, which states its size; `checksum` puts XXH64 behind it.
std::unique_ptr<Encoder> make_zstd_encoder(int level, bool checksum, std::uint64_t raw,
                                           const Scratch& scratch);

enum class DeflateContainer : std::uint8_t {
  zlib,  ///< RFC 1950
  gzip,  ///< RFC 1952, one member, its header always the same: no time, no name, system "unknown" (255)
};
struct DeflateSpec {
  DeflateEngine engine = DeflateEngine::zlib;  ///< not automatic
  int level = 1;                               ///< of the engine's; 0 (stored) with zlib and libdeflate
  DeflateContainer container = DeflateContainer::zlib;
};
int default_deflate_level(DeflateEngine engine, Predictor predictor = Predictor::none);
int highest_deflate_level(DeflateEngine engine);
DeflateEngine deflate_engine_for(bool level_is_given);
std::uint64_t max_deflate_bytes(const DeflateSpec& spec, std::uint64_t raw);
std::uint64_t deflate_encoder_scratch_bytes(const DeflateSpec& spec);
std::unique_ptr<Encoder> make_deflate_encoder(const DeflateSpec& spec, const Scratch& scratch);

}  // namespace weir
