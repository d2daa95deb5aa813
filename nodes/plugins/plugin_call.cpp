#include "nodes/plugins/plugin_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <variant>

namespace weir {
namespace {

constexpr std::size_t longest_reason = 2000;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40;

std::uint32_t type_of(ParameterType type) {
  switch (type) {
    case ParameterType::flag:
      return WEIR_FLAG;
    case ParameterType::integer:
      return WEIR_INTEGER;
    case ParameterType::number:
      return WEIR_NUMBER;
    case ParameterType::text:
      return WEIR_TEXT;
    case ParameterType::choice:
      return WEIR_CHOICE;
    case ParameterType::bytes:
      return WEIR_BYTES;
    case ParameterType::size:
      return WEIR_SIZE;
  }
  return WEIR_TEXT;
}

/// In the order of the schema; texts stay the parameters'.
std::vector<weir_value> values_of(const PluginNode& node, const Parameters& parameters) {
  std::vector<weir_value> values;
  for (const Parameter& declared : node.parameters) {
    weir_value value{};
    value.name = declared.name.c_str();
    value.type = type_of(declared.type);
    if (const auto found = parameters.values().find(declared.name); found != parameters.values().end()) {
      value.is_set = 1;
      struct Writer {
        weir_value& value;
        void operator()(bool flag) const { value.integer = flag ? 1 : 0; }
        void operator()(std::int64_t integer) const { value.integer = integer; }
        void operator()(double number) const { value.number = number; }
        void operator()(const std::string& text) const { value.text = text.c_str(); }
        void operator()(const PixelSize& size) const {
          value.height = size.height;
          value.width = size.width;
        }
      };
      std::visit(Writer{value}, found->second);
    }
    values.push_back(value);
  }
  return values;
}

}  // namespace

PluginMemory::~PluginMemory() {
  for (const Block& block : blocks_) scratch_.release(block.data);
}

void PluginMemory::drop(std::size_t index) noexcept {
  scratch_.release(blocks_[index].data);
  used_ -= WEIR_BLOCK_BYTES(blocks_[index].bytes);
  blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(index));
}

void* PluginMemory::allocate(std::uint64_t bytes) noexcept {
  for (Block& block : blocks_)
    if (block.is_free && block.bytes == bytes) {
      block.is_free = false;
      return block.data;
    }
  const std::uint64_t cost = bytes < most_bytes ? WEIR_BLOCK_BYTES(bytes) : bytes;
  for (std::size_t i = blocks_.size(); i-- > 0 && used_ + cost > limit_;)
    if (blocks_[i].is_free) drop(i);
  if (cost > limit_ || used_ > limit_ - cost) {
    denied_ = bytes;
    return nullptr;
  }
  void* data = scratch_.allocate(static_cast<std::size_t>(bytes));
  if (data == nullptr) return nullptr;
  try {
    blocks_.push_back({data, bytes, false});
  } catch (...) {
    scratch_.release(data);
    return nullptr;
  }
  used_ += cost;
  return data;
}

void PluginMemory::release(void* block) noexcept {
  if (block == nullptr) return;
  for (Block& known : blocks_)
    if (known.data == block && !known.is_free) {
      known.is_free = true;
      return;
    }
  is_misused_ = true;
}

PluginCall::PluginCall(const PluginNode& node, PluginMemory* memory, std::stop_token stop)
    : node_(node), memory_(memory), stop_(std::move(stop)) {
  if (memory_ != nullptr) memory_->begin_call();
  host_.size = sizeof host_;
  host_.abi_minor = WEIR_PLUGIN_ABI_MINOR;
  host_.context = this;
  host_.local = memory_ != nullptr ? memory_->local() : nullptr;
  // Called by plugins, in C or with exceptions of their own: nothing is thrown here.
  host_.say = [](const weir_host* host, const char* reason) noexcept {
    try {
      if (reason != nullptr)
        static_cast<PluginCall*>(host->context)->said_.assign(reason, ::strnlen(reason, longest_reason));
    } catch (...) {  // no memory for the words: the status says enough
    }
  };
  host_.allocate = [](const weir_host* host, std::uint64_t bytes) noexcept -> void* {
    PluginMemory* own = static_cast<PluginCall*>(host->context)->memory_;
    return own != nullptr ? own->allocate(bytes) : nullptr;
  };
  host_.release = [](const weir_host* host, void* block) noexcept {
    PluginMemory* own = static_cast<PluginCall*>(host->context)->memory_;
    if (own != nullptr) own->release(block);
  };
  host_.stopped = [](const weir_host* host) noexcept -> std::int32_t {
    return static_cast<PluginCall*>(host->context)->stop_.stop_requested() ? 1 : 0;
  };
}

Error plugin_error(const PluginNode& node, std::string_view action, const std::string& reason,
                   ErrorKind kind) {
  return Error(action, fmt::format("{} of {}", node.name, node.origin), reason, kind);
}

Error PluginCall::crossed(std::string_view action, std::string_view what) const {
  return plugin_error(
      node_, action,
      fmt::format("an exception came across its border, which is against the rules: {}", what));
}

void PluginCall::finish(std::string_view action, weir_status status) const {
  if (memory_ != nullptr && memory_->is_misused())
    throw plugin_error(node_, action, "it released memory that it does not have");
  if (status == WEIR_OK) return;
  if (status == WEIR_CANCELLED && stop_.stop_requested()) throw Error::cancelled();
  std::string reason = said_;
  if (memory_ != nullptr && memory_->denied() > 0)
    reason += fmt::format("{}it asked for {} bytes of scratch memory where it declared {} in all",
                          reason.empty() ? "" : "; ", memory_->denied(), memory_->limit());
  if (reason.empty()) reason = fmt::format("it does not say why (status {})", status);
  throw plugin_error(node_, action, reason, status == WEIR_USAGE ? ErrorKind::usage : ErrorKind::failed);
}

std::uint64_t declared_bytes(const PluginNode& node, std::string_view what, std::uint64_t bytes) {
  if (bytes > most_bytes)
    throw plugin_error(node, "use", fmt::format("it declares {} {}, which no machine has", bytes, what),
                       ErrorKind::usage);
  return bytes;
}

PluginObject::PluginObject(const PluginNode& node, weir_create create, weir_destroy destroy,
                           const Parameters& parameters)
    : node_(node), destroy_(destroy) {
  const std::vector<weir_value> values = values_of(node, parameters);
  PluginCall(node, nullptr)("create", [&](const weir_host* host) {
    return create(host, values.data(), static_cast<std::uint32_t>(values.size()), &self_);
  });
  if (self_ == nullptr) throw plugin_error(node, "create", "it made nothing (a null pointer)");
}

PluginObject::~PluginObject() {
  try {
    destroy_(self_);
  } catch (...) {  // nobody is left to tell
  }
}

}  // namespace weir
