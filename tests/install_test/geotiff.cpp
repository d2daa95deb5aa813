// A user of weir::geotiff: what its static library needs (libtiff, zlib, zstd, ...) comes with the target.
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <vector>
#include <weir/framework/buffer.hpp>
#include <weir/nodes/codecs/codec.hpp>

int main() {
  const std::array<std::byte, 4096> raw{};
  for (weir::CodecId id :
       {weir::CodecId::lzw, weir::CodecId::deflate, weir::CodecId::packbits, weir::CodecId::zstd}) {
    const weir::CodecSpec spec = weir::resolved({.id = id});
    std::vector<std::byte> packed(weir::max_encoded_bytes(spec, raw.size()));
    const auto encoder = weir::make_encoder(spec, raw.size(), weir::Scratch());
    const std::size_t bytes = encoder->encode(raw, packed);
    std::printf("%s: %zu bytes become %zu\n", weir::name_of(id).data(), raw.size(), bytes);
    if (bytes == 0 || bytes >= raw.size()) return 1;
  }
  return 0;
}
