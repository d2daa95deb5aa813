#include "nodes/tiff/masked_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "framework/error.hpp"

namespace weir {
namespace {

struct BothLocals : ChunkSource::Local {
  std::unique_ptr<Local> image, mask;
};

/// Pieces of `axis` that [begin, end) touches.
std::uint64_t touched(const Partition& axis, std::uint64_t begin, std::uint64_t end) {
  return axis.piece_at(end - 1) - axis.piece_at(begin) + 1;
}

/// The most pieces of `other` that a piece of `axis` touches, and the sum over all pieces. The first is at most one too
/// large. Even axes are not walked: a file can claim 2^32 chunks.
std::pair<std::uint64_t, std::uint64_t> touches(const Partition& axis, const Partition& other) {
  if (!axis.is_ragged() && !other.is_ragged()) {
    const std::uint64_t step = axis.largest(), other_step = other.largest();
    assert(step > 0 && other_step > 0);
    const bool nests = step % other_step == 0 || other_step % step == 0;
    const std::uint64_t most = (step + other_step - 1) / other_step + (nests ? 0 : 1);
    // Every boundary of `other` inside a piece adds one; those that both have do not.
    const std::uint64_t common = (axis.extent() - 1) / step / (other_step / std::gcd(step, other_step));
    return {std::min(most, other.count()), axis.count() + other.count() - 1 - common};
  }
  std::uint64_t most = 0, sum = 0;
  for (std::uint64_t piece = 0; piece < axis.count(); ++piece) {
    const std::uint64_t here = touched(other, axis.begin(piece), axis.end(piece));
    most = std::max(most, here);
    sum += here;
  }
  return {most, sum};
}

std::uint64_t load_size(const std::byte* at) {
  std::uint64_t size;
  std::memcpy(&size, at, sizeof size);
  return size;
}

}  // namespace

// Behind the image's stored bytes: the stored bytes of each mask chunk, row-major; then how many bytes each of them
// has, and last how many the image has, as 64-bit numbers.

MaskedSource::MaskedSource(std::unique_ptr<TiffSource> image, std::shared_ptr<const ChunkSource> mask)
    : image_(std::move(image)), mask_(std::move(mask)) {
  assert(info().has_mask && image_->fetch_bytes() > 0);
  const RasterInfo& of = mask_->info();
  const auto refuse = [&](const std::string& reason) {
    throw Error("read", fmt::format("the mask of {}", image_->file().path()), reason);
  };
  if (of.height != info().height || of.width != info().width)
    refuse(fmt::format("it is {} x {} pixels, and the image is {} x {} (width x height)", of.width, of.height,
                       info().width, info().height));
  if (of.type != SampleType::uint8 || of.samples != 1)
    refuse(fmt::format("it has {} {} samples per pixel, and one of uint8 or of 1 bit is read", of.samples,
                       name_of(of.type)));
  most_mask_chunks_ =
      touches(grid().rows, mask_->grid().rows).first * touches(grid().cols, mask_->grid().cols).first;
  image_->reserve_in_fetch(most_mask_chunks_ * (mask_->fetch_bytes() + sizeof(std::uint64_t)) +
                           sizeof(std::uint64_t));
}

std::uint64_t MaskedSource::mask_reads() const {
  return touches(grid().rows, mask_->grid().rows).second * touches(grid().cols, mask_->grid().cols).second;
}

std::uint64_t MaskedSource::fetch_bytes() const {
  return image_->fetch_bytes() + most_mask_chunks_ * mask_->fetch_bytes();
}

std::uint64_t MaskedSource::excess_bytes() const {
  return image_->excess_bytes() + most_mask_chunks_ * (mask_->fetch_bytes() + mask_->excess_bytes() +
                                                       BufferPool::charge(mask_->block_bytes()));
}

std::optional<RemoteReading> MaskedSource::remote() const {
  std::optional<RemoteReading> both = image_->remote();
  const std::optional<RemoteReading> of_mask = mask_->remote();  // the same file
  if (both && of_mask) both->planned_requests += of_mask->planned_requests;
  return both;
}

std::unique_ptr<ChunkSource::Local> MaskedSource::make_local(const Scratch& scratch) const {
  auto both = std::make_unique<BothLocals>();
  both->image = image_->make_local(scratch);
  both->mask = mask_->make_local(scratch);
  return both;
}

Window MaskedSource::mask_chunks(ChunkIndex chunk) const {
  const Window window = grid().window(chunk);
  const ChunkGrid& of_mask = mask_->grid();
  return {of_mask.rows.piece_at(window.row), of_mask.cols.piece_at(window.col),
          touched(of_mask.rows, window.row, window.row_end()),
          touched(of_mask.cols, window.col, window.col_end())};
}

Buffer MaskedSource::fetch(ChunkIndex chunk, const Context& context) const {
  Buffer stored = image_->fetch(chunk, context);
  const std::uint64_t image_bytes = stored.size();
  std::uint64_t end = image_bytes;
  std::vector<std::uint64_t> sizes;
  const Window wanted = mask_chunks(chunk);
  for (std::uint64_t row = wanted.row; row < wanted.row_end(); ++row)
    for (std::uint64_t col = wanted.col; col < wanted.col_end(); ++col) {
      Buffer of_mask;
      if (mask_->fetch_bytes() > 0) of_mask = mask_->fetch({row, col}, context);
      if (of_mask.size() > 0) std::memcpy(stored.data() + end, of_mask.data(), of_mask.size());
      end += of_mask.size();
      sizes.push_back(of_mask.size());
    }
  sizes.push_back(image_bytes);
  std::memcpy(stored.data() + end, sizes.data(), sizes.size() * sizeof(std::uint64_t));
  stored.resize(end + sizes.size() * sizeof(std::uint64_t));
  return stored;
}

Block MaskedSource::decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const {
  assert(local != nullptr);
  auto& both = static_cast<BothLocals&>(*local);
  const Window wanted = mask_chunks(chunk);
  const std::uint64_t chunks = wanted.height * wanted.width;
  const std::byte* sizes = stored.data() + stored.size() - (chunks + 1) * sizeof(std::uint64_t);
  const std::uint64_t image_bytes = load_size(sizes + chunks * sizeof(std::uint64_t));

  // Before the image, whose decoding takes the buffer over.
  std::vector<Block> masks;
  masks.reserve(chunks);
  const std::byte* from = stored.data() + image_bytes;
  for (std::uint64_t i = 0; i < chunks; ++i) {
    const std::uint64_t bytes = load_size(sizes + i * sizeof(std::uint64_t));
    Buffer of_mask;
    if (bytes > 0) {
      of_mask = context.buffer(bytes);
      std::memcpy(of_mask.data(), from, bytes);
      from += bytes;
    }
    masks.push_back(mask_->decode({wanted.row + i / wanted.width, wanted.col + i % wanted.width},
                                  std::move(of_mask), both.mask.get(), context));
  }

  stored.resize(image_bytes);
  Block block = image_->decode(chunk, std::move(stored), both.image.get(), context);
  assert(block.has_mask());
  for (const Block& mask : masks) {
    const Window part = intersect(mask.window, block.window);
    for (std::uint64_t row = part.row; row < part.row_end(); ++row) {
      const std::byte* values = mask.at(row - mask.window.row, part.col - mask.window.col);
      std::byte* to = block.mask_at(row - block.window.row, part.col - block.window.col);
      for (std::uint64_t col = 0; col < part.width; ++col)
        to[col] = values[col * mask.pixel_stride] != std::byte{0} ? std::byte{255} : std::byte{0};
    }
  }
  return block;
}

}  // namespace weir
