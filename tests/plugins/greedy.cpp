// Nodes that take more memory than they declare.
#include <cstdlib>

#include "framework/plugin.hpp"

using namespace weir::plugin;

namespace {

class Copy {
 public:
  explicit Copy(const Parameters&) {}
  Raster describe(std::span<const Raster> inputs) { return inputs[0]; }
  static void copy(const Pixels& in, const Target& out) {
    for (std::uint64_t row = 0; row < out.window.height; ++row)
      std::memcpy(out.at(row, 0), in.at(row, 0), out.window.width * out.pixel_stride);
  }
};

/// Asks the host for more than it declared.
class Greedy : public Copy {
 public:
  using Copy::Copy;
  std::uint64_t scratch_bytes(std::uint64_t) const { return block_bytes(1000); }
  void compute(std::span<const Pixels> inputs, const Target& out, const Host& host) const {
    const Scratch allowed = host.scratch(1000);
    const Scratch scratch = host.scratch(5000);
    copy(inputs[0], out);
  }
};

/// Goes behind the host's back.
class Hoarder : public Copy {
 public:
  using Copy::Copy;
  void compute(std::span<const Pixels> inputs, const Target& out) const {
    const std::size_t bytes = out.window.height * out.window.width * 16;
    char* mine = static_cast<char*>(std::malloc(bytes));
    if (mine == nullptr) throw std::bad_alloc();
    for (std::size_t i = 0; i < bytes; i += 512) *const_cast<volatile char*>(mine + i) = 1;
    copy(inputs[0], out);
    std::free(mine);
  }
};

/// Declares what no machine has.
class Boundless : public Copy {
 public:
  using Copy::Copy;
  std::uint64_t scratch_bytes(std::uint64_t) const { return ~std::uint64_t{0}; }
  void compute(std::span<const Pixels> inputs, const Target& out) const { copy(inputs[0], out); }
};

/// Gives back what it never had.
class Confused : public Copy {
 public:
  using Copy::Copy;
  void compute(std::span<const Pixels> inputs, const Target& out, const Host& host) const {
    copy(inputs[0], out);
    int mine = 0;
    host.c()->release(host.c(), &mine);
  }
};

/// Keeps a block per thread, and never gives it back.
class Keeper : public Copy {
 public:
  using Copy::Copy;
  std::uint64_t scratch_bytes(std::uint64_t) const { return block_bytes(4096); }
  void compute(std::span<const Pixels> inputs, const Target& out, const Host& host) const {
    void*& kept = *host.c()->local;
    if (kept == nullptr) kept = host.c()->allocate(host.c(), 4096);
    if (kept == nullptr) throw std::bad_alloc();
    std::memset(kept, 1, 4096);
    copy(inputs[0], out);
  }
};

class BadCodec {
 public:
  explicit BadCodec(const Parameters&) {}
  std::uint64_t max_encoded_bytes(std::uint64_t raw) const { return raw / 2; }
  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte>) const { return raw.size(); }
  std::size_t decode(std::span<const std::byte>, std::span<std::byte> out) const { return out.size() + 1; }
};
/// Says that it wrote more than there was room for.
class Exaggerates : public BadCodec {
 public:
  using BadCodec::BadCodec;
  CodecPlan describe() const { return {.tiff_compression = 60010}; }
};
/// Wants a bound that sums overflow with.
class Endless : public BadCodec {
 public:
  using BadCodec::BadCodec;
  CodecPlan describe() const { return {.tiff_compression = 60011}; }
  std::uint64_t max_encoded_bytes(std::uint64_t) const { return ~std::uint64_t{0} - 5; }
};
/// Has TIFF's number of zstd.
class Usurper : public BadCodec {
 public:
  using BadCodec::BadCodec;
  CodecPlan describe() const { return {.tiff_compression = 50000}; }
};

About about(const char* name) {
  return {.name = name, .help = "takes too much", .bytes = "more than it says"};
}

}  // namespace

WEIR_PLUGIN("greedy", "1.0", "MIT", transform<Greedy>(about("greedy")), transform<Hoarder>(about("hoarder")),
            transform<Boundless>(about("boundless")), transform<Confused>(about("confused")),
            transform<Keeper>(about("keeper")), codec<Exaggerates>(about("exaggerates")),
            codec<Endless>(about("endless")), codec<Usurper>(about("usurper")));
