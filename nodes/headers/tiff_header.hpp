#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/headers/header_row.hpp"

namespace weir {

/// Bytes [offset, offset + bytes) of a file.
struct ByteRange {
  std::uint64_t offset = 0, bytes = 0;
};

/// The parts of a file that have been fetched: pieces of the caller's memory, in any order; they may touch and overlap. A value may
/// lie across several.
class HeaderBytes {
 public:
  void add(std::uint64_t offset, std::span<const std::byte> bytes);
  /// Fills `out` from `offset` on; false where a byte of it has not been fetched.
  bool read(std::uint64_t offset, std::span<std::byte> out) const;
  /// The same bytes where they lie in one piece; empty where they do not.
  std::span<const std::byte> view(std::uint64_t offset, std::uint64_t bytes) const;
  /// The first byte of [offset, offset + bytes) that has not been fetched, and how many follow it.
  std::optional<ByteRange> missing(std::uint64_t offset, std::uint64_t bytes) const;
  void clear();

 private:
  struct Piece {
    std::uint64_t offset;
    std::span<const std::byte> bytes;
  };
  std::vector<Piece> pieces_;  ///< ascending
};

/// What one header may cost. Beyond it, tags are left out with a warning, and directories end the chain with one.
struct HeaderLimits {
  std::uint32_t directories = 1024;
  std::uint32_t entries = 4096;            ///< of one directory
  std::uint64_t value_bytes = 64 << 10;    ///< of one value
  std::uint64_t header_bytes = 512 << 10;  ///< of all directories and values of a file together
  std::uint64_t gap = 4096;                ///< ranges nearer than this are asked for as one
  bool arrays = false;                     ///< whether tile and strip offsets and byte counts are read, too
};

/// A tag of a directory. Values are kept as bytes in the machine's order.
struct HeaderEntry {
  std::uint16_t tag = 0, type = 0;
  std::uint64_t count = 0;
  std::uint64_t offset = 0;  ///< of the value in the file; 0: it is in the entry
  bool was_read =
      false;  ///< the value is in `value`; else it was left out (an array nobody asked for, a limit)
  std::vector<std::byte> value;
};

struct HeaderDirectory {
  std::uint64_t offset = 0;
  std::optional<std::size_t> parent;  ///< of a SubIFD: the directory that names it
  std::vector<HeaderEntry> entries;   ///< ascending by tag, of a tag that comes twice the first
  const HeaderEntry* find(std::uint16_t tag) const;
};

struct TiffHeader {
  bool is_little_endian = true, is_bigtiff = false;
  std::vector<HeaderDirectory> directories;  ///< main chain in order, each followed by its SubIFDs
  std::uint64_t header_end = 0;
  std::vector<std::string> warnings;
};

/// Reads classic and BigTIFF headers (TIFF 6.0, section 2; BigTIFF) from what has been fetched of them, and says what else it needs:
/// a parser that never waits. One thread at a time.
class HeaderReader {
 public:
  explicit HeaderReader(std::uint64_t file_bytes, const HeaderLimits& limits = {});
  /// Reads as far as `bytes` goes. What is needed next: ascending, merged by HeaderLimits::gap, inside the file, never what `bytes`
  /// has; empty: all is read. Throws Error (without an object) for what is no TIFF, and where not even the first directory can
  /// be read; damage behind that is a warning. Ends after at most HeaderLimits::directories + 2 calls that were answered.
  std::vector<ByteRange> read(const HeaderBytes& bytes);
  /// What was read, also where read() has not come to its end. Leaves nothing behind.
  TiffHeader take();

 private:
  // (the parser's state)
};

/// The row of a header. `object` is taken over. Never throws: what does not fit is a warning. Transforms coordinates with PROJ where
/// the build has it, with one context per thread.
HeaderRow header_row(ListedObject object, const TiffHeader& header);

}  // namespace weir
