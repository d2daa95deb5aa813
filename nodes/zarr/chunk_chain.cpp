#include "nodes/zarr/chunk_chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

#include "nodes/zarr/shard_stage.hpp"

namespace weir {
namespace {

using namespace chunk_stages;
using Id = ZarrCodecSpec::Id;

constexpr std::size_t sum_bytes = sizeof(std::uint32_t);

std::array<std::byte, sum_bytes> little_endian(std::uint32_t sum) {
  std::array<std::byte, sum_bytes> bytes;
  for (std::size_t i = 0; i < sum_bytes; ++i) bytes[i] = static_cast<std::byte>(sum >> 8 * i);
  return bytes;
}

std::unique_ptr<const Stage> make_stage(const ZarrCodecSpec& codec, const ZarrType& type, std::uint64_t raw) {
  switch (codec.id) {
    case Id::gzip:
    case Id::zlib:
      return gzip_stage(codec, raw);
    case Id::zstd:
      return zstd_stage(codec, raw);
    case Id::blosc:
      return blosc_stage(codec, raw, type.bytes);
    case Id::lz4:
      return lz4_stage(codec, raw);
    case Id::bz2:
      return bz2_stage(codec, raw);
    case Id::lzma:
      return lzma_stage(codec, raw);
    case Id::delta:
    case Id::shuffle:
    case Id::fixed_scale_offset:
    case Id::pack_bits:
      return filter_stage(codec, raw, type.bytes);
    default:
      throw Error::usage("use", fmt::format("codec {}", name_of(codec.id)), "it has no place in a chunk");
  }
}

void require_length(std::size_t bytes, std::uint64_t wanted) {
  if (bytes != wanted)
    throw Error("decode", "a chunk", fmt::format("it comes to {} bytes instead of {}", bytes, wanted));
}

}  // namespace

ChunkChain::ChunkChain(const std::vector<ZarrCodecSpec>& codecs, const ZarrType& type, std::uint64_t raw,
                       std::span<const std::uint64_t> stored_shape, std::span<const std::byte> fill)
    : raw_(raw) {
  std::uint64_t bytes = raw;
  bool is_fixed = true;
  for (const ZarrCodecSpec& codec : codecs) {
    if (codec.id == Id::transpose || codec.id == Id::bytes) continue;  // what they say is in the layout
    if (codec.id == Id::bit_round) {                                   // which changes nothing when it reads
      is_read_only_ = true;
      continue;
    }
    Step step;
    step.raw_bytes = bytes;
    if (codec.id == Id::crc32c) {
      step.encoded_bytes = bytes + sum_bytes;
      step.is_fixed = is_fixed;
    } else {
      if (codec.id == Id::sharding_indexed && !codec.sharding)
        throw Error::usage("use", "codec sharding_indexed", "it has no configuration");
      step.stage = codec.id == Id::sharding_indexed ? shard_stage(*codec.sharding, type, stored_shape, fill)
                                                    : make_stage(codec, type, bytes);
      step.encoded_bytes = step.stage->max_encoded_bytes();
      step.is_fixed = is_fixed && step.stage->is_fixed_size();
    }
    bytes = step.encoded_bytes;
    is_fixed = step.is_fixed;
    steps_.push_back(std::move(step));
  }
}

bool ChunkChain::decodes_parts() const {
  return steps_.empty() || (steps_.size() == 1 && steps_[0].stage && steps_[0].stage->decodes_parts());
}

std::size_t ChunkChain::moving_steps() const {
  return static_cast<std::size_t>(
      std::count_if(steps_.begin(), steps_.end(), [](const Step& step) { return step.stage != nullptr; }));
}

std::uint64_t ChunkChain::between_bytes() const {
  std::uint64_t most = 0;
  for (std::size_t i = 0; i + 1 < steps_.size(); ++i) most = std::max(most, steps_[i].encoded_bytes);
  return most;
}

std::size_t ChunkChain::between_blocks() const {
  // A crc32c in front of all stages has its sum appended to a copy.
  const std::size_t moving = moving_steps();
  const std::size_t uses = moving == 0 ? 0 : moving - 1 + (steps_[0].stage ? 0 : 1);
  return std::min<std::size_t>(uses, 2);
}

std::uint64_t ChunkChain::between_scratch_bytes() const {
  return between_blocks() * scratch_block_bytes(between_bytes());
}

std::uint64_t ChunkChain::decoder_scratch_bytes() const {
  std::uint64_t bytes = between_scratch_bytes();
  for (const Step& step : steps_)
    if (step.stage) bytes += step.stage->decoder_scratch_bytes();
  return bytes;
}

std::uint64_t ChunkChain::encoder_scratch_bytes() const {
  std::uint64_t bytes = between_scratch_bytes();
  for (const Step& step : steps_)
    if (step.stage) bytes += step.stage->encoder_scratch_bytes();
  return bytes;
}

// ---- both directions ----

/// The blocks between stages, in turns.
class Between {
 public:
  Between(const ChunkChain& chain, const Scratch& scratch) {
    for (std::size_t i = 0; i < chain.between_blocks(); ++i)
      blocks_[i] =
          ScratchBlock(scratch, static_cast<std::size_t>(chain.between_bytes()), "a chunk between codecs");
  }
  std::span<std::byte> next() {
    if (blocks_[1].data() != nullptr) std::swap(blocks_[0], blocks_[1]);
    return {static_cast<std::byte*>(blocks_[0].data()), blocks_[0].size()};
  }

 private:
  std::array<ScratchBlock, 2> blocks_;
};

class ChainDecoder : public ZarrDecoder {
 public:
  ChainDecoder(std::shared_ptr<const ChunkChain> chain, const Scratch& scratch, bool check_sums)
      : chain_(std::move(chain)), between_(*chain_, scratch), check_sums_(check_sums) {
    for (const ChunkChain::Step& step : chain_->steps_)
      stages_.push_back(step.stage ? step.stage->make_decoder(scratch, check_sums) : nullptr);
  }

  void decode(std::span<const std::byte> encoded, std::span<std::byte> raw) override {
    assert(raw.size() == chain_->raw_);
    require_not_longer(encoded);
    std::span<const std::byte> data = encoded;
    for (std::size_t i = stages_.size(); i-- > 0;) {
      const ChunkChain::Step& step = chain_->steps_[i];
      if (step.is_fixed) require_length(data.size(), step.encoded_bytes);
      const bool is_exact = i == 0 || chain_->steps_[i - 1].is_fixed;
      if (!stages_[i]) {
        data = without_sum(data);
      } else {
        const std::span<std::byte> target =
            i == 0 ? raw : between_.next().first(static_cast<std::size_t>(step.raw_bytes));
        data = target.first(stages_[i]->decode(data, target));
      }
      if (is_exact) require_length(data.size(), step.raw_bytes);
    }
    require_length(data.size(), raw.size());
    if (data.data() != raw.data() && !raw.empty()) std::memcpy(raw.data(), data.data(), raw.size());
  }

  bool decode_part(std::span<const std::byte> encoded, std::uint64_t first,
                   std::span<std::byte> part) override {
    assert(first <= chain_->raw_ && part.size() <= chain_->raw_ - first);
    if (!chain_->decodes_parts()) return false;
    require_not_longer(encoded);
    if (!stages_.empty()) return stages_[0]->decode_part(encoded, first, part);
    require_length(encoded.size(), chain_->raw_);
    if (!part.empty()) std::memcpy(part.data(), encoded.data() + first, part.size());
    return true;
  }

 private:
  void require_not_longer(std::span<const std::byte> encoded) const {
    if (encoded.size() > chain_->max_encoded_bytes())
      throw Error("decode", "a chunk",
                  fmt::format("its {} bytes are more than the {} that {} may become", encoded.size(),
                              chain_->max_encoded_bytes(), chain_->raw_));
  }
  std::span<const std::byte> without_sum(std::span<const std::byte> data) const {
    if (data.size() < sum_bytes) throw broken("crc32c", ends_early);
    const std::span<const std::byte> rest = data.first(data.size() - sum_bytes);
    if (check_sums_ &&
        std::memcmp(data.data() + rest.size(), little_endian(crc32c(rest)).data(), sum_bytes) != 0)
      throw broken("crc32c", "the checksum is another");
    return rest;
  }

  std::shared_ptr<const ChunkChain> chain_;
  Between between_;
  bool check_sums_;
  std::vector<std::unique_ptr<StageDecoder>> stages_;
};

class ChainEncoder : public ZarrEncoder {
 public:
  ChainEncoder(std::shared_ptr<const ChunkChain> chain, const Scratch& scratch)
      : chain_(std::move(chain)), between_(*chain_, scratch) {
    if (chain_->is_read_only_) throw only_read("bitround");
    for (const ChunkChain::Step& step : chain_->steps_)
      stages_.push_back(step.stage ? step.stage->make_encoder(scratch) : nullptr);
  }

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(raw.size() == chain_->raw_ && out.size() >= chain_->max_encoded_bytes());
    std::span<const std::byte> data = raw;
    std::span<std::byte> place;  // where data lies, with the room behind it; empty: in the caller's raw
    std::size_t moves_left = chain_->moving_steps();
    for (const std::unique_ptr<Encoder>& stage : stages_) {
      if (stage) {
        const std::span<std::byte> target = --moves_left == 0 ? out : between_.next();
        data = target.first(stage->encode(data, target));
        place = target;
        continue;
      }
      if (place.empty()) {
        place = moves_left == 0 ? out : between_.next();
        if (!data.empty()) std::memcpy(place.data(), data.data(), data.size());
      }
      const auto sum = little_endian(crc32c(place.first(data.size())));
      std::memcpy(place.data() + data.size(), sum.data(), sum_bytes);
      data = place.first(data.size() + sum_bytes);
    }
    if (place.empty() && !data.empty()) std::memcpy(out.data(), data.data(), data.size());
    return data.size();
  }

 private:
  std::shared_ptr<const ChunkChain> chain_;
  Between between_;
  std::vector<std::unique_ptr<Encoder>> stages_;
};

std::unique_ptr<ZarrDecoder> make_chain_decoder(std::shared_ptr<const ChunkChain> chain,
                                                const Scratch& scratch, bool check_sums) {
  return std::make_unique<ChainDecoder>(std::move(chain), scratch, check_sums);
}

std::unique_ptr<ZarrEncoder> make_chain_encoder(std::shared_ptr<const ChunkChain> chain,
                                                const Scratch& scratch) {
  return std::make_unique<ChainEncoder>(std::move(chain), scratch);
}

}  // namespace weir
