#include "nodes/zarr/shard_stage.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "framework/error.hpp"
#include "nodes/zarr/shard_index.hpp"
#include "nodes/zarr/strided_copy.hpp"

namespace weir::chunk_stages {
namespace {

using Shape = std::vector<std::uint64_t>;

class ShardStage : public Stage, public std::enable_shared_from_this<ShardStage> {
 public:
  ShardStage(const ZarrSharding& sharding, const ZarrType& type, std::span<const std::uint64_t> shape,
             std::span<const std::byte> fill)
      : inner_shape_(sharding.chunk_shape),
        fill_(fill.begin(), fill.end()),
        codec_(sharding.codecs, type, sharding.chunk_shape, fill),
        strides_(shape.size()),
        counts_(shape.size()) {
    std::uint64_t stride = type.bytes;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      counts_[axis] = shape[axis] / inner_shape_[axis];
      strides_[axis] = static_cast<std::int64_t>(stride);
      stride *= shape[axis];
    }
    order_ = shard_order(ShardOrder::morton, counts_);
    index_.emplace(sharding, order_.size());
  }

  std::uint64_t max_encoded_bytes() const override {
    return order_.size() * codec_.max_encoded_bytes() + index_->encoded_bytes();
  }
  std::uint64_t decoder_scratch_bytes() const override {
    return own_scratch_bytes() + codec_.decoder_scratch_bytes();
  }
  std::uint64_t encoder_scratch_bytes() const override {
    return own_scratch_bytes() + codec_.encoder_scratch_bytes();
  }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch& scratch, bool check_sums) const override;
  std::unique_ptr<Encoder> make_encoder(const Scratch& scratch) const override;

  std::int64_t offset(std::uint32_t number) const {
    std::int64_t offset = 0;
    std::uint64_t rest = number;
    for (std::size_t axis = counts_.size(); axis-- > 0; rest /= counts_[axis])
      offset += static_cast<std::int64_t>(rest % counts_[axis] * inner_shape_[axis]) * strides_[axis];
    return offset;
  }
  std::uint64_t own_scratch_bytes() const {
    return scratch_block_bytes(codec_.raw_bytes()) + index_->scratch_bytes() +
           order_.size() * sizeof(ShardEntry);
  }

  const Shape inner_shape_;
  const std::vector<std::byte> fill_;
  const ChunkCodec codec_;
  std::vector<std::int64_t> strides_;  // of the shard's elements
  Shape counts_;
  std::vector<std::uint32_t> order_;
  std::optional<ShardIndexCodec> index_;
};

class ShardDecoder : public StageDecoder {
 public:
  ShardDecoder(std::shared_ptr<const ShardStage> stage, const Scratch& scratch, bool check_sums)
      : stage_(std::move(stage)),
        raw_(scratch, stage_->codec_.raw_bytes(), "an inner chunk"),
        check_sums_(check_sums),
        decoder_(stage_->codec_.make_decoder(scratch, check_sums)),
        entries_(stage_->order_.size()),
        corner_(stage_->counts_.size()) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const ShardIndexCodec& index = *stage_->index_;
    if (encoded.size() < index.encoded_bytes()) throw broken("shard", "it is shorter than its index");
    index.decode(encoded.subspan(index.offset(encoded.size()), index.encoded_bytes()), encoded.size(),
                 stage_->codec_.max_encoded_bytes(), "a shard", entries_, check_sums_);
    const std::span<std::byte> raw(static_cast<std::byte*>(raw_.data()), stage_->codec_.raw_bytes());
    for (std::uint32_t number = 0; number < entries_.size(); ++number) {
      std::byte* target = out.data() + stage_->offset(number);
      const ShardEntry& entry = entries_[number];
      if (entry.is_empty()) {
        fill_box(target, stage_->strides_, stage_->inner_shape_, stage_->fill_,
                 stage_->codec_.layout().element_bytes);
        continue;
      }
      decoder_->decode(encoded.subspan(entry.offset, entry.bytes), raw);
      scatter_box(stage_->codec_.layout(), stage_->inner_shape_, raw, {corner_, stage_->inner_shape_}, target,
                  stage_->strides_);
    }
    return out.size();
  }

 private:
  std::shared_ptr<const ShardStage> stage_;
  ScratchBlock raw_;
  bool check_sums_;
  std::unique_ptr<ZarrDecoder> decoder_;
  std::vector<ShardEntry> entries_;
  Shape corner_;
};

class ShardEncoder : public Encoder {
 public:
  ShardEncoder(std::shared_ptr<const ShardStage> stage, const Scratch& scratch)
      : stage_(std::move(stage)),
        raw_(scratch, stage_->codec_.raw_bytes(), "an inner chunk"),
        encoder_(stage_->codec_.make_encoder(scratch)),
        entries_(stage_->order_.size()),
        corner_(stage_->counts_.size()) {}

  std::size_t encode(std::span<const std::byte> shard, std::span<std::byte> out) override {
    const ShardIndexCodec& index = *stage_->index_;
    const std::span<std::byte> raw(static_cast<std::byte*>(raw_.data()), stage_->codec_.raw_bytes());
    std::ranges::fill(entries_, ShardEntry{});
    std::size_t at = index.is_at_end() ? 0 : index.encoded_bytes();
    for (const std::uint32_t number : stage_->order_) {
      gather_box(stage_->codec_.layout(), stage_->inner_shape_, raw, {corner_, stage_->inner_shape_},
                 shard.data() + stage_->offset(number), stage_->strides_);
      if (is_all_fill(stage_->codec_.layout(), raw, stage_->fill_)) continue;
      const std::size_t bytes = encoder_->encode(raw, out.subspan(at));
      entries_[number] = {at, bytes};
      at += bytes;
    }
    const std::vector<std::byte> words = index.encode(entries_);
    std::ranges::copy(words, out.begin() + static_cast<std::ptrdiff_t>(index.is_at_end() ? at : 0));
    return at + (index.is_at_end() ? words.size() : 0);
  }

 private:
  std::shared_ptr<const ShardStage> stage_;
  ScratchBlock raw_;
  std::unique_ptr<ZarrEncoder> encoder_;
  std::vector<ShardEntry> entries_;
  Shape corner_;
};

std::unique_ptr<StageDecoder> ShardStage::make_decoder(const Scratch& scratch, bool check_sums) const {
  return std::make_unique<ShardDecoder>(shared_from_this(), scratch, check_sums);
}
std::unique_ptr<Encoder> ShardStage::make_encoder(const Scratch& scratch) const {
  return std::make_unique<ShardEncoder>(shared_from_this(), scratch);
}

}  // namespace

std::shared_ptr<const Stage> shard_stage(const ZarrSharding& sharding, const ZarrType& type,
                                         std::span<const std::uint64_t> shape,
                                         std::span<const std::byte> fill) {
  bool fits = sharding.chunk_shape.size() == shape.size();
  for (std::size_t axis = 0; fits && axis < shape.size(); ++axis)
    fits = sharding.chunk_shape[axis] > 0 && shape[axis] % sharding.chunk_shape[axis] == 0;
  if (!fits) throw Error::usage("use", "codec sharding_indexed", "inner chunks do not divide the shard");
  return std::make_shared<const ShardStage>(sharding, type, shape, fill);
}

}  // namespace weir::chunk_stages
