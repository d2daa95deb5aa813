// LZW and PackBits by libtiff: tiff_memory.hpp. Sound LZW is decoded by lzw_decode.hpp.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"
#include "nodes/codecs/lzw_decode.hpp"
#include "nodes/codecs/tiff_memory.hpp"

namespace weir::codec_parts {
namespace {

// What one handle holds inside libtiff: LZW's tables (encoding 9001 entries of 16 bytes, decoding 5119), the
// directory and small change. libtiff allocates it by malloc, so no pool can count it; it is declared all the
// same, and no single allocation of a handle may be larger.
constexpr std::uint64_t handle_bytes = 256 * 1024;
constexpr std::size_t lzw_table_bytes = lzw_strings * sizeof(LzwString);

// LZW encodes 105 to 160 MB/s of terrain; PackBits 430, and decodes 1400 to 5000.
class MemoryEncoder : public Encoder {
 public:
  explicit MemoryEncoder(const CodecSpec& spec) : spec_(spec) {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(out.size() >= max_tiff_memory_bytes(spec_, raw.size()));
    if (raw.empty()) return 0;
    // Both codecs look at bytes, whatever the samples are.
    PieceImage image;
    image.codec = spec_.id;
    image.width = spec_.format.row_bytes() == 0 ? raw.size() : spec_.format.row_bytes();
    image.rows = (raw.size() + image.width - 1) / image.width;
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    if (image.width > most || image.rows > most)
      throw Error("encode", fmt::format("{} bytes with {}", raw.size(), name_of(spec_.id)),
                  "libtiff takes rows of at most 4 GiB");
    MemoryTiff tiff(out, handle_bytes);
    tiff.describe(image);
    return tiff.encode(raw);
  }

 private:
  CodecSpec spec_;
};

class MemoryDecoder : public Decoder {
 public:
  MemoryDecoder(CodecId id, const Scratch& scratch) : id_(id) {
    if (id == CodecId::lzw) strings_ = ScratchBlock(scratch, lzw_table_bytes, "an LZW table");
    PieceImage image;
    image.codec = id;
    image.width = image.rows = 1;
    file_ = directory_file(image);
    open();
  }

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    if (encoded.empty() || out.empty()) return 0;
    if (id_ == CodecId::lzw) {
      if (decode_lzw(encoded, out, static_cast<LzwString*>(strings_.data()))) return out.size();
      // libtiff turns a handle to the bit-reversed LZW of its early days for good when it sees a piece of
      // that kind (LZWPreDecode), and does not once it has seen another: so each kind gets a handle of its
      // own.
      const bool reversed =
          encoded.size() > 1 && encoded[0] == std::byte{0} && (encoded[1] & std::byte{1}) != std::byte{0};
      if (reversed != reversed_) open();
      reversed_ = reversed;
    }
    if (tiff_->decode(encoded, out)) return out.size();
    if (!tiff_->ends_early() || !tiff_->message().empty())
      throw Error("decode", fmt::format("{} data", name_of(id_)), tiff_->message());
    return filled_bytes(encoded, out);
  }

 private:
  void open() {
    tiff_.reset();
    tiff_ = std::make_unique<MemoryTiff>(file_, handle_bytes, nullptr);
  }

  // How much of `out` the data fills; libtiff does not say. Decoded over zeros the last byte that is not 0
  // was filled, over ones the last that is not 255: the last byte filled is one of the two. Only short pieces
  // pay for it.
  std::size_t filled_bytes(std::span<const std::byte> encoded, std::span<std::byte> out) {
    std::size_t filled = 0;
    for (const std::byte blank : {std::byte{0}, std::byte{0xff}}) {
      std::fill(out.begin(), out.end(), blank);
      (void)tiff_->decode(encoded, out);  // fails as it did before
      std::size_t end = out.size();
      while (end > filled && out[end - 1] == blank) --end;
      filled = std::max(filled, end);
    }
    return filled;
  }

  CodecId id_;
  std::vector<std::byte> file_;
  std::unique_ptr<MemoryTiff> tiff_;
  ScratchBlock strings_;  // none for PackBits
  bool reversed_ = false;
};

}  // namespace

std::uint64_t max_tiff_memory_bytes(const CodecSpec& spec, std::uint64_t raw) {
  constexpr std::uint64_t slack = 32;  // libtiff empties its buffer when fewer than 5 bytes are left of it
  if (spec.id == CodecId::lzw) {
    // At most one code of 12 bits per byte, one clear code per 3800 bytes (the table is full) and one per
    // 10000 (the ratio fell), and both ends (TIFF 6.0 section 13).
    return raw + raw / 2 + raw / 1024 + slack;
  }
  // Literal bytes have a header, and one more in each row. libtiff's state machine merges one pair into the literals around it, not two:
  // of "x yy zz" over and over, five bytes become six.
  const std::uint64_t row =
      spec.format.row_bytes() == 0 ? std::max<std::uint64_t>(raw, 1) : spec.format.row_bytes();
  return raw + raw / 5 + 2 * (raw / row + 1) + slack;
}

std::uint64_t tiff_memory_scratch_bytes() {
  return handle_bytes;
}

std::unique_ptr<Encoder> make_tiff_memory_encoder(const CodecSpec& spec) {
  return std::make_unique<MemoryEncoder>(spec);
}

std::uint64_t tiff_memory_decoder_bytes(CodecId id) {
  return handle_bytes + (id == CodecId::lzw ? scratch_block_bytes(lzw_table_bytes) : 0);
}

std::unique_ptr<Decoder> make_tiff_memory_decoder(CodecId id, const Scratch& scratch) {
  return std::make_unique<MemoryDecoder>(id, scratch);
}

}  // namespace weir::codec_parts
