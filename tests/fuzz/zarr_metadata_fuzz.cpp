// Zarr metadata of any content, as v3 and v2 and as attributes of a raster: an Error, or what is written again is read as the same. Input: a
// zarr.json, .zarray, .zattrs or .zmetadata.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "framework/error.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/raster_attributes.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace {

const std::string name = "input";

void check(bool is_true) {
  if (!is_true) std::abort();
}

template <class Function>
void attempt(Function&& function) {
  try {
    function();
  } catch (const weir::Error& error) {
    check(error.reason().size() < 1000);
  }
}

/// Text that could not be written (a NaN with a payload in v2) is no fault.
void check_array(const weir::ZarrArrayMetadata& array) {
  std::string text;
  try {
    text = weir::to_json(array);
  } catch (const weir::Error&) {
    return;
  }
  const auto again = array.format == 3 ? weir::parse_zarr_v3_array(text, name)
                                       : weir::parse_zarr_v2_array(text, array.attributes, name);
  check(weir::to_json(again) == text);
  check(again.shape == array.shape && again.type == array.type && again.fill.empty() == array.fill.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  attempt([&] { check_array(weir::parse_zarr_v3_array(text, name)); });
  attempt([&] { check_array(weir::parse_zarr_v2_array(text, "", name)); });
  attempt([&] {
    weir::RasterInfo info;
    info.height = 100, info.width = 70, info.samples = 2, info.type = weir::SampleType::float32;
    weir::read_raster_attributes(info, text, name);
    const std::string written = weir::raster_attributes(info, 3, {"band", "y", "x"});
    weir::RasterInfo again;
    again.height = 100, again.width = 70, again.samples = 2, again.type = weir::SampleType::float32;
    weir::read_raster_attributes(again, written, name);
    check(weir::raster_attributes(again, 3, {"band", "y", "x"}) == written);
  });
  attempt([&] { weir::multiscales_of(text, name); });
  for (const std::string key : {"zarr.json", ".zmetadata"})
    attempt([&] {
      const weir::MemoryStore store;
      const std::string zgroup = R"({"zarr_format": 2})";
      store.put(".zgroup", std::as_bytes(std::span(zgroup)));
      store.put(key, std::as_bytes(std::span(text)));
      const weir::ZarrNode group = weir::open_zarr(store, "");
      if (group.group() == nullptr) return;
      for (const weir::ZarrChild& child : weir::zarr_children(store, group))
        attempt([&] { weir::open_zarr(store, group, child.name); });
    });
  return 0;
}
