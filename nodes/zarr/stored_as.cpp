#include "nodes/zarr/stored_as.hpp"

#include <string>
#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/raster_axes.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

constexpr const char* v2_dimensions = "_ARRAY_DIMENSIONS";

JsonValue attributes_of(const ZarrArrayMetadata& array) {
  const ZarrLimits limits;
  return parse_json(array.attributes, "the attributes", limits.metadata_bytes, limits.depth);
}

void change_format(ZarrArrayMetadata& array, int format) {
  JsonValue attributes = attributes_of(array);
  const std::vector<std::string> names = dimensions_of(array);
  if (format == 3) {
    array.dimension_names.assign(names.begin(), names.end());
    attributes.erase(v2_dimensions);
    if (array.fill.empty()) array.fill.resize(array.type.bytes);
    array.keys = {};
  } else {
    JsonValue::Array list(names.begin(), names.end());
    if (!list.empty()) attributes.set(v2_dimensions, std::move(list));
    array.dimension_names.clear();
    array.keys = {false, '.'};
  }
  array.format = format;
  array.attributes = to_text(attributes);
}

void put_in_shards(ZarrArrayMetadata& array, const std::vector<std::uint64_t>& shard) {
  ZarrSharding sharding;
  ZarrCodecSpec sum;
  sum.id = Id::crc32c;
  sharding.index_codecs = {ZarrCodecSpec{}, sum};
  if (const ZarrSharding* had = array.codecs.size() == 1 ? array.sharding() : nullptr) {
    sharding = *had;
  } else {
    sharding.chunk_shape = array.chunk_shape;
    sharding.codecs = array.codecs;
  }
  if (shard.empty()) {
    array.chunk_shape = sharding.chunk_shape;
    array.codecs = sharding.codecs;
    return;
  }
  array.chunk_shape = shard;
  ZarrCodecSpec codec;
  codec.id = Id::sharding_indexed;
  codec.sharding = std::make_shared<const ZarrSharding>(std::move(sharding));
  array.codecs = {codec};
}

}  // namespace

ZarrArrayMetadata stored_as(const ZarrArrayMetadata& array, const ZarrStoredAs& wanted) {
  ZarrArrayMetadata made = array;
  const int format = wanted.format.value_or(array.format);
  if (format != 2 && format != 3) throw Error::usage("store", "an array", "formats are 2 and 3");
  if (format == 2 && wanted.shard && !wanted.shard->empty())
    throw Error::usage("store", "an array in shards", "they are for format 3");
  if (wanted.shard || (format == 2 && array.sharding() != nullptr))
    put_in_shards(made, wanted.shard.value_or(std::vector<std::uint64_t>()));
  if (format != array.format) change_format(made, format);
  check(made, "an array");
  return made;
}

}  // namespace weir
