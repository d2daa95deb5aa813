#include "nodes/tiff/tiff_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/select_source.hpp"

namespace weir {
namespace {

/// Decoding this much takes 100 us and more, against less than 1 us that the graph takes for an item.
constexpr std::uint64_t small_chunk_bytes = 256 << 10;

/// A read of its own costs about as much as copying this many bytes of a gap from the page cache.
constexpr std::uint64_t largest_gap = 4 << 10;

/// Places in the arrays that largest_fetch() keeps windows on; 256 KiB, while the file is being opened.
constexpr std::size_t walk_lanes = 64;

std::uint64_t divided_up(std::uint64_t bytes, std::uint64_t by) {
  return bytes / by + (bytes % by != 0 ? 1 : 0);
}

/// In front of a chunk's stored bytes: where the buffer has each of its pieces, in the order of
/// TiffPieces::for_each.
struct TableEntry {
  std::uint64_t position = 0, bytes = 0;  // bytes 0: sparse
};

/// Places stored pieces behind a table one after the other; those that are neighbours in the file keep the
/// gap between them, so that one read brings both.
class Packing {
 public:
  explicit Packing(std::uint64_t pieces) : size_(pieces * sizeof(TableEntry)) {}

  std::uint64_t place(const TiffPiece& piece) {
    if (piece.offset >= file_end_ && piece.offset - file_end_ <= largest_gap)
      size_ += piece.offset - file_end_;
    const std::uint64_t position = size_;
    size_ += piece.bytes;
    file_end_ = piece.offset + piece.bytes;
    return position;
  }
  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t size_;
  std::uint64_t file_end_ = ~std::uint64_t{0};  // nothing lies behind
};

/// Reads pieces of a file into a buffer, as one read where they lie the same way in both.
class RunReader {
 public:
  RunReader(const ReadableFile& file, Buffer& buffer, std::uint64_t gap_limit)
      : file_(file), buffer_(buffer), gap_limit_(gap_limit) {}

  void add(std::uint64_t offset, std::uint64_t position, std::uint64_t bytes) {
    const std::uint64_t end = offset_ + bytes_;
    if (bytes_ == 0 || offset < end || offset - end > gap_limit_ ||
        position - position_ != offset - offset_) {
      flush();
      offset_ = offset;
      position_ = position;
    }
    bytes_ = offset - offset_ + bytes;
  }
  void flush() {
    if (bytes_ > 0) read_exactly(file_, offset_, buffer_.span().subspan(position_, bytes_));
    bytes_ = 0;
  }

 private:
  const ReadableFile& file_;
  Buffer& buffer_;
  const std::uint64_t gap_limit_;
  std::uint64_t offset_ = 0, position_ = 0, bytes_ = 0;
};

/// Repeats the sample over `bytes`, which are a multiple of its size.
void fill_with(std::byte* to, std::uint64_t bytes, const std::byte* sample, std::size_t sample_bytes) {
  if (bytes == 0) return;
  std::memcpy(to, sample, sample_bytes);
  for (std::uint64_t done = sample_bytes; done < bytes;) {
    const std::uint64_t more = std::min(done, bytes - done);
    std::memcpy(to + done, to, more);
    done += more;
  }
}

/// Rows that a chunk wants, for cutting strips.
std::uint64_t rows_wanted(const RasterInfo& info, const TiffReadOptions& options) {
  const std::uint64_t row_bytes = info.width * info.pixel_bytes();
  const std::uint64_t rows = std::min(options.chunk_height.value_or(divided_up(small_chunk_bytes, row_bytes)),
                                      options.max_chunk_bytes / row_bytes);
  return std::max<std::uint64_t>(rows, 1);
}

}  // namespace

class TiffSource::ThreadLocal : public Local {
 public:
  ThreadLocal(const TiffLayout& layout, std::uint64_t piece_bytes, std::uint64_t row_bytes,
              const Scratch& scratch)
      : scratch_(scratch) {
    if (layout.codec != CodecId::none) decoder = make_decoder(layout.decode, scratch);
    piece = take(piece_bytes);
    row = take(row_bytes);
  }

  std::unique_ptr<Decoder> decoder;  // none for uncompressed files
  std::span<std::byte> piece, row;   // empty where not needed

 private:
  struct Release {
    Scratch scratch;
    void operator()(std::byte* block) const { scratch.release(block); }
  };
  std::span<std::byte> take(std::uint64_t bytes) {
    if (bytes == 0) return {};
    auto& block = blocks_[used_++];
    block = {static_cast<std::byte*>(scratch_.allocate(bytes)), Release{scratch_}};
    if (!block) throw Error("allocate", fmt::format("{} bytes", bytes), "out of memory");
    return {block.get(), bytes};
  }

  Scratch scratch_;
  std::array<std::unique_ptr<std::byte, Release>, 2> blocks_;
  std::size_t used_ = 0;
};

TiffSource::TiffSource(const std::string& path, const TiffReadOptions& options, FileSystem& files)
    : TiffSource(std::make_shared<const InputFile>(path, files), options) {}

TiffSource::TiffSource(std::shared_ptr<const ReadableFile> file, const TiffReadOptions& options)
    : TiffSource(file, read_tiff_image(*file, options.directory, options.codecs, options.keep_half),
                 options) {}

TiffSource::TiffSource(std::shared_ptr<const ReadableFile> file, TiffImage image,
                       const TiffReadOptions& options)
    : file_(std::move(file)),
      options_(options),
      image_(std::move(image)),
      pieces_(*file_, image_.info, image_.layout, rows_wanted(image_.info, options)),
      fill_(fill_for(image_.info).sample) {
  choose_grid(options);
  largest_fetch_ = largest_fetch();
}

void TiffSource::reserve_in_fetch(std::uint64_t bytes) {
  fetch_room_ = bytes;
}

std::shared_ptr<const ChunkSource> TiffSource::with_samples(std::span<const std::uint32_t> samples) const {
  if (layout().planes == 1) return nullptr;
  TiffImage image = image_;
  image.info = info_of_samples(info(), samples);
  image.layout.chosen_planes.clear();
  for (const std::uint32_t sample : samples) image.layout.chosen_planes.push_back(layout().plane_of(sample));
  return std::make_shared<const TiffSource>(file_, std::move(image), options_);
}

// Chunks

std::uint64_t TiffSource::group_bytes(std::uint64_t piece_rows, std::uint64_t piece_cols) const {
  return std::min(piece_rows * pieces_.height(), info().height) *
         std::min(piece_cols * pieces_.width(), info().width) * info().pixel_bytes();
}

void TiffSource::choose_grid(const TiffReadOptions& options) {
  if (options.chunk_height == 0u || options.chunk_width == 0u)
    throw Error::usage("read", file_->path(), "chunks of 0 pixels are asked for");
  const std::uint64_t rows = pieces_.rows().count(), cols = pieces_.cols().count();

  if (options.chunk_height) group_rows_ = std::min(divided_up(*options.chunk_height, pieces_.height()), rows);
  if (options.chunk_width)
    group_cols_ = std::min(divided_up(*options.chunk_width, pieces_.width()), cols);
  else
    group_cols_ = std::min(divided_up(small_chunk_bytes, group_bytes(group_rows_, 1)), cols);
  if (!options.chunk_height)
    group_rows_ = std::min(divided_up(small_chunk_bytes, group_bytes(1, group_cols_)), rows);

  const std::uint64_t limit = options.max_chunk_bytes;
  if (group_bytes(group_rows_, group_cols_) > limit)
    group_rows_ = std::max<std::uint64_t>(limit / group_bytes(1, group_cols_), 1);
  if (group_bytes(group_rows_, group_cols_) > limit)
    group_cols_ = std::max<std::uint64_t>(limit / group_bytes(1, 1), 1);
  grid_ = {Partition(info().height, group_rows_ * pieces_.height()),
           Partition(info().width, group_cols_ * pieces_.width())};

  // A tile that overhangs is decoded with its overhang to the right.
  const std::uint64_t piece_bytes = needs_piece_scratch() ? pieces_.raw_bytes(0) : 0;
  if (const std::uint64_t needed = std::max(group_bytes(group_rows_, group_cols_), piece_bytes);
      needed > limit)
    throw Error("read", file_->path(),
                fmt::format("each of its {} takes {} bytes, and the limit for a chunk is {} bytes",
                            layout().is_tiled ? "tiles" : "strips", needed, limit));
}

TiffPieceRange TiffSource::pieces_of(ChunkIndex chunk) const {
  assert(chunk.row < grid_.rows.count() && chunk.col < grid_.cols.count());
  return {chunk.row * group_rows_, std::min((chunk.row + 1) * group_rows_, pieces_.rows().count()),
          chunk.col * group_cols_, std::min((chunk.col + 1) * group_cols_, pieces_.cols().count())};
}

std::uint64_t TiffSource::bytes_of_window(const Window& window) const {
  return window.height * window.width * info().block_pixel_bytes();
}

/// Whether the rows of the stored pieces, one after the other, are the block: fetch then makes the block.
bool TiffSource::is_direct(const Window& window) const {
  return layout().codec == CodecId::none && window.width == pieces_.width() && layout().samples.is_plain() &&
         !layout().is_bit_reversed;
}

/// Whether there are pieces that are not decoded into the block itself.
bool TiffSource::needs_piece_scratch() const {
  const bool is_whole = group_cols_ == 1 && info().width % pieces_.width() == 0;
  return layout().codec != CodecId::none && !(is_whole && layout().samples.is_plain());
}

/// The unit in which the bytes of decoded rows are in the other order; 0 where they are not. Complex samples are
/// two numbers, packed bits have one order.
std::uint32_t TiffSource::swapped_bytes() const {
  const StoredSamples& samples = layout().samples;
  const SampleType component =
      samples.storage == SampleStorage::half ? SampleType::float16 : component_of(info().type);
  const bool has_order = samples.is_plain() || samples.storage == SampleStorage::half;
  const std::size_t bytes = layout().is_swapped && has_order ? bytes_of(component) : 1;
  return bytes > 1 ? static_cast<std::uint32_t>(bytes) : 0;
}

std::uint64_t TiffSource::largest_fetch() const {
  std::uint64_t largest = 1;  // 0 would mean that there is nothing to fetch
  const std::uint64_t rows = grid_.rows.count(), cols = grid_.cols.count();
  // The chunks that are fetched as blocks: the first row has the largest of each column. All columns but the
  // last are alike.
  std::uint64_t first_packed = 0, packed_end = cols;
  if (is_direct(grid_.window({0, 0}))) {
    largest = bytes_of_window(grid_.window({0, 0}));
    first_packed = cols - 1;
  }
  if (is_direct(grid_.window({0, cols - 1}))) {
    largest = std::max(largest, bytes_of_window(grid_.window({0, cols - 1})));
    packed_end = cols - 1;
  }
  if (first_packed >= packed_end) return largest;

  if (pieces_.is_cut()) {
    // Not walked: the parts of a strip can be far more than the file has bytes. None is larger than the first.
    const std::uint64_t count = pieces_.count(pieces_of({0, 0}));
    return std::max(largest, count * (sizeof(TableEntry) + pieces_.raw_bytes(0)) + (count - 1) * largest_gap);
  }
  StrileLanes lanes(*file_, layout(), walk_lanes);
  for (std::uint64_t row = 0; row < rows; ++row)
    for (std::uint64_t col = first_packed; col < packed_end; ++col) {
      const TiffPieceRange range = pieces_of({row, col});
      Packing packing(pieces_.count(range));
      bool is_possible = true;  // else its fetch will throw, and needs nothing
      pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
        if (piece.bytes > 0) packing.place(piece);
        return is_possible = reason.empty();
      });
      if (is_possible) largest = std::max(largest, packing.size());
    }
  return largest;
}

// What is held

std::uint64_t TiffSource::local_bytes() const {
  constexpr std::uint64_t rounding = 128;  // of a scratch block
  std::uint64_t bytes = 0;
  if (layout().codec != CodecId::none) bytes += decoder_scratch_bytes(layout().decode);
  if (needs_piece_scratch()) bytes += pieces_.raw_bytes(0) + rounding;
  if (layout().predictor != Predictor::none) bytes += pieces_.row_bytes() + rounding;
  return bytes;
}

std::uint64_t TiffSource::standing_bytes() const {
  const Georeferencing& geo = info().georeferencing;
  std::uint64_t bytes = sizeof(*this) + file_->path().capacity() + info().tags.capacity() * sizeof(RawTag) +
                        info().extra_samples.capacity() * 2 + dropped_tags().capacity() * 2 +
                        layout().decode.jpeg_tables.capacity() + layout().chosen_planes.capacity() * 4;
  for (const RawTag& tag : info().tags) bytes += tag.bytes.capacity();
  bytes += info().metadata.capacity() * sizeof(MetadataItem);
  for (const MetadataItem& item : info().metadata)
    for (const std::string* text : {&item.name, &item.text, &item.role, &item.domain})
      if (text->capacity() > std::string().capacity()) bytes += text->capacity() + 1;
  bytes += 8 * (geo.pixel_scale.capacity() + geo.tiepoints.capacity() + geo.transformation.capacity() +
                geo.key_doubles.capacity());
  bytes += 2 * geo.key_directory.capacity() + geo.key_ascii.capacity();
  return bytes + (info().nodata ? info().nodata->capacity() : 0);
}

std::unique_ptr<ChunkSource::Local> TiffSource::make_local(const Scratch& scratch) const {
  return std::make_unique<ThreadLocal>(layout(), needs_piece_scratch() ? pieces_.raw_bytes(0) : 0,
                                       layout().predictor != Predictor::none ? pieces_.row_bytes() : 0,
                                       scratch);
}

// Fetch

Buffer TiffSource::fetch(ChunkIndex chunk, const Context& context) const {
  const Window window = grid_.window(chunk);
  return is_direct(window) ? fetch_direct(window, pieces_of(chunk), context)
                           : fetch_packed(pieces_of(chunk), context);
}

Buffer TiffSource::fetch_direct(const Window& window, const TiffPieceRange& range,
                                const Context& context) const {
  Buffer buffer = context.buffer(bytes_of_window(window) + fetch_room_);
  buffer.resize(bytes_of_window(window));
  const std::uint64_t plane_bytes = window.height * pieces_.row_bytes();
  const std::size_t sample_bytes = bytes_of(info().type);
  std::array<std::byte, largest_sample_bytes> fill = fill_;  // decode swaps the block as a whole
  if (swapped_bytes() > 0) swap_samples(fill, swapped_bytes());

  StrileLanes lanes(*file_, layout(), 1);
  RunReader reader(*file_, buffer, 0);
  pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
    if (!reason.empty()) pieces_.fail("read", piece, reason);
    const std::uint64_t position =
        piece.plane * plane_bytes + (piece.row - range.row) * pieces_.height() * pieces_.row_bytes();
    if (piece.bytes > 0)
      reader.add(piece.offset, position, piece.bytes);
    else
      fill_with(buffer.data() + position, pieces_.raw_bytes(piece.row), fill.data(), sample_bytes);
    return true;
  });
  reader.flush();
  return buffer;
}

Buffer TiffSource::fetch_packed(const TiffPieceRange& range, const Context& context) const {
  StrileLanes lanes(*file_, layout(), 1);
  Packing measured(pieces_.count(range));
  pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
    if (!reason.empty()) pieces_.fail("read", piece, reason);
    if (piece.bytes > 0) measured.place(piece);
    return true;
  });

  Buffer buffer = context.buffer(measured.size() + fetch_room_);
  buffer.resize(measured.size());
  Packing packing(pieces_.count(range));
  RunReader reader(*file_, buffer, largest_gap);
  std::byte* table = buffer.data();
  pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
    TableEntry entry{0, piece.bytes};
    if (piece.bytes > 0) entry.position = packing.place(piece);
    if (!reason.empty() || packing.size() > measured.size())
      pieces_.fail("read", piece, "the file was changed while it was read");
    if (piece.bytes > 0) reader.add(piece.offset, entry.position, entry.bytes);
    std::memcpy(table, &entry, sizeof entry);
    table += sizeof entry;
    return true;
  });
  reader.flush();
  return buffer;
}

// Decode

Block TiffSource::block_of(const Window& window, Buffer data) const {
  Block block = interleaved_block(window, info().type, info().samples, std::move(data));
  if (layout().planes > 1) {
    block.pixel_stride = bytes_of(info().type);
    block.row_stride = window.width * block.pixel_stride;
    block.sample_stride = window.height * block.row_stride;
  }
  if (info().has_mask) {
    block.mask_offset = window.height * window.width * info().pixel_bytes();
    block.mask_row_stride = window.width;
  }
  return block;
}

Block TiffSource::decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const {
  const Window window = grid_.window(chunk);
  if (is_direct(window)) {
    assert(stored.size() == bytes_of_window(window));
    if (swapped_bytes() > 0)
      swap_samples(stored.span().first(window.height * window.width * info().pixel_bytes()), swapped_bytes());
    return block_of(window, std::move(stored));
  }

  assert(local != nullptr);
  auto& mine = static_cast<ThreadLocal&>(*local);
  Block block = block_of(window, context.buffer(bytes_of_window(window)));
  const TiffPieceRange range = pieces_of(chunk);
  std::byte* table = stored.data();
  TiffPiece piece;
  for (piece.plane = 0; piece.plane < layout().planes_read(); ++piece.plane)
    for (piece.row = range.row; piece.row < range.row_end; ++piece.row)
      for (piece.col = range.col; piece.col < range.col_end; ++piece.col) {
        TableEntry entry;
        std::memcpy(&entry, table, sizeof entry);
        table += sizeof entry;
        decode_piece(piece, stored.span().subspan(entry.position, entry.bytes), block, mine);
      }
  return block;
}

void TiffSource::decode_piece(const TiffPiece& piece, std::span<std::byte> stored, Block& block,
                              ThreadLocal& local) const {
  const StoredSamples& samples = layout().samples;
  const auto sample_bytes = static_cast<std::uint32_t>(bytes_of(info().type));
  const std::uint64_t row = piece.row * pieces_.height(), col = piece.col * pieces_.width();
  const std::uint64_t rows = pieces_.rows().size(piece.row);
  const std::uint64_t row_bytes = pieces_.row_bytes();
  const std::uint64_t used = pieces_.cols().size(piece.col) * pieces_.samples();  // samples of a row
  std::byte* to =
      block.at(row - block.window.row, col - block.window.col, layout().planes > 1 ? piece.plane : 0);

  if (stored.empty()) {
    for (std::uint64_t r = 0; r < rows; ++r)
      fill_with(to + r * block.row_stride, used * sample_bytes, fill_.data(), sample_bytes);
    return;
  }
  // `stored` is this call's own: nobody sees that its bytes change.
  if (layout().is_bit_reversed) reverse_bits(stored.data(), stored.size());
  const bool is_encoded = layout().codec != CodecId::none;
  const bool is_whole =
      is_encoded && samples.is_plain() && used * sample_bytes == row_bytes && block.row_stride == row_bytes;
  const std::span<std::byte> raw = !is_encoded ? stored
                                   : is_whole  ? std::span(to, rows * row_bytes)
                                               : local.piece.first(rows * row_bytes);
  if (is_encoded) decode_data(piece, stored, raw, *local.decoder);

  std::uint32_t swapped = swapped_bytes();
  if (layout().predictor != Predictor::none) {
    undo_predictor(layout().predictor, {pieces_.width(), pieces_.samples(), samples.bits / 8}, raw, local.row,
                   swapped > 0);
    swapped = 0;
  }
  if (is_whole) {
    if (swapped > 0) swap_samples(raw, swapped);
    return;
  }
  for (std::uint64_t r = 0; r < rows; ++r) {
    const std::span<std::byte> from = raw.subspan(r * row_bytes, samples.row_bytes(used));
    if (swapped > 0) swap_samples(from, swapped);
    if (samples.is_plain())
      std::memcpy(to + r * block.row_stride, from.data(), from.size());
    else
      unpack_row(samples, from.data(), used, to + r * block.row_stride);
  }
}

void TiffSource::decode_data(const TiffPiece& piece, std::span<const std::byte> stored,
                             std::span<std::byte> raw, Decoder& decoder) const {
  std::size_t decoded = 0;
  try {
    decoded = decoder.decode(stored, raw);
  } catch (const Error& error) {
    pieces_.fail("decode", piece, error.reason().empty() ? "its data is broken" : error.reason());
  }
  if (decoded != raw.size())
    pieces_.fail("decode", piece, fmt::format("its data ends after {} of {} bytes", decoded, raw.size()));
}

}  // namespace weir
