#include "nodes/tiff/tiff_directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <unordered_set>
#include <utility>

#include "nodes/codecs/predictor.hpp"
#include "nodes/tiff/fail_read.hpp"

namespace weir {
namespace {

constexpr std::uint64_t tag_bytes_limit = 16u << 20;
constexpr std::uint64_t entries_limit = 4096;  // libtiff's own

/// The widths that differ between classic TIFF and BigTIFF.
struct Format {
  bool is_swapped;
  std::size_t count_bytes;  // of the number of entries
  std::size_t entry_bytes;
  std::size_t word_bytes;  // offsets, value counts, and what an entry can hold itself
};

struct Position {
  std::uint64_t first_entry, entries, next;
};

std::uint64_t read_unsigned(const ReadableFile& file, std::uint64_t offset, std::size_t bytes,
                            bool is_swapped) {
  std::array<std::byte, 8> data;
  read_exactly(file, offset, std::span(data).first(bytes));
  return load_unsigned(data.data(), bytes, is_swapped);
}

Position locate(const ReadableFile& file, const Format& format, std::uint64_t offset) {
  if (offset > file.size() || file.size() - offset < format.count_bytes)
    fail_read(file, fmt::format("its directory at byte {} lies beyond the end of the file", offset));
  const std::uint64_t entries = read_unsigned(file, offset, format.count_bytes, format.is_swapped);
  if (entries == 0 || entries > entries_limit)
    fail_read(file, fmt::format("its directory at byte {} has {} tags, and 1 to {} are read", offset, entries,
                                entries_limit));
  const std::uint64_t first = offset + format.count_bytes;
  if (file.size() - first < entries * format.entry_bytes)
    fail_read(file, fmt::format("its directory at byte {} ends beyond the end of the file", offset));
  return {first, entries, first + entries * format.entry_bytes};
}

void check_values(const ReadableFile& file, const TiffEntry& entry, std::uint64_t& tag_bytes) {
  const std::uint64_t each = tiff_type_bytes(entry.type);
  if (each == 0) return;
  // By division: the product may not fit.
  if (entry.position > file.size() || (file.size() - entry.position) / each < entry.count)
    fail_read(file, fmt::format("its tag {} has {} values that end beyond the end of the file", entry.id,
                                entry.count));
  if (is_strile_array(entry.id)) return;
  tag_bytes += each * entry.count;
  if (tag_bytes > tag_bytes_limit)
    fail_read(file, fmt::format("with its tag {} of {} bytes, its tags go over the limit of {} bytes",
                                entry.id, each * entry.count, tag_bytes_limit));
}

}  // namespace

void read_exactly(const ReadableFile& file, std::uint64_t offset, std::span<std::byte> out) {
  if (file.read_at(offset, out) != out.size())
    fail_read(file, fmt::format("it ends before byte {}, where it should have more", offset + out.size()));
}

const TiffEntry* TiffDirectory::find(std::uint16_t id) const {
  const auto found =
      std::lower_bound(entries.begin(), entries.end(), id,
                       [](const TiffEntry& entry, std::uint16_t wanted) { return entry.id < wanted; });
  return found != entries.end() && found->id == id ? &*found : nullptr;
}

namespace {

/// Reads the header: an empty directory of that format, and where the first one is.
std::pair<TiffDirectory, std::uint64_t> read_header(const ReadableFile& file) {
  std::array<std::byte, 16> header{};
  const std::size_t header_bytes = file.read_at(0, header);
  const bool is_little = header[0] == std::byte{'I'} && header[1] == std::byte{'I'};
  const bool is_large = header[0] == std::byte{'M'} && header[1] == std::byte{'M'};
  if (header_bytes < 8 || (!is_little && !is_large)) fail_read(file, "it is not a TIFF file");

  TiffDirectory directory;
  directory.is_swapped = is_little != (std::endian::native == std::endian::little);
  const std::uint64_t version = load_unsigned(&header[2], 2, directory.is_swapped);
  directory.is_big = version == 43;
  if (version != 42 && version != 43)
    fail_read(file, fmt::format("it is not a TIFF file (version {})", version));
  if (directory.is_big && header_bytes < 16) fail_read(file, "it ends inside its header");
  return {directory,
          load_unsigned(&header[directory.is_big ? 8 : 4], directory.is_big ? 8 : 4, directory.is_swapped)};
}

Format format_of(const TiffDirectory& directory) {
  return directory.is_big ? Format{directory.is_swapped, 8, 20, 8} : Format{directory.is_swapped, 2, 12, 4};
}

/// Reads the entries at directory.position, and where the next directory is.
void read_entries(const ReadableFile& file, TiffDirectory& directory) {
  const Format format = format_of(directory);
  const Position place = locate(file, format, directory.position);
  std::vector<std::byte> bytes(place.entries * format.entry_bytes);  // at most 80 KiB
  read_exactly(file, place.first_entry, bytes);
  for (std::uint64_t i = 0; i < place.entries; ++i) {
    const std::byte* at = &bytes[i * format.entry_bytes];
    TiffEntry entry;
    entry.id = static_cast<std::uint16_t>(load_unsigned(at, 2, format.is_swapped));
    entry.type = static_cast<std::uint16_t>(load_unsigned(at + 2, 2, format.is_swapped));
    entry.count = load_unsigned(at + 4, format.word_bytes, format.is_swapped);
    const std::size_t value_at = 4 + format.word_bytes;
    const std::uint64_t each = tiff_type_bytes(entry.type);
    const bool is_inside = each == 0 || entry.count <= format.word_bytes / each;
    entry.position = is_inside ? place.first_entry + i * format.entry_bytes + value_at
                               : load_unsigned(at + value_at, format.word_bytes, format.is_swapped);
    directory.entries.push_back(entry);
  }
  std::ranges::stable_sort(directory.entries, {}, &TiffEntry::id);  // some writers do not
  // Files that end with their last entry are found; libtiff takes them, too.
  if (file.size() - place.next >= format.word_bytes)
    directory.next = read_unsigned(file, place.next, format.word_bytes, format.is_swapped);
}

void check_entries(const ReadableFile& file, const TiffDirectory& directory) {
  std::uint64_t tag_bytes = 0;
  for (std::size_t i = 0; i < directory.entries.size(); ++i) {
    if (i > 0 && directory.entries[i].id == directory.entries[i - 1].id)
      fail_read(file, fmt::format("its directory has tag {} more than once", directory.entries[i].id));
    check_values(file, directory.entries[i], tag_bytes);
  }
}

}  // namespace

TiffDirectory read_tiff_directory(const ReadableFile& file, unsigned number) {
  auto [directory, offset] = read_header(file);
  const Format format = format_of(directory);
  std::unordered_set<std::uint64_t> seen;
  for (unsigned i = 0; offset != 0 && i < number; ++i) {
    if (!seen.insert(offset).second)
      fail_read(file, fmt::format("its directories form a loop at byte {}", offset));
    if (seen.size() > tiff_directories_limit)
      fail_read(file, fmt::format("it has more than {} directories", tiff_directories_limit));
    offset = read_unsigned(file, locate(file, format, offset).next, format.word_bytes, format.is_swapped);
  }
  if (offset == 0) fail_read(file, fmt::format("it has no directory {}", number));
  if (seen.contains(offset)) fail_read(file, fmt::format("its directories form a loop at byte {}", offset));
  directory.position = offset;
  read_entries(file, directory);
  check_entries(file, directory);
  return directory;
}

TiffDirectory read_tiff_directory_at(const ReadableFile& file, std::uint64_t position) {
  TiffDirectory directory = peek_tiff_directory(file, position);
  check_entries(file, directory);
  return directory;
}

std::uint64_t first_tiff_directory(const ReadableFile& file) {
  return read_header(file).second;
}

TiffDirectory peek_tiff_directory(const ReadableFile& file, std::uint64_t position) {
  TiffDirectory directory = read_header(file).first;
  directory.position = position;
  read_entries(file, directory);
  return directory;
}

std::uint64_t bytes_of(const TiffDirectory& directory) {
  const Format format = format_of(directory);
  return format.count_bytes + directory.entries.size() * format.entry_bytes + format.word_bytes;
}

std::optional<std::uint64_t> peek_unsigned(const ReadableFile& file, const TiffDirectory& directory,
                                           std::uint16_t id, std::uint64_t index) {
  const TiffEntry* entry = directory.find(id);
  if (entry == nullptr || index >= entry->count) return std::nullopt;
  const bool is_number = entry->type == 3 || entry->type == 4 || entry->type == 13 || entry->type == 16 ||
                         entry->type == 18;  // SHORT, LONG, IFD, LONG8, IFD8
  if (!is_number) return std::nullopt;
  const std::uint64_t each = tiff_type_bytes(entry->type);
  if (entry->position > file.size() || (file.size() - entry->position) / each <= index) return std::nullopt;
  return read_unsigned(file, entry->position + index * each, each, directory.is_swapped);
}

RawTag read_tag(const ReadableFile& file, const TiffDirectory& directory, const TiffEntry& entry) {
  const std::uint64_t each = tiff_type_bytes(entry.type);
  assert(each > 0);
  RawTag tag{entry.id, entry.type, entry.count, std::vector<std::byte>(entry.count * each)};
  read_exactly(file, entry.position, tag.bytes);
  // A rational is two numbers of four bytes.
  const std::uint64_t word = entry.type == 5 || entry.type == 10 ? 4 : each;
  if (directory.is_swapped && word > 1) swap_samples(tag.bytes, static_cast<std::uint32_t>(word));
  return tag;
}

}  // namespace weir
