#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "framework/error.hpp"
#include "framework/traffic.hpp"

namespace weir {

class RangeReader;

/// What a store can do. A pipeline asks for what it needs with require(), which says what is missing.
struct StoreAbilities {
  bool write = false;      ///< put, writer, erase
  bool patch = false;      ///< a writer can change what it has appended (ObjectWriter::patch)
  bool put_range = false;  ///< bytes of an object can be changed in place
  bool list = false;       ///< its keys can be listed
  bool copy =
      false;  ///< a writer can take over ranges of the object that it replaces (ObjectWriter::copy) without
              ///< their bytes passing through this process where the store can
  bool lock = false;     ///< an object can be kept from other processes
  bool compare = false;  ///< an object can be replaced on condition that it is what it was (replacer)
};

/// Bytes of an object, and the caller's memory that they go to.
struct ObjectRange {
  std::uint64_t offset = 0;
  std::span<std::byte> out;
};

/// Tells what an object is at one time from what it was before and will be after it was replaced or changed: two reads that give the
/// same one read the same bytes. What it is made of is the store's; a folder's clock ticks every 4 ms, and of one file that
/// is changed in place twice within a tick it tells nothing.
struct ObjectVersion {
  std::array<std::uint64_t, 3> words{};
  std::string tag =
      {};  ///< what a server calls it where conditions go by that (a strong entity tag), quotation marks included
  bool is_known() const { return *this != ObjectVersion{}; }  ///< else the store does not tell
  bool operator==(const ObjectVersion&) const = default;
};

/// An object being written, that appears whole or not at all: readers see the old one, or nothing, until commit. Destroying it
/// without commit leaves all as it was. One thread at a time.
class ObjectWriter {
 public:
  ObjectWriter() = default;
  virtual ~ObjectWriter() = default;
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  virtual void append(std::span<const std::byte> bytes) = 0;
  /// Appends [offset, offset + bytes) of the object that is there under the key, as it was when the writer was made. An Error
  /// where there is none, or it is shorter.
  virtual void copy(std::uint64_t offset, std::uint64_t bytes) = 0;
  virtual std::uint64_t size() const = 0;  ///< appended so far
  /// Changes bytes that were appended: what lies at the front of an object and is known last. Needs StoreAbilities::patch.
  virtual void patch(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// Durable when it returns, and seen by readers, who are given this version of it. Once, as the last call.
  virtual ObjectVersion commit() = 0;
};

/// What is wanted of a listing.
struct ListRequest {
  /// Keys below it alone (parts, not letters: "a" gives "a/b", and neither "a" nor "ab/c"; "" gives all).
  std::string_view prefix = {};
  std::string_view start_after = {};  ///< keys behind it alone, in the order of their bytes; any text
  bool one_level =
      false;             ///< folders right below the prefix instead of the keys in them; may show empty ones
  std::size_t page = 0;  ///< how many are looked at, where that is less than a thousand; 0: all
};

/// An object of a listing, or with ListRequest::one_level a folder. Views live during the call.
struct StoredObject {
  std::string_view key;  ///< of a folder with a slash behind it
  std::uint64_t size = 0;
  std::string_view etag = {};                      ///< without quotation marks; empty: not known
  std::optional<std::int64_t> last_modified = {};  ///< milliseconds since 1970, UTC
};

/// Keeps an object from other writers, in this process and others; ends with the holder's life. See Store::lock.
class ObjectLock {
 public:
  virtual ~ObjectLock() = default;
};

/// Objects under keys: a folder, a zip file, what lies behind a URL, memory. A key is parts joined by '/', none of them empty, "."
/// or ".."; every call checks that (check_key). The calls wait, so they belong on the I/O lane. Const and thread-safe throughout: a
/// store has no state that a caller sees but its objects. Every Error names the store and the key. A wrapper keeps every ability of
/// what it wraps. Writers and locks end before their store.
class Store {
 public:
  Store() = default;
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  virtual const std::string& name() const = 0;  ///< what messages call it: a folder, a URL without secrets
  virtual StoreAbilities abilities() const = 0;

  // Reading ----------------------------------------------------------------------------------------------------------
  // Nothing (false) where there is no such key; an Error where it cannot be told or read. A stop ends a remote wait with a
  // cancelled Error. All bytes of one call are of one version of the object, unless it is changed in place; `version` (which
  // may be nullptr) is set to it by stores that know it, at no cost, and else left alone.

  /// Bytes of the object.
  virtual std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& stop = {}) const = 0;
  /// Fills `out` with the object's first bytes, as many as there are or fit, and returns the size of the whole object, which
  /// may be larger than `out`: one request.
  virtual std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                           const std::stop_token& stop = {},
                                           ObjectVersion* version = nullptr) const = 0;
  /// Fills the end of `out` with the object's last bytes (`out` is right-aligned to its end) and returns the size of the whole
  /// object; where it is smaller than `out`, the front of `out` is left alone: one request.
  virtual std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                               const std::stop_token& stop = {},
                                               ObjectVersion* version = nullptr) const = 0;
  /// Fills all ranges; an Error where one reaches beyond the object's end. Asked for at once where that is faster, each range
  /// as it is: who wants neighbours merged does so before.
  virtual bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                          const std::stop_token& stop = {}, ObjectVersion* version = nullptr) const = 0;

  // Writing: an Error where abilities() does not say so, which is what these do unless overridden -----------------------

  /// Whole or not at all, durable when it returns. `bytes` is the caller's and is neither kept nor changed.
  virtual void put(std::string_view key, std::span<const std::byte> bytes) const;
  virtual std::unique_ptr<ObjectWriter> writer(std::string_view key) const;
  /// A writer whose object takes the place of this version alone, or, where it is not known, of none: its copy and commit throw an
  /// Error of kind `outdated` where there is another by then. For updates in a store that has no locks: of two that began with the
  /// same version one commits, and the other knows. Needs StoreAbilities::compare; a usage Error where the store turns out
  /// not to keep such conditions.
  virtual std::unique_ptr<ObjectWriter> replacer(std::string_view key, const ObjectVersion& old) const;
  /// put as such a writer: an object of these bytes in the place of that version alone.
  virtual void replace(std::string_view key, const ObjectVersion& old,
                       std::span<const std::byte> bytes) const;
  /// Changes bytes in place, or grows the object (by zeros where there is a gap): an Error where there is none; neither whole-or-absent nor durable before sync(key).
  virtual void put_range(std::string_view key, std::uint64_t offset, std::span<const std::byte> bytes) const;
  virtual ObjectVersion sync(std::string_view key) const;  ///< the version that it has then
  /// Nothing happens where there is no such key.
  virtual void erase(std::string_view key) const;
  /// Waits until no other holder is left; a stop ends the waiting (requested before: one try). A dead holder holds nothing.
  virtual std::unique_ptr<ObjectLock> lock(std::string_view key, const std::stop_token& stop = {}) const;

  /// Calls for all that is asked for, in the order of the keys' bytes, until it returns false. Buckets may hold keys that are none of
  /// ours (is_key): "folder/", "a//b".
  virtual void list_objects(const ListRequest& request,
                            const std::function<bool(const StoredObject& object)>& each,
                            const std::stop_token& stop = {}) const;
  /// The keys below `prefix` and their sizes.
  void list(std::string_view prefix,
            const std::function<bool(std::string_view key, std::uint64_t size)>& each,
            const std::stop_token& stop = {}) const;

  /// For many small reads without a thread for each: `at_once` of them in flight, where reading costs requests. Ends before the
  /// store.
  virtual std::unique_ptr<RangeReader> range_reader(unsigned at_once) const;

  // Cost -------------------------------------------------------------------------------------------------------------
  /// Requests that are worth having in flight at once; 0 where reading costs no request (local, memory).
  virtual unsigned requests_at_once() const { return 0; }
  /// Whether its objects lie in memory: no call but lock waits for anything, so a compute thread may make them itself.
  virtual bool is_in_memory() const { return false; }
  /// Bytes that are cheaper to read along than to ask for in a request of their own: ranges nearer than this are merged.
  virtual std::uint64_t gap_bytes() const { return 4096; }
  /// Counts requests; nullptr where there are none.
  virtual Traffic* traffic() const { return nullptr; }
  virtual std::uint64_t standing_bytes() const { return 0; }  ///< that the store keeps
  virtual std::uint64_t writer_bytes() const { return 0; }    ///< that each ObjectWriter holds, at most
  virtual std::uint64_t listing_bytes() const { return 0; }   ///< that each list_objects holds, at most

 protected:
  Error failure(std::string_view action, std::string_view key, std::string_view reason) const;
  Error unable(std::string_view action, std::string_view key, bool StoreAbilities::*ability) const;
  Error outdated(std::string_view key) const;  ///< of a replacer
};

bool is_key(std::string_view text);
/// Throws a usage Error for what is no key.
void check_key(std::string_view key);
/// Throws a usage Error that names the store and each ability that is wanted and missing.
void require(const Store& store, const StoreAbilities& wanted);
/// A small object (metadata): an Error where it is larger than `limit`. Nothing where there is no such key.
std::optional<std::vector<std::byte>> get_small(const Store& store, std::string_view key, std::uint64_t limit,
                                                const std::stop_token& stop = {});

}  // namespace weir
