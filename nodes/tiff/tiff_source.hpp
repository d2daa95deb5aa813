#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/stores/http_options.hpp"
#include "nodes/tiff/tiff_info.hpp"
#include "nodes/tiff/tiff_pieces.hpp"

namespace weir {

struct TiffReadOptions {
  /// Size of a chunk in pixels, rounded up to whole tiles or strips of the file. An axis that is left open
  /// grows until a chunk has 128 KiB of pixels: columns first, because the tiles of a row lie side by side in
  /// the file. Of a remote file up to 4 MiB of pixels lie side by side in a chunk: what one request brings.
  std::optional<std::uint64_t> chunk_height = std::nullopt, chunk_width = std::nullopt;
  /// The most bytes that the pixels of a chunk, or of one tile or strip, may take. Chunks are made smaller to
  /// keep it; where a single tile or compressed strip is larger, the file is refused. The default is a guard
  /// against files that say anything.
  std::uint64_t max_chunk_bytes = std::uint64_t{2} << 30;
  /// Number of the directory (image) in the file's main chain.
  unsigned directory = 0;
  /// The part that will be read, in pixels of the directory; nothing: all of it. Chunks are laid out from its first tile
  /// on, and those outside are neither looked up nor read: asking for one is a usage Error.
  std::optional<Window> window = std::nullopt;
  /// How the file is read where the path is a URL.
  HttpOptions http = {};
  /// Codecs that may occur beside ours, by their Compression tag.
  std::vector<std::shared_ptr<const CustomCodec>> codecs = {};
  /// Whether float16 samples stay what they are, instead of becoming float32.
  bool keep_half = false;
};

/// A TIFF or BigTIFF file of either byte order as a source of chunks. Reads tiles and strips, interleaved and
/// planar; codecs none, deflate, zstd, lzw, packbits, lzma, lerc, webp and jpeg (YCbCr comes out as RGB);
/// predictors 1 to 3; unsigned integers of 1 to 32 bits
/// and of 64, signed ones of 8, 16, 32 and 64; floats of 16, 32 and 64; complex ones (see tiff_samples.hpp); bits
/// in either order. Everything else is refused with an Error naming tag and value. Samples have the values that
/// the file has, whatever its photometric interpretation; that and a colour map are in info().
///
/// A chunk is one tile or strip of the file, or a group of them; large uncompressed strips are cut into
/// parts. Blocks of interleaved files are interleaved, those of planar files have one plane per sample.
/// Tiles and strips may share bytes of the file, as some writers let equal ones do.
///
/// Neither the offset arrays nor a libtiff handle are kept: the arrays are read piece by piece where they are
/// needed. So ten million tiles take no memory, and many threads may be inside at once without a lock.
class TiffSource : public ChunkSource {
 public:
  /// Reads the directory and, to know fetch_bytes(), once through the offset and byte count arrays. Throws
  /// Error. A tile or strip whose place in the file is impossible is an Error of its chunk's fetch, naming
  /// it.
  /// A path may be a URL: see open_readable.
  explicit TiffSource(const std::string& path, const TiffReadOptions& options = {},
                      FileSystem& files = FileSystem::real());
  /// The same of a file that is open already; several sources may share one.
  explicit TiffSource(std::shared_ptr<const ReadableFile> file, const TiffReadOptions& options = {});
  /// The same of a directory that was read before; options.directory is not looked at. Where image.info.has_mask, blocks
  /// have a mask plane behind their pixels that is not filled: MaskedSource does that.
  TiffSource(std::shared_ptr<const ReadableFile> file, TiffImage image, const TiffReadOptions& options = {});

  const RasterInfo& info() const override { return image_.info; }
  const ChunkGrid& grid() const override { return grid_; }
  const ReadableFile& file() const { return *file_; }
  const TiffLayout& layout() const { return image_.layout; }
  /// Tags that info().tags leaves out although a copy might miss them: see TiffImage.
  const std::vector<std::uint16_t>& dropped_tags() const { return image_.dropped_tags; }

  /// From now on, buffers that fetch gives have room for `bytes` more behind their size. Before the source is shared.
  void reserve_in_fetch(std::uint64_t bytes);
  /// The pixels that can be read: those of all tiles or strips that the window touches.
  Window covered() const;
  /// Of a chunk, in pixels; those at the edges may be smaller.
  std::uint64_t chunk_height() const { return group_rows_ * pieces_.height(); }
  std::uint64_t chunk_width() const { return group_cols_ * pieces_.width(); }

  std::uint64_t fetch_bytes() const override { return BufferPool::charge(largest_fetch_ + fetch_room_); }
  std::uint64_t block_bytes() const override;
  std::optional<RemoteReading> remote() const override;
  std::uint64_t local_bytes() const override;
  std::uint64_t standing_bytes() const override;
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override;

  /// Reads neighbours in the file together. Throws Error naming the first tile or strip that lies beyond the
  /// end of the file, or whose byte count cannot be true.
  Buffer fetch(ChunkIndex chunk, const Context& context) const override;
  /// `local` comes from make_local. Throws Error naming the tile or strip whose data is broken or too short.
  /// The block's data is `stored` itself where the file has the pixels as memory wants them; then no other
  /// buffer is drawn.
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;
  /// Planar files: a source of the same open file that fetches and decodes the planes of these samples alone.
  std::shared_ptr<const ChunkSource> with_samples(std::span<const std::uint32_t> samples) const override;

 private:
  class ThreadLocal;

  void choose_window(const TiffReadOptions& options);
  void choose_grid(const TiffReadOptions& options);
  std::uint64_t group_bytes(std::uint64_t piece_rows, std::uint64_t piece_cols) const;
  std::uint64_t largest_fetch() const;
  std::uint64_t count_requests() const;

  TiffPieceRange pieces_of(ChunkIndex chunk) const;
  std::uint64_t bytes_of_window(const Window& window) const;
  bool is_direct(const Window& window) const;
  std::uint64_t position_of(const TiffPiece& piece, const TiffPieceRange& range, const Window& window) const;
  bool needs_piece_scratch() const;
  std::uint32_t swapped_bytes() const;

  Buffer fetch_direct(const Window& window, const TiffPieceRange& range, const Context& context) const;
  Buffer fetch_packed(const TiffPieceRange& range, const Context& context) const;
  Block block_of(const Window& window, Buffer data) const;
  void decode_piece(const TiffPiece& piece, std::span<std::byte> stored, Block& block,
                    ThreadLocal& local) const;
  void decode_data(const TiffPiece& piece, std::span<const std::byte> stored, std::span<std::byte> raw,
                   Decoder& decoder) const;

  std::shared_ptr<const ReadableFile> file_;
  TiffReadOptions options_;
  TiffImage image_;
  TiffPieces pieces_;
  ChunkGrid grid_;
  TiffPieceRange wanted_;                             // pieces that the window touches, or all
  std::uint64_t group_rows_ = 1, group_cols_ = 1;     // pieces of a chunk
  ChunkIndex first_chunk_, chunks_end_;               // those that hold the wanted pieces
  std::array<std::byte, largest_sample_bytes> fill_;  // a sample of a sparse piece, in machine order
  std::uint64_t largest_fetch_ = 0, fetch_room_ = 0, planned_requests_ = 0;
};

}  // namespace weir
