#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "nodes/stores/store.hpp"

// What makes an update in place safe: a journal of all that is going to change in one shard, an object of its own in the array's store,
// that is there whole before the first byte of the shard changes, and erased once all of them are durable. Whoever finds one whose
// writer is dead does the changes (again): the shard is then as it was to be.
//
//   ARRAY/.weir-journal/c.0.1, of the shard ARRAY/c/0/1; little endian:
//
//   magic    8  "weirjnl1"
//   before   8  bytes of the shard before the update
//   key      8  its length; then the key of the shard
//   change      where 8, bytes 8, the bytes; one or more, none beginning behind the end of the shard as it is by then
//   end      8  2^64-1; changes 8; CRC-32C of all in front 4

namespace weir {

/// The folder of an array's journals, and the journal of one of its shards. `path`: of the array in its store.
std::string journal_folder(const std::string& path);
std::string journal_key(const std::string& path, const std::string& shard);
/// Whether shards can be updated in place, and so whether there can be a journal.
bool can_patch(const Store& store);

/// Bytes of a journal that are held, unless its writer has more room; one with more of them goes to the store piece by piece, and is
/// read again from there.
inline constexpr std::uint64_t journal_buffer_bytes = 256 << 10;

/// The update of one shard, whose lock the caller holds. One thread at a time. Errors name the journal or the shard.
class ShardJournal {
 public:
  /// `room`: bytes that are held, at least as many as a journal's front with its key.
  ShardJournal(const Store& store, std::string key, std::string shard, std::uint64_t shard_bytes,
               std::uint64_t room = journal_buffer_bytes);
  /// Bytes that the shard is to have at `where`, at most at its end as it is by then. One that begins where the last one ends is
  /// part of that, as long as both are held.
  void change(std::uint64_t where, std::span<const std::byte> bytes);
  bool is_empty() const { return changes_ == 0; }
  /// Makes the journal durable, then does the changes, then erases it. After an Error the shard is as it was, or the journal is
  /// there. The version of the shard then.
  ObjectVersion commit();

 private:
  void write(std::span<const std::byte> bytes);
  void write(std::uint64_t number);

  /// The last change, whose beginning is held.
  struct Change {
    std::size_t at;  ///< in held_: where its number of bytes lies
    std::uint64_t bytes, end;
  };

  const Store& store_;
  const std::string key_, shard_;
  std::uint64_t room_;
  std::vector<std::byte> held_;
  std::optional<Change> last_;
  std::unique_ptr<ObjectWriter> writer_;  // of what is not held
  std::uint64_t changes_ = 0;
  std::uint32_t sum_ = 0;  // of what is not held any more
};

/// Does what the journal of a shard says, where there is one, and erases it; the caller holds the shard's lock. Whether there was
/// one. Throws an Error that names the journal where it is broken, or where the shard is not the one that it is of.
bool replay_journal(const Store& store, const std::string& path, const std::string& shard,
                    const std::stop_token& stop = {});
/// Replays the journals of an array whose writers are dead; those of living ones are left alone.
void replay_journals(const Store& store, const std::string& path, const std::stop_token& stop = {});

}  // namespace weir
