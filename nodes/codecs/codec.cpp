#include "nodes/codecs/codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"

namespace weir {
namespace {

struct CodecName {
  CodecId id;
  std::string_view name;
};
constexpr std::array codec_names = {
    CodecName{CodecId::none, "none"},       CodecName{CodecId::lzw, "lzw"},
    CodecName{CodecId::deflate, "deflate"}, CodecName{CodecId::packbits, "packbits"},
    CodecName{CodecId::zstd, "zstd"},
};

struct EngineName {
  DeflateEngine engine;
  std::string_view name;
};
constexpr std::array engine_names = {
    EngineName{DeflateEngine::automatic, "automatic"},
    EngineName{DeflateEngine::zlib, "zlib"},
    EngineName{DeflateEngine::libdeflate, "libdeflate"},
    EngineName{DeflateEngine::isal, "isal"},
};

// libzstd's own default. Levels below 1 exist, but no TIFF writer offers them.
constexpr int default_zstd_level = 3;
constexpr int highest_zstd_level = 22;

class CopyEncoder : public Encoder {
 public:
  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) override {
    assert(out.size() >= raw.size());
    std::copy(raw.begin(), raw.end(), out.begin());
    return raw.size();
  }
};

class CopyDecoder : public Decoder {
 public:
  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) override {
    const std::size_t bytes = std::min(encoded.size(), out.size());
    std::copy_n(encoded.begin(), bytes, out.begin());
    return bytes;
  }
};

void require_level(int level, int highest, std::string_view codec) {
  if (level < 1 || level > highest)
    throw Error::usage("use", fmt::format("{} level {}", codec, level),
                       fmt::format("its levels are 1 to {}", highest));
}

CodecSpec resolved_deflate(CodecSpec spec) {
  if (spec.engine == DeflateEngine::automatic) {
    spec.engine = codec_parts::deflate_engine_for(spec.level.has_value());
  } else {
    const std::vector<DeflateEngine> built_in = deflate_engines();
    if (std::find(built_in.begin(), built_in.end(), spec.engine) == built_in.end())
      throw Error::usage("use", fmt::format("deflate engine {}", name_of(spec.engine)), "it is not built in");
  }
  if (!spec.level) spec.level = codec_parts::default_deflate_level(spec.engine);
  require_level(*spec.level, codec_parts::highest_deflate_level(spec.engine),
                fmt::format("deflate engine {} at", name_of(spec.engine)));
  return spec;
}

}  // namespace

std::string_view name_of(CodecId id) {
  for (const CodecName& codec : codec_names)
    if (codec.id == id) return codec.name;
  return "unknown";
}

std::optional<CodecId> codec_named(std::string_view name) {
  for (const CodecName& codec : codec_names)
    if (codec.name == name) return codec.id;
  return std::nullopt;
}

std::string_view name_of(DeflateEngine engine) {
  for (const EngineName& entry : engine_names)
    if (entry.engine == engine) return entry.name;
  return "unknown";
}

std::optional<DeflateEngine> deflate_engine_named(std::string_view name) {
  for (const EngineName& entry : engine_names)
    if (entry.name == name) return entry.engine;
  return std::nullopt;
}

CodecSpec resolved(const CodecSpec& spec) {
  if (spec.custom) {
    const auto levels = spec.custom->levels();
    if (spec.level && !levels)
      throw Error::usage("use", fmt::format("{} level {}", spec.custom->name(), *spec.level),
                         "this codec has no levels");
    if (spec.level && (*spec.level < levels->first || *spec.level > levels->second))
      throw Error::usage("use", fmt::format("{} level {}", spec.custom->name(), *spec.level),
                         fmt::format("its levels are {} to {}", levels->first, levels->second));
    return spec;
  }
  if (spec.engine != DeflateEngine::automatic && spec.id != CodecId::deflate)
    throw Error::usage("use", fmt::format("deflate engine {}", name_of(spec.engine)),
                       fmt::format("the codec is {}", name_of(spec.id)));
  CodecSpec result = spec;
  switch (spec.id) {
    case CodecId::deflate:
      return resolved_deflate(spec);
    case CodecId::zstd:
      if (!result.level) result.level = default_zstd_level;
      require_level(*result.level, highest_zstd_level, "zstd");
      return result;
    case CodecId::none:
    case CodecId::lzw:
    case CodecId::packbits:
      if (spec.level)
        throw Error::usage("use", fmt::format("{} level {}", name_of(spec.id), *spec.level),
                           "this codec has no levels");
      return result;
  }
  throw Error::usage("use", fmt::format("codec {}", static_cast<int>(spec.id)), "it is not known");
}

std::uint64_t max_encoded_bytes(const CodecSpec& spec, std::uint64_t raw) {
  if (spec.custom) return spec.custom->max_encoded_bytes(raw);
  switch (spec.id) {
    case CodecId::none:
      return raw;
    case CodecId::deflate:
      return codec_parts::max_deflate_bytes(spec.engine, raw);
    case CodecId::zstd:
      return codec_parts::max_zstd_bytes(raw);
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::max_tiff_memory_bytes(spec, raw);
  }
  return raw;
}

std::uint64_t encoder_scratch_bytes(const CodecSpec& spec, std::uint64_t raw) {
  if (spec.custom) return spec.custom->encoder_scratch_bytes(raw);
  switch (spec.id) {
    case CodecId::none:
      return 0;
    case CodecId::deflate:
      return codec_parts::deflate_encoder_scratch_bytes(spec);
    case CodecId::zstd:
      return codec_parts::zstd_encoder_scratch_bytes(spec.level.value(), raw);
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::tiff_memory_scratch_bytes();
  }
  return 0;
}

std::unique_ptr<Encoder> make_encoder(const CodecSpec& spec, std::uint64_t raw, const Scratch& scratch) {
  if (spec.custom) return spec.custom->make_encoder(spec.level, raw, scratch);
  switch (spec.id) {
    case CodecId::none:
      return std::make_unique<CopyEncoder>();
    case CodecId::deflate:
      return codec_parts::make_deflate_encoder(spec, scratch);
    case CodecId::zstd:
      return codec_parts::make_zstd_encoder(spec.level.value(), raw, scratch);
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::make_tiff_memory_encoder(spec);
  }
  throw Error::usage("use", fmt::format("codec {}", static_cast<int>(spec.id)), "it is not known");
}

std::uint64_t decoder_scratch_bytes(CodecId id) {
  switch (id) {
    case CodecId::none:
      return 0;
    case CodecId::deflate:
      return codec_parts::deflate_decoder_scratch_bytes();
    case CodecId::zstd:
      return codec_parts::zstd_decoder_scratch_bytes();
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::tiff_memory_scratch_bytes();
  }
  return 0;
}

std::unique_ptr<Decoder> make_decoder(CodecId id, const Scratch& scratch) {
  switch (id) {
    case CodecId::none:
      return std::make_unique<CopyDecoder>();
    case CodecId::deflate:
      return codec_parts::make_deflate_decoder(scratch);
    case CodecId::zstd:
      return codec_parts::make_zstd_decoder(scratch);
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::make_tiff_memory_decoder(id);
  }
  throw Error("decode", fmt::format("codec {}", static_cast<int>(id)), "it is not known");
}

}  // namespace weir
