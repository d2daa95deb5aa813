// Reads .zarray and .zgroup with .zattrs: https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html. Members that it does not know are to
// be ignored, says the specification.

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "nodes/zarr/codec_configuration.hpp"
#include "nodes/zarr/dtype_v2.hpp"
#include "nodes/zarr/fill_value.hpp"
#include "nodes/zarr/zarr_check.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

void check_format(const JsonPlace& node) {
  const JsonPlace format = node.member("zarr_format");
  if (format.whole(0, 1 << 20) != 2) format.refuse("is not 2");
}

std::string attributes_of(std::string_view zattrs, const std::string& name, const ZarrLimits& limits) {
  if (zattrs.empty()) return "{}";
  const JsonValue attributes = parse_json(zattrs, name, limits.metadata_bytes, limits.depth);
  if (attributes.object() == nullptr) JsonPlace(attributes, name).refuse("the attributes are no object");
  return to_text(attributes);
}

bool is_filter(Id id) {
  return stage_of(id) == 0 || id == Id::shuffle;
}

std::vector<ZarrCodecSpec> codecs_of(const JsonPlace& node, const DtypeV2& dtype, std::size_t rank) {
  std::vector<ZarrCodecSpec> codecs;
  if (const auto filters = node.find("filters"); filters && !filters->value().is_null())
    for (const JsonPlace& filter : filters->items()) {
      codecs.push_back(codec_v2(filter, dtype.type));
      if (!is_filter(codecs.back().id))
        filter.refuse(fmt::format("{} is no filter", name_of(codecs.back().id)));
    }
  const JsonPlace order = node.member("order");
  if (order.text() != "C" && order.text() != "F") order.refuse("is neither \"C\" nor \"F\"");
  if (order.text() == "F" && rank > 1) {
    ZarrCodecSpec transpose;
    transpose.id = Id::transpose;
    transpose.order.resize(rank);
    std::iota(transpose.order.rbegin(), transpose.order.rend(), 0u);
    codecs.push_back(std::move(transpose));
  }
  ZarrCodecSpec bytes;
  bytes.big_endian = dtype.big_endian;
  codecs.push_back(std::move(bytes));
  const JsonPlace compressor = node.member("compressor");
  if (!compressor.value().is_null()) {
    codecs.push_back(codec_v2(compressor, dtype.type));
    if (stage_of(codecs.back().id) != 2)
      compressor.refuse(fmt::format("{} is a filter", name_of(codecs.back().id)));
  }
  return codecs;
}

}  // namespace

ZarrArrayMetadata parse_zarr_v2_array(std::string_view zarray, std::string_view zattrs,
                                      const std::string& name, const ZarrLimits& limits) {
  const JsonValue document = parse_json(zarray, name, limits.metadata_bytes, limits.depth);
  const JsonPlace node(document, name);
  check_format(node);
  ZarrArrayMetadata array;
  array.format = 2;
  for (const JsonPlace& size : node.member("shape").items()) array.shape.push_back(size.size(0));
  for (const JsonPlace& size : node.member("chunks").items()) array.chunk_shape.push_back(size.size(1));
  if (array.rank() > limits.rank)
    node.refuse_member("shape", fmt::format("has {} axes, and {} are allowed", array.rank(), limits.rank));
  const DtypeV2 dtype = dtype_v2(node.member("dtype"));
  array.type = dtype.type;
  // Before any element is made: "|V4294967295" is a valid type.
  if (array.type.bytes > limits.chunk_bytes)
    node.refuse_member("dtype", "an element is larger than a chunk may be");
  array.keys = {false, '.'};
  if (const auto separator = node.find("dimension_separator"); separator && !separator->value().is_null()) {
    if (separator->text() != "." && separator->text() != "/") separator->refuse("is neither \".\" nor \"/\"");
    array.keys.separator = separator->text().front();
  }
  array.fill = fill_value_v2(node.member("fill_value"), array.type);
  array.codecs = codecs_of(node, dtype, array.rank());
  array.attributes = attributes_of(zattrs, name, limits);
  if (const auto wrong = wrong_with(array, limits)) node.refuse(*wrong);
  return array;
}

ZarrGroupMetadata parse_zarr_v2_group(std::string_view zgroup, std::string_view zattrs,
                                      const std::string& name, const ZarrLimits& limits) {
  const JsonValue document = parse_json(zgroup, name, limits.metadata_bytes, limits.depth);
  check_format(JsonPlace(document, name));
  return {2, attributes_of(zattrs, name, limits)};
}

}  // namespace weir
