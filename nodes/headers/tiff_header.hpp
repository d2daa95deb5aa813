#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/headers/header_bytes.hpp"

namespace weir {

/// What one header may cost. Beyond it, values are left out with a warning, and directories end the chain with a problem.
struct HeaderLimits {
  std::uint32_t directories = 1024;
  std::uint32_t entries = 4096;  ///< of one directory; libtiff's own
  std::uint32_t all_entries =
      64 << 10;  ///< of all directories that a file has, which may lie over each other
  std::uint64_t value_bytes = 64 << 10;    ///< of one value
  std::uint64_t header_bytes = 512 << 10;  ///< of all values of a file together
  std::uint64_t gap = 4096;                ///< ranges nearer than this are asked for as one
  bool arrays = false;                     ///< whether tile and strip offsets and byte counts are read, too
};

/// Damage: a row of errors.parquet.
struct HeaderProblem {
  std::string_view code;  ///< a stable word, of static storage: tiff_header.cpp and header_rows.cpp have them
  std::string reason;     ///< a sentence
  std::uint64_t offset = 0;  ///< where in the file
};

/// What was not as it should be. Bounded, whatever a file holds: the first problem of each code, and 16 warnings.
struct HeaderNotes {
  std::vector<HeaderProblem> problems;
  std::vector<std::string> warnings;  ///< no damage: what was left out, or converted

  /// `reason()` is asked only for what is kept: a file can have millions of them.
  template <class Reason>
  void add_problem(std::string_view code, std::uint64_t offset, Reason reason) {
    for (const HeaderProblem& known : problems)
      if (known.code == code) return;
    problems.push_back({code, reason(), offset});
  }
  template <class Reason>
  void add_warning(Reason reason) {
    constexpr std::size_t most = 16;
    if (warnings.size() < most) warnings.push_back(reason());
  }
};

/// A tag of a directory.
struct HeaderEntry {
  std::uint16_t tag = 0, type = 0;
  bool was_read =
      false;  ///< there is a value; else it was left out: an array nobody asked for, a limit, damage
  std::uint32_t place = 0, bytes = 0;  ///< of the value, in TiffHeader::values
  std::uint64_t count = 0;
  std::uint64_t offset = 0;  ///< of the value in the file; 0: it is in the entry
};

struct HeaderDirectory {
  std::uint64_t offset = 0;
  std::optional<std::size_t> parent;  ///< of a SubIFD: the directory that names it
  /// Ascending by tag; of a tag that comes twice the first. Of directories behind the first only what says what they are, see
  /// says_what_it_is(): nobody pays for the rest.
  std::vector<HeaderEntry> entries;
  const HeaderEntry* find(std::uint16_t tag) const;
};

/// NewSubfileType, SubfileType, ImageWidth, ImageLength, PhotometricInterpretation, SubIFDs.
constexpr bool says_what_it_is(std::uint16_t tag) {
  return (tag >= 254 && tag <= 257) || tag == 262 || tag == 330;
}

struct TiffHeader {
  bool is_little_endian = true, is_bigtiff = false;
  std::vector<HeaderDirectory>
      directories;  ///< main chain in order, each followed by its SubIFDs; empty: nothing could be read
  std::vector<std::byte> values;  ///< of all entries, in the machine's byte order
  std::uint64_t header_end = 0;   ///< the byte after the last one of directories and values that are read
  HeaderNotes notes;

  std::span<const std::byte> value(const HeaderEntry& entry) const {
    return entry.was_read ? std::span(values).subspan(entry.place, entry.bytes)
                          : std::span<const std::byte>();
  }
  std::uint64_t bytes() const;  ///< memory that it takes
};

/// Reads classic and BigTIFF headers (TIFF 6.0, section 2; BigTIFF) from what has been fetched of them, and says what else it needs:
/// a parser that never waits. The same header whatever the pieces are in which it comes. EXIF and GPS directories are not followed.
/// Holds at most HeaderLimits::header_bytes of values, 160 KiB of the first directory and 300 bytes of each other. One thread at a time.
class HeaderReader {
 public:
  explicit HeaderReader(std::uint64_t file_bytes, const HeaderLimits& limits = {});
  /// Reads as far as `bytes` goes, and says what is needed next: ascending, inside the file, merged by HeaderLimits::gap (which may
  /// take in bytes between two of them that were given already). In one call at most header_bytes of values, 36 KiB around each of
  /// up to 8 directories and, in all calls together, header_bytes of gaps. Empty: it is at its end. Pieces may be taken away between
  /// calls; what they had and is still needed is asked for again. If all that is asked for is given, and stays, it ends
  /// after at most 3 calls for each directory and 2 more. Damage is in TiffHeader::notes; it throws std::bad_alloc alone.
  std::vector<ByteRange> read(const HeaderBytes& bytes);
  /// What was read, also where read() has not come to its end. Leaves nothing behind.
  TiffHeader take();
  std::uint64_t bytes() const;  ///< memory that it takes

 private:
  struct Place {  // of a directory to come
    std::uint64_t offset = 0;
    std::optional<std::size_t> parent;
  };
  struct Value {  // of an entry, outside of its directory
    std::size_t directory, entry;
    std::uint64_t filled = 0;  // bytes of it that are in their place
  };

  bool read_front(const HeaderBytes& bytes);
  bool read_next(const HeaderBytes& bytes);
  void read_table(HeaderDirectory& directory, std::span<const std::byte> table, std::uint64_t offset,
                  std::uint64_t entries);
  HeaderEntry read_entry(const std::byte* at, std::uint64_t offset, bool is_first);
  void reserve_values(std::size_t directory);
  void accept(HeaderEntry& entry);
  bool fetch(Value& value, const HeaderBytes& bytes);
  std::span<const std::byte> gather(const HeaderBytes& bytes, std::uint64_t offset, std::uint64_t count);
  void follow_sub_directories(const Value& value);
  void push(std::uint64_t offset, std::optional<std::size_t> parent, std::uint64_t named_at);
  void ask(const HeaderBytes& bytes, std::uint64_t offset, std::uint64_t count);
  void ask_around(const HeaderBytes& bytes, std::uint64_t offset);
  std::vector<ByteRange> merged();

  std::uint64_t count_bytes() const { return header_.is_bigtiff ? 8 : 2; }
  std::uint64_t entry_bytes() const { return header_.is_bigtiff ? 20 : 12; }
  std::uint64_t word_bytes() const { return header_.is_bigtiff ? 8 : 4; }

  std::uint64_t file_bytes_;
  HeaderLimits limits_;
  TiffHeader header_;
  bool has_front_ = false, is_swapped_ = false;
  std::vector<Place> next_;  // a stack: the last is read next
  std::vector<std::uint64_t>
      seen_;  // offsets of directories, read or to come; at most HeaderLimits::directories
  std::optional<Value>
      sub_directories_;         // nothing is read before they are known, so that the order is always the same
  std::vector<Value> missing_;  // values that have a place in header_.values, and wait for their bytes
  std::vector<std::byte> gathered_;  // of what is read next, where it lies in several pieces: its first bytes
  std::vector<ByteRange> wanted_;
  std::uint64_t gaps_left_, entries_left_;
};

}  // namespace weir
