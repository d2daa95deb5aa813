#pragma once

#include <tiffio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/error.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/raster/raster_info.hpp"

/// Libtiff's codecs, through handles on memory: no file, no directory that anybody sees. A handle is for one piece,
/// so that nothing of it is left to the next one. That costs 7 us, 11 with LZW's tables, against 1.2 ms for a tile
/// of 128 KiB. Nothing outside nodes/codecs/ includes this.
namespace weir::codec_parts {

/// A piece as libtiff is told of it: an image of one strip.
struct PieceImage {
  CodecId codec = CodecId::none;
  std::uint64_t width = 0, rows = 0;  ///< below 2^32
  std::uint32_t samples = 1;          ///< interleaved
  SampleType type = SampleType::uint8;
  std::uint16_t photometric = PHOTOMETRIC_MINISBLACK;
};

/// The image of a piece of `bytes`, `width` of the format told or not.
PieceImage image_of(CodecId codec, const PieceFormat& format, std::uint64_t bytes);

/// A TIFF file with that directory, in the byte order of the machine, and no pixels: for a handle that decodes. `more`:
/// further tags.
std::vector<std::byte> directory_file(const PieceImage& image, std::vector<RawTag> more = {});

class MemoryTiff {
 public:
  /// Which warnings (by libtiff's module and text) mean that pixels are not what they should be; nullptr: none.
  using IsError = bool (*)(std::string_view module, std::string_view text);

  /// For encoding into `out`. libtiff itself allocates at most `most_bytes` at a time.
  MemoryTiff(std::span<std::byte> out, std::uint64_t most_bytes);
  /// For decoding what `file`, which outlives this, describes.
  MemoryTiff(std::span<const std::byte> file, std::uint64_t most_bytes, IsError is_error);
  MemoryTiff(const MemoryTiff&) = delete;
  MemoryTiff& operator=(const MemoryTiff&) = delete;

  TIFF* get() const { return tiff_.get(); }

  /// For encoding, first: the tags of the image. Parameters of the codec are set behind it.
  void describe(const PieceImage& image);
  /// Encodes the piece, once; returns the bytes that it has in `out`. Throws Error.
  std::size_t encode(std::span<const std::byte> raw);

  /// Whether `out` was filled. Otherwise message() or ends_early() tells why.
  bool decode(std::span<const std::byte> encoded, std::span<std::byte> out);
  const std::string& message() const { return message_; }
  bool ends_early() const { return ends_early_; }  ///< libtiff said that data is missing

 private:
  struct Close {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
  };
  static tmsize_t read(thandle_t handle, void* data, tmsize_t bytes);
  static tmsize_t take_piece(thandle_t handle, void* data, tmsize_t bytes);
  static toff_t seek(thandle_t handle, toff_t offset, int whence);
  static toff_t size_of(thandle_t handle);
  static int keep_error(TIFF*, void* user, const char* module, const char* format, va_list arguments);
  static int sort_warning(TIFF*, void* user, const char* module, const char* format, va_list arguments);

  void open(const char* mode, std::uint64_t most_bytes);
  void keep(const char* text) noexcept;
  Error failed(std::size_t raw, std::string_view reason) const;

  std::span<const std::byte> file_;  // reading: all there is
  std::span<std::byte> out_;         // encoding: where the piece goes
  IsError is_error_ = nullptr;
  CodecId codec_ = CodecId::none;
  std::uint64_t position_ = 0, size_ = 0;
  std::size_t made_ = 0;      // encoding: bytes of the piece in `out_`
  bool takes_piece_ = false;  // encoding: what is written now is the piece, not libtiff's header or directory
  bool overflows_ = false;
  bool ends_early_ = false;
  std::string message_;  // the first other error
  std::unique_ptr<TIFF, Close> tiff_;
};

}  // namespace weir::codec_parts
