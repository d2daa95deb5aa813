// What Zarr's chunks cost: raw MB per CPU-second of one core, of codecs (zstd beside its bare library) and of the copy between chunks
// and strided memory, beside memcpy.
//
//   build/bench/zarr_chunk_bench [KIB [SECONDS]]      default: chunks of 256 KiB, about 0.3 seconds a figure
#include <fmt/format.h>
#include <zstd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/zarr/strided_copy.hpp"

namespace {

using namespace weir;
using Bytes = std::vector<std::byte>;
using Id = ZarrCodecSpec::Id;

double cpu_seconds() {
  std::timespec now{};
  if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
    throw Error("read", "the CPU clock", "clock_gettime failed");
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The better of rounds that take turns, so that a busy machine slows both alike: MB per second of each.
std::vector<double> side_by_side(double seconds, std::size_t bytes,
                                 const std::vector<std::function<void()>>& works) {
  std::vector<double> best(works.size(), 1e9);
  for (double spent = 0; spent < seconds * static_cast<double>(works.size());)
    for (std::size_t i = 0; i < works.size(); ++i) {
      const double start = cpu_seconds();
      for (int k = 0; k < 8; ++k) works[i]();
      const double taken = cpu_seconds() - start;
      best[i] = std::min(best[i], taken / 8);
      spent += taken;
    }
  for (double& time : best) time = static_cast<double>(bytes) / 1e6 / time;
  return best;
}

Bytes terrain(std::size_t count) {
  std::mt19937 random(1);
  Bytes bytes(count);
  std::uint32_t height = 1000;
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    height += static_cast<std::uint32_t>(random() % 7) - 3;
    bytes[i] = static_cast<std::byte>(height);
    bytes[i + 1] = static_cast<std::byte>(height >> 8);
  }
  return bytes;
}

void codec_line(const std::string& name, const std::vector<ZarrCodecSpec>& codecs, const Bytes& raw,
                double seconds,
                const std::function<void(const Bytes& raw, Bytes& out)>& bare_encode = nullptr,
                const std::function<void(const Bytes& encoded, Bytes& out)>& bare_decode = nullptr) {
  const ChunkCodec codec(codecs, {ZarrType::Kind::unsigned_integer, 2},
                         std::vector<std::uint64_t>{raw.size() / 2});
  const auto encoder = codec.make_encoder(Scratch());
  const auto decoder = codec.make_decoder(Scratch());
  Bytes out(codec.max_encoded_bytes()), back(raw.size()), bare(codec.max_encoded_bytes());
  Bytes encoded = out;
  encoded.resize(encoder->encode(raw, encoded));
  std::vector<std::function<void()>> encodes = {[&] { (void)encoder->encode(raw, out); }};
  std::vector<std::function<void()>> decodes = {[&] { decoder->decode(encoded, back); }};
  if (bare_encode) encodes.push_back([&] { bare_encode(raw, bare); });
  if (bare_decode) decodes.push_back([&] { bare_decode(encoded, back); });
  const std::vector<double> encode = side_by_side(seconds, raw.size(), encodes);
  const std::vector<double> decode = side_by_side(seconds, raw.size(), decodes);
  fmt::print("{:<28} {:>6.2f} {:>9.0f} {:>9.0f}", name,
             static_cast<double>(raw.size()) / static_cast<double>(encoded.size()), encode[0], decode[0]);
  if (bare_encode)
    fmt::print("   of the library's own {:.2f} {:.2f}", encode[0] / encode[1], decode[0] / decode[1]);
  fmt::print("\n");
}

void copy_line(const std::string& name, std::uint32_t element, bool swapped, std::vector<std::uint32_t> axes,
               std::uint64_t side, double seconds) {
  StoredLayout layout;
  layout.axes = std::move(axes);
  layout.element_bytes = layout.word_bytes = element;
  layout.swapped = swapped;
  const std::vector<std::uint64_t> shape = {side, side}, start = {0, 0};
  const std::int64_t row = static_cast<std::int64_t>(4 * side) * element;  // the array is four chunks wide
  const Bytes chunk = terrain(side * side * element);
  Bytes array(static_cast<std::size_t>(row) * side), plain(chunk.size());
  const std::vector<std::int64_t> strides = {row, element};
  const std::vector<double> speeds =
      side_by_side(seconds, chunk.size(),
                   {[&] {
                      scatter_box(layout, shape, chunk, {start, shape}, array.data(), strides);
                    },
                    [&] {
                      gather_box(layout, shape, plain, {start, shape}, array.data(), strides);
                    },
                    [&] { std::memcpy(plain.data(), chunk.data(), chunk.size()); }});
  fmt::print("{:<28} {:>16.0f} {:>9.0f}   memcpy {:.0f}\n", name, speeds[0], speeds[1], speeds[2]);
}

}  // namespace

int main(int count, char** arguments) try {
  const std::size_t bytes = (count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 256) * 1024;
  const double seconds = count > 2 ? std::strtod(arguments[2], nullptr) : 0.3;
  const Bytes raw = terrain(bytes);
  const auto spec = [](Id id, std::optional<int> level = std::nullopt) {
    ZarrCodecSpec result;
    result.id = id;
    result.level = level;
    return result;
  };
  fmt::print("{:<28} {:>6} {:>9} {:>9}\n", "codec", "ratio", "encode", "decode");
  codec_line("bytes", {spec(Id::bytes)}, raw, seconds);
  codec_line("bytes, crc32c", {spec(Id::bytes), spec(Id::crc32c)}, raw, seconds);
  for (const int level : {1, 6})
    codec_line(fmt::format("gzip {}", level), {spec(Id::gzip, level)}, raw, seconds);
  for (const int level : {-5, 1, 3, 9}) {
    ZSTD_CCtx* compressor = ZSTD_createCCtx();
    ZSTD_DCtx* decompressor = ZSTD_createDCtx();
    codec_line(
        fmt::format("zstd {}", level), {spec(Id::zstd, level)}, raw, seconds,
        [&](const Bytes& in, Bytes& out) {
          (void)ZSTD_compressCCtx(compressor, out.data(), out.size(), in.data(), in.size(), level);
        },
        [&](const Bytes& in, Bytes& out) {
          (void)ZSTD_decompressDCtx(decompressor, out.data(), out.size(), in.data(), in.size());
        });
    ZSTD_freeCCtx(compressor);
    ZSTD_freeDCtx(decompressor);
  }
  codec_line("zstd 1, crc32c", {spec(Id::zstd, 1), spec(Id::crc32c)}, raw, seconds);
  for (const char* name : {"lz4", "zstd"}) {
    ZarrCodecSpec blosc = spec(Id::blosc, 5);
    blosc.compressor = name;
    codec_line(fmt::format("blosc {} 5, shuffle", name), {blosc}, raw, seconds);
  }
  codec_line("lz4", {spec(Id::lz4)}, raw, seconds);
  codec_line("bz2 1", {spec(Id::bz2, 1)}, raw, seconds);
  fmt::print("\n{:<28} {:>16} {:>9}\n", "copy, 512 x 512 elements", "scatter", "gather");
  for (const std::uint32_t element : {1u, 2u, 4u, 8u}) {
    copy_line(fmt::format("C order, {} bytes", element), element, false, {0, 1}, 512, seconds);
    if (element > 1)
      copy_line(fmt::format("C order, {} bytes, swapped", element), element, true, {0, 1}, 512, seconds);
    copy_line(fmt::format("F order, {} bytes", element), element, false, {1, 0}, 512, seconds);
  }
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "zarr_chunk_bench: {}\n", error.what());
  return 1;
}
