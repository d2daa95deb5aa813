// LZW and PackBits by libtiff, through handles on memory: no file, no directory that anybody sees.
#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"

namespace weir::codec_parts {
namespace {

// What one handle holds inside libtiff: LZW's tables (encoding 9001 entries of 16 bytes, decoding 5119), the
// directory and small change. libtiff allocates it by malloc, so no pool can count it; it is declared all the
// same, and no single allocation of a handle may be larger.
constexpr tmsize_t handle_bytes = 256 * 1024;

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Handle = std::unique_ptr<TIFF, CloseTiff>;

// What a handle sees as its file, and where its messages go. Lives longer than the handle.
struct MemoryFile {
  std::span<const std::byte> header;  // reading: all there is
  std::span<std::byte> out;           // encoding: where the piece goes
  std::uint64_t position = 0, size = 0;
  std::size_t made = 0;      // encoding: bytes of the piece in `out`
  bool takes_piece = false;  // encoding: what is written now is the piece, not libtiff's header or directory
  bool overflows = false;
  bool ends_early = false;  // decoding: libtiff said that data is missing
  std::string message;      // the first other error
};

MemoryFile& file_of(thandle_t handle) {
  return *static_cast<MemoryFile*>(handle);
}

tmsize_t read_header(thandle_t handle, void* data, tmsize_t bytes) {
  MemoryFile& file = file_of(handle);
  if (bytes <= 0 || file.position >= file.header.size()) return 0;
  const std::size_t count = std::min(static_cast<std::size_t>(bytes), file.header.size() - file.position);
  std::memcpy(data, file.header.data() + file.position, count);
  file.position += count;
  return static_cast<tmsize_t>(count);
}

// The piece is encoded where it belongs (see MemoryEncoder), so there is nothing to copy; all else is
// dropped.
tmsize_t take_piece(thandle_t handle, void* data, tmsize_t bytes) {
  MemoryFile& file = file_of(handle);
  if (file.takes_piece) {
    // A second part would mean that libtiff has come to the end of `out` and begun again at its start.
    if (file.made != 0 || data != file.out.data()) {
      file.overflows = true;
      return -1;
    }
    file.made = static_cast<std::size_t>(bytes);
  }
  file.position += static_cast<std::uint64_t>(bytes);
  file.size = std::max(file.size, file.position);
  return bytes;
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  MemoryFile& file = file_of(handle);
  if (whence == SEEK_CUR) offset += file.position;
  if (whence == SEEK_END) offset += file.size;
  file.position = offset;
  return offset;
}

toff_t size_of(thandle_t handle) {
  return file_of(handle).size;
}
int close_nothing(thandle_t) {
  return 0;
}

// Sorts out what a codec says when data ends early (tif_lzw.c, tif_packbits.c), and keeps the first of all
// other errors. Returns 1: libtiff's global handlers, which belong to the program, are not called.
int keep_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  MemoryFile& file = *static_cast<MemoryFile*>(user);
  char text[200];
  if (std::vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
  if (std::strstr(text, "Not enough data") != nullptr ||
      std::strstr(text, "not terminated with EOI") != nullptr) {
    file.ends_early = true;
    return 1;
  }
  if (!file.message.empty()) return 1;
  try {
    file.message = text[0] != '\0' ? text : "libtiff failed";
  } catch (...) {  // no memory for the message; the failure itself is seen by the caller
  }
  return 1;
}
int drop_warning(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

Handle open_handle(MemoryFile& file, const char* mode) {
  struct FreeOptions {
    void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
  };
  std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
  if (!options) throw Error("allocate", "a libtiff handle", "out of memory");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), handle_bytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &file);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), drop_warning, &file);
  Handle tiff(TIFFClientOpenExt("memory", mode, &file, read_header, take_piece, seek, close_nothing, size_of,
                                nullptr, nullptr, options.get()));
  if (!tiff) throw Error("open", "a libtiff handle on memory", file.message);
  return tiff;
}

// A handle per piece, so that nothing of a piece is left to the next one. It costs 7 us, 11 with LZW's
// tables, against 1.2 ms for a tile of 128 KiB (LZW encodes 105 to 160 MB/s of terrain, decodes 390 to 630;
// PackBits 430 and 1400 to 5000).
class MemoryEncoder : public Encoder {
 public:
  explicit MemoryEncoder(const CodecSpec& spec) : spec_(spec) {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(out.size() >= max_tiff_memory_bytes(spec_, raw.size()));
    if (raw.empty()) return 0;
    const std::uint64_t row = spec_.format.row_bytes() == 0 ? raw.size() : spec_.format.row_bytes();
    const std::uint64_t rows = (raw.size() + row - 1) / row;
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    if (row > most || rows > most) throw failed(raw.size(), "libtiff takes rows of at most 4 GiB");

    MemoryFile file;
    file.out = out;
    Handle tiff = open_handle(file, "w8");  // BigTIFF: pieces may be larger than 4 GiB
    TIFF* t = tiff.get();
    const bool described = TIFFSetField(t, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(row)) == 1 &&
                           TIFFSetField(t, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(rows)) == 1 &&
                           TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(rows)) == 1 &&
                           TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8) == 1 &&
                           TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1) == 1 &&
                           TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == 1 &&
                           TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) == 1 &&
                           TIFFSetField(t, TIFFTAG_COMPRESSION, static_cast<int>(spec_.id)) == 1;
    // libtiff's output buffer is `out` itself. With room for the bound it is written once, at the end.
    if (!described || TIFFWriteBufferSetup(t, out.data(), static_cast<tmsize_t>(out.size())) != 1)
      throw failed(raw.size(), file.message);
    file.takes_piece = true;
    // libtiff changes samples in place only where it swaps them, which it does not do to bytes.
    void* samples = const_cast<std::byte*>(raw.data());
    const auto bytes = static_cast<tmsize_t>(raw.size());
    const bool written = TIFFWriteEncodedStrip(t, 0, samples, bytes) == bytes;
    file.takes_piece = false;  // closing writes a directory, to nowhere
    if (file.overflows) throw failed(raw.size(), "the result is larger than its bound");
    if (!written || file.made == 0) throw failed(raw.size(), file.message);
    return file.made;
  }

 private:
  Error failed(std::size_t raw, std::string_view reason) const {
    return Error("encode", fmt::format("{} bytes with {}", raw, name_of(spec_.id)), reason);
  }

  CodecSpec spec_;
};

constexpr std::size_t one_pixel_entries = 9;
using OnePixelFile = std::array<std::byte, 8 + 2 + one_pixel_entries * 12 + 4>;

// A TIFF file of one pixel in the byte order of the machine (TIFF 6.0 section 2), for a handle that decodes.
OnePixelFile one_pixel_file(CodecId id) {
  OnePixelFile file;
  std::size_t at = 0;
  const auto put = [&](auto value) {
    std::memcpy(file.data() + at, &value, sizeof value);
    at += sizeof value;
  };
  struct Entry {
    std::uint16_t tag;
    std::uint32_t value;
  };
  const Entry entries[one_pixel_entries] = {
      {TIFFTAG_IMAGEWIDTH, 1},
      {TIFFTAG_IMAGELENGTH, 1},
      {TIFFTAG_BITSPERSAMPLE, 8},
      {TIFFTAG_COMPRESSION, static_cast<std::uint32_t>(id)},
      {TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK},
      {TIFFTAG_STRIPOFFSETS, 8},
      {TIFFTAG_SAMPLESPERPIXEL, 1},
      {TIFFTAG_ROWSPERSTRIP, 1},
      {TIFFTAG_STRIPBYTECOUNTS, 1},
  };
  put(std::endian::native == std::endian::little ? std::uint16_t{0x4949} : std::uint16_t{0x4d4d});
  put(std::uint16_t{42});
  put(std::uint32_t{8});
  put(static_cast<std::uint16_t>(one_pixel_entries));
  for (const Entry& entry : entries) {
    put(entry.tag);
    put(std::uint16_t{TIFF_LONG});
    put(std::uint32_t{1});
    put(entry.value);
  }
  put(std::uint32_t{0});  // no further directory
  assert(at == file.size());
  return file;
}

class MemoryDecoder : public Decoder {
 public:
  explicit MemoryDecoder(CodecId id) : id_(id), header_(one_pixel_file(id)) { open(); }

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    if (encoded.empty() || out.empty()) return 0;
    if (id_ == CodecId::lzw) {
      // libtiff turns a handle to the bit-reversed LZW of its early days for good when it sees a piece of
      // that kind (LZWPreDecode), and does not once it has seen another: so each kind gets a handle of its
      // own.
      const bool reversed =
          encoded.size() > 1 && encoded[0] == std::byte{0} && (encoded[1] & std::byte{1}) != std::byte{0};
      if (reversed != reversed_) open();
      reversed_ = reversed;
    }
    if (run(encoded, out)) return out.size();
    if (!file_.ends_early || !file_.message.empty())
      throw Error("decode", fmt::format("{} data", name_of(id_)), file_.message);
    return filled_bytes(encoded, out);
  }

 private:
  void open() {
    tiff_.reset();
    file_ = MemoryFile{};
    file_.header = header_;
    file_.size = header_.size();
    tiff_ = open_handle(file_, "r");
  }

  bool run(std::span<const std::byte> encoded, std::span<std::byte> out) {
    file_.message.clear();
    file_.ends_early = false;
    // libtiff reverses the bits of its input in place, but only in files of the other fill order.
    return TIFFReadFromUserBuffer(tiff_.get(), 0, const_cast<std::byte*>(encoded.data()),
                                  static_cast<tmsize_t>(encoded.size()), out.data(),
                                  static_cast<tmsize_t>(out.size())) == 1;
  }

  // How much of `out` the data fills; libtiff does not say. Decoded over zeros the last byte that is not 0
  // was filled, over ones the last that is not 255: the last byte filled is one of the two. Only short pieces
  // pay for it.
  std::size_t filled_bytes(std::span<const std::byte> encoded, std::span<std::byte> out) {
    std::size_t filled = 0;
    for (const std::byte blank : {std::byte{0}, std::byte{0xff}}) {
      std::fill(out.begin(), out.end(), blank);
      (void)run(encoded, out);  // fails as it did before
      std::size_t end = out.size();
      while (end > filled && out[end - 1] == blank) --end;
      filled = std::max(filled, end);
    }
    return filled;
  }

  CodecId id_;
  OnePixelFile header_;
  MemoryFile file_;
  Handle tiff_;
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
  // A header byte for at most 128 literal bytes, and one more for each row. libtiff's state machine begins a
  // new literal run also behind a pair that it could not merge: at worst one header for 126 bytes.
  const std::uint64_t row =
      spec.format.row_bytes() == 0 ? std::max<std::uint64_t>(raw, 1) : spec.format.row_bytes();
  return raw + raw / 120 + 2 * (raw / row + 1) + slack;
}

std::uint64_t tiff_memory_scratch_bytes() {
  return handle_bytes;
}

std::unique_ptr<Encoder> make_tiff_memory_encoder(const CodecSpec& spec) {
  return std::make_unique<MemoryEncoder>(spec);
}

std::unique_ptr<Decoder> make_tiff_memory_decoder(CodecId id) {
  return std::make_unique<MemoryDecoder>(id);
}

}  // namespace weir::codec_parts
