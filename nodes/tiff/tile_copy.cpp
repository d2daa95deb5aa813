#include "nodes/tiff/tile_copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include "framework/error.hpp"
#include "framework/recording.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/tiff/tiff_writer.hpp"

namespace weir {
namespace {

/// A read of its own costs about as much as copying this many bytes of a gap from the page cache.
constexpr std::uint64_t largest_gap = 4 << 10;

/// A read of this size costs 150 us from the page cache, against less than 1 us that the graph takes for an item.
constexpr std::uint64_t most_run_bytes = 1 << 20;

/// Run lengths that are measured: 1, 2, 4 ... 4096 tiles.
constexpr std::size_t run_lengths = 13;

constexpr std::uint64_t all_rows = std::numeric_limits<std::uint64_t>::max();

/// Stored tiles one after the other; those that are neighbours in the file keep the gap between them.
class Places {
 public:
  std::uint64_t place(std::uint64_t offset, std::uint64_t bytes) {
    if (offset >= file_end_ && offset - file_end_ <= largest_gap) size_ += offset - file_end_;
    const std::uint64_t position = size_;
    size_ += bytes;
    file_end_ = offset + bytes;
    return position;
  }
  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t size_ = 0, file_end_ = std::numeric_limits<std::uint64_t>::max();
};

/// Codecs whose tiles say all that decoding needs. Tiles of others need tags that go with them (JPEG's tables, LERC's
/// parameters) or are not known here.
bool is_self_contained(CodecId codec) {
  return codec == CodecId::none || codec == CodecId::deflate || codec == CodecId::zstd ||
         codec == CodecId::lzw || codec == CodecId::packbits || codec == CodecId::lzma;
}

std::string_view form(bool is_tiled) {
  return is_tiled ? "tiles" : "strips";
}

/// LZW of before 1987, which codes its bits the other way round: the first code is read as libtiff tells it.
bool is_old_lzw(const TiffSource& source) {
  StrileWindow offsets(source.file(), source.layout().offsets);
  for (std::uint64_t i = 0; i < source.layout().offsets.count; ++i) {
    const std::uint64_t offset = offsets.at(i);
    if (offset == 0) continue;
    std::array<std::byte, 2> bytes{};
    return source.file().read_at(offset, bytes) == 2 && bytes[0] == std::byte{0} &&
           (bytes[1] & std::byte{1}) != std::byte{0};
  }
  return false;
}

}  // namespace

std::string why_not_taken_out(const TiffSource& source) {
  const RasterInfo& info = source.info();
  const TiffLayout& stored = source.layout();
  if (!stored.samples.is_plain()) return "its samples are not stored as memory has them";
  if (stored.is_bit_reversed) return "its bits are in the other order";
  if (stored.is_swapped && bytes_of(component_of(info.type)) > 1) return "it is big-endian";
  if (!stored.byte_counts) return "it has no byte counts";
  if (source.file().is_remote()) return "it is remote, and its requests are planned chunk by chunk";
  if (info.has_mask) return "it has a mask";
  return "";
}

std::string why_not_copied(const TiffSource& source, const GeotiffOptions& options) {
  const RasterInfo& info = source.info();
  const TiffLayout& stored = source.layout();
  if (!options.kernels.empty()) return "kernels compute its pixels";
  const TiffOutputLayout wanted = output_layout(info, options);
  if (options.codec.custom || stored.custom_codec) return "codecs of plugins are always run";
  if (wanted.codec != stored.codec)
    return fmt::format("the codec is {}, and {} is wanted", name_of(stored.codec), name_of(wanted.codec));
  if (!is_self_contained(stored.codec))
    return fmt::format("{} of {} need more than their own bytes", form(stored.is_tiled),
                       name_of(stored.codec));
  if (options.codec.level || options.codec.quality || options.codec.max_error || options.codec.lossless)
    return "a level is asked for";
  if (options.codec.engine != DeflateEngine::automatic) return "a deflate engine is asked for";
  if (wanted.predictor != stored.predictor)
    return fmt::format("the predictor is {}, and {} is wanted", static_cast<int>(stored.predictor),
                       static_cast<int>(wanted.predictor));
  if (wanted.tiled != stored.is_tiled || wanted.tile_height != stored.strile_height ||
      wanted.tile_width != stored.strile_width)
    return fmt::format("it has {} of {} x {} pixels, and {} of {} x {} are wanted (height x width)",
                       form(stored.is_tiled), stored.strile_height, stored.strile_width, form(wanted.tiled),
                       wanted.tile_height, wanted.tile_width);
  if (info.samples > 1 && wanted.planar_separate != (stored.planes > 1))
    return fmt::format("its samples are {}, and the other is wanted",
                       stored.planes > 1 ? "in planes" : "interleaved");
  if (std::string reason = why_not_taken_out(source); !reason.empty()) return reason;
  if (options.statistics) return "statistics are measured of pixels";
  if (options.sparse) return "empty tiles are to be left out, which are told by their pixels";
  if (wanted.info.nodata != info.nodata) return "another nodata value is wanted";
  if (fill_for(wanted.info).replace_nan)
    return fmt::format("NaN among its pixels would become the nodata value {}", *info.nodata);
  for (const auto& [node, concurrency] : options.concurrency)
    if (node != "plan" && node != "fetch" && node != "tif")
      return fmt::format("a concurrency of {} is asked for", node);
  if (stored.codec == CodecId::lzw && is_old_lzw(source)) return "its LZW is of the old kind";
  return "";
}

std::string item_name(const TileCopyRequest& request) {
  if (request.count <= 1) return fmt::format("tile {}", request.first_tile);
  return fmt::format("tiles {} to {}", request.first_tile, request.first_tile + request.count - 1);
}

TileCopy::TileCopy(std::shared_ptr<const TiffSource> source, std::uint64_t run_bytes)
    : source_(std::move(source)), pieces_(source_->file(), source_->info(), source_->layout(), all_rows) {
  tiles_ = pieces_.rows().count() * pieces_.cols().count() * source_->layout().planes_read();
  struct Length {
    Places places;
    std::uint64_t largest = 0;
  };
  std::array<Length, run_lengths> lengths;
  std::uint64_t done = 0;
  for_each({0, tiles_}, 64, [&](const TiffPiece& piece, const std::string& reason) {
    const std::uint64_t bytes = reason.empty() ? piece.bytes : 0;  // else its fetch will throw
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      if (done % (std::uint64_t{1} << i) == 0) lengths[i].places = {};
      if (bytes > 0) lengths[i].places.place(piece.offset, bytes);
      lengths[i].largest = std::max(lengths[i].largest, lengths[i].places.size());
    }
    largest_tile_ = std::max(largest_tile_, bytes);
    all_bytes_ += bytes;
    stored_ += bytes > 0 ? 1 : 0;
    ++done;
  });
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (i > 0 && lengths[i].largest > run_bytes) break;
    run_tiles_ = std::uint64_t{1} << i;
    run_bytes_ = BufferPool::charge(std::max<std::uint64_t>(lengths[i].largest, 1));
  }
}

TileCopyRequest TileCopy::run(std::uint64_t index) const {
  const std::uint64_t first = index * run_tiles_;
  return {first, std::min(run_tiles_, tiles_ - first)};
}

/// Calls function(piece, reason) for tiles of the output's order: tile row, plane, tile column.
template <class Function>
void TileCopy::for_each(const TileCopyRequest& request, std::size_t lanes, Function&& function) const {
  const TiffLayout& layout = source_->layout();
  const std::uint64_t cols = pieces_.cols().count(), row_tiles = cols * layout.planes_read();
  const std::uint64_t end = request.first_tile + request.count;
  StrileLanes windows(source_->file(), layout, lanes);
  std::uint64_t tile = request.first_tile / row_tiles * row_tiles;
  for (std::uint64_t row = request.first_tile / row_tiles; tile < end; ++row) {
    // Only the columns that are wanted, where the run lies in one row of one plane: the usual case.
    const std::uint64_t first = std::max(tile, request.first_tile) - tile;
    const std::uint64_t last = std::min(tile + row_tiles, end) - tile - 1;
    const bool is_part = layout.planes_read() == 1;
    const TiffPieceRange range{row, row + 1, is_part ? first : 0, is_part ? last + 1 : cols};
    std::uint64_t at = is_part ? first : 0;
    pieces_.for_each(range, windows, [&](const TiffPiece& located, std::string reason) {
      const std::uint64_t index = at++;
      if (index < first || index > last) return index <= last;
      TiffPiece piece = located;
      if (layout.codec == CodecId::none && piece.bytes > 0 && layout.is_tiled) {
        piece.bytes = pieces_.height() * pieces_.row_bytes();  // with what overhangs
        if (source_->file().size() - piece.offset < piece.bytes)
          reason = fmt::format("its {} bytes from byte {} on end beyond the end of the file", piece.bytes,
                               piece.offset);
      }
      function(std::as_const(piece), std::as_const(reason));
      return true;
    });
    tile += row_tiles;
  }
}

EncodedTiles TileCopy::operator()(const TileCopyRequest& request, const Context& context) const {
  struct Place {
    std::uint64_t offset = 0, position = 0, bytes = 0;
  };
  std::vector<Place> wanted;
  wanted.reserve(request.count);
  EncodedTiles tiles;
  tiles.first_tile = request.first_tile;
  tiles.sizes.reserve(request.count);
  Places places;
  for_each(request, 1, [&](const TiffPiece& piece, const std::string& reason) {
    if (!reason.empty()) pieces_.fail("read", piece, reason);
    tiles.sizes.push_back(static_cast<std::uint32_t>(piece.bytes));
    if (piece.bytes > 0)
      wanted.push_back({piece.offset, places.place(piece.offset, piece.bytes), piece.bytes});
  });
  tiles.bytes = context.buffer(std::max<std::uint64_t>(places.size(), 1));

  // Neighbours in one read, gaps and all, where they lie the same way in the file and here.
  for (std::size_t first = 0, last = 0; first < wanted.size(); first = last) {
    std::uint64_t bytes = 0;
    for (; last < wanted.size() &&
           wanted[last].position - wanted[first].position == wanted[last].offset - wanted[first].offset;
         ++last)
      bytes = wanted[last].position - wanted[first].position + wanted[last].bytes;
    read_exactly(source_->file(), wanted[first].offset,
                 tiles.bytes.span().subspan(wanted[first].position, bytes));
  }
  std::uint64_t end = 0;
  for (const Place& place : wanted) {
    if (place.position != end)
      std::memmove(tiles.bytes.data() + end, tiles.bytes.data() + place.position, place.bytes);
    end += place.bytes;
  }
  tiles.bytes.resize(end);
  return tiles;
}

TiffOutputLayout layout_of_copy(const TileCopy& copy, const GeotiffOptions& options) {
  TiffOutputLayout layout = output_layout(copy.source().info(), options);
  layout.max_tile_bytes = std::max<std::uint64_t>(copy.largest_tile(), 1);
  layout.all_tile_bytes = copy.all_bytes();
  return layout;
}

Output<EncodedTiles> add_tile_copy(Graph& graph, std::shared_ptr<const TileCopy> copy,
                                   const std::string& plan, const std::string& fetch) {
  auto requests = graph.source<TileCopyRequest>(
      plan, [copy](std::uint64_t unit, Emit<TileCopyRequest>& emit) { emit(copy->run(unit)); },
      {.concurrency = 1, .units = copy->runs(), .standing_bytes = copy->source().standing_bytes()});
  return graph.transform<EncodedTiles>(
      fetch, requests,
      [copy](const TileCopyRequest& request, const Context& context) { return (*copy)(request, context); },
      {.lane = Lane::io, .buffer_bytes = copy->run_bytes(), .is_input = true});
}

std::uint64_t copied_run_bytes(const GraphOptions& limits, std::uint64_t standing) {
  if (limits.recording != nullptr) standing += limits.recording->bytes();
  const std::uint64_t available = limits.memory > standing ? limits.memory - standing : 0;
  const std::uint64_t units = std::min<std::uint64_t>(limits.tokens, limits.threads + 2);
  // A run is charged in whole pages.
  const std::uint64_t each = available / std::max<std::uint64_t>(units, 1);
  return std::min(most_run_bytes, each - std::min(each, BufferPool::charge(1)));
}

}  // namespace weir
