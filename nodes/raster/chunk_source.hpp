#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "framework/context.hpp"
#include "framework/traffic.hpp"
#include "nodes/raster/block.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// What a source says of the network that it is read over.
struct RemoteReading {
  Traffic* traffic = nullptr;          ///< counts what it costs; lives as long as the source
  std::uint64_t planned_requests = 0;  ///< for all chunks, each read once, where nothing fails
};

class Store;

/// The node at a path of a store.
struct StoredPlace {
  const Store* store = nullptr;  ///< not owned: its source's
  std::string path = {};
};

/// Gives a raster chunk by chunk. Const and thread-safe throughout: the pipelines call fetch and decode for many
/// chunks at once. Two steps, because fetching waits (I/O lane) and decoding computes (every core); a source that
/// has nothing to wait for says fetch_bytes() == 0, and its fetch is never called.
class ChunkSource {
 public:
  /// What one thread keeps between chunks (codec contexts, compressed scratch); made by make_local.
  class Local {
   public:
    virtual ~Local() = default;
  };

  virtual ~ChunkSource() = default;

  virtual const RasterInfo& info() const = 0;
  virtual const ChunkGrid& grid() const = 0;

  /// The largest charge of the buffer that fetch returns, over all chunks; 0 where nothing is fetched.
  virtual std::uint64_t fetch_bytes() const { return 0; }
  /// The largest size of the block that decode returns, over all chunks (before BufferPool::charge).
  virtual std::uint64_t block_bytes() const;
  /// Bytes that fetching and decoding a chunk takes beyond fetch_bytes and the block of its own window (a chunk of which
  /// only a part is in the raster); a charge.
  virtual std::uint64_t excess_bytes() const { return 0; }
  /// Bytes that one thread's Local takes from the scratch.
  virtual std::uint64_t local_bytes() const { return 0; }
  /// Bytes that the source itself keeps as long as it lives (offset arrays, indexes).
  virtual std::uint64_t standing_bytes() const { return 0; }

  /// Where it lies in a store of objects, which another node may write to in place; no store: in none. A source that reads another
  /// one passes on what that says.
  virtual StoredPlace place() const { return {}; }

  /// Nothing where reading costs no requests. A source that reads another one passes on what that says.
  virtual std::optional<RemoteReading> remote() const { return std::nullopt; }

  virtual std::unique_ptr<Local> make_local(const Scratch& scratch) const;

  /// The stored bytes of a chunk. Called on the I/O lane.
  virtual Buffer fetch(ChunkIndex chunk, const Context& context) const;
  /// The pixels of a chunk; its window is grid().window(chunk). `stored` is what fetch gave, empty where
  /// fetch_bytes() is 0. Called on compute threads, one call per Local at a time.
  virtual Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const = 0;

  /// The same raster with these samples alone (from 0, in this order; there are that many), where the source can leave the
  /// others unread; nullptr where it cannot, and they are left out of its blocks: select_samples does either.
  virtual std::shared_ptr<const ChunkSource> with_samples(std::span<const std::uint32_t> samples) const;
};

}  // namespace weir
