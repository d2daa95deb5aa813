#include <fmt/format.h>

#include <algorithm>

#include "framework/plugin.h"
#include "nodes/plugins/plugin_call.hpp"
#include "nodes/plugins/plugin_nodes.hpp"

namespace weir {
namespace {

/// What encoders and decoders share with the codec that made them.
struct CodecObject {
  CodecObject(const PluginNode& node, const Parameters& parameters)
      : functions(sized_struct<weir_codec>(node.functions, sizeof(weir_codec),
                                           "the functions of node " + node.name)),
        object(node, functions.create, functions.destroy, parameters) {}
  weir_codec functions;
  PluginObject object;
};

/// The bytes that a call says it made.
std::size_t made(const PluginNode& node, std::string_view action, std::uint64_t used, std::size_t room) {
  if (used > room)
    throw plugin_error(node, action, fmt::format("it says that it wrote {} bytes where {} fit", used, room));
  return static_cast<std::size_t>(used);
}

class PluginEncoder : public Encoder {
 public:
  PluginEncoder(std::shared_ptr<const CodecObject> codec, int level, const Scratch& scratch,
                std::uint64_t limit)
      : codec_(std::move(codec)), level_(level), memory_(scratch) {
    memory_.set_limit(limit);
  }
  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    const PluginNode& node = codec_->object.node();
    std::uint64_t used = 0;
    PluginCall(node, &memory_)("encode with", [&](const weir_host* host) {
      return codec_->functions.encode(codec_->object.self(), host, level_,
                                      reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size(),
                                      reinterpret_cast<std::uint8_t*>(out.data()), out.size(), &used);
    });
    return made(node, "encode with", used, out.size());
  }

 private:
  std::shared_ptr<const CodecObject> codec_;
  int level_;
  PluginMemory memory_;
};

class PluginDecoder : public Decoder {
 public:
  PluginDecoder(std::shared_ptr<const CodecObject> codec, const Scratch& scratch, std::uint64_t limit)
      : codec_(std::move(codec)), memory_(scratch) {
    memory_.set_limit(limit);
  }
  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const PluginNode& node = codec_->object.node();
    std::uint64_t used = 0;
    PluginCall(node, &memory_)("decode with", [&](const weir_host* host) {
      return codec_->functions.decode(codec_->object.self(), host,
                                      reinterpret_cast<const std::uint8_t*>(encoded.data()), encoded.size(),
                                      reinterpret_cast<std::uint8_t*>(out.data()), out.size(), &used);
    });
    return made(node, "decode with", used, out.size());
  }

 private:
  std::shared_ptr<const CodecObject> codec_;
  PluginMemory memory_;
};

class PluginCodec : public CustomCodec {
 public:
  PluginCodec(const PluginNode& node, const Parameters& parameters)
      : codec_(std::make_shared<CodecObject>(node, parameters)) {
    plan_.size = sizeof plan_;
    PluginCall(node, nullptr)("use", [&](const weir_host* host) {
      return codec_->functions.describe(codec_->object.self(), host, &plan_);
    });
    const bool is_ours =
        std::find(std::begin(ours), std::end(ours), plan_.tiff_compression) != std::end(ours);
    if (plan_.tiff_compression < 32768 || plan_.tiff_compression > 65535 || is_ours)
      throw plugin_error(
          node, "use",
          fmt::format("its TIFF compression is {}, where a codec that is not TIFF's own has one from 32768 "
                      "to 65535 that nothing else uses",
                      plan_.tiff_compression),
          ErrorKind::usage);
    if (plan_.has_levels != 0 &&
        (plan_.least_level > plan_.most_level || plan_.default_level < plan_.least_level ||
         plan_.default_level > plan_.most_level))
      throw plugin_error(node, "use",
                         fmt::format("its levels are {} to {}, and {} where none is given", plan_.least_level,
                                     plan_.most_level, plan_.default_level),
                         ErrorKind::usage);
  }

  std::string name() const override { return node().name; }
  std::uint16_t tiff_compression() const override {
    return static_cast<std::uint16_t>(plan_.tiff_compression);
  }
  std::optional<std::pair<int, int>> levels() const override {
    if (plan_.has_levels == 0) return std::nullopt;
    return std::pair{int{plan_.least_level}, int{plan_.most_level}};
  }
  std::uint64_t max_encoded_bytes(std::uint64_t raw) const override {
    const std::uint64_t bytes = codec_->functions.max_encoded_bytes(codec_->object.self(), raw);
    // Budgets are made of this. Sixteen times is more than any codec needs, and cannot overflow.
    if (bytes / 16 > raw + 4096)
      throw plugin_error(
          node(), "use",
          fmt::format("it declares up to {} encoded bytes for {}, more than 16 times as many", bytes, raw),
          ErrorKind::usage);
    return bytes;
  }
  std::uint64_t encoder_scratch_bytes(std::uint64_t raw) const override {
    if (codec_->functions.encoder_scratch_bytes == nullptr) return 0;
    return declared_bytes(node(), "bytes of scratch memory",
                          codec_->functions.encoder_scratch_bytes(codec_->object.self(), raw));
  }
  std::uint64_t decoder_scratch_bytes() const override {
    if (codec_->functions.decoder_scratch_bytes == nullptr) return 0;
    return declared_bytes(node(), "bytes of scratch memory",
                          codec_->functions.decoder_scratch_bytes(codec_->object.self()));
  }
  std::unique_ptr<Encoder> make_encoder(std::optional<int> level, std::uint64_t raw,
                                        const Scratch& scratch) const override {
    const int used = plan_.has_levels != 0 ? level.value_or(plan_.default_level) : 0;
    return std::make_unique<PluginEncoder>(codec_, used, scratch, encoder_scratch_bytes(raw));
  }
  std::unique_ptr<Decoder> make_decoder(const Scratch& scratch) const override {
    return std::make_unique<PluginDecoder>(codec_, scratch, decoder_scratch_bytes());
  }

 private:
  const PluginNode& node() const { return codec_->object.node(); }

  // Beyond 32767 in TIFF: those of ours, and what libtiff reads.
  static constexpr std::uint32_t ours[] = {32771, 32773, 32809, 32908, 32909, 32946, 32947, 34661,
                                           34676, 34677, 34712, 34887, 34925, 50000, 50001, 50002};

  std::shared_ptr<CodecObject> codec_;
  weir_codec_plan plan_{};
};

}  // namespace

std::shared_ptr<const CustomCodec> make_plugin_codec(const PluginNode& node, const Parameters& parameters) {
  return std::make_shared<const PluginCodec>(node, parameters);
}

}  // namespace weir
