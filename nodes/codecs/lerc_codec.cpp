// LERC by libtiff and its liblerc: blobs of version 2.4. What packs them once more is our own deflate or zstd, because the
// blob has to be made whole first: see clear_padding.
#include <fmt/format.h>

#include <cassert>
#include <cmath>
#include <cstring>

#include "framework/error.hpp"
#include "framework/scratch_block.hpp"
#include "nodes/codecs/codec_parts.hpp"
#include "nodes/codecs/tiff_memory.hpp"

namespace weir::codec_parts {
namespace {

// What handle and liblerc take at most, beside buffers of the piece's size: measured
// (tests/codec_memory_child.cpp).
constexpr std::uint64_t lerc_handle_bytes = 1024 * 1024;

/// liblerc counts bytes in 32 bits, and libtiff wants a third more.
constexpr std::uint64_t largest_piece = 3u << 30;

/// libtiff's buffers for a blob, before and behind the second codec (SetupUncompressedBuffer of tif_lerc.c).
std::uint64_t blob_buffer_bytes(std::uint64_t raw) {
  return 256 + raw + raw / 3;
}

template <class Value>
bool has_nan(std::span<const std::byte> samples) {
  for (std::size_t at = 0; at + sizeof(Value) <= samples.size(); at += sizeof(Value)) {
    Value value;
    std::memcpy(&value, samples.data() + at, sizeof value);
    if (std::isnan(value)) return true;
  }
  return false;
}

/// Where nothing helps, LERC stores the samples as they are, behind a header, a range per sample of the pixel and a mask of
/// one bit per pixel of floats.
std::uint64_t max_blob_bytes(const PieceFormat& format, std::uint64_t raw) {
  return raw + raw / 32 + 2 * std::uint64_t{format.samples} * bytes_of(format.type) + 256;
}

/// What packs the blobs; none where they stay as they are.
CodecSpec packing_of(const CodecSpec& spec) {
  CodecSpec packing;
  if (spec.lerc_compression == LercCompression::none) return packing;
  packing.id = spec.lerc_compression == LercCompression::zstd ? CodecId::zstd : CodecId::deflate;
  packing.level = spec.level;
  return resolved(packing);
}

/// Fletcher's checksum of 16-bit words, most significant byte first, as liblerc has it: 0 is 0xffff.
std::uint32_t fletcher32(std::span<const std::byte> bytes) {
  std::uint64_t low = 0, high = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 2) {
    low += std::to_integer<std::uint64_t>(bytes[at]) << 8;
    if (at + 1 < bytes.size()) low += std::to_integer<std::uint64_t>(bytes[at + 1]);
    low %= 65535;
    high = (high + low) % 65535;
  }
  const auto word = [](std::uint64_t sum) { return static_cast<std::uint32_t>(sum == 0 ? 65535 : sum); };
  return word(high) << 16 | word(low);
}

/// liblerc (4.0) ends the Huffman codes of 8-bit samples with a word that it never writes: what lay in the heap comes to
/// the file, and the same piece makes other bytes each time. It becomes 0, and the checksum is made anew.
/// Lerc2 blobs of version 4 (Lerc2.h): key (6 bytes), version (4), checksum (4) of all that follows, rows,
/// columns, samples, valid pixels, block size, bytes, type (7 x 4), error, least, most (3 x 8), bytes of the mask
/// (4), the mask, here none; the least and most of each sample; whether they are stored plainly; and if not, how.
void clear_padding(std::span<std::byte> blob, const PieceFormat& format) {
  constexpr std::size_t checksum_at = 10, summed_at = 14, error_at = 42, mask_at = 66, ranges_at = 70,
                        padding = 4;
  constexpr double exact = 0.5;  // of integers; others have no Huffman codes
  const std::size_t plain_at = ranges_at + 2 * std::size_t{format.samples};
  if (bytes_of(format.type) != 1 || blob.size() < plain_at + 2 + padding) return;
  std::uint32_t mask_bytes = 0, stored = 0;
  double error = 0;
  std::memcpy(&error, blob.data() + error_at, sizeof error);
  std::memcpy(&mask_bytes, blob.data() + mask_at, sizeof mask_bytes);
  std::memcpy(&stored, blob.data() + checksum_at, sizeof stored);
  const bool is_huffman = error == exact && mask_bytes == 0 && blob[plain_at] == std::byte{0} &&
                          (blob[plain_at + 1] == std::byte{1} || blob[plain_at + 1] == std::byte{2});
  // Another checksum is another liblerc, which may do well.
  if (!is_huffman || fletcher32(blob.subspan(summed_at)) != stored) return;
  std::memset(blob.data() + blob.size() - padding, 0, padding);
  const std::uint32_t sum = fletcher32(blob.subspan(summed_at));
  std::memcpy(blob.data() + checksum_at, &sum, sizeof sum);
}

class LercEncoder : public Encoder {
 public:
  LercEncoder(const CodecSpec& spec, std::uint64_t raw, const Scratch& scratch) : spec_(spec) {
    if (spec.lerc_compression == LercCompression::none) return;
    const std::uint64_t most = max_blob_bytes(spec.format, raw);
    blob_ = ScratchBlock(scratch, most, "a LERC blob");
    packing_ = make_encoder(packing_of(spec), most, scratch);
  }

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(out.size() >= max_lerc_bytes(spec_, raw.size()));
    if (raw.empty()) return 0;
    if (!packing_) return encode_blob(raw, out);
    const std::span<std::byte> blob(static_cast<std::byte*>(blob_.data()), blob_.size());
    return packing_->encode(blob.first(encode_blob(raw, blob)), out);
  }

 private:
  std::size_t encode_blob(std::span<const std::byte> raw, std::span<std::byte> out) const {
    // LERC has one mask for all samples of a pixel, and libtiff 4.5 makes it where there is one sample only.
    const PieceFormat& format = spec_.format;
    if (format.samples > 1 && (format.type == SampleType::float32   ? has_nan<float>(raw)
                               : format.type == SampleType::float64 ? has_nan<double>(raw)
                                                                    : false))
      throw Error(
          "encode", fmt::format("{} bytes with lerc", raw.size()),
          "there are NaN among the interleaved samples of pixels; planes, one for each sample, can hold "
          "them, or a nodata value in their place");
    MemoryTiff tiff(out, lerc_handle_bytes + blob_buffer_bytes(raw.size()));
    // No ExtraSamples: libtiff would make a mask of an alpha, and lose the colours under it.
    tiff.describe(image_of(spec_.id, format, raw.size()));
    if (TIFFSetField(tiff.get(), TIFFTAG_LERC_MAXZERROR, spec_.max_error.value()) != 1)
      throw Error("prepare", "a LERC encoder", tiff.message());
    const std::size_t bytes = tiff.encode(raw);
    clear_padding(out.first(bytes), format);
    return bytes;
  }

  CodecSpec spec_;
  ScratchBlock blob_;
  std::unique_ptr<Encoder> packing_;
};

class LercDecoder : public Decoder {
 public:
  explicit LercDecoder(const DecodeSpec& spec) : spec_(spec) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    PieceImage image = image_of(spec_.id, spec_.format, out.size());
    const std::uint64_t row_bytes = image.width * image.samples * bytes_of(image.type);
    const std::size_t wanted = image.rows * row_bytes;
    if (encoded.empty() || wanted == 0) return 0;
    if (spec_.is_padded) image.rows = spec_.rows;
    const std::uint32_t parameters[] = {spec_.lerc_version, spec_.lerc_compression};
    const auto* bytes = reinterpret_cast<const std::byte*>(parameters);
    std::vector<RawTag> tags = {{TIFFTAG_LERC_PARAMETERS, TIFF_LONG, 2, {bytes, bytes + sizeof parameters}}};
    if (spec_.ends_in_alpha && image.samples > 1) {
      // MinIsBlack has one colour; all but the last of the others are of no known kind.
      std::vector<std::uint16_t> extra(image.samples - 1, EXTRASAMPLE_UNSPECIFIED);
      extra.back() = EXTRASAMPLE_UNASSALPHA;
      RawTag tag{TIFFTAG_EXTRASAMPLES, TIFF_SHORT, extra.size(), std::vector<std::byte>(2 * extra.size())};
      std::memcpy(tag.bytes.data(), extra.data(), tag.bytes.size());
      tags.push_back(std::move(tag));
    }
    const std::vector<std::byte> file = directory_file(image, std::move(tags));
    MemoryTiff tiff(file, lerc_handle_bytes + blob_buffer_bytes(image.rows * row_bytes), nullptr);
    if (!tiff.decode(encoded, out.first(wanted)))
      throw Error("decode", "lerc data", tiff.message().empty() ? "it is broken" : tiff.message());
    return wanted;
  }

 private:
  DecodeSpec spec_;
};

}  // namespace

void check_lerc(const CodecSpec& spec, std::uint64_t rows) {
  const SampleType type = spec.format.type;
  if (!is_arithmetic(type) || type == SampleType::uint64 || type == SampleType::int64)
    throw Error::usage("use", fmt::format("lerc for {} samples", name_of(type)),
                       "it is for integers of 8, 16 and 32 bits and floats of 32 and 64");
  if (spec.format.row_bytes() > 0 && rows > largest_piece / spec.format.row_bytes())
    throw Error::usage("use", fmt::format("lerc for pieces of {} x {} pixels", spec.format.width, rows),
                       "they take more than 3 GiB");
}

std::uint64_t max_lerc_bytes(const CodecSpec& spec, std::uint64_t raw) {
  return max_encoded_bytes(packing_of(spec), max_blob_bytes(spec.format, raw));
}

std::uint64_t lerc_encoder_bytes(const CodecSpec& spec, std::uint64_t raw) {
  const std::uint64_t bytes = lerc_handle_bytes + 3 * blob_buffer_bytes(raw);
  if (spec.lerc_compression == LercCompression::none) return bytes;
  const std::uint64_t most = max_blob_bytes(spec.format, raw);
  return bytes + scratch_block_bytes(most) + encoder_scratch_bytes(packing_of(spec), most);
}

std::unique_ptr<Encoder> make_lerc_encoder(const CodecSpec& spec, std::uint64_t raw, const Scratch& scratch) {
  return std::make_unique<LercEncoder>(spec, raw, scratch);
}

std::uint64_t lerc_decoder_bytes(const DecodeSpec& spec) {
  return lerc_handle_bytes + 3 * blob_buffer_bytes(spec.raw_bytes());
}

std::unique_ptr<Decoder> make_lerc_decoder(const DecodeSpec& spec) {
  return std::make_unique<LercDecoder>(spec);
}

}  // namespace weir::codec_parts
