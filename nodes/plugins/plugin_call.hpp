#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "framework/buffer.hpp"
#include "framework/error.hpp"
#include "framework/parameters.hpp"
#include "framework/plugin.h"
#include "framework/plugin_host.hpp"

namespace weir {

/// The scratch memory of one node of a plugin on one thread at a time: what it declared, and not a byte more.
/// Blocks that it gives back are kept for its next call; the last owner is this, whatever the plugin forgets.
class PluginMemory {
 public:
  explicit PluginMemory(Scratch scratch) : scratch_(std::move(scratch)) {}
  ~PluginMemory();
  PluginMemory(const PluginMemory&) = delete;
  PluginMemory& operator=(const PluginMemory&) = delete;

  /// Bytes that it may take from now on, each block counted as WEIR_BLOCK_BYTES.
  void set_limit(std::uint64_t bytes) { limit_ = bytes; }
  std::uint64_t limit() const { return limit_; }
  /// What the node asked for beyond its limit in this call; 0: nothing.
  std::uint64_t denied() const { return denied_; }
  bool is_misused() const { return is_misused_; }
  void begin_call() { denied_ = 0, is_misused_ = false; }
  void** local() { return &local_; }

  void* allocate(std::uint64_t bytes) noexcept;
  void release(void* block) noexcept;

 private:
  struct Block {
    void* data;
    std::uint64_t bytes;
    bool is_free;
  };
  void drop(std::size_t index) noexcept;

  Scratch scratch_;
  std::vector<Block> blocks_;
  std::uint64_t limit_ = 0, used_ = 0, denied_ = 0;
  bool is_misused_ = false;
  void* local_ = nullptr;
};

/// One call of a function of a plugin: the host that it sees, and what becomes of its status. Nothing that
/// the plugin does with exceptions gets past here.
class PluginCall {
 public:
  /// `memory`: nullptr where the call has none. All outlive the call.
  PluginCall(const PluginNode& node, PluginMemory* memory, std::stop_token stop = {});
  PluginCall(const PluginCall&) = delete;
  PluginCall& operator=(const PluginCall&) = delete;

  /// Calls `function(host)`, which returns a status. Throws Error "cannot <action> <node> of plugin ...:
  /// <reason>".
  template <class Function>
  void operator()(std::string_view action, Function&& function) {
    weir_status status = WEIR_FAILED;
    try {
      status = function(static_cast<const weir_host*>(&host_));
    } catch (const std::exception& error) {
      throw crossed(action, error.what());
    } catch (...) {
      throw crossed(action, "of an unknown type");
    }
    finish(action, status);
  }

 private:
  Error crossed(std::string_view action, std::string_view what) const;
  void finish(std::string_view action, weir_status status) const;

  const PluginNode& node_;
  PluginMemory* memory_;
  std::stop_token stop_;
  std::string said_;
  weir_host host_{};
};

/// An Error of that node: "cannot <action> <node> of plugin ...: <reason>".
Error plugin_error(const PluginNode& node, std::string_view action, const std::string& reason,
                   ErrorKind kind = ErrorKind::failed);

/// A number of bytes that a plugin declares. Throws a usage Error beyond 1 TiB, which no sum here overflows
/// with.
std::uint64_t declared_bytes(const PluginNode& node, std::string_view what, std::uint64_t bytes);

/// An object that a plugin made.
class PluginObject {
 public:
  /// Throws Error where the plugin refuses the parameters.
  PluginObject(const PluginNode& node, weir_create create, weir_destroy destroy,
               const Parameters& parameters);
  ~PluginObject();
  PluginObject(const PluginObject&) = delete;
  PluginObject& operator=(const PluginObject&) = delete;

  const PluginNode& node() const { return node_; }
  void* self() { return self_; }
  const void* self() const { return self_; }

 private:
  const PluginNode& node_;
  weir_destroy destroy_;
  void* self_ = nullptr;
};

}  // namespace weir
