#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

#include "nodes/zarr/zarr_array.hpp"

// Chunks as a store has them: what every way of reading an array does.

namespace weir {

std::string chunk_name(const ZarrIndex& chunk);  ///< "chunk (1, 2)"

/// Where the stored bytes of a chunk lie among those that were fetched.
struct StoredPiece {
  std::uint64_t offset = 0, bytes = 0;
  bool is_there = false;  ///< else the chunk is all fill
};

/// Gives memory of that many bytes, in place of what it gave before.
using ChunkRoom = std::function<std::span<std::byte>(std::uint64_t bytes)>;

/// The most bytes that fetch_chunks asks its room for, beside those for gaps.
std::uint64_t chunk_room_bytes(const ZarrLayout& layout, std::uint64_t chunks);
/// The most bytes that lie between as many chunks of a shard in gaps of at most `gap_bytes`.
std::uint64_t all_gap_bytes(const ZarrLayout& layout, std::uint64_t chunks, std::uint64_t gap_bytes);

/// Gets the stored bytes of chunks (of one shard, where there are shards) into `room`, and says where each of them is. Returns how many
/// bytes of the room are used; it is not asked where nothing is stored. A shard of which all chunks are wanted (`is_whole_object`:
/// room for all of its chunks, those outside of the array too) is one request, index and all; else its index is one, which the array
/// keeps, and chunks that lie near each other (Store::gap_bytes) are one, as long as they fit into `room_bytes` (at least
/// max_encoded_bytes of each) with what lies between them; the smallest gaps first. Waits. Throws Error.
///
/// All bytes of one call are of one version of their shard, also where other processes replace it (copy-on-write): one that was
/// replaced since its index was read is noticed by the answer that has its chunks, and read again, index first; after 8
/// tries it is an Error. Nothing is asked for only to notice it, so what a kept index calls empty stays fill. A shard
/// that another process updates in place meanwhile has no versions to keep apart: a chunk can be the old one, the new one, or
/// some bytes of each, which only a checksum tells, and an index that is being written is an Error of its checksum.
std::uint64_t fetch_chunks(const ZarrArray& array, std::span<const ZarrIndex> chunks, bool is_whole_object,
                           std::span<StoredPiece> pieces, std::uint64_t room_bytes, const ChunkRoom& room,
                           const std::stop_token& stop);

/// Undoes the codecs; an Error names the chunk and the array.
void decode_chunk(const ZarrArray& array, const ZarrIndex& chunk, ZarrDecoder& decoder,
                  std::span<const std::byte> encoded, std::span<std::byte> raw);
/// Of an array whose chunks are stored raw: throws where this one has not the bytes of its elements.
void check_raw_chunk(const ZarrArray& array, const ZarrIndex& chunk, std::span<const std::byte> stored);

}  // namespace weir
