#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/machine.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/tiff/tiff_writer.hpp"
#include "pipelines/write_geotiff.hpp"

namespace weir::bench {

struct Times {
  double wall = 0, cpu = 0;
};

inline Times timed(const std::function<void()>& work) {
  const double cpu = process_cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          process_cpu_seconds() - cpu};
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// How the pieces (tiles or strips) of a file are made, by anyone's loop. Chunk rows are as high as tiles, or chunks as
/// wide as strips: a chunk is a run of whole pieces that follow each other in the file.
class Pieces {
 public:
  Pieces(const ChunkSource& source, const WriteGeotiffOptions& options) : source_(source) {
    layout_.info = source.info();
    layout_.tiled = !options.strip_rows;
    layout_.tile_height = options.strip_rows.value_or(options.tile_height);
    layout_.tile_width = options.strip_rows ? layout_.info.width : options.tile_width;
    layout_.codec = options.codec.id;
    layout_.predictor = *options.predictor;
    codec_ = resolved(options.codec);
    raw_bytes_ = layout_.tile_height * layout_.tile_width * layout_.info.pixel_bytes();
    layout_.max_tile_bytes = max_encoded_bytes(codec_, raw_bytes_);
  }
  const TiffOutputLayout& layout() const { return layout_; }
  std::uint64_t chunks() const { return source_.grid().count(); }
  std::uint64_t pieces_of_chunk() const {
    return source_.grid().rows.largest() * source_.grid().cols.largest() /
           (layout_.tile_height * layout_.tile_width);
  }

  /// What one thread keeps.
  struct Hands {
    explicit Hands(const Pieces& pieces)
        : raw(pieces.raw_bytes_),
          row(pieces.layout_.tile_width * pieces.layout_.info.pixel_bytes()),
          encoder(pieces.codec_.id == CodecId::none
                      ? nullptr
                      : make_encoder(pieces.codec_, pieces.raw_bytes_, context.scratch())),
          local(pieces.source_.make_local(context.scratch())) {}
    Context context;
    std::vector<std::byte> raw, row;
    std::unique_ptr<Encoder> encoder;
    std::unique_ptr<ChunkSource::Local> local;
  };

  /// Makes a chunk and calls piece(cut and encode it to `out`, and say its size) for each of its pieces.
  void make(std::uint64_t chunk, Hands& hands,
            const std::function<void(const std::function<std::size_t(std::span<std::byte>)>&)>& piece) const {
    const std::uint64_t cols = source_.grid().cols.count();
    const ChunkIndex index{chunk / cols, chunk % cols};
    Buffer stored;
    if (source_.fetch_bytes() > 0) stored = source_.fetch(index, hands.context);
    Band band;
    auto block =
        std::make_shared<Block>(source_.decode(index, std::move(stored), hands.local.get(), hands.context));
    band.window = block->window;
    band.blocks.push_back(block);
    const Fill fill = fill_for(layout_.info);
    const RowLayout rows{layout_.tile_width, layout_.info.samples,
                         static_cast<std::uint32_t>(bytes_of(layout_.info.type))};
    for (std::uint64_t row = 0; row < band.window.height; row += layout_.tile_height)
      for (std::uint64_t col = 0; col < band.window.width; col += layout_.tile_width) {
        const Window window{band.window.row + row, band.window.col + col, layout_.tile_height,
                            layout_.tile_width};
        piece([&](std::span<std::byte> out) {
          if (!hands.encoder) {
            cut_tile(band, window, 0, layout_.info.samples, fill, out.data());
            return static_cast<std::size_t>(raw_bytes_);
          }
          cut_tile(band, window, 0, layout_.info.samples, fill, hands.raw.data());
          apply_predictor(layout_.predictor, rows, hands.raw, hands.row);
          return hands.encoder->encode(hands.raw, out);
        });
      }
  }

 private:
  const ChunkSource& source_;
  TiffOutputLayout layout_;
  CodecSpec codec_;
  std::uint64_t raw_bytes_ = 0;
};

/// The same file by a serial loop.
inline void plain_loop(const Pieces& pieces, const std::string& path) {
  TiffWriter writer(pieces.layout(), path, true);
  Pieces::Hands hands(pieces);
  EncodedTiles tile;
  tile.bytes = hands.context.buffer(pieces.layout().max_tile_bytes);
  for (std::uint64_t chunk = 0; chunk < pieces.chunks(); ++chunk)
    pieces.make(chunk, hands, [&](const auto& encode) {
      tile.bytes.resize(pieces.layout().max_tile_bytes);
      const std::size_t size = encode(tile.bytes.span());
      tile.bytes.resize(size);
      tile.sizes = {static_cast<std::uint32_t>(size)};
      writer.write(tile);
      ++tile.first_tile;
    });
  writer.close();
}

}  // namespace weir::bench
