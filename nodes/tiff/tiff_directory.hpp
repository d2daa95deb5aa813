#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "framework/file.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/tiff_values.hpp"

namespace weir {

/// An entry of a TIFF directory. `count` values of `type` lie at `position` in the file, in the file's byte
/// order; the entry's own bytes hold them where they are few.
struct TiffEntry {
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  std::uint64_t count = 0;
  std::uint64_t position = 0;
};

/// A TIFF directory as it stands in the file (TIFF 6.0 section 2, BigTIFF design), without reading meaning
/// into it: that is libtiff's work. libtiff gives neither the stored type of a tag it knows nor the place of
/// the offset arrays.
struct TiffDirectory {
  bool is_big = false;                   ///< BigTIFF
  bool is_swapped = false;               ///< the file's byte order is not the machine's
  std::uint64_t position = 0, next = 0;  ///< next: of the chain, 0 at its end
  std::vector<TiffEntry> entries;        ///< ascending ids, each once

  const TiffEntry* find(std::uint16_t id) const;
};

/// Of one file; libtiff's own limit was 65535 for long.
inline constexpr std::size_t tiff_directories_limit = 65536;

/// Reads directory `number` of the main chain. Every value of a known type then lies inside the file, and all
/// values together, but for the offset and byte count arrays, take at most 16 MiB: libtiff would hold them
/// all. Throws Error where the chain is a loop or too short, a tag comes twice, or values lie beyond the end
/// of the file.
TiffDirectory read_tiff_directory(const ReadableFile& file, unsigned number);
/// The same of the directory at byte `position`, which may be of no chain.
TiffDirectory read_tiff_directory_at(const ReadableFile& file, std::uint64_t position);

/// Position of the first directory.
std::uint64_t first_tiff_directory(const ReadableFile& file);
/// Only what the directory says, to look around in a file: entries may come twice, their values may lie anywhere. Throws
/// Error where the directory itself does not lie in the file.
TiffDirectory peek_tiff_directory(const ReadableFile& file, std::uint64_t position);
/// Bytes of the directory itself, without values that lie elsewhere.
std::uint64_t bytes_of(const TiffDirectory& directory);
/// Value `index` of an entry of SHORT, LONG, LONG8, IFD or IFD8; nothing for other types, where there are fewer values,
/// or where it lies beyond the end of the file.
std::optional<std::uint64_t> peek_unsigned(const ReadableFile& file, const TiffDirectory& directory,
                                           std::uint16_t id, std::uint64_t index = 0);

/// The values of an entry of a known type, in the byte order of the machine.
RawTag read_tag(const ReadableFile& file, const TiffDirectory& directory, const TiffEntry& entry);

/// Fills `out` from `offset`; throws Error where the file ends before.
void read_exactly(const ReadableFile& file, std::uint64_t offset, std::span<std::byte> out);

}  // namespace weir
