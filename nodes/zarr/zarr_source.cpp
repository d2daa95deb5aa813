#include "nodes/zarr/zarr_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>
#include <numeric>
#include <type_traits>
#include <utility>

#include "framework/error.hpp"
#include "framework/scratch_block.hpp"
#include "nodes/raster/half.hpp"
#include "nodes/raster/select_source.hpp"
#include "nodes/zarr/raster_attributes.hpp"
#include "nodes/zarr/raster_coordinates.hpp"
#include "nodes/zarr/strided_copy.hpp"

namespace weir {
namespace {

/// Decoding this much takes 100 us and more, against less than 1 us that the graph takes for an item.
constexpr std::uint64_t small_chunk_bytes = 256 << 10;
/// Of a remote shard, what one request brings.
constexpr std::uint64_t remote_chunk_bytes = 4 << 20;
/// Of the array in a group, whatever their size: each has some plain memory while it is read.
constexpr std::uint64_t most_chunks = 1024;
/// As many as TIFF's SamplesPerPixel can say.
constexpr std::uint64_t most_samples = 65535;

std::uint64_t divided_up(std::uint64_t a, std::uint64_t by) {
  return a / by + (a % by != 0 ? 1 : 0);
}

template <class Number>
std::string number_text(Number number) {
  if constexpr (std::is_floating_point_v<Number>)
    if (number != number) return "nan";
  return fmt::format("{}", number + 0);  // of bytes, too
}

/// The largest number up to `wanted` that divides `whole`, so that no group reaches across shards; at least 1.
std::uint64_t divisor_of(std::uint64_t whole, std::uint64_t wanted) {
  wanted = std::clamp<std::uint64_t>(wanted, 1, whole);
  while (whole % wanted != 0) --wanted;
  return wanted;
}

/// v2's fill value, as text; nothing where it is no real number.
std::optional<std::string> nodata_of_fill(const std::vector<std::byte>& fill, SampleType type) {
  if (type == SampleType::float16) {
    std::uint16_t half = 0;
    std::memcpy(&half, fill.data(), sizeof half);
    return number_text(float_from_half(half));
  }
  if (!is_arithmetic(type)) return std::nullopt;
  return with_sample_type(type, [&](auto sample) {
    std::memcpy(&sample, fill.data(), sizeof sample);
    return number_text(sample);
  });
}

}  // namespace

class ZarrSource::ThreadLocal : public Local {
 public:
  ThreadLocal(const ZarrArray& array, const Scratch& scratch)
      : decoder(array.layout()->codec().make_decoder(scratch, array.options().check_sums)),
        raw(scratch, array.layout()->codec().raw_bytes(), "a chunk") {}
  std::span<std::byte> raw_bytes() const { return {static_cast<std::byte*>(raw.data()), raw.size()}; }

  std::unique_ptr<ZarrDecoder> decoder;
  ScratchBlock raw;
};

ZarrSource::ZarrSource(std::shared_ptr<const ZarrArray> array, const ZarrRasterOptions& options)
    : array_(std::move(array)),
      axes_(raster_axes(array_->metadata(), options.axes, array_->name())),
      gap_bytes_(array_->store().gap_bytes()) {
  info_.height = extent(axes_.row);
  info_.width = extent(axes_.col);
  const std::uint64_t samples = axes_.band ? extent(*axes_.band) : 1;
  if (info_.height == 0 || info_.width == 0 || samples == 0)
    throw Error("read", array_->name(), "it has no pixels");
  if (samples > most_samples)
    throw Error("read", array_->name(),
                fmt::format("it has {} bands, and a raster has up to {}", samples, most_samples));
  info_.samples = static_cast<std::uint32_t>(samples);
  const ZarrArrayMetadata& metadata = array_->metadata();
  info_.type = sample_type_of(metadata.type);
  if (metadata.format == 2 && !metadata.fill.empty())
    info_.nodata = nodata_of_fill(metadata.fill, info_.type);
  if (const auto names = dimensions_of(metadata); !names.empty())
    info_.axis_names = {names[axes_.row], names[axes_.col], axes_.band ? names[*axes_.band] : ""};
  notes_ = read_raster_attributes(info_, metadata.attributes, array_->name());
  read_place_beside(info_, *array_, axes_, options.group.get(), notes_);
  std::vector<std::uint32_t> bands(info_.samples);
  std::iota(bands.begin(), bands.end(), 0u);
  choose_bands(bands);
  choose_grid(options);
}

ZarrSource::ZarrSource(const ZarrSource& whole, std::span<const std::uint32_t> samples)
    : array_(whole.array_),
      axes_(whole.axes_),
      info_(info_of_samples(whole.info_, samples)),
      group_rows_(whole.group_rows_),
      group_cols_(whole.group_cols_),
      gap_bytes_(whole.gap_bytes_),
      grid_(whole.grid_),
      notes_(whole.notes_) {
  std::vector<std::uint32_t> bands;
  for (const std::uint32_t sample : samples) bands.push_back(whole.bands_[sample]);
  choose_bands(bands);
  is_whole_object_ = whole.is_whole_object_ && band_chunks_.size() == whole.band_chunks_.size();
}

std::shared_ptr<const ChunkSource> ZarrSource::with_samples(std::span<const std::uint32_t> samples) const {
  if (band_chunks_.size() == 1) return nullptr;
  return std::shared_ptr<const ChunkSource>(new ZarrSource(*this, samples));
}

bool ZarrSource::has_all_bands() const {
  if (axes_.band && bands_.size() != extent(*axes_.band)) return false;
  for (std::size_t i = 0; i < bands_.size(); ++i)
    if (bands_[i] != i) return false;
  return true;
}

void ZarrSource::choose_bands(std::span<const std::uint32_t> bands) {
  bands_.assign(bands.begin(), bands.end());
  const std::uint64_t size = axes_.band ? chunk_extent(*axes_.band) : 1;
  for (std::uint32_t sample = 0; sample < bands_.size(); ++sample) {
    const std::uint64_t number = bands_[sample] / size;
    const auto in_chunk = static_cast<std::uint32_t>(bands_[sample] % size);
    auto chunk = std::ranges::lower_bound(band_chunks_, number, {}, &BandChunk::number);
    if (chunk == band_chunks_.end() || chunk->number != number)
      chunk = band_chunks_.insert(chunk, {number, {}});
    BandRun* last = chunk->runs.empty() ? nullptr : &chunk->runs.back();
    if (last != nullptr && last->sample + last->count == sample &&
        last->band_in_chunk + last->count == in_chunk)
      ++last->count;
    else
      chunk->runs.push_back({sample, in_chunk, 1});
  }
  const std::uint64_t per_object = axes_.band ? array_->layout()->chunks_of_object()[*axes_.band] : 1;
  std::uint64_t in_object = 0, object = ~std::uint64_t{0};
  for (const BandChunk& chunk : band_chunks_) {
    if (chunk.number / per_object != object) in_object = 0;
    object = chunk.number / per_object;
    most_in_object_ = std::max(most_in_object_, ++in_object);
  }
}

void ZarrSource::choose_grid(const ZarrRasterOptions& options) {
  const ZarrLayout& layout = *array_->layout();
  const std::uint64_t chunk_rows = chunk_extent(axes_.row), chunk_cols = chunk_extent(axes_.col);
  const auto bytes_of = [&](std::uint64_t rows, std::uint64_t cols) {
    return std::min(rows * chunk_rows, info_.height) * std::min(cols * chunk_cols, info_.width) *
           info_.pixel_bytes();
  };
  if (bytes_of(1, 1) > options.max_chunk_bytes)
    throw Error("read", array_->name(),
                fmt::format("its chunks have {} bytes of pixels, and the most that is read at once is {}",
                            bytes_of(1, 1), options.max_chunk_bytes));
  const bool is_remote = array_->store().requests_at_once() > 0;
  const bool has_shards = layout.index().has_value();
  // Chunks that are objects of their own are one request each: together they would wait for each other.
  const std::uint64_t enough = !is_remote ? small_chunk_bytes : has_shards ? remote_chunk_bytes : 0;
  std::uint64_t most_rows = divided_up(info_.height, chunk_rows),
                most_cols = divided_up(info_.width, chunk_cols);
  if (has_shards) {
    most_rows = std::min(most_rows, layout.chunks_of_object()[axes_.row]);
    most_cols = std::min(most_cols, layout.chunks_of_object()[axes_.col]);
  }
  std::uint64_t wanted_rows = most_rows, wanted_cols = most_cols;
  if (const std::optional<Window> part = options.part ? options.part(info_) : std::nullopt) {
    const auto touched = [](std::uint64_t begin, std::uint64_t size, std::uint64_t chunk) {
      return divided_up(begin % chunk + size, chunk);
    };
    wanted_rows = std::min(wanted_rows, touched(part->row, part->height, chunk_rows));
    wanted_cols = std::min(wanted_cols, touched(part->col, part->width, chunk_cols));
  }
  const auto grown = [&](std::uint64_t most, auto&& bytes) {
    std::uint64_t count = 1;
    while (count < most && bytes(count + 1) <= std::min(enough, options.max_chunk_bytes)) ++count;
    return count;
  };
  const std::uint64_t most_in_plane = std::max<std::uint64_t>(most_chunks / band_chunks_.size(), 1);
  std::uint64_t rows = options.chunk_height ? divided_up(*options.chunk_height, chunk_rows) : 1;
  rows = std::min(rows, most_rows);
  std::uint64_t cols = options.chunk_width
                           ? divided_up(*options.chunk_width, chunk_cols)
                           : grown(wanted_cols, [&](std::uint64_t count) { return bytes_of(rows, count); });
  cols = std::min({cols, most_cols, most_in_plane});
  if (!options.chunk_height)
    rows = grown(std::min(wanted_rows, std::max<std::uint64_t>(most_in_plane / cols, 1)),
                 [&](std::uint64_t count) { return bytes_of(count, cols); });
  while (rows > 1 && bytes_of(rows, cols) > options.max_chunk_bytes) --rows;
  while (cols > 1 && bytes_of(rows, cols) > options.max_chunk_bytes) --cols;
  if (has_shards) {
    const std::uint64_t of_rows = layout.chunks_of_object()[axes_.row];
    const std::uint64_t of_cols = layout.chunks_of_object()[axes_.col];
    is_whole_object_ =
        rows == most_rows && cols == most_cols && layout.chunk_count() / of_rows / of_cols == most_in_object_;
    if (rows < most_rows) rows = divisor_of(of_rows, rows);
    if (cols < most_cols) cols = divisor_of(of_cols, cols);
    // All that lies in the array may be less than a shard: the next one must not begin inside a group.
    if (rows == most_rows) rows = of_rows;
    if (cols == most_cols) cols = of_cols;
  }
  group_rows_ = rows;
  group_cols_ = cols;
  grid_ = {Partition(info_.height, group_rows_ * chunk_rows),
           Partition(info_.width, group_cols_ * chunk_cols)};
}

// What is held

/// Room for what is fetched of a group, where `chunks_per_plane` chunks of each number on the bands' axis are in the array.
std::uint64_t ZarrSource::data_bytes(std::uint64_t chunks_per_plane) const {
  const ZarrLayout& layout = *array_->layout();
  if (!layout.index()) return chunk_room_bytes(layout, chunks_per_plane * band_chunks_.size());
  const std::uint64_t per_object = axes_.band ? layout.chunks_of_object()[*axes_.band] : 1;
  std::uint64_t objects = 0, object = ~std::uint64_t{0};
  for (const BandChunk& chunk : band_chunks_) {
    const std::uint64_t next = chunk.number / per_object;
    if (next != object) ++objects;
    object = next;
  }
  if (is_whole_object_) return objects * chunk_room_bytes(layout, layout.chunk_count());
  const std::uint64_t chunks = chunks_per_plane * band_chunks_.size();
  return chunks * layout.codec().max_encoded_bytes() + objects * gap_room();
}

/// For what lies between the chunks of a group in one shard: at most half of what the chunks of the largest take themselves.
std::uint64_t ZarrSource::gap_room() const {
  if (is_whole_object_ || array_->store().requests_at_once() == 0) return 0;
  const Window largest{0, 0, grid_.rows.largest(), grid_.cols.largest()};
  const std::uint64_t chunks = chunk_count(largest) / band_chunks_.size() * most_in_object_;
  return std::min(all_gap_bytes(*array_->layout(), chunks, gap_bytes_),
                  chunks * array_->layout()->codec().max_encoded_bytes() / 2);
}

std::uint64_t ZarrSource::fetch_bytes() const {
  const Window largest{0, 0, grid_.rows.largest(), grid_.cols.largest()};
  const std::uint64_t count = chunk_count(largest);
  // Beside the buffer, as long as it lives: indexes of the chunks, and what brings their ranges in order.
  const std::uint64_t plain = sizeof(ZarrIndex) + (array_->layout()->rank() + 10) * sizeof(std::uint64_t);
  return BufferPool::charge(count * sizeof(StoredPiece) + data_bytes(count / band_chunks_.size())) +
         count * plain;
}

std::uint64_t ZarrSource::local_bytes() const {
  const ChunkCodec& codec = array_->layout()->codec();
  return codec.decoder_scratch_bytes() + scratch_block_bytes(codec.raw_bytes());
}

std::uint64_t ZarrSource::standing_bytes() const {
  std::uint64_t bytes =
      sizeof(*this) + array_->standing_bytes() + array_->metadata().attributes.capacity() * 2 +
      info_.attributes.capacity() * sizeof(RawAttribute) + bands_.capacity() * sizeof(std::uint32_t) +
      band_chunks_.capacity() * sizeof(BandChunk);
  for (const BandChunk& chunk : band_chunks_) bytes += chunk.runs.capacity() * sizeof(BandRun);
  return bytes;
}

std::unique_ptr<ChunkSource::Local> ZarrSource::make_local(const Scratch& scratch) const {
  return std::make_unique<ThreadLocal>(*array_, scratch);
}

/// Of shards: their indexes, and the chunks of a group in each of them as one range, which they are unless others lie between.
std::optional<RemoteReading> ZarrSource::remote() const {
  Traffic* traffic = array_->store().traffic();
  if (traffic == nullptr) return std::nullopt;
  const ZarrLayout& layout = *array_->layout();
  if (!layout.index()) return RemoteReading{traffic, chunk_count({0, 0, info_.height, info_.width})};
  const std::uint64_t planes = divided_up(band_chunks_.size(), most_in_object_);
  const std::uint64_t shards = divided_up(info_.height, layout.object_shape()[axes_.row]) *
                               divided_up(info_.width, layout.object_shape()[axes_.col]);
  return RemoteReading{traffic, planes * (is_whole_object_ ? shards : shards + grid_.count())};
}

// Fetch

std::uint64_t ZarrSource::chunk_count(const Window& window) const {
  return divided_up(window.height, chunk_extent(axes_.row)) *
         divided_up(window.width, chunk_extent(axes_.col)) * band_chunks_.size();
}

/// The array's chunks under a window of the grid: bands, rows, columns. So those of a shard follow each other.
std::vector<ZarrIndex> ZarrSource::chunks_of(const Window& window) const {
  const std::uint64_t height = chunk_extent(axes_.row), width = chunk_extent(axes_.col);
  std::vector<ZarrIndex> chunks;
  chunks.reserve(chunk_count(window));
  ZarrIndex chunk(array_->layout()->rank());
  for (const BandChunk& bands : band_chunks_) {
    if (axes_.band) chunk[*axes_.band] = bands.number;
    for (std::uint64_t row = window.row / height; row * height < window.row_end(); ++row)
      for (std::uint64_t col = window.col / width; col * width < window.col_end(); ++col) {
        chunk[axes_.row] = row;
        chunk[axes_.col] = col;
        chunks.push_back(chunk);
      }
  }
  return chunks;
}

Buffer ZarrSource::fetch(ChunkIndex chunk, const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  const std::vector<ZarrIndex> chunks = chunks_of(grid_.window(chunk));
  const std::uint64_t table_bytes = chunks.size() * sizeof(StoredPiece);
  Buffer buffer = context.buffer(table_bytes + data_bytes(chunks.size() / band_chunks_.size()));
  const std::span<StoredPiece> table(reinterpret_cast<StoredPiece*>(buffer.data()), chunks.size());
  std::uninitialized_default_construct(table.begin(), table.end());
  std::uint64_t used = table_bytes;
  for (std::size_t first = 0, end = 0; first < chunks.size(); first = end) {
    const ZarrIndex object = layout.object_of(chunks[first]);
    while (end < chunks.size() && (!layout.index() || layout.object_of(chunks[end]) == object)) ++end;
    const std::span<StoredPiece> pieces = table.subspan(first, end - first);
    const auto room = [&](std::uint64_t bytes) { return buffer.span().subspan(used, bytes); };
    const std::uint64_t room_bytes = (end - first) * layout.codec().max_encoded_bytes() + gap_room();
    const std::uint64_t bytes = fetch_chunks(*array_, std::span(chunks).subspan(first, end - first),
                                             is_whole_object_, pieces, room_bytes, room, context.stop());
    for (StoredPiece& piece : pieces) piece.offset += used;
    used += bytes;
  }
  buffer.resize(used);
  return buffer;
}

// Decode

Block ZarrSource::decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const {
  assert(local != nullptr);
  auto& mine = static_cast<ThreadLocal&>(*local);
  const Window window = grid_.window(chunk);
  Block block = interleaved_block(window, info_.type, info_.samples,
                                  context.buffer(window.height * window.width * info_.pixel_bytes()));
  if (axes_.band && *axes_.band < std::max(axes_.row, axes_.col)) {
    block.pixel_stride = bytes_of(info_.type);
    block.row_stride = window.width * block.pixel_stride;
    block.sample_stride = window.height * block.row_stride;
  }
  const std::vector<ZarrIndex> chunks = chunks_of(window);
  const std::span<const StoredPiece> table(reinterpret_cast<const StoredPiece*>(stored.data()),
                                           chunks.size());
  const std::size_t per_plane = chunks.size() / band_chunks_.size();
  for (std::size_t i = 0; i < chunks.size(); ++i)
    place(chunks[i], band_chunks_[i / per_plane], stored.span().subspan(table[i].offset, table[i].bytes),
          table[i].is_there, block, mine);
  return block;
}

/// Whether a chunk of which rows x cols lie in the array has its bytes in a block just as the block has them.
bool ZarrSource::is_in_place(const Window& window, const BandChunk& bands, std::uint64_t rows,
                             std::uint64_t cols) const {
  const ZarrLayout& layout = *array_->layout();
  const std::uint64_t of_bands = axes_.band ? chunk_extent(*axes_.band) : 1;
  if (!layout.codec().layout().is_plain() || axes_.row > axes_.col || rows != chunk_extent(axes_.row) ||
      cols != chunk_extent(axes_.col) || cols != window.width || bands.runs.size() != 1 ||
      bands.runs.front().count != of_bands)
    return false;
  if (!axes_.band) return true;
  if (*axes_.band > axes_.col) return of_bands == info_.samples;
  return *axes_.band < axes_.row && (of_bands == 1 || rows == window.height);
}

/// Puts a chunk's elements where they belong in the block.
void ZarrSource::place(const ZarrIndex& chunk, const BandChunk& bands, std::span<const std::byte> stored,
                       bool is_there, Block& block, ThreadLocal& local) const {
  const ZarrLayout& layout = *array_->layout();
  const ChunkCodec& codec = layout.codec();
  const std::uint64_t row = chunk[axes_.row] * chunk_extent(axes_.row);
  const std::uint64_t col = chunk[axes_.col] * chunk_extent(axes_.col);
  const std::uint64_t rows = std::min(chunk_extent(axes_.row), info_.height - row);
  const std::uint64_t cols = std::min(chunk_extent(axes_.col), info_.width - col);
  const auto target = [&](const BandRun& run) {
    return block.at(row - block.window.row, col - block.window.col, run.sample);
  };
  std::span<const std::byte> raw = stored;
  if (is_there && codec.is_raw()) {
    check_raw_chunk(*array_, chunk, stored);
  } else if (is_there) {
    const bool in_place = is_in_place(block.window, bands, rows, cols);
    const std::span<std::byte> out =
        in_place ? std::span(target(bands.runs.front()), codec.raw_bytes()) : local.raw_bytes();
    decode_chunk(*array_, chunk, *local.decoder, stored, out);
    if (in_place) return;
    raw = out;
  }
  std::vector<std::uint64_t> start(layout.rank()), shape(layout.rank());
  std::vector<std::int64_t> strides(layout.rank());
  shape[axes_.row] = rows;
  shape[axes_.col] = cols;
  strides[axes_.row] = static_cast<std::int64_t>(block.row_stride);
  strides[axes_.col] = static_cast<std::int64_t>(block.pixel_stride);
  for (const BandRun& run : bands.runs) {
    if (axes_.band) {
      start[*axes_.band] = run.band_in_chunk;
      shape[*axes_.band] = run.count;
      strides[*axes_.band] = static_cast<std::int64_t>(block.sample_stride);
    }
    if (is_there)
      scatter_box(codec.layout(), layout.chunk_shape(), raw, {start, shape}, target(run), strides);
    else
      fill_box(target(run), strides, shape, layout.fill(), layout.type().bytes);
  }
}

}  // namespace weir
