#include "nodes/raster/window_source.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "framework/error.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/rpc.hpp"

namespace weir {
namespace {

/// The pieces of `whole` that [begin, end) touches, cut off there.
Partition cut_out(const Partition& whole, std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t first = whole.piece_at(begin), last = whole.piece_at(end - 1);
  // Even pieces from an even start stay a formula.
  if (!whole.is_ragged() && begin == whole.begin(first) && whole.size(first) > 0)
    return Partition(end - begin, whole.largest());
  std::vector<std::uint64_t> ends;
  ends.reserve(last - first + 1);
  for (std::uint64_t piece = first; piece <= last; ++piece)
    ends.push_back(std::min(whole.end(piece), end) - begin);
  return Partition(std::move(ends));
}

bool is_whole_pieces(const Partition& whole, std::uint64_t begin, std::uint64_t end) {
  return begin == whole.begin(whole.piece_at(begin)) && end == whole.end(whole.piece_at(end - 1));
}

}  // namespace

Window parse_window(std::string_view text) {
  std::array<std::uint64_t, 4> numbers{};
  const char *at = text.data(), *const end = at + text.size();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto [next, error] = std::from_chars(at, end, numbers[i]);
    const bool is_last = i + 1 == numbers.size();
    if (error != std::errc() || (is_last ? next != end : next == end || *next != ','))
      throw Error::usage("read", "the window", fmt::format("'{}' is not x,y,w,h", text));
    at = next + 1;
  }
  return {numbers[1], numbers[0], numbers[3], numbers[2]};
}

std::optional<Window> part_window(const RasterInfo& whole, const std::string& window,
                                  const std::string& bbox) {
  if (!window.empty() && !bbox.empty())
    throw Error::usage("read", "a part of the raster", "a window and a bounding box exclude each other");
  if (!window.empty()) return parse_window(window);
  if (!bbox.empty()) return window_of(parse_bounds(bbox, "the bounding box"), whole);
  return std::nullopt;
}

std::shared_ptr<const ChunkSource> part_of(std::shared_ptr<const ChunkSource> whole,
                                           const std::string& window, const std::string& bbox) {
  const std::optional<Window> part = part_window(whole->info(), window, bbox);
  return part ? std::make_shared<const WindowSource>(std::move(whole), *part) : whole;
}

void require_inside(const Window& window, const RasterInfo& info) {
  if (window.empty() || window.height > info.height || window.row > info.height - window.height ||
      window.width > info.width || window.col > info.width - window.width)
    throw Error::usage("read",
                       fmt::format("window {},{},{},{}", window.col, window.row, window.width, window.height),
                       fmt::format("the raster is {} x {} pixels", info.width, info.height));
}

WindowSource::WindowSource(std::shared_ptr<const ChunkSource> whole, const Window& window)
    : whole_(std::move(whole)), window_(window), info_(whole_->info()) {
  require_inside(window, info_);
  info_.height = window.height;
  info_.width = window.width;
  info_.georeferencing = shifted(info_.georeferencing, window.row, window.col);
  shift_rpcs(info_, window.row, window.col);
  if (window != Window{0, 0, whole_->info().height, whole_->info().width}) {
    info_.metadata = without_statistics(std::move(info_.metadata));
    info_.attributes = without_place(without_statistics(std::move(info_.attributes)));
  }
  excess_bytes_ = whole_->excess_bytes();
  const ChunkGrid& grid = whole_->grid();
  first_ = {grid.rows.piece_at(window.row), grid.cols.piece_at(window.col)};
  grid_ = {cut_out(grid.rows, window.row, window.row_end()),
           cut_out(grid.cols, window.col, window.col_end())};
  if (!is_whole_pieces(grid.rows, window.row, window.row_end()) ||
      !is_whole_pieces(grid.cols, window.col, window.col_end()))
    excess_bytes_ += BufferPool::charge(whole_->block_bytes());
}

Block WindowSource::decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const {
  Block block = whole_->decode(in_whole(chunk), std::move(stored), local, context);
  const Window part = intersect(block.window, window_);
  block.offset +=
      (part.row - block.window.row) * block.row_stride + (part.col - block.window.col) * block.pixel_stride;
  if (block.has_mask())
    block.mask_offset +=
        (part.row - block.window.row) * block.mask_row_stride + (part.col - block.window.col);
  block.window = {part.row - window_.row, part.col - window_.col, part.height, part.width};
  return block;
}

std::shared_ptr<const ChunkSource> WindowSource::with_samples(std::span<const std::uint32_t> samples) const {
  auto whole = whole_->with_samples(samples);
  if (!whole) return nullptr;
  return std::make_shared<const WindowSource>(std::move(whole), window_);
}

}  // namespace weir
