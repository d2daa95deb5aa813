#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "nodes/zarr/chunk_codec.hpp"
#include "nodes/zarr/chunk_stages.hpp"

namespace weir {

/// The codecs of a chunk behind `transpose` and `bytes`, in encoding order: stages that move bytes from one buffer to another, and
/// crc32c, which only looks at them: it is checked where it lies, and appended in place. What lies between two stages takes turns in
/// two blocks of scratch. Const and thread-safe.
class ChunkChain {
 public:
  /// `raw`: the bytes of a chunk. Throws a usage Error.
  /// `stored_shape`, `fill`: for shards; see shard_stage.hpp.
  ChunkChain(const std::vector<ZarrCodecSpec>& codecs, const ZarrType& type, std::uint64_t raw,
             std::span<const std::uint64_t> stored_shape, std::span<const std::byte> fill);

  std::uint64_t max_encoded_bytes() const { return steps_.empty() ? raw_ : steps_.back().encoded_bytes; }
  bool is_fixed_size() const { return steps_.empty() || steps_.back().is_fixed; }
  bool is_raw() const { return steps_.empty() && !is_read_only_; }
  bool decodes_parts() const;
  std::uint64_t decoder_scratch_bytes() const;
  std::uint64_t encoder_scratch_bytes() const;

 private:
  friend class ChainDecoder;
  friend class ChainEncoder;
  friend class Between;

  struct Step {
    std::shared_ptr<const chunk_stages::Stage> stage;  ///< nullptr: crc32c
    std::uint64_t raw_bytes = 0;                       ///< what comes in, at most
    std::uint64_t encoded_bytes = 0;                   ///< what goes out, at most
    bool is_fixed = false;                             ///< whether that is exact
  };
  std::uint64_t between_bytes() const;  ///< of each block between stages
  std::size_t between_blocks() const;   ///< up to 2
  std::uint64_t between_scratch_bytes() const;
  std::size_t moving_steps() const;

  std::uint64_t raw_;
  std::vector<Step> steps_;
  bool is_read_only_ = false;  ///< bitround is among them
};

std::unique_ptr<ZarrDecoder> make_chain_decoder(std::shared_ptr<const ChunkChain> chain,
                                                const Scratch& scratch, bool check_sums);
std::unique_ptr<ZarrEncoder> make_chain_encoder(std::shared_ptr<const ChunkChain> chain,
                                                const Scratch& scratch);

}  // namespace weir
