#include "nodes/codecs/codec_tags.hpp"

#include <tiff.h>

#include <cstring>

#include "nodes/codecs/codec_parts.hpp"

namespace weir {
namespace {

template <class Value>
RawTag tag_of(std::uint16_t id, std::uint16_t type, std::uint64_t count, const std::vector<Value>& values) {
  RawTag tag{id, type, count, std::vector<std::byte>(values.size() * sizeof(Value))};
  std::memcpy(tag.bytes.data(), values.data(), tag.bytes.size());
  return tag;
}

CodecTags jpeg_tags(const CodecSpec& spec) {
  CodecTags tags;
  const std::vector<std::byte> tables = codec_parts::jpeg_tables(spec);
  tags.tags.push_back(tag_of(TIFFTAG_JPEGTABLES, TIFF_UNDEFINED, tables.size(), tables));
  if (!spec.format.is_rgb) return tags;
  tags.photometric = PHOTOMETRIC_YCBCR;
  tags.tags.push_back(tag_of<std::uint16_t>(TIFFTAG_YCBCRSUBSAMPLING, TIFF_SHORT, 2, {2, 2}));
  // Full range, chroma around 128, as JPEG has it: TIFF's default for YCbCr is another (TIFF 6.0 section 21).
  tags.tags.push_back(tag_of<std::uint32_t>(TIFFTAG_REFERENCEBLACKWHITE, TIFF_RATIONAL, 6,
                                            {0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1}));
  return tags;
}

}  // namespace

CodecTags tags_of(const CodecSpec& spec) {
  if (spec.custom) return {};
  if (spec.id == CodecId::jpeg) return jpeg_tags(spec);
  if (spec.id != CodecId::lerc) return {};
  return {{tag_of<std::uint32_t>(TIFFTAG_LERC_PARAMETERS, TIFF_LONG, 2,
                                 {LERC_VERSION_2_4, static_cast<std::uint32_t>(spec.lerc_compression)})}};
}

}  // namespace weir
