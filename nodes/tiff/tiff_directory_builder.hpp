#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "nodes/raster/raster_info.hpp"

namespace weir {

/// Field types: TIFF 6.0 section 2, and BigTIFF's 16 to 18.
enum class TiffType : std::uint16_t {
  byte = 1,
  ascii,
  short16,
  long32,
  rational,
  sbyte,
  undefined,
  sshort16,
  slong32,
  srational,
  float32,
  float64,
  ifd,
  long64 = 16,
  slong64,
  ifd64,
};

/// The only way in which Weir writes TIFF directories. Little-endian; classic (TIFF 6.0) or BigTIFF:
///
///                classic                                         BigTIFF
///   header       "II", 42, first directory (4 bytes)             "II", 43, 8, 0, first directory (8)
///   directory    entries (2), each entry (12), next (4)          entries (8), each entry (20), next (8)
///   entry        tag (2), type (2), count (4), value/offset (4)  tag (2), type (2), count (8), value/offset
///   (8)
///
/// Entries ascend by tag; what does not fit into an entry lies behind the directory, aligned to its value
/// size. Arrays whose values are known only later (tile offsets and byte counts) are reserved: they get a
/// place like any value, may lie anywhere else in the file, and are patched there by whoever learns the
/// values. Files of several directories are made by placing one behind the other and encoding each with the
/// place of the next.
class TiffDirectoryBuilder {
 public:
  /// Where a tag's values lie in the file: inside the directory's own bytes where they fit into its entry.
  struct Array {
    std::uint64_t offset = 0, count = 0;
    std::uint64_t value_bytes = 0;
  };

  explicit TiffDirectoryBuilder(bool big) : big_(big) {}
  bool is_big() const { return big_; }

  /// Adding goes in any order; a usage Error where the tag is there already. `add` throws also where the
  /// bytes do not match type and count, and narrows 64-bit types in a classic file (a usage Error where a
  /// value does not fit). Text gets its closing NUL where it has none. A tag without values is left out.
  void add(RawTag tag);
  void add_short(std::uint16_t id, std::uint16_t value) { add_values(id, TiffType::short16, &value, 1); }
  void add_shorts(std::uint16_t id, std::span<const std::uint16_t> values) {
    add_values(id, TiffType::short16, values.data(), values.size());
  }
  void add_long(std::uint16_t id, std::uint32_t value) { add_values(id, TiffType::long32, &value, 1); }
  void add_doubles(std::uint16_t id, std::span<const double> values) {
    add_values(id, TiffType::float64, values.data(), values.size());
  }
  void add_text(std::uint16_t id, std::string_view text) {
    add_values(id, TiffType::ascii, text.data(), text.size());
  }
  void reserve(std::uint16_t id, TiffType type, std::uint64_t count);

  /// Puts the directory and its values, without reserved arrays, at `offset` (even); returns the end.
  std::uint64_t place(std::uint64_t offset);
  /// What the reserved arrays take that do not fit into their entries.
  std::uint64_t array_bytes() const;
  /// Puts those arrays at `offset` (a multiple of 4), in the order of their tags; returns the end.
  std::uint64_t place_arrays(std::uint64_t offset);

  std::uint64_t offset() const { return offset_; }
  std::uint64_t end() const { return end_; }
  Array array(std::uint16_t id) const;  ///< of a tag that is there; valid once both are placed
  /// The bytes from offset() to end(); reserved arrays that lie in entries are 0. `next`: where the next
  /// directory starts, 0 for the last.
  std::vector<std::byte> encode(std::uint64_t next) const;

  /// Whether a classic TIFF cannot hold the tag: some of its 64-bit values do not fit in 32.
  static bool needs_big(const RawTag& tag);
  static std::uint64_t header_bytes(bool big) { return big ? 16 : 8; }
  static std::vector<std::byte> header(bool big, std::uint64_t first_directory);

 private:
  struct Field {
    TiffType type = TiffType::byte;
    std::uint64_t count = 0;
    std::vector<std::byte> bytes;  // empty where reserved
    bool is_reserved = false;
    std::uint64_t offset = 0;  // of the values in the file
  };

  void add_values(std::uint16_t id, TiffType type, const void* values, std::uint64_t count);
  Field& insert(std::uint16_t id);
  bool fits_entry(const Field& field) const;

  bool big_;
  std::map<std::uint16_t, Field> fields_;
  std::uint64_t offset_ = 0, end_ = 0;
};

}  // namespace weir
