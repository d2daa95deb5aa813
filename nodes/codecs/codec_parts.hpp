#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "framework/scratch_block.hpp"
#include "nodes/codecs/codec.hpp"

/// What codec.cpp puts together; nothing outside nodes/codecs/ includes this. Specs are resolved.
namespace weir::codec_parts {

// deflate_codec.cpp
int default_deflate_level(DeflateEngine engine);
int highest_deflate_level(DeflateEngine engine);
DeflateEngine deflate_engine_for(bool level_is_given);
std::uint64_t max_deflate_bytes(DeflateEngine engine, std::uint64_t raw);
std::uint64_t deflate_encoder_scratch_bytes(const CodecSpec& spec);
std::unique_ptr<Encoder> make_deflate_encoder(const CodecSpec& spec, const Scratch& scratch);
std::uint64_t deflate_decoder_scratch_bytes();
std::unique_ptr<Decoder> make_deflate_decoder(const Scratch& scratch);

// zstd_codec.cpp
std::uint64_t max_zstd_bytes(std::uint64_t raw);
std::uint64_t zstd_encoder_scratch_bytes(int level, std::uint64_t raw);
std::unique_ptr<Encoder> make_zstd_encoder(int level, std::uint64_t raw, const Scratch& scratch);
std::uint64_t zstd_decoder_scratch_bytes();
std::unique_ptr<Decoder> make_zstd_decoder(const Scratch& scratch);

// tiff_memory_codec.cpp: lzw and packbits
std::uint64_t max_tiff_memory_bytes(const CodecSpec& spec, std::uint64_t raw);
std::uint64_t tiff_memory_scratch_bytes();
std::unique_ptr<Encoder> make_tiff_memory_encoder(const CodecSpec& spec);
std::unique_ptr<Decoder> make_tiff_memory_decoder(CodecId id);

}  // namespace weir::codec_parts
