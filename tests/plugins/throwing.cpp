// Bodies that throw: what the C++ header catches, and a table in C that lets it pass.
#include <stdexcept>

#include "framework/plugin.hpp"

using namespace weir::plugin;

namespace {

template <int way>
class Throws {
 public:
  explicit Throws(const Parameters&) {
    if (way == 4) throw Usage("the parameters do not fit");
  }
  Raster describe(std::span<const Raster> inputs) { return inputs[0]; }
  void compute(std::span<const Pixels>, const Target&) const {
    if (way == 1) throw std::runtime_error("the body\nfailed");
    if (way == 2) throw 7;
    if (way == 3) throw std::bad_alloc();
  }
};

weir_status raw_compute(const void*, const weir_host*, const weir_pixels*, uint32_t, const weir_pixels*) {
  throw std::runtime_error("straight through");
}
weir_status silent_compute(const void*, const weir_host*, const weir_pixels*, uint32_t, const weir_pixels*) {
  return 12345;
}
template <auto compute>
Node with_body(About about) {
  static constexpr weir_kernel table = [] {
    weir_kernel kernel = detail::Kernel<Throws<0>>::table;
    kernel.compute = compute;
    return kernel;
  }();
  return {std::move(about), WEIR_TRANSFORM, &table};
}

About about(const char* name) {
  return {.name = name, .help = "throws", .bytes = "nothing"};
}

}  // namespace

WEIR_PLUGIN("throwing", "1.0", "MIT", transform<Throws<1>>(about("throws_error")),
            transform<Throws<2>>(about("throws_number")), transform<Throws<3>>(about("throws_bad_alloc")),
            transform<Throws<4>>(about("throws_at_birth")), with_body<raw_compute>(about("throws_raw")),
            with_body<silent_compute>(about("fails_silently")));
