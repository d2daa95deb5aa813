#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "framework/scratch_block.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/stream_codecs.hpp"

/// What codec.cpp puts together; nothing outside nodes/codecs/ includes this. Specs are resolved.
namespace weir::codec_parts {

// deflate_codec.cpp; encoders are in stream_codecs.hpp
std::uint64_t deflate_decoder_scratch_bytes();
std::unique_ptr<Decoder> make_deflate_decoder(const Scratch& scratch);

// zstd_codec.cpp; its encoder is there too
std::uint64_t zstd_decoder_scratch_bytes();
std::unique_ptr<Decoder> make_zstd_decoder(const Scratch& scratch);

// lzma_codec.cpp
std::uint64_t max_lzma_bytes(std::uint64_t raw);
std::uint64_t lzma_encoder_scratch_bytes(int level, std::uint64_t raw);
std::unique_ptr<Encoder> make_lzma_encoder(int level, std::uint64_t raw, const Scratch& scratch);
std::uint64_t lzma_decoder_scratch_bytes(std::uint64_t raw);
std::unique_ptr<Decoder> make_lzma_decoder(const Scratch& scratch);

// jpeg_codec.cpp
void check_jpeg(const CodecSpec& spec, std::uint64_t rows);
std::uint64_t max_jpeg_bytes(const CodecSpec& spec, std::uint64_t raw);
std::uint64_t jpeg_encoder_bytes(const CodecSpec& spec, std::uint64_t raw);
std::unique_ptr<Encoder> make_jpeg_encoder(const CodecSpec& spec);
std::vector<std::byte> jpeg_tables(const CodecSpec& spec);
std::uint64_t jpeg_decoder_bytes(const DecodeSpec& spec);
std::unique_ptr<Decoder> make_jpeg_decoder(const DecodeSpec& spec);

// webp_codec.cpp
void check_webp(const CodecSpec& spec, std::uint64_t rows);
std::uint64_t max_webp_bytes(std::uint64_t raw);
std::uint64_t webp_encoder_bytes(const CodecSpec& spec, std::uint64_t raw);
std::unique_ptr<Encoder> make_webp_encoder(const CodecSpec& spec);
std::uint64_t webp_decoder_bytes(const DecodeSpec& spec);
std::unique_ptr<Decoder> make_webp_decoder(const DecodeSpec& spec);

// lerc_codec.cpp
void check_lerc(const CodecSpec& spec, std::uint64_t rows);
std::uint64_t max_lerc_bytes(const CodecSpec& spec, std::uint64_t raw);
std::uint64_t lerc_encoder_bytes(const CodecSpec& spec, std::uint64_t raw);
std::unique_ptr<Encoder> make_lerc_encoder(const CodecSpec& spec, std::uint64_t raw, const Scratch& scratch);
std::uint64_t lerc_decoder_bytes(const DecodeSpec& spec);
std::unique_ptr<Decoder> make_lerc_decoder(const DecodeSpec& spec);

// tiff_memory_codec.cpp: lzw and packbits
std::uint64_t max_tiff_memory_bytes(const CodecSpec& spec, std::uint64_t raw);
std::uint64_t tiff_memory_scratch_bytes();
std::unique_ptr<Encoder> make_tiff_memory_encoder(const CodecSpec& spec);
std::uint64_t tiff_memory_decoder_bytes(CodecId id);
std::unique_ptr<Decoder> make_tiff_memory_decoder(CodecId id, const Scratch& scratch);

}  // namespace weir::codec_parts
