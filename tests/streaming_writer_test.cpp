// What streaming writers are relied on for, beside reading once: bounded computes, sources without chunks, nodata on the
// way, codecs that fail.

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stdexcept>

#include "tests/stencil_support.hpp"

namespace weir::pipeline_test {
namespace {

TEST_CASE("no compute materialises more source bytes than the budget") {
  const Raster raster = made_raster(600, 900, SampleType::float32);
  const TemporaryFolder folder;
  for (const std::uint64_t chunk : {64U, 200U, 900U}) {
    const auto source = function_of(raster, {Partition(600, chunk), Partition(900, chunk)});
    WriteGeotiffOptions options;
    options.tile_height = options.tile_width = 64;
    options.overwrite = true;
    options.graph = {.threads = 2};
    options.kernels = {weighted_sum(2)};
    const std::uint64_t smallest = smallest_budget(source, options);
    for (const std::uint64_t memory : budget_ladder(smallest)) {
      CAPTURE(chunk);
      CAPTURE(memory);
      options.kernels = {weighted_sum(2)};
      options.graph.memory = memory;
      const GeotiffWrite write(source, folder / "out.tif", options);
      const BandPlan& plan = *write.plan().bands;
      std::uint64_t most = 0;
      for (std::uint64_t i = 0; i < plan.units(); ++i)
        most = std::max(most, plan.carried_bytes(plan.unit(i)) + plan.unit_bytes(plan.unit(i)));
      CHECK(most <= memory);
      CHECK(plan.required() == most);
    }
  }
}

TEST_CASE("a source without chunks goes by rows of tiles, whose chunks are capped, and is read once") {
  RasterInfo info;
  info.height = 700;
  info.width = 500;
  info.type = SampleType::float32;
  CHECK(unchunked_grid(info).rows.largest() == 256);
  CHECK(unchunked_grid(info).cols.count() == 1);
  RasterInfo wide = info;
  wide.width = 200000;
  const ChunkGrid cut = unchunked_grid(wide);
  CHECK(cut.rows.largest() * cut.cols.largest() * 4 == unchunked_bytes);
  CHECK(unchunked_grid(wide, 64).rows.largest() == 64);
  wide.samples = 60000;  // one column of tiles passes the cap
  CHECK(unchunked_grid(wide).cols.largest() * 256 * 4 * 60000 <=
        std::max<std::uint64_t>(unchunked_bytes, 256 * 4 * 60000));

  const Raster raster = made_raster(700, 500, SampleType::float32);
  const auto each = each_sample(raster.info, [&](std::uint64_t row, std::uint64_t col, std::uint32_t) {
    float value;
    std::memcpy(&value, raster.pixels.data() + (row * 500 + col) * 4, sizeof value);
    return value;
  });
  const auto source = std::make_shared<const FunctionSource>(raster.info, each);
  const TemporaryFolder folder;
  WriteGeotiffOptions options;
  options.codec.id = CodecId::none;
  options.predictor = Predictor::none;
  options.overwrite = true;
  options.graph.threads = 2;
  const Bytes right = one_piece_file(raster, options);
  options.graph.memory = smallest_budget(source, options);
  const GeotiffWrite write(source, folder / "out.tif", options);
  CHECK(write.plan().bands->band_tiles() == 1);
  CHECK(write_counted(source, folder / "out.tif", options).is_each_once);
  CHECK(file_bytes(folder / "out.tif") == right);
}

TEST_CASE(
    "NaN becomes the nodata value behind a stencil, too, band by band as in one piece, without a band's "
    "copy") {
  Raster raster = made_raster(500, 300, SampleType::float32);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t i = 0; i < raster.pixels.size() / 4; i += 37)
    std::memcpy(raster.pixels.data() + i * 4, &nan, sizeof nan);
  const TemporaryFolder folder;
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 64;
  options.codec.id = CodecId::zstd;
  options.predictor = Predictor::floating_point;
  options.nodata = "-9999";
  options.overwrite = true;
  for (const bool has_kernel : {false, true}) {
    const auto source = function_of(raster, {Partition(500, 64), Partition(300, 300)});
    Raster computed;
    computed.info = raster.info;
    computed.pixels = raster.pixels;
    options.kernels.clear();
    if (has_kernel) computed = computed_whole(*weighted_sum(1), raster);
    const Bytes right = one_piece_file(computed, options);
    if (has_kernel) options.kernels = {weighted_sum(1)};
    options.graph = {.threads = 2};
    options.graph.memory = smallest_budget(source, options) * 2;
    if (has_kernel) options.kernels = {weighted_sum(1)};
    const Outcome outcome = write_counted(source, folder / "out.tif", options);
    CHECK(file_bytes(folder / "out.tif") == right);
    // The source's blocks are what a band holds; nothing else of its size is taken by the nodes behind.
    for (std::size_t i = 0; i < outcome.plan.bytes.size(); ++i)
      if (outcome.report.nodes[i].name == "assemble" || outcome.report.nodes[i].name == "cut")
        CHECK(outcome.plan.bytes[i] == 0);
  }
}

/// Stores tiles as they are, and fails at one of them.
class FailingCodec : public CustomCodec {
 public:
  explicit FailingCodec(int at) : at_(at) {}
  std::string name() const override { return "failing"; }
  std::uint16_t tiff_compression() const override { return 60123; }
  std::optional<std::pair<int, int>> levels() const override { return {}; }
  std::uint64_t max_encoded_bytes(std::uint64_t raw) const override { return raw; }
  std::uint64_t encoder_scratch_bytes(std::uint64_t) const override { return 0; }
  std::uint64_t decoder_scratch_bytes() const override { return 0; }
  std::unique_ptr<Encoder> make_encoder(std::optional<int>, std::uint64_t, const Scratch&) const override {
    return std::make_unique<Coder>(*this);
  }
  std::unique_ptr<Decoder> make_decoder(const Scratch&) const override { return nullptr; }
  int encoded() const { return encoded_; }

 private:
  struct Coder : Encoder {
    explicit Coder(const FailingCodec& owner) : codec(owner) {}
    std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
      if (++codec.encoded_ == codec.at_) throw std::runtime_error("the codec gave up");
      std::memcpy(out.data(), raw.data(), raw.size());
      return raw.size();
    }
    const FailingCodec& codec;
  };
  int at_;
  mutable std::atomic<int> encoded_{0};
};

TEST_CASE("a codec that fails stops the write, tiles behind it are not encoded, and the next write works") {
  const Raster raster = made_raster(1024, 1024, SampleType::uint16);
  const TemporaryFolder folder;
  for (const bool is_tiled : {true, false})
    for (const unsigned threads : {1U, 4U}) {
      const auto codec = std::make_shared<FailingCodec>(20);
      WriteGeotiffOptions options;
      options.tile_height = options.tile_width = 32;
      if (!is_tiled) options.strip_rows = 1;
      options.codec.custom = codec;
      options.predictor = Predictor::none;
      options.graph = {.tokens = 2, .threads = threads};
      try {
        write_geotiff(source_of(raster, 32, 1024), folder / "out.tif", options);
        FAIL("nothing was thrown");
      } catch (const Error& error) {
        CHECK(error.node() == "compress");
        CHECK(contains(error.what(), "the codec gave up"));
      }
      CHECK(codec->encoded() < 500);  // of 1024
      CHECK(folder.names().empty());
      options.codec.custom = nullptr;
      options.overwrite = true;
      write_geotiff(source_of(raster, 32, 1024), folder / "out.tif", options);
      CHECK(file_bytes(folder / "out.tif") == one_piece_file(raster, options));
      std::filesystem::remove(folder / "out.tif");
    }
}

}  // namespace
}  // namespace weir::pipeline_test
