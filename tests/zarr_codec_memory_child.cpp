// Helper of zarr_chunk_memory_test.cpp: what Zarr's codecs really take from malloc, c-blosc's part included, against what they declare. In
// a program of its own, as it replaces malloc.
//
//   zarr_codec_memory_child            prints a line for each chain and kind of chunk that takes more than it declares; exit
//                                      code 1 where there is one
//   zarr_codec_memory_child --table    prints them all: chain, chunk, declared, taken
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/counting_malloc.hpp"
#include "tests/zarr_chunk_support.hpp"

namespace {

using namespace weir;
using namespace weir::codec_support;
using namespace weir::zarr_chunk_support;

// The objects themselves, and the last page of what malloc maps.
constexpr std::uint64_t objects = 8192;

void try_chunk(const Chain& chain, std::size_t bytes) {
  const ChunkCodec codec = chunk_codec_16(chain.codecs, bytes);
  const std::string name = chain.name + ", " + std::to_string(bytes) + " bytes of ";
  for (const auto& [kind, raw] :
       {std::pair{"noise", random_bytes(bytes, 1)}, {"terrain", terrain(bytes, 3)}}) {
    Bytes encoded(codec.max_encoded_bytes()), out(bytes), part(bytes / 2);
    compare(name + kind + ", encoding", codec.encoder_scratch_bytes() + objects,
            [&, &raw = raw] { encoded.resize(codec.make_encoder(Scratch())->encode(raw, encoded)); });
    compare(name + kind + ", decoding", codec.decoder_scratch_bytes() + objects,
            [&] { codec.make_decoder(Scratch())->decode(encoded, out); });
    compare(name + kind + ", half of it", codec.decoder_scratch_bytes() + objects,
            [&] { (void)codec.make_decoder(Scratch())->decode_part(encoded, bytes / 4 / 2 * 2, part); });
  }
}

}  // namespace

int main(int count, char** arguments) {
  shows_all = count > 1 && std::string(arguments[1]) == "--table";
#if WEIR_COUNTS_MALLOC
  std::vector<Chain> all = chains();
  if (is_built_in(blosc("zstd", 1, 1)))
    for (const char* compressor : {"lz4", "lz4hc", "blosclz", "zstd", "zlib", "snappy"})
      for (const int level : {1, 7, 8, 9})
        for (const std::uint64_t block : {0u, 3u << 19})
          all.push_back({"blosc " + std::string(compressor) + " " + std::to_string(level) + " of blocks of " +
                             std::to_string(block),
                         {blosc(compressor, level, 1, block)}});
  for (const Chain& chain : all)
    for (const std::size_t bytes : {2u, 1000u, 70000u, 400000u, 3000000u}) {
      if (bytes > 400000 && (chain.codecs.back().id != Id::blosc || chain.codecs.back().level > 8))
        continue;  // slow
      try_chunk(chain, bytes);
    }
#endif
  return failures > 0 ? 1 : 0;
}
