// Stores of any content: validating an array or group, chunks and all, throws nothing; opening it and reading what fits into
// memory gives elements or an Error, without a crash, a hang or an allocation from a count in the store. What is read in one
// thread and in two is the same.
// Seeds: seeds/zarr_store_fuzz, small arrays and groups that Weir wrote for this, packed as below.
//
//   byte 0       the key's length, then the key
//   two bytes    big-endian, the object's length, then the object; and so on, until the end
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/check_zarr.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "pipelines/read_zarr.hpp"

namespace {

using namespace weir;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t mebibyte = 1 << 20;

std::shared_ptr<const Store> unpacked(std::span<const std::byte> bytes) {
  auto store = std::make_shared<MemoryStore>();
  const auto take = [&](std::size_t length) {
    const auto taken = bytes.first(std::min(length, bytes.size()));
    bytes = bytes.subspan(taken.size());
    return taken;
  };
  const auto number = [&](std::size_t length) {
    std::size_t value = 0;
    for (const std::byte byte : take(length)) value = value << 8 | static_cast<std::size_t>(byte);
    return value;
  };
  while (!bytes.empty()) {
    const auto key = take(number(1));
    const auto object = take(number(2));
    try {
      store->put({reinterpret_cast<const char*>(key.data()), key.size()}, object);
    } catch (const Error&) {  // no key
    }
  }
  return store;
}

/// The first mebibyte of it, or what of that its chunks allow; nothing after an Error.
std::optional<Bytes> read_some(const std::shared_ptr<const Store>& store, const std::string& path,
                               const ZarrOpenOptions& open, Engine engine) {
  try {
    const auto array = open_zarr(store, path, open);
    const ZarrArrayMetadata& metadata = array->metadata();
    ZarrSelection selection = everything(*array);
    std::uint64_t bytes = metadata.type.bytes;
    for (ZarrAxis& axis : selection) {
      axis.count = std::min(axis.count, mebibyte / bytes);
      bytes *= std::max<std::uint64_t>(axis.count, 1);
    }
    Bytes out(bytes);
    ZarrTarget target{out.data(), std::vector<std::ptrdiff_t>(selection.size())};
    auto stride = static_cast<std::ptrdiff_t>(metadata.type.bytes);
    for (std::size_t axis = selection.size(); axis-- > 0;) {
      target.strides[axis] = stride;
      stride *= static_cast<std::ptrdiff_t>(std::max<std::uint64_t>(selection[axis].count, 1));
    }
    ReadZarrOptions options;
    options.graph.engine = engine;
    options.graph.threads = engine == Engine::serial ? 1 : 2;
    options.graph.memory = 64 * mebibyte;
    read_zarr(array, selection, target, options);
    return out;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 1 << 16) return 0;
  const auto store = unpacked(std::as_bytes(std::span(data, size)));
  ZarrCheckOptions options;
  options.limits.chunk_bytes = mebibyte;
  for (const bool decode : {false, true}) {
    options.decode = decode;
    const FileCheck check = check_zarr(store, "", options);
    for (const FileProblem& problem : check.problems())
      if (problem.name.empty() || problem.text.empty()) std::abort();
  }
  ZarrOpenOptions open;
  open.limits = options.limits;
  open.check_sums = false;  // validating asks for them; behind them lies the rest
  const auto alone = read_some(store, "", open, Engine::serial);
  if (alone != read_some(store, "", open, Engine::onetbb)) std::abort();
  return 0;
}
