#include "nodes/codecs/codec.hpp"

#include <fmt/format.h>
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "framework/error.hpp"
#include "nodes/codecs/codec_parts.hpp"

namespace weir {
namespace {

struct CodecName {
  CodecId id;
  std::string_view name;
};
constexpr std::array names = {
    CodecName{CodecId::none, "none"}, CodecName{CodecId::deflate, "deflate"},
    CodecName{CodecId::zstd, "zstd"}, CodecName{CodecId::lzw, "lzw"},
    CodecName{CodecId::lzma, "lzma"}, CodecName{CodecId::packbits, "packbits"},
    CodecName{CodecId::lerc, "lerc"}, CodecName{CodecId::webp, "webp"},
    CodecName{CodecId::jpeg, "jpeg"},
};

struct PackedLercName {
  LercCompression compression;
  std::string_view name;
};
constexpr std::array packed_lerc_names = {
    PackedLercName{LercCompression::deflate, "lerc_deflate"},
    PackedLercName{LercCompression::zstd, "lerc_zstd"},
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

constexpr int default_lzma_preset = 6;  // of xz, liblzma and libtiff
constexpr int highest_lzma_preset = 9;

// Of what packs LERC blobs: as GDAL's; libtiff makes deflate by zlib or libdeflate, whose common levels these are.
constexpr int default_packing_level[] = {0, 6, 9}, highest_packing_level[] = {0, 9, 22};

constexpr int default_quality = 75;  // of libjpeg, libwebp, libtiff and GDAL

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

void require_level(int level, int lowest, int highest, std::string_view codec) {
  if (level < lowest || level > highest)
    throw Error::usage("use", fmt::format("{} level {}", codec, level),
                       fmt::format("its levels are {} to {}", lowest, highest));
}

void refuse_level(const CodecSpec& spec) {
  if (!spec.level) return;
  throw Error::usage("use", fmt::format("{} level {}", name_of(spec), *spec.level),
                     spec.id == CodecId::lerc ? "this codec has no levels; lerc_deflate and lerc_zstd have"
                     : spec.id == CodecId::jpeg || spec.id == CodecId::webp
                         ? "this codec has no levels; it has a quality"
                         : "this codec has no levels");
}

/// Quality, lossless and max_error where they belong, in their ranges, with their defaults.
void resolve_loss(CodecSpec& spec, std::string_view codec) {
  const bool has_quality = !spec.custom && (spec.id == CodecId::jpeg || spec.id == CodecId::webp);
  if (spec.quality && !has_quality)
    throw Error::usage("use", fmt::format("quality {}", *spec.quality),
                       fmt::format("the codec is {}; jpeg and webp have a quality", codec));
  if (spec.quality && (*spec.quality < 1 || *spec.quality > 100))
    throw Error::usage("use", fmt::format("quality {}", *spec.quality), "it goes from 1 to 100");
  if (spec.lossless && (spec.custom || spec.id != CodecId::webp))
    throw Error::usage("use", "lossless", fmt::format("the codec is {}; webp has the choice", codec));
  if (spec.lossless && spec.quality)
    throw Error::usage("use", fmt::format("quality {}", *spec.quality), "lossless webp has none");
  if (has_quality && !spec.lossless && !spec.quality) spec.quality = default_quality;
  const bool is_lerc = !spec.custom && spec.id == CodecId::lerc;
  if ((spec.max_error || spec.lerc_compression != LercCompression::none) && !is_lerc)
    throw Error::usage("use", fmt::format("a maximal error of {}", spec.max_error.value_or(0)),
                       fmt::format("the codec is {}; lerc has one", codec));
  if (spec.max_error && !(*spec.max_error >= 0 && std::isfinite(*spec.max_error)))
    throw Error::usage("use", fmt::format("a maximal error of {}", *spec.max_error),
                       "it is a number from 0 on");
  if (is_lerc && !spec.max_error) spec.max_error = 0;
}

CodecSpec resolved_deflate(CodecSpec spec, Predictor predictor) {
  if (spec.engine == DeflateEngine::automatic) {
    spec.engine = deflate_engine_for(spec.level.has_value());
  } else {
    const std::vector<DeflateEngine> built_in = deflate_engines();
    if (std::find(built_in.begin(), built_in.end(), spec.engine) == built_in.end())
      throw Error::usage("use", fmt::format("deflate engine {}", name_of(spec.engine)), "it is not built in");
  }
  if (!spec.level) spec.level = default_deflate_level(spec.engine, predictor);
  require_level(*spec.level, 1, highest_deflate_level(spec.engine),
                fmt::format("deflate engine {} at", name_of(spec.engine)));
  return spec;
}

// Of a resolved codec.
DeflateSpec deflate_spec(const CodecSpec& spec) {
  return {spec.engine, spec.level.value(), DeflateContainer::zlib};
}

}  // namespace

std::string_view name_of(CodecId id) {
  for (const CodecName& codec : names)
    if (codec.id == id) return codec.name;
  return "unknown";
}

std::optional<CodecId> codec_named(std::string_view name) {
  for (const CodecName& codec : names)
    if (codec.name == name) return codec.id;
  return std::nullopt;
}

std::string_view name_of(const CodecSpec& spec) {
  for (const PackedLercName& packed : packed_lerc_names)
    if (spec.id == CodecId::lerc && packed.compression == spec.lerc_compression) return packed.name;
  return name_of(spec.id);
}

std::optional<CodecSpec> codec_spec_named(std::string_view name) {
  CodecSpec spec;
  for (const PackedLercName& packed : packed_lerc_names) {
    if (packed.name != name) continue;
    spec.id = CodecId::lerc;
    spec.lerc_compression = packed.compression;
    return spec;
  }
  const std::optional<CodecId> id = codec_named(name);
  if (!id) return std::nullopt;
  spec.id = *id;
  return spec;
}

std::vector<std::string> codec_names() {
  std::vector<std::string> all;
  for (const CodecName& codec : names) {
    all.emplace_back(codec.name);
    if (codec.id != CodecId::lerc) continue;
    for (const PackedLercName& packed : packed_lerc_names) all.emplace_back(packed.name);
  }
  return all;
}

bool takes_predictor(CodecId id) {
  return id != CodecId::none && id != CodecId::packbits && id != CodecId::lerc && id != CodecId::webp &&
         id != CodecId::jpeg;
}

bool is_lossy(const CodecSpec& spec) {
  if (spec.custom) return false;
  return spec.id == CodecId::jpeg || (spec.id == CodecId::webp && !spec.lossless) ||
         (spec.id == CodecId::lerc && spec.max_error.value_or(0) > 0);
}

std::string_view missing_reason(CodecId id) {
  switch (id) {
    case CodecId::none:
    case CodecId::deflate:
    case CodecId::zstd:
      return {};
    case CodecId::lzma:
#ifdef WEIR_WITH_LZMA
      return {};
#else
      return "liblzma is not built in (WEIR_WITH_LZMA)";
#endif
    default:
      return TIFFIsCODECConfigured(static_cast<std::uint16_t>(id)) == 1 ? std::string_view()
                                                                        : "libtiff was built without it";
  }
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

CodecSpec resolved(const CodecSpec& spec, Predictor predictor) {
  CodecSpec result = spec;
  if (spec.custom) {
    resolve_loss(result, spec.custom->name());
    const auto levels = spec.custom->levels();
    if (spec.level && !levels)
      throw Error::usage("use", fmt::format("{} level {}", spec.custom->name(), *spec.level),
                         "this codec has no levels");
    if (spec.level && (*spec.level < levels->first || *spec.level > levels->second))
      throw Error::usage("use", fmt::format("{} level {}", spec.custom->name(), *spec.level),
                         fmt::format("its levels are {} to {}", levels->first, levels->second));
    return result;
  }
  if (spec.engine != DeflateEngine::automatic && spec.id != CodecId::deflate)
    throw Error::usage("use", fmt::format("deflate engine {}", name_of(spec.engine)),
                       fmt::format("the codec is {}", name_of(spec.id)));
  resolve_loss(result, name_of(spec));
  switch (spec.id) {
    case CodecId::deflate:
      return resolved_deflate(result, predictor);
    case CodecId::zstd:
      if (!result.level) result.level = default_zstd_level;
      require_level(*result.level, 1, highest_zstd_level, "zstd");
      return result;
    case CodecId::lzma:
      if (!result.level) result.level = default_lzma_preset;
      require_level(*result.level, 0, highest_lzma_preset, "lzma");
      break;
    case CodecId::lerc:
      if (spec.lerc_compression != LercCompression::none) {
        const auto packing = static_cast<std::size_t>(spec.lerc_compression);
        if (!result.level) result.level = default_packing_level[packing];
        require_level(*result.level, 1, highest_packing_level[packing], name_of(spec));
        break;
      }
      [[fallthrough]];
    case CodecId::none:
    case CodecId::lzw:
    case CodecId::packbits:
    case CodecId::jpeg:
    case CodecId::webp:
      refuse_level(spec);
      break;
    default:
      throw Error::usage("use", fmt::format("codec {}", static_cast<int>(spec.id)), "it is not known");
  }
  if (const std::string_view reason = missing_reason(spec.id); !reason.empty())
    throw Error::usage("use", fmt::format("codec {}", name_of(spec.id)), reason);
  return result;
}

void check_pieces(const CodecSpec& spec, std::uint64_t rows) {
  if (spec.custom) return;
  if (spec.id == CodecId::jpeg) codec_parts::check_jpeg(spec, rows);
  if (spec.id == CodecId::webp) codec_parts::check_webp(spec, rows);
  if (spec.id == CodecId::lerc) codec_parts::check_lerc(spec, rows);
}

std::uint64_t max_encoded_bytes(const CodecSpec& spec, std::uint64_t raw) {
  if (spec.custom) return spec.custom->max_encoded_bytes(raw);
  switch (spec.id) {
    case CodecId::none:
      return raw;
    case CodecId::deflate:
      return max_deflate_bytes(deflate_spec(spec), raw);
    case CodecId::zstd:
      return max_zstd_bytes(raw);
    case CodecId::lzma:
      return codec_parts::max_lzma_bytes(raw);
    case CodecId::lerc:
      return codec_parts::max_lerc_bytes(spec, raw);
    case CodecId::webp:
      return codec_parts::max_webp_bytes(raw);
    case CodecId::jpeg:
      return codec_parts::max_jpeg_bytes(spec, raw);
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
      return deflate_encoder_scratch_bytes(deflate_spec(spec));
    case CodecId::zstd:
      return zstd_encoder_scratch_bytes(spec.level.value(), raw);
    case CodecId::lzma:
      return codec_parts::lzma_encoder_scratch_bytes(spec.level.value(), raw);
    case CodecId::lerc:
      return codec_parts::lerc_encoder_bytes(spec, raw);
    case CodecId::webp:
      return codec_parts::webp_encoder_bytes(spec, raw);
    case CodecId::jpeg:
      return codec_parts::jpeg_encoder_bytes(spec, raw);
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
      return make_deflate_encoder(deflate_spec(spec), scratch);
    case CodecId::zstd:
      return make_zstd_encoder(spec.level.value(), false, raw, scratch);
    case CodecId::lzma:
      return codec_parts::make_lzma_encoder(spec.level.value(), raw, scratch);
    case CodecId::lerc:
      return codec_parts::make_lerc_encoder(spec, raw, scratch);
    case CodecId::webp:
      return codec_parts::make_webp_encoder(spec);
    case CodecId::jpeg:
      return codec_parts::make_jpeg_encoder(spec);
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::make_tiff_memory_encoder(spec);
  }
  throw Error::usage("use", fmt::format("codec {}", static_cast<int>(spec.id)), "it is not known");
}

std::uint64_t decoder_scratch_bytes(const DecodeSpec& spec) {
  if (spec.custom) return spec.custom->decoder_scratch_bytes();
  switch (spec.id) {
    case CodecId::none:
      return 0;
    case CodecId::deflate:
      return codec_parts::deflate_decoder_scratch_bytes();
    case CodecId::zstd:
      return codec_parts::zstd_decoder_scratch_bytes();
    case CodecId::lzma:
      return codec_parts::lzma_decoder_scratch_bytes(spec.raw_bytes());
    case CodecId::lerc:
      return codec_parts::lerc_decoder_bytes(spec);
    case CodecId::webp:
      return codec_parts::webp_decoder_bytes(spec);
    case CodecId::jpeg:
      return codec_parts::jpeg_decoder_bytes(spec);
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::tiff_memory_decoder_bytes(spec.id);
  }
  return 0;
}

std::unique_ptr<Decoder> make_decoder(const DecodeSpec& spec, const Scratch& scratch) {
  if (spec.custom) return spec.custom->make_decoder(scratch);
  switch (spec.id) {
    case CodecId::none:
      return std::make_unique<CopyDecoder>();
    case CodecId::deflate:
      return codec_parts::make_deflate_decoder(scratch);
    case CodecId::zstd:
      return codec_parts::make_zstd_decoder(scratch);
    case CodecId::lzma:
      return codec_parts::make_lzma_decoder(scratch);
    case CodecId::lerc:
      return codec_parts::make_lerc_decoder(spec);
    case CodecId::webp:
      return codec_parts::make_webp_decoder(spec);
    case CodecId::jpeg:
      return codec_parts::make_jpeg_decoder(spec);
    case CodecId::lzw:
    case CodecId::packbits:
      return codec_parts::make_tiff_memory_decoder(spec.id, scratch);
  }
  throw Error("decode", fmt::format("codec {}", static_cast<int>(spec.id)), "it is not known");
}

}  // namespace weir
