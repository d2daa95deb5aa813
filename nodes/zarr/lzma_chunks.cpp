// numcodecs' lzma in its default format: .xz streams, any number of them, of any number of blocks. Made as TIFF's (codec.hpp), without a
// check, and read with any.
#include "nodes/zarr/chunk_stages.hpp"

#ifdef WEIR_WITH_LZMA

#include "nodes/codecs/lzma_stream.hpp"

namespace weir::chunk_stages {
namespace {

using namespace lzma_stream_parts;
using Input = std::span<const std::uint8_t>;

/// The sizes of a stream's blocks, which its index must repeat.
class IndexHash {
 public:
  explicit IndexHash(const lzma_allocator* allocator)
      : allocator_(allocator), hash_(lzma_index_hash_init(nullptr, allocator)) {
    if (hash_ == nullptr) throw Error("allocate", "an lzma index", "out of memory");
  }
  IndexHash(const IndexHash&) = delete;
  IndexHash& operator=(const IndexHash&) = delete;
  ~IndexHash() { lzma_index_hash_end(hash_, allocator_); }
  lzma_index_hash* get() { return hash_; }

 private:
  const lzma_allocator* allocator_;
  lzma_index_hash* hash_;
};

// Block by block, to be asked before a dictionary is allocated (https://tukaani.org/xz/xz-file-format.txt).
class LzmaStageDecoder : public StageDecoder {
 public:
  explicit LzmaStageDecoder(const Scratch& scratch) : stream_(scratch) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const Input in(reinterpret_cast<const std::uint8_t*>(encoded.data()), encoded.size());
    std::size_t at = 0, made = 0;
    do {
      decode_stream(in, at, out, made);
      while (in.size() - at >= 4 && in[at] == 0) {  // padding between streams, by four
        for (const std::size_t end = at + 4; at < end; ++at)
          if (in[at] != 0) throw broken("lzma", has_a_tail);
      }
    } while (at < in.size());
    return made;
  }

 private:
  static void want(Input in, std::size_t at, std::size_t bytes) {
    if (in.size() - at < bytes) throw broken("lzma", ends_early);
  }

  void decode_stream(Input in, std::size_t& at, std::span<std::byte> out, std::size_t& made) {
    want(in, at, LZMA_STREAM_HEADER_SIZE);
    lzma_stream_flags header, footer;
    require(lzma_stream_header_decode(&header, in.data() + at));
    at += LZMA_STREAM_HEADER_SIZE;
    IndexHash hash(stream_.allocator());
    for (;;) {
      want(in, at, 1);
      if (in[at] == 0) break;  // the index
      decode_block(in, at, header.check, out, made, hash);
    }
    const lzma_ret status = lzma_index_hash_decode(hash.get(), in.data(), &at, in.size());
    if (status == LZMA_OK || status == LZMA_BUF_ERROR) throw broken("lzma", ends_early);
    if (status != LZMA_STREAM_END) require(status);
    want(in, at, LZMA_STREAM_HEADER_SIZE);
    require(lzma_stream_footer_decode(&footer, in.data() + at));
    at += LZMA_STREAM_HEADER_SIZE;
    header.backward_size = lzma_index_hash_size(hash.get());
    require(lzma_stream_flags_compare(&header, &footer));
  }

  void decode_block(Input in, std::size_t& at, lzma_check check, std::span<std::byte> out, std::size_t& made,
                    IndexHash& hash) {
    lzma_block block;
    Filters filters(stream_.allocator());
    const std::size_t header = start_block(stream_, block, filters, check, in.subspan(at), out.size());
    if (header == 0) throw broken("lzma", ends_early);
    at += header;
    stream_->next_in = in.data() + at;
    stream_->avail_in = in.size() - at;
    stream_->next_out = reinterpret_cast<std::uint8_t*>(out.data()) + made;
    stream_->avail_out = out.size() - made;
    lzma_ret status = LZMA_OK;
    while (status == LZMA_OK) status = lzma_code(stream_.get(), LZMA_RUN);
    made = out.size() - stream_->avail_out;
    at = in.size() - stream_->avail_in;
    if (status == LZMA_BUF_ERROR) throw broken("lzma", stream_->avail_in == 0 ? ends_early : too_long);
    if (status != LZMA_STREAM_END) require(status);
    require(lzma_index_hash_append(hash.get(), lzma_block_unpadded_size(&block), block.uncompressed_size));
  }

  Stream stream_;
};

class LzmaStage : public Stage {
 public:
  LzmaStage(const ZarrCodecSpec& spec, std::uint64_t raw) : raw_(raw) {
    codec_.id = CodecId::lzma;
    codec_.level = level_of("lzma", spec.level, 0, 9, 6);
  }

  std::uint64_t max_encoded_bytes() const override { return most_compressed_bytes(raw_); }
  std::uint64_t decoder_scratch_bytes() const override {
    DecodeSpec spec;
    spec.id = CodecId::lzma;
    spec.format.width = raw_;
    spec.rows = 1;
    return weir::decoder_scratch_bytes(spec) + scratch_block_bytes(1024);  // the sizes of the index
  }
  std::uint64_t encoder_scratch_bytes() const override { return weir::encoder_scratch_bytes(codec_, raw_); }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch& scratch, bool) const override {
    return std::make_unique<LzmaStageDecoder>(scratch);
  }
  std::unique_ptr<Encoder> make_encoder(const Scratch& scratch) const override {
    return weir::make_encoder(codec_, raw_, scratch);
  }

 private:
  CodecSpec codec_;
  std::uint64_t raw_;
};

}  // namespace

std::unique_ptr<const Stage> lzma_stage(const ZarrCodecSpec& spec, std::uint64_t raw) {
  return std::make_unique<LzmaStage>(spec, raw);
}

}  // namespace weir::chunk_stages

#else

namespace weir::chunk_stages {

std::unique_ptr<const Stage> lzma_stage(const ZarrCodecSpec&, std::uint64_t) {
  throw not_built_in("lzma", "liblzma (WEIR_WITH_LZMA)");
}

}  // namespace weir::chunk_stages

#endif
