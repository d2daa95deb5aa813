#include "nodes/headers/tiff_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <utility>

#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/tiff_values.hpp"

namespace weir {
namespace {

constexpr std::uint16_t sub_directories_tag = 330;

// How much is asked for around a directory of which only the place is known. libtiff puts its values behind it, the arrays of
// offsets between them; image-rs (Rust) puts them in front and ends the file with the directory. So a directory near the end
// of a file takes one request, with its values. Elsewhere 4 KiB hold 300 classic entries, and what is outside of
// them is asked for exactly.
constexpr std::uint64_t directory_guess = 4096;
constexpr std::uint64_t last_bytes = 32 << 10;  // of a file: from the directory to the end
constexpr std::uint64_t ends_the_file = 1024;   // a directory so near to it has its values in front
constexpr std::size_t guesses_at_once = 8;

std::string first_bytes(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

}  // namespace

const HeaderEntry* HeaderDirectory::find(std::uint16_t tag) const {
  const auto found = std::ranges::lower_bound(entries, tag, {}, &HeaderEntry::tag);
  return found != entries.end() && found->tag == tag ? &*found : nullptr;
}

HeaderReader::HeaderReader(std::uint64_t file_bytes, const HeaderLimits& limits)
    : file_bytes_(file_bytes),
      limits_(limits),
      gaps_left_(limits.header_bytes),
      entries_left_(limits.all_entries) {}

std::vector<ByteRange> HeaderReader::read(const HeaderBytes& bytes) {
  wanted_.clear();
  if (!has_front_ && !read_front(bytes)) return merged();
  while (read_next(bytes)) {
  }
  std::erase_if(missing_, [&](Value& value) { return fetch(value, bytes); });
  return merged();
}

TiffHeader HeaderReader::take() {
  TiffHeader header = std::move(header_);
  *this = HeaderReader(file_bytes_, limits_);
  return header;
}

std::uint64_t TiffHeader::bytes() const {
  std::uint64_t bytes = sizeof *this + values.capacity() + directories.capacity() * sizeof(HeaderDirectory);
  for (const HeaderDirectory& directory : directories)
    bytes += directory.entries.capacity() * sizeof(HeaderEntry);
  for (const HeaderProblem& problem : notes.problems) bytes += sizeof problem + problem.reason.capacity();
  for (const std::string& warning : notes.warnings) bytes += sizeof(std::string) + warning.capacity();
  return bytes;
}

std::uint64_t HeaderReader::bytes() const {
  return sizeof *this + header_.bytes() + next_.capacity() * sizeof(Place) +
         seen_.capacity() * sizeof seen_.front() + missing_.capacity() * sizeof(Value) +
         gathered_.capacity() + wanted_.capacity() * sizeof(ByteRange);
}

/// Byte order, version, and where the first directory is: 8 bytes, 16 of BigTIFF.
bool HeaderReader::read_front(const HeaderBytes& bytes) {
  HeaderNotes& notes = header_.notes;
  const std::uint64_t size = std::min<std::uint64_t>(file_bytes_, 16);
  const std::span<const std::byte> found = gather(bytes, 0, size);
  if (found.size() < size) {
    ask(bytes, gathered_.size(), size - gathered_.size());
    return false;
  }
  std::array<std::byte, 16> front{};
  std::ranges::copy(found, front.begin());
  gathered_.clear();
  has_front_ = true;
  if (size == 0) {
    notes.add_problem("empty_object", 0, [] { return "there are no bytes in it"; });
    return true;
  }
  const auto refuse = [&] {
    notes.add_problem("not_a_tiff", 0, [&] {
      return fmt::format("it begins with the bytes {}",
                         first_bytes(std::span(front).first(std::min<std::uint64_t>(size, 8))));
    });
    return true;
  };
  const bool is_big_endian = front[0] == std::byte{'M'} && front[1] == std::byte{'M'};
  header_.is_little_endian = front[0] == std::byte{'I'} && front[1] == std::byte{'I'};
  if (!header_.is_little_endian && !is_big_endian) return refuse();
  is_swapped_ = header_.is_little_endian != (std::endian::native == std::endian::little);
  const std::uint64_t version = load_unsigned(&front[2], 2, is_swapped_);
  header_.is_bigtiff = version == 43;
  const std::uint64_t front_bytes = header_.is_bigtiff ? 16 : 8;
  if (size >= 4 && version != 42 && version != 43) return refuse();
  if (size < front_bytes) {
    notes.add_problem("truncated", size, [&] { return fmt::format("it ends after {} bytes", size); });
    return true;
  }
  // The width of offsets, and 0.
  if (header_.is_bigtiff &&
      (load_unsigned(&front[4], 2, is_swapped_) != 8 || load_unsigned(&front[6], 2, is_swapped_) != 0))
    return refuse();
  header_.header_end = front_bytes;
  const std::uint64_t first = load_unsigned(&front[front_bytes - word_bytes()], word_bytes(), is_swapped_);
  if (first == 0)
    notes.add_problem("no_directory", front_bytes - word_bytes(), [] { return "it has no directory"; });
  push(first, std::nullopt, front_bytes - word_bytes());
  return true;
}

/// Reads the next directory; false where there is none, or not all of it is here.
bool HeaderReader::read_next(const HeaderBytes& bytes) {
  if (sub_directories_) {
    if (!fetch(*sub_directories_, bytes)) {
      if (!next_.empty()) ask_around(bytes, next_.back().offset);
      return false;
    }
    follow_sub_directories(*std::exchange(sub_directories_, std::nullopt));
  }
  if (next_.empty()) return false;
  const Place place = next_.back();
  const std::uint64_t table = place.offset + count_bytes();  // push() has seen that it is inside the file
  const std::span<const std::byte> count = gather(bytes, place.offset, count_bytes());
  if (count.empty()) {
    const std::size_t first = next_.size() - std::min(next_.size(), guesses_at_once);
    for (std::size_t i = first; i < next_.size(); ++i) ask_around(bytes, next_[i].offset);
    return false;
  }
  std::uint64_t entries = load_unsigned(count.data(), count.size(), is_swapped_);
  HeaderNotes& notes = header_.notes;
  const std::uint64_t most = std::min<std::uint64_t>(limits_.entries, entries_left_);
  if (entries == 0 || entries > most) {
    next_.pop_back();
    gathered_.clear();
    header_.header_end = std::max(header_.header_end, table);
    if (entries == 0)
      notes.add_problem("empty_directory", place.offset,
                        [&] { return fmt::format("its directory at byte {} has no tags", place.offset); });
    else
      notes.add_problem("too_many_tags", place.offset, [&] {
        return fmt::format("its directory at byte {} has {} tags, and {} more are read", place.offset,
                           entries, most);
      });
    return true;
  }
  const std::uint64_t whole = (file_bytes_ - table) / entry_bytes();  // entries that fit into the file
  const bool is_cut = entries > whole;
  // A file may end with its last entry, without a next directory: libtiff takes those, too.
  const bool has_next = !is_cut && file_bytes_ - table - entries * entry_bytes() >= word_bytes();
  const std::uint64_t table_bytes = std::min(entries, whole) * entry_bytes() + (has_next ? word_bytes() : 0);
  const std::uint64_t whole_bytes = count_bytes() + table_bytes;
  const std::span<const std::byte> found = gather(bytes, place.offset, whole_bytes);
  if (found.empty()) {
    ask(bytes, place.offset + gathered_.size(), whole_bytes - gathered_.size());
    return false;
  }
  const std::vector<std::byte> kept = std::exchange(gathered_, {});  // which `found` may lie in
  const std::span<const std::byte> data = found.subspan(count_bytes());
  next_.pop_back();
  if (is_cut) {
    notes.add_problem("truncated", file_bytes_, [&] {
      return fmt::format("it ends inside the directory at byte {}, after {} of {} tags", place.offset, whole,
                         entries);
    });
    entries = whole;
    if (entries == 0) return true;
  }
  header_.header_end = std::max(header_.header_end, table + table_bytes);

  entries_left_ -= entries;
  const std::size_t index = header_.directories.size();
  HeaderDirectory& directory = header_.directories.emplace_back();
  directory.offset = place.offset;
  directory.parent = place.parent;
  read_table(directory, data, table, entries);
  reserve_values(index);
  if (has_next) {
    const std::uint64_t next_at = entries * entry_bytes();
    const std::uint64_t next = load_unsigned(&data[next_at], word_bytes(), is_swapped_);
    push(next, place.parent, table + next_at);
  }
  if (const HeaderEntry* entry = directory.find(sub_directories_tag)) {
    const Value value{index, static_cast<std::size_t>(entry - directory.entries.data())};
    if (entry->was_read)
      follow_sub_directories(value);
    else if (entry->bytes > 0)
      sub_directories_ = value;
  }
  return true;
}

void HeaderReader::read_table(HeaderDirectory& directory, std::span<const std::byte> table,
                              std::uint64_t offset, std::uint64_t entries) {
  const bool is_first = header_.directories.size() == 1;
  directory.entries.reserve(is_first ? entries : std::min<std::uint64_t>(entries, 6));
  bool is_sorted = true;
  std::optional<std::uint16_t> last;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t at = i * entry_bytes();
    HeaderEntry entry = read_entry(&table[at], offset + at, is_first);
    is_sorted = is_sorted && (!last || *last < entry.tag);
    last = entry.tag;
    if (is_first || says_what_it_is(entry.tag)) directory.entries.push_back(entry);
  }
  if (is_sorted) return;
  std::vector<HeaderEntry>& kept = directory.entries;
  if (!std::ranges::is_sorted(kept, {}, &HeaderEntry::tag)) {
    header_.notes.add_warning(
        [&] { return fmt::format("the tags of its directory at byte {} do not ascend", directory.offset); });
    std::ranges::stable_sort(kept, {}, &HeaderEntry::tag);
  }
  const auto twice = std::ranges::adjacent_find(kept, {}, &HeaderEntry::tag);
  if (twice == kept.end()) return;
  header_.notes.add_problem("duplicate_tag", directory.offset, [&] {
    return fmt::format("its directory at byte {} has tag {} more than once, and the first counts",
                       directory.offset, twice->tag);
  });
  const auto is_same = [](const HeaderEntry& a, const HeaderEntry& b) { return a.tag == b.tag; };
  kept.erase(std::unique(kept.begin(), kept.end(), is_same), kept.end());  // clang 14 knows no ranges of it
}

/// An entry, and its value where that lies in it. Where it lies outside and is to be read, `bytes` says how long it is, and it has
/// no place yet.
HeaderEntry HeaderReader::read_entry(const std::byte* at, std::uint64_t offset, bool is_first) {
  HeaderEntry entry;
  entry.tag = static_cast<std::uint16_t>(load_unsigned(at, 2, is_swapped_));
  entry.type = static_cast<std::uint16_t>(load_unsigned(at + 2, 2, is_swapped_));
  entry.count = load_unsigned(at + 4, word_bytes(), is_swapped_);
  const std::byte* field = at + 4 + word_bytes();
  const std::uint64_t each = tiff_type_bytes(entry.type);
  HeaderNotes& notes = header_.notes;
  if (each == 0) {
    notes.add_problem("unknown_type", offset, [&] {
      return fmt::format("its tag {} has type {}, which neither TIFF nor BigTIFF has", entry.tag, entry.type);
    });
    return entry;
  }
  const bool is_wanted =
      (is_first || says_what_it_is(entry.tag)) && (limits_.arrays || !is_strile_array(entry.tag));
  if (entry.count <= word_bytes() / each) {
    if (!is_wanted) return entry;
    entry.bytes = static_cast<std::uint32_t>(entry.count * each);
    entry.place = static_cast<std::uint32_t>(header_.values.size());
    header_.values.insert(header_.values.end(), field, field + entry.bytes);
    accept(entry);
    return entry;
  }
  entry.offset = load_unsigned(field, word_bytes(), is_swapped_);
  if (entry.count > std::numeric_limits<std::uint64_t>::max() / each) {
    notes.add_problem("count_overflow", offset, [&] {
      return fmt::format("its tag {} has {} values of {} bytes, more than 64 bits count", entry.tag,
                         entry.count, each);
    });
    return entry;
  }
  const std::uint64_t bytes = entry.count * each;
  if (entry.offset > file_bytes_ || bytes > file_bytes_ - entry.offset) {
    notes.add_problem("value_outside", offset, [&] {
      return fmt::format("its tag {} has {} bytes at byte {}, beyond its end at {}", entry.tag, bytes,
                         entry.offset, file_bytes_);
    });
    return entry;
  }
  if (!is_wanted || (!is_first && entry.tag != sub_directories_tag)) return entry;
  if (bytes > limits_.value_bytes || bytes > std::numeric_limits<std::uint32_t>::max()) {
    notes.add_warning([&] {
      return fmt::format("tag {} was left out: {} bytes, and at most {} are read", entry.tag, bytes,
                         limits_.value_bytes);
    });
    return entry;
  }
  entry.bytes = static_cast<std::uint32_t>(bytes);
  return entry;
}

/// Gives the values outside of a directory their places, in the order of the tags, whatever of them is here already.
void HeaderReader::reserve_values(std::size_t directory) {
  std::vector<HeaderEntry>& entries = header_.directories[directory].entries;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    HeaderEntry& entry = entries[i];
    if (entry.was_read || entry.bytes == 0) continue;
    if (entry.bytes >
        limits_.header_bytes - std::min<std::uint64_t>(limits_.header_bytes, header_.values.size())) {
      header_.notes.add_warning([&] {
        return fmt::format("tag {} was left out: the values of all tags go over {} bytes", entry.tag,
                           limits_.header_bytes);
      });
      entry.bytes = 0;
      continue;
    }
    entry.place = static_cast<std::uint32_t>(header_.values.size());
    header_.values.resize(header_.values.size() + entry.bytes);
    header_.header_end = std::max(header_.header_end, entry.offset + entry.bytes);
    missing_.push_back({directory, i});
  }
}

/// The value of an entry is in its place, as the file has it.
void HeaderReader::accept(HeaderEntry& entry) {
  entry.was_read = true;
  const bool is_rational = entry.type == 5 || entry.type == 10;
  const auto word = static_cast<std::uint32_t>(is_rational ? 4 : tiff_type_bytes(entry.type));
  if (is_swapped_ && word > 1)
    swap_samples(std::span(header_.values).subspan(entry.place, entry.bytes), word);
}

bool HeaderReader::fetch(Value& value, const HeaderBytes& bytes) {
  HeaderEntry& entry = header_.directories[value.directory].entries[value.entry];
  if (entry.was_read) return true;
  const auto place = std::span(header_.values).subspan(entry.place, entry.bytes);
  value.filled += bytes.read(entry.offset + value.filled, place.subspan(value.filled));
  if (value.filled < entry.bytes) {
    ask(bytes, entry.offset + value.filled, entry.bytes - value.filled);
    return false;
  }
  accept(entry);
  return true;
}

/// The bytes at `offset`, where the next directory is; empty where they are not all here: `gathered_` then keeps the first ones, so
/// that the pieces they were in may go.
std::span<const std::byte> HeaderReader::gather(const HeaderBytes& bytes, std::uint64_t offset,
                                                std::uint64_t count) {
  if (gathered_.empty()) {
    const std::span<const std::byte> whole = bytes.view(offset, count);
    if (!whole.empty()) return whole;
  }
  const std::size_t had = gathered_.size();
  if (had < count) {
    gathered_.resize(count);
    gathered_.resize(had + bytes.read(offset + had, std::span(gathered_).subspan(had)));
  }
  return gathered_.size() < count ? std::span<const std::byte>() : std::span(gathered_).first(count);
}

void HeaderReader::follow_sub_directories(const Value& value) {
  const HeaderEntry entry = header_.directories[value.directory].entries[value.entry];
  const std::uint64_t each = tiff_type_bytes(entry.type);
  const bool is_offsets = entry.type == 4 || entry.type == 13 || entry.type == 16 || entry.type == 18;
  if (!is_offsets) {
    header_.notes.add_problem("wrong_type", header_.directories[value.directory].offset, [&] {
      return fmt::format("its tag {}, places of directories, has type {}", entry.tag, entry.type);
    });
    return;
  }
  // The first of them is read first, so it comes last onto the stack; a place that is named twice belongs to the first that names it.
  const std::size_t first = next_.size();
  const std::span<const std::byte> places = header_.value(entry);
  for (std::uint64_t i = 0; i < entry.count; ++i) {
    const bool is_full = seen_.size() >= limits_.directories;
    push(load_unsigned(&places[i * each], each, false), value.directory, entry.offset);
    if (is_full) break;
  }
  std::reverse(next_.begin() + static_cast<std::ptrdiff_t>(first), next_.end());
}

/// A directory to come. `named_at`: where the file says so.
void HeaderReader::push(std::uint64_t offset, std::optional<std::size_t> parent, std::uint64_t named_at) {
  HeaderNotes& notes = header_.notes;
  if (offset == 0) return;
  if (offset > file_bytes_ || file_bytes_ - offset < count_bytes()) {
    notes.add_problem("directory_outside", named_at, [&] {
      return fmt::format("a directory is said to be at byte {}, and it ends at {}", offset, file_bytes_);
    });
  } else if (std::ranges::find(seen_, offset) != seen_.end()) {
    notes.add_problem("directory_cycle", named_at,
                      [&] { return fmt::format("its directory at byte {} is named again", offset); });
  } else if (seen_.size() >= limits_.directories) {
    notes.add_problem("too_many_directories", named_at,
                      [&] { return fmt::format("it has more than {} directories", limits_.directories); });
  } else {
    seen_.push_back(offset);
    next_.push_back({offset, parent});
  }
}

void HeaderReader::ask(const HeaderBytes& bytes, std::uint64_t offset, std::uint64_t count) {
  const std::uint64_t end = offset + count;
  while (const auto hole = bytes.missing(offset, end - offset)) {
    wanted_.push_back(*hole);
    offset = hole->end();
  }
}

void HeaderReader::ask_around(const HeaderBytes& bytes, std::uint64_t offset) {
  const std::uint64_t tail = file_bytes_ - offset;
  const std::uint64_t in_front = tail < ends_the_file ? std::min(offset, directory_guess) : 0;
  const std::uint64_t behind = tail <= last_bytes ? tail : directory_guess;
  ask(bytes, offset - in_front, in_front + behind);
}

std::vector<ByteRange> HeaderReader::merged() {
  std::ranges::sort(wanted_, {}, &ByteRange::offset);
  std::vector<ByteRange> ranges;
  for (const ByteRange& range : wanted_) {
    ByteRange* last = ranges.empty() ? nullptr : &ranges.back();
    const std::uint64_t gap = last == nullptr || range.offset < last->end() ? 0 : range.offset - last->end();
    if (last == nullptr || gap > limits_.gap || gap > gaps_left_) {
      ranges.push_back(range);
      continue;
    }
    gaps_left_ -= gap;
    last->bytes = std::max(last->end(), range.end()) - last->offset;
  }
  return ranges;
}

}  // namespace weir
