#include "nodes/zarr/chunk_codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "framework/error.hpp"
#include "nodes/zarr/chunk_chain.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

std::uint64_t bytes_of_shape(std::span<const std::uint64_t> shape, std::uint64_t element_bytes) {
  std::uint64_t bytes = element_bytes;
  for (const std::uint64_t side : shape) {
    if (side != 0 && bytes > std::numeric_limits<std::int64_t>::max() / 2 / side)
      throw Error::usage("use", "a chunk's shape", "its bytes are too many to count");
    bytes *= side;
  }
  return bytes;
}

// What is the axis of the stored layout's i-th dimension: transposes follow each other.
std::vector<std::uint32_t> transposed(const std::vector<std::uint32_t>& axes,
                                      const std::vector<std::uint32_t>& order) {
  std::vector<bool> seen(axes.size(), false);
  std::vector<std::uint32_t> result;
  for (const std::uint32_t axis : order) {
    if (axis >= axes.size() || seen[axis]) break;
    seen[axis] = true;
    result.push_back(axes[axis]);
  }
  if (order.size() != axes.size() || result.size() != axes.size())
    throw Error::usage("use", "codec transpose",
                       fmt::format("its order is no permutation of {} dimensions", axes.size()));
  return result;
}

}  // namespace

namespace chunk_stages {

int level_of(std::string_view codec, std::optional<int> level, int lowest, int highest, int fallback) {
  if (level && (*level < lowest || *level > highest))
    throw Error::usage("use", fmt::format("codec {}", codec),
                       fmt::format("its level is {} to {}, not {}", lowest, highest, *level));
  return level.value_or(fallback);
}

Error only_read(std::string_view codec) {
  return Error::usage("write with", fmt::format("codec {}", codec), "it is only read");
}

Error not_built_in(std::string_view codec, std::string_view library) {
  return Error::usage("use", fmt::format("codec {}", codec), fmt::format("{} is not built in", library));
}

}  // namespace chunk_stages

bool StoredLayout::is_plain() const {
  return !swapped && std::is_sorted(axes.begin(), axes.end());
}

ChunkCodec::ChunkCodec(const std::vector<ZarrCodecSpec>& codecs, const ZarrType& type,
                       std::span<const std::uint64_t> shape, std::span<const std::byte> fill)
    : raw_bytes_(bytes_of_shape(shape, type.bytes)) {
  layout_.axes.resize(shape.size());
  std::iota(layout_.axes.begin(), layout_.axes.end(), 0u);
  layout_.element_bytes = type.bytes;
  layout_.word_bytes = type.word_bytes();
  for (const ZarrCodecSpec& codec : codecs) {
    if (codec.id == Id::transpose) layout_.axes = transposed(layout_.axes, codec.order);
    if (codec.id == Id::bytes)
      layout_.swapped =
          layout_.word_bytes > 1 && codec.big_endian == (std::endian::native == std::endian::little);
  }
  std::vector<std::uint64_t> stored_shape;
  for (const std::uint32_t axis : layout_.axes) stored_shape.push_back(shape[axis]);
  chain_ = std::make_shared<const ChunkChain>(codecs, type, raw_bytes_, stored_shape, fill);
  max_encoded_bytes_ = chain_->max_encoded_bytes();
}

bool ChunkCodec::is_fixed_size() const {
  return chain_->is_fixed_size();
}
bool ChunkCodec::is_raw() const {
  return chain_->is_raw();
}
bool ChunkCodec::decodes_parts() const {
  return chain_->decodes_parts();
}
std::uint64_t ChunkCodec::decoder_scratch_bytes() const {
  return chain_->decoder_scratch_bytes();
}
std::uint64_t ChunkCodec::encoder_scratch_bytes() const {
  return chain_->encoder_scratch_bytes();
}
std::unique_ptr<ZarrDecoder> ChunkCodec::make_decoder(const Scratch& scratch, bool check_sums) const {
  return make_chain_decoder(chain_, scratch, check_sums);
}
std::unique_ptr<ZarrEncoder> ChunkCodec::make_encoder(const Scratch& scratch) const {
  return make_chain_encoder(chain_, scratch);
}

}  // namespace weir
