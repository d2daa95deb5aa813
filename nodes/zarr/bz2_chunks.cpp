// numcodecs' bz2: any number of bzip2 streams one after the other; encoding makes one.
#include "nodes/zarr/chunk_stages.hpp"

#ifdef WEIR_WITH_BZ2

#include <bzlib.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace weir::chunk_stages {
namespace {

constexpr std::size_t most_at_once = std::numeric_limits<unsigned>::max();  // libbz2 counts in 32 bits

// libbz2's allocator over a Scratch; `opaque` is the Scratch.
void* allocate(void* opaque, int items, int size) {
  return static_cast<const Scratch*>(opaque)->allocate(static_cast<std::size_t>(items) *
                                                       static_cast<std::size_t>(size));
}
void release(void* opaque, void* block) {
  if (block != nullptr) static_cast<const Scratch*>(opaque)->release(block);
}

bz_stream new_stream(Scratch& scratch) {
  bz_stream stream = {};
  stream.bzalloc = allocate;
  stream.bzfree = release;
  stream.opaque = &scratch;
  return stream;
}

// libbz2 has no way to start a stream again, so each chunk has one of its own; a pool keeps nothing of it in between.
class Stream {
 public:
  enum class Way { encode, decode };
  Stream(Way way, int level, Scratch& scratch) : way_(way), stream_(new_stream(scratch)) {
    const int status =
        way == Way::encode ? BZ2_bzCompressInit(&stream_, level, 0, 0) : BZ2_bzDecompressInit(&stream_, 0, 0);
    if (status != BZ_OK) throw Error("allocate", "a bz2 stream", "out of memory");
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { (void)(way_ == Way::encode ? BZ2_bzCompressEnd(&stream_) : BZ2_bzDecompressEnd(&stream_)); }
  bz_stream* get() { return &stream_; }

  // Gives it as much of both sides as it counts, and returns its status.
  int step(std::span<const std::byte> in, std::span<std::byte> out, bool is_end, std::size_t& taken,
           std::size_t& made) {
    const std::size_t in_step = std::min(in.size() - taken, most_at_once);
    const std::size_t out_step = std::min(out.size() - made, most_at_once);
    // libbz2 reads only; its interface has no const.
    stream_.next_in = const_cast<char*>(reinterpret_cast<const char*>(in.data() + taken));
    stream_.avail_in = static_cast<unsigned>(in_step);
    stream_.next_out = reinterpret_cast<char*>(out.data() + made);
    stream_.avail_out = static_cast<unsigned>(out_step);
    const int status =
        way_ == Way::decode
            ? BZ2_bzDecompress(&stream_)
            : BZ2_bzCompress(&stream_, is_end && taken + in_step == in.size() ? BZ_FINISH : BZ_RUN);
    taken += in_step - stream_.avail_in;
    made += out_step - stream_.avail_out;
    return status;
  }

 private:
  Way way_;
  bz_stream stream_;
};

class Bz2StageDecoder : public StageDecoder {
 public:
  explicit Bz2StageDecoder(const Scratch& scratch) : scratch_(scratch) {}

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    std::size_t taken = 0, made = 0;
    do {
      Stream stream(Stream::Way::decode, 0, scratch_);
      for (;;) {
        const std::size_t taken_before = taken, made_before = made;
        const int status = stream.step(encoded, out, false, taken, made);
        if (status == BZ_STREAM_END) break;
        if (status == BZ_MEM_ERROR) throw Error("allocate", "a bz2 block", "out of memory");
        if (status != BZ_OK) throw broken("bz2", "it is damaged");
        if (taken == taken_before && made == made_before)
          throw broken("bz2", taken == encoded.size() ? ends_early : too_long);
      }
    } while (taken < encoded.size());
    return made;
  }

 private:
  Scratch scratch_;
};

class Bz2Encoder : public Encoder {
 public:
  Bz2Encoder(int level, const Scratch& scratch) : level_(level), scratch_(scratch) {}

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    Stream stream(Stream::Way::encode, level_, scratch_);
    std::size_t taken = 0, made = 0;
    for (;;) {
      const int status = stream.step(raw, out, true, taken, made);
      if (status == BZ_STREAM_END) return made;
      if ((status != BZ_RUN_OK && status != BZ_FINISH_OK) || made == out.size())
        throw Error("encode", fmt::format("{} bytes with bz2", raw.size()),
                    "the result is larger than its bound");
    }
  }

 private:
  int level_;
  Scratch scratch_;
};

class Bz2Stage : public Stage {
 public:
  Bz2Stage(const ZarrCodecSpec& spec, std::uint64_t raw)
      : level_(level_of("bz2", spec.level, 1, 9, 1)), raw_(raw) {}

  std::uint64_t max_encoded_bytes() const override { return most_compressed_bytes(raw_); }
  // bzlib.h and bzip2's manual ("memory management"): 400 kB and 8 times the block, of up to 900 kB, to compress; 100 kB and 4 times the
  // block to decompress, whatever the level was.
  std::uint64_t decoder_scratch_bytes() const override {
    return 100'000 + 4 * 900'000 + 2 * scratch_block_bytes(0);
  }
  std::uint64_t encoder_scratch_bytes() const override {
    return 400'000 + 8 * static_cast<std::uint64_t>(level_) * 100'000 + 4 * scratch_block_bytes(0);
  }
  std::unique_ptr<StageDecoder> make_decoder(const Scratch& scratch, bool) const override {
    return std::make_unique<Bz2StageDecoder>(scratch);
  }
  std::unique_ptr<Encoder> make_encoder(const Scratch& scratch) const override {
    return std::make_unique<Bz2Encoder>(level_, scratch);
  }

 private:
  int level_;
  std::uint64_t raw_;
};

}  // namespace

std::unique_ptr<const Stage> bz2_stage(const ZarrCodecSpec& spec, std::uint64_t raw) {
  return std::make_unique<Bz2Stage>(spec, raw);
}

}  // namespace weir::chunk_stages

#else

namespace weir::chunk_stages {

std::unique_ptr<const Stage> bz2_stage(const ZarrCodecSpec&, std::uint64_t) {
  throw not_built_in("bz2", "libbz2 (WEIR_WITH_BZ2)");
}

}  // namespace weir::chunk_stages

#endif
