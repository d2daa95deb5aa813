#include "nodes/codecs/tiff_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <limits>

#include "framework/error.hpp"

namespace weir::codec_parts {
namespace {

constexpr std::uint64_t longest_side = std::numeric_limits<std::uint32_t>::max();

int close_nothing(thandle_t) {
  return 0;
}

std::uint16_t sample_format(SampleType type) {
  return is_floating(type)         ? SAMPLEFORMAT_IEEEFP
         : is_signed_integer(type) ? SAMPLEFORMAT_INT
                                   : SAMPLEFORMAT_UINT;
}

template <class Value>
RawTag tag_of(std::uint16_t id, std::uint16_t type, Value value) {
  RawTag tag{id, type, 1, std::vector<std::byte>(sizeof value)};
  std::memcpy(tag.bytes.data(), &value, sizeof value);
  return tag;
}
RawTag tag_of(std::uint16_t id, std::uint64_t value) {
  return tag_of(id, TIFF_LONG, static_cast<std::uint32_t>(value));
}

template <class Value>
void put(std::vector<std::byte>& file, std::size_t at, Value value) {
  std::memcpy(file.data() + at, &value, sizeof value);
}

}  // namespace

PieceImage image_of(CodecId codec, const PieceFormat& format, std::uint64_t bytes) {
  PieceImage image;
  image.codec = codec;
  image.samples = format.samples;
  image.type = format.type;
  const std::uint64_t pixel = format.samples * bytes_of(format.type);
  image.width = format.width != 0 ? format.width : bytes / pixel;
  image.rows = image.width == 0 ? 0 : bytes / (image.width * pixel);
  return image;
}

// TIFF 6.0 section 2. Values longer than an entry can hold lie behind the directory.
std::vector<std::byte> directory_file(const PieceImage& image, std::vector<RawTag> more) {
  assert(image.width <= longest_side && image.rows <= longest_side);
  std::vector<RawTag> tags = std::move(more);
  tags.push_back(tag_of(TIFFTAG_IMAGEWIDTH, image.width));
  tags.push_back(tag_of(TIFFTAG_IMAGELENGTH, image.rows));
  tags.push_back(tag_of(TIFFTAG_BITSPERSAMPLE, 8 * bytes_of(image.type)));
  tags.push_back(tag_of(TIFFTAG_COMPRESSION, static_cast<std::uint64_t>(image.codec)));
  tags.push_back(tag_of(TIFFTAG_PHOTOMETRIC, image.photometric));
  tags.push_back(tag_of(TIFFTAG_STRIPOFFSETS, 8));
  tags.push_back(tag_of(TIFFTAG_SAMPLESPERPIXEL, image.samples));
  tags.push_back(tag_of(TIFFTAG_ROWSPERSTRIP, image.rows));
  tags.push_back(tag_of(TIFFTAG_STRIPBYTECOUNTS, 1));
  tags.push_back(tag_of(TIFFTAG_SAMPLEFORMAT, TIFF_SHORT, sample_format(image.type)));
  std::ranges::sort(tags, {}, &RawTag::id);

  std::vector<std::byte> file(8 + 2 + tags.size() * 12 + 4);
  put(file, 0, std::endian::native == std::endian::little ? std::uint16_t{0x4949} : std::uint16_t{0x4d4d});
  put(file, 2, std::uint16_t{42});
  put(file, 4, std::uint32_t{8});
  put(file, 8, static_cast<std::uint16_t>(tags.size()));
  std::size_t at = 10;
  for (const RawTag& tag : tags) {
    put(file, at, tag.id);
    put(file, at + 2, tag.type);
    put(file, at + 4, static_cast<std::uint32_t>(tag.count));
    if (tag.bytes.size() <= 4) {
      std::ranges::copy(tag.bytes, file.begin() + static_cast<std::ptrdiff_t>(at + 8));
    } else {
      file.resize(file.size() + file.size() % 2);
      put(file, at + 8, static_cast<std::uint32_t>(file.size()));
      file.insert(file.end(), tag.bytes.begin(), tag.bytes.end());
    }
    at += 12;
  }
  return file;
}

MemoryTiff::MemoryTiff(std::span<std::byte> out, std::uint64_t most_bytes) : out_(out) {
  open("w8", most_bytes);  // BigTIFF: pieces may be larger than 4 GiB
}

MemoryTiff::MemoryTiff(std::span<const std::byte> file, std::uint64_t most_bytes, IsError is_error)
    : file_(file), is_error_(is_error), size_(file.size()) {
  open("r", most_bytes);
}

void MemoryTiff::open(const char* mode, std::uint64_t most_bytes) {
  struct FreeOptions {
    void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
  };
  std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
  if (!options) throw Error("allocate", "a libtiff handle", "out of memory");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(most_bytes));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), sort_warning, this);
  tiff_.reset(TIFFClientOpenExt("memory", mode, this, read, take_piece, seek, close_nothing, size_of, nullptr,
                                nullptr, options.get()));
  if (!tiff_) throw Error("open", "a libtiff handle on memory", message_);
}

void MemoryTiff::describe(const PieceImage& image) {
  codec_ = image.codec;
  TIFF* t = tiff_.get();
  const bool described =
      TIFFSetField(t, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(image.width)) == 1 &&
      TIFFSetField(t, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(image.rows)) == 1 &&
      TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(image.rows)) == 1 &&
      TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * bytes_of(image.type))) == 1 &&
      TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, sample_format(image.type)) == 1 &&
      TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, static_cast<int>(image.samples)) == 1 &&
      TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == 1 &&
      TIFFSetField(t, TIFFTAG_PHOTOMETRIC, static_cast<int>(image.photometric)) == 1 &&
      TIFFSetField(t, TIFFTAG_COMPRESSION, static_cast<int>(image.codec)) == 1;
  if (!described) throw Error("describe", fmt::format("a piece for {}", name_of(codec_)), message_);
}

std::size_t MemoryTiff::encode(std::span<const std::byte> raw) {
  // libtiff's output buffer is `out_` itself. With room for the bound it is written once, at the end.
  if (!message_.empty() ||
      TIFFWriteBufferSetup(tiff_.get(), out_.data(), static_cast<tmsize_t>(out_.size())) != 1)
    throw failed(raw.size(), message_);
  takes_piece_ = true;
  // libtiff changes samples in place only where it swaps them, which it does not do in the machine's order.
  void* samples = const_cast<std::byte*>(raw.data());
  const auto bytes = static_cast<tmsize_t>(raw.size());
  const bool written = TIFFWriteEncodedStrip(tiff_.get(), 0, samples, bytes) == bytes;
  takes_piece_ = false;  // closing writes a directory, to nowhere
  if (overflows_) throw failed(raw.size(), "the result is larger than its bound");
  if (!written || made_ == 0) throw failed(raw.size(), message_);
  return made_;
}

Error MemoryTiff::failed(std::size_t raw, std::string_view reason) const {
  return Error("encode", fmt::format("{} bytes with {}", raw, name_of(codec_)), reason);
}

bool MemoryTiff::decode(std::span<const std::byte> encoded, std::span<std::byte> out) {
  message_.clear();
  ends_early_ = false;
  // libtiff reverses the bits of its input in place, but only in files of the other fill order.
  return TIFFReadFromUserBuffer(tiff_.get(), 0, const_cast<std::byte*>(encoded.data()),
                                static_cast<tmsize_t>(encoded.size()), out.data(),
                                static_cast<tmsize_t>(out.size())) == 1 &&
         message_.empty();
}

tmsize_t MemoryTiff::read(thandle_t handle, void* data, tmsize_t bytes) {
  MemoryTiff& self = *static_cast<MemoryTiff*>(handle);
  if (bytes <= 0 || self.position_ >= self.file_.size()) return 0;
  const std::size_t count = std::min(static_cast<std::size_t>(bytes), self.file_.size() - self.position_);
  std::memcpy(data, self.file_.data() + self.position_, count);
  self.position_ += count;
  return static_cast<tmsize_t>(count);
}

// Most pieces are encoded where they belong, and there is nothing to copy; LERC's come from a buffer of its
// own. All else that libtiff writes is dropped.
tmsize_t MemoryTiff::take_piece(thandle_t handle, void* data, tmsize_t bytes) {
  MemoryTiff& self = *static_cast<MemoryTiff*>(handle);
  if (self.takes_piece_) {
    // A second part would mean that libtiff has come to the end of `out_` and begun again at its start.
    if (self.made_ != 0 || static_cast<std::size_t>(bytes) > self.out_.size()) {
      self.overflows_ = true;
      return -1;
    }
    if (data != self.out_.data()) std::memcpy(self.out_.data(), data, static_cast<std::size_t>(bytes));
    self.made_ = static_cast<std::size_t>(bytes);
  }
  self.position_ += static_cast<std::uint64_t>(bytes);
  self.size_ = std::max(self.size_, self.position_);
  return bytes;
}

toff_t MemoryTiff::seek(thandle_t handle, toff_t offset, int whence) {
  MemoryTiff& self = *static_cast<MemoryTiff*>(handle);
  if (whence == SEEK_CUR) offset += self.position_;
  if (whence == SEEK_END) offset += self.size_;
  self.position_ = offset;
  return offset;
}

toff_t MemoryTiff::size_of(thandle_t handle) {
  return static_cast<MemoryTiff*>(handle)->size_;
}

void MemoryTiff::keep(const char* text) noexcept {
  if (!message_.empty()) return;
  try {
    message_ = text[0] != '\0' ? text : "libtiff failed";
    while (message_.size() > 1 && (message_.back() == '.' || message_.back() == '\n')) message_.pop_back();
  } catch (...) {  // no memory for the message; the failure itself is seen by the caller
  }
}

// Sorts out what a codec says when data ends early (tif_lzw.c, tif_packbits.c) or its output does not fit
// (tif_webp.c), and keeps the first of all other errors. Returns 1: libtiff's global handlers, which belong to
// the program, are not called.
int MemoryTiff::keep_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  MemoryTiff& self = *static_cast<MemoryTiff*>(user);
  char text[200];
  if (std::vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
  if (std::strstr(text, "Buffer too small by") != nullptr) self.overflows_ = true;
  if (std::strstr(text, "Not enough data") != nullptr ||
      std::strstr(text, "not terminated with EOI") != nullptr)
    self.ends_early_ = true;
  else
    self.keep(text);
  return 1;
}

int MemoryTiff::sort_warning(TIFF*, void* user, const char* module, const char* format, va_list arguments) {
  MemoryTiff& self = *static_cast<MemoryTiff*>(user);
  if (self.is_error_ == nullptr) return 1;
  char text[200];
  if (std::vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
  if (self.is_error_(module != nullptr ? module : "", text)) self.keep(text);
  return 1;
}

}  // namespace weir::codec_parts
