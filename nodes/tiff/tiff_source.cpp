#include "nodes/tiff/tiff_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/select_source.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/stores/open_file.hpp"
#include "nodes/tiff/fill_bytes.hpp"
#include "nodes/tiff/piece_runs.hpp"

namespace weir {
namespace {

/// A tile of 256 x 256 uint16: decoding that takes 70 us and more, against less than 1 us that the graph takes for an item. Twice as
/// much, a window of 512 x 512 decodes up to 12 tiles where it touches 9, and uncompressed tiles are copied once more.
constexpr std::uint64_t small_chunk_bytes = 128 << 10;

/// Of a remote file, the pixels of a chunk that lie side by side in it.
constexpr std::uint64_t remote_chunk_bytes = 4 << 20;

/// Places in the arrays that largest_fetch() keeps windows on; 256 KiB, while the file is being opened.
constexpr std::size_t walk_lanes = 64;

std::uint64_t divided_up(std::uint64_t bytes, std::uint64_t by) {
  return bytes / by + (bytes % by != 0 ? 1 : 0);
}

/// Groups of pieces from `first` to `end`; what lies in front and behind is one piece each. `first_group` is the number
/// of the first group, `groups_end` that behind the last.
Partition grouped(const Partition& pieces, std::uint64_t first, std::uint64_t end, std::uint64_t group,
                  std::uint64_t& first_group, std::uint64_t& groups_end) {
  if (first == 0 && end == pieces.count()) {
    Partition whole(pieces.extent(), group * pieces.largest());
    first_group = 0;
    groups_end = whole.count();
    return whole;
  }
  std::vector<std::uint64_t> ends;
  if (first > 0) ends.push_back(pieces.begin(first));
  first_group = ends.size();
  for (std::uint64_t piece = first; piece < end; piece += group)
    ends.push_back(pieces.end(std::min(piece + group, end) - 1));
  groups_end = ends.size();
  if (end < pieces.count()) ends.push_back(pieces.extent());
  return Partition(std::move(ends));
}

/// Rows that a chunk wants, for cutting strips.
std::uint64_t rows_wanted(const RasterInfo& info, const TiffReadOptions& options, bool is_remote) {
  const std::uint64_t row_bytes = info.width * info.pixel_bytes();
  const std::uint64_t chunk_bytes = is_remote ? remote_chunk_bytes : small_chunk_bytes;
  const std::uint64_t rows = std::min(options.chunk_height.value_or(divided_up(chunk_bytes, row_bytes)),
                                      options.max_chunk_bytes / row_bytes);
  return std::max<std::uint64_t>(rows, 1);
}

}  // namespace

TiffSource::TiffSource(const std::string& path, const TiffReadOptions& options, FileSystem& files)
    : TiffSource(open_readable(path, options.http, files), options) {}

TiffSource::TiffSource(std::shared_ptr<const ReadableFile> file, const TiffReadOptions& options)
    : TiffSource(file, read_tiff_image(*file, options.directory, options.codecs, options.keep_half),
                 options) {}

TiffSource::TiffSource(std::shared_ptr<const ReadableFile> file, TiffImage image,
                       const TiffReadOptions& options)
    : file_(std::move(file)),
      options_(options),
      image_(std::move(image)),
      pieces_(*file_, image_.info, image_.layout, rows_wanted(image_.info, options, file_->is_remote())),
      fill_(fill_for(image_.info).sample) {
  choose_window(options);
  choose_grid(options);
  largest_fetch_ = largest_fetch();
  if (file_->is_remote()) planned_requests_ = count_requests();
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

std::uint64_t TiffSource::block_bytes() const {
  return std::min(group_rows_ * pieces_.height(), info().height) *
         std::min(group_cols_ * pieces_.width(), info().width) * info().block_pixel_bytes();
}

Window TiffSource::covered() const {
  const Partition &rows = pieces_.rows(), &cols = pieces_.cols();
  const std::uint64_t row = rows.begin(wanted_.row), col = cols.begin(wanted_.col);
  return {row, col, rows.end(wanted_.row_end - 1) - row, cols.end(wanted_.col_end - 1) - col};
}

void TiffSource::choose_window(const TiffReadOptions& options) {
  const Partition &rows = pieces_.rows(), &cols = pieces_.cols();
  wanted_ = {0, rows.count(), 0, cols.count()};
  if (!options.window) return;
  const Window& window = *options.window;
  require_inside(window, info());
  wanted_ = {rows.piece_at(window.row), rows.piece_at(window.row_end() - 1) + 1, cols.piece_at(window.col),
             cols.piece_at(window.col_end() - 1) + 1};
}

void TiffSource::choose_grid(const TiffReadOptions& options) {
  if (options.chunk_height == 0u || options.chunk_width == 0u)
    throw Error::usage("read", file_->path(), "chunks of 0 pixels are asked for");
  const std::uint64_t rows = wanted_.row_end - wanted_.row, cols = wanted_.col_end - wanted_.col;
  const std::uint64_t run_bytes = file_->is_remote() ? remote_chunk_bytes : small_chunk_bytes;
  const bool is_full_width =
      cols == pieces_.cols().count();  // then tile rows, too, lie side by side in the file

  if (options.chunk_height) group_rows_ = std::min(divided_up(*options.chunk_height, pieces_.height()), rows);
  if (options.chunk_width)
    group_cols_ = std::min(divided_up(*options.chunk_width, pieces_.width()), cols);
  else
    group_cols_ = std::min(divided_up(run_bytes, group_bytes(group_rows_, 1)), cols);
  if (!options.chunk_height)
    group_rows_ = std::min(
        divided_up(is_full_width ? run_bytes : small_chunk_bytes, group_bytes(1, group_cols_)), rows);

  const std::uint64_t limit = options.max_chunk_bytes;
  if (group_bytes(group_rows_, group_cols_) > limit)
    group_rows_ = std::max<std::uint64_t>(limit / group_bytes(1, group_cols_), 1);
  if (group_bytes(group_rows_, group_cols_) > limit)
    group_cols_ = std::max<std::uint64_t>(limit / group_bytes(1, 1), 1);
  grid_ = {
      grouped(pieces_.rows(), wanted_.row, wanted_.row_end, group_rows_, first_chunk_.row, chunks_end_.row),
      grouped(pieces_.cols(), wanted_.col, wanted_.col_end, group_cols_, first_chunk_.col, chunks_end_.col)};

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
  if (chunk.row < first_chunk_.row || chunk.row >= chunks_end_.row || chunk.col < first_chunk_.col ||
      chunk.col >= chunks_end_.col)
    throw Error::usage("read", fmt::format("chunk ({}, {}) of {}", chunk.row, chunk.col, file_->path()),
                       "it lies outside of the window that the file was opened for");
  const std::uint64_t row = wanted_.row + (chunk.row - first_chunk_.row) * group_rows_;
  const std::uint64_t col = wanted_.col + (chunk.col - first_chunk_.col) * group_cols_;
  return {row, std::min(row + group_rows_, wanted_.row_end), col,
          std::min(col + group_cols_, wanted_.col_end)};
}

std::uint64_t TiffSource::bytes_of_window(const Window& window) const {
  return window.height * window.width * info().block_pixel_bytes();
}

/// Whether the rows of the stored pieces, one after the other, are the block: fetch then makes the block.
bool TiffSource::is_direct(const Window& window) const {
  // Planes that lie row by row in the file would be one request for each piece.
  const bool is_scattered = layout().planes > 1 && file_->is_remote();
  return layout().codec == CodecId::none && window.width == pieces_.width() && layout().samples.is_plain() &&
         !layout().is_bit_reversed && !is_scattered;
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
  // The chunks that are fetched as blocks: the first row has the largest of each column. All columns but the
  // last are alike.
  std::uint64_t first_packed = first_chunk_.col, packed_end = chunks_end_.col;
  const ChunkIndex last_of_row{first_chunk_.row, chunks_end_.col - 1};
  if (is_direct(grid_.window(first_chunk_))) {
    largest = bytes_of_window(grid_.window(first_chunk_));
    first_packed = last_of_row.col;
  }
  if (is_direct(grid_.window(last_of_row))) {
    largest = std::max(largest, bytes_of_window(grid_.window(last_of_row)));
    packed_end = last_of_row.col;
  }
  if (first_packed >= packed_end) return largest;

  if (pieces_.is_cut()) {
    // Not walked: the parts of a strip can be far more than the file has bytes. None is larger than the first.
    const std::uint64_t count = pieces_.count(pieces_of({0, 0}));
    return std::max(largest,
                    count * (sizeof(TableEntry) + pieces_.raw_bytes(0)) + (count - 1) * largest_gap(*file_));
  }
  StrileLanes lanes(*file_, layout(), walk_lanes);
  for (std::uint64_t row = first_chunk_.row; row < chunks_end_.row; ++row)
    for (std::uint64_t col = first_packed; col < packed_end; ++col) {
      const TiffPieceRange range = pieces_of({row, col});
      Packing packing(pieces_.count(range), largest_gap(*file_));
      bool is_possible = true;  // else its fetch will throw, and needs nothing
      pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
        if (piece.bytes > 0) packing.place(piece);
        return is_possible = reason.empty();
      });
      if (is_possible) largest = std::max(largest, packing.size());
    }
  return largest;
}

/// As fetch sends them; a chunk whose place is impossible counts as far as it would be read.
std::uint64_t TiffSource::count_requests() const {
  std::uint64_t requests = 0;
  StrileLanes lanes(*file_, layout(), walk_lanes);
  for (std::uint64_t row = first_chunk_.row; row < chunks_end_.row; ++row)
    for (std::uint64_t col = first_chunk_.col; col < chunks_end_.col; ++col) {
      const TiffPieceRange range = pieces_of({row, col});
      const Window window = grid_.window({row, col});
      const bool direct = is_direct(window);
      Packing packing(pieces_.count(range), largest_gap(*file_));
      Runs runs(direct ? 0 : largest_gap(*file_),
                [&](std::uint64_t offset, std::uint64_t, std::uint64_t bytes) {
                  requests += file_->requests_for(offset, bytes);
                });
      pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
        if (!reason.empty()) return false;
        if (piece.bytes > 0)
          runs.add(piece.offset, direct ? position_of(piece, range, window) : packing.place(piece),
                   piece.bytes);
        return true;
      });
      runs.flush();
    }
  return requests;
}

std::optional<RemoteReading> TiffSource::remote() const {
  if (file_->traffic() == nullptr) return std::nullopt;
  return RemoteReading{file_->traffic(), planned_requests_};
}

// What is held

std::uint64_t TiffSource::standing_bytes() const {
  const Georeferencing& geo = info().georeferencing;
  std::uint64_t bytes = sizeof(*this) + file_->standing_bytes() + file_->path().capacity() +
                        info().tags.capacity() * sizeof(RawTag) + info().extra_samples.capacity() * 2 +
                        dropped_tags().capacity() * 2 + layout().decode.jpeg_tables.capacity() +
                        layout().chosen_planes.capacity() * 4;
  for (const Partition* axis : {&grid_.rows, &grid_.cols})
    if (axis->is_ragged()) bytes += 2 * sizeof(std::uint64_t) * axis->count();
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
  const std::size_t sample_bytes = bytes_of(info().type);
  std::array<std::byte, largest_sample_bytes> fill = fill_;  // decode swaps the block as a whole
  if (swapped_bytes() > 0) swap_samples(fill, swapped_bytes());

  StrileLanes lanes(*file_, layout(), 1);
  RunReader reader(*file_, buffer, 0, context.stop());
  pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
    if (!reason.empty()) pieces_.fail("read", piece, reason);
    const std::uint64_t position = position_of(piece, range, window);
    if (piece.bytes > 0)
      reader.add(piece.offset, position, piece.bytes);
    else
      fill_bytes(buffer.data() + position, pieces_.raw_bytes(piece.row), fill.data(), sample_bytes);
    return true;
  });
  reader.finish();
  return buffer;
}

/// Where a piece of a chunk that is fetched as its block goes.
std::uint64_t TiffSource::position_of(const TiffPiece& piece, const TiffPieceRange& range,
                                      const Window& window) const {
  return (piece.plane * window.height + (piece.row - range.row) * pieces_.height()) * pieces_.row_bytes();
}

Buffer TiffSource::fetch_packed(const TiffPieceRange& range, const Context& context) const {
  StrileLanes lanes(*file_, layout(), 1);
  Packing measured(pieces_.count(range), largest_gap(*file_));
  pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
    if (!reason.empty()) pieces_.fail("read", piece, reason);
    if (piece.bytes > 0) measured.place(piece);
    return true;
  });

  // As much as the largest takes, which is what was planned for: pools keep blocks by their size, and one that was touched
  // before costs a tenth of a fresh one.
  Buffer buffer = context.buffer(largest_fetch_ + fetch_room_);
  buffer.resize(measured.size());
  Packing packing(pieces_.count(range), largest_gap(*file_));
  RunReader reader(*file_, buffer, largest_gap(*file_), context.stop());
  std::byte* table = buffer.data();
  pieces_.for_each(range, lanes, [&](const TiffPiece& piece, const std::string& reason) {
    TableEntry entry{0, piece.bytes};
    if (piece.bytes > 0) entry.position = packing.place(piece);
    if (!reason.empty() || packing.size() > measured.size())
      pieces_.fail("read", piece, "the file was changed while it was read");
    if (piece.bytes > 0) reader.add(piece.offset, entry.position, entry.bytes);
    std::memcpy(table + pieces_.number_in(range, piece) * sizeof entry, &entry, sizeof entry);
    return true;
  });
  reader.finish();
  return buffer;
}

}  // namespace weir
