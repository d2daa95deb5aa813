#include "nodes/tiff/tiff_directory_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

#include "framework/error.hpp"
#include "nodes/tiff/tiff_directory.hpp"

// Values and tiles reach the file as they lie in memory.
static_assert(std::endian::native == std::endian::little, "TIFF output is little-endian, as is this machine");

namespace weir {
namespace {

constexpr std::uint64_t largest_classic = std::numeric_limits<std::uint32_t>::max();

std::uint64_t value_bytes(TiffType type) {
  return tiff_type_bytes(static_cast<std::uint16_t>(type));
}

std::uint64_t aligned(std::uint64_t offset, std::uint64_t step) {
  return (offset + step - 1) / step * step;
}

// Word boundaries are all that TIFF 6.0 asks for; readers that map the file like more.
std::uint64_t alignment(TiffType type) {
  return std::max<std::uint64_t>(value_bytes(type), 2);
}

// At most 4, so that what arrays take does not depend on where they start.
std::uint64_t array_alignment(TiffType type) {
  return std::min<std::uint64_t>(alignment(type), 4);
}

template <class T>
void put(std::vector<std::byte>& out, std::uint64_t at, T value) {
  assert(at + sizeof(T) <= out.size());
  std::memcpy(out.data() + at, &value, sizeof(T));
}

// Offsets and counts are 4 bytes in a classic file, 8 in a BigTIFF.
void put_word(std::vector<std::byte>& out, std::uint64_t at, std::uint64_t value, bool big) {
  assert(big || value <= largest_classic);
  if (big)
    put(out, at, value);
  else
    put(out, at, static_cast<std::uint32_t>(value));
}

std::uint64_t value_at(const std::vector<std::byte>& bytes, std::uint64_t index) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
  return value;
}

bool is_wide(TiffType type) {
  return type == TiffType::long64 || type == TiffType::slong64 || type == TiffType::ifd64;
}

TiffType narrow(TiffType type) {
  if (type == TiffType::long64) return TiffType::long32;
  return type == TiffType::slong64 ? TiffType::slong32 : TiffType::ifd;
}

bool fits_32_bits(TiffType type, std::uint64_t value) {
  if (type != TiffType::slong64) return value <= largest_classic;
  const auto whole = static_cast<std::int64_t>(value);
  return whole >= std::numeric_limits<std::int32_t>::min() &&
         whole <= std::numeric_limits<std::int32_t>::max();
}

Error bad_tag(std::uint16_t id, std::string_view reason) {
  return Error::usage("write", fmt::format("TIFF tag {}", id), reason);
}

}  // namespace

bool TiffDirectoryBuilder::needs_big(const RawTag& tag) {
  const auto type = static_cast<TiffType>(tag.type);
  if (!is_wide(type)) return false;
  for (std::uint64_t i = 0; i < tag.bytes.size() / 8; ++i)
    if (!fits_32_bits(type, value_at(tag.bytes, i))) return true;
  return false;
}

TiffDirectoryBuilder::Field& TiffDirectoryBuilder::insert(std::uint16_t id) {
  const auto [place, is_new] = fields_.try_emplace(id);
  if (!is_new) throw bad_tag(id, "it is given twice");
  return place->second;
}

void TiffDirectoryBuilder::add(RawTag tag) {
  auto type = static_cast<TiffType>(tag.type);
  const std::uint64_t size = value_bytes(type);
  if (size == 0) throw bad_tag(tag.id, fmt::format("unknown field type {}", tag.type));
  if (tag.bytes.size() % size != 0 || tag.bytes.size() / size != tag.count)
    throw bad_tag(tag.id, fmt::format("{} values of {} bytes are announced, and {} bytes are there",
                                      tag.count, size, tag.bytes.size()));
  if (tag.count == 0) return;  // TIFF 6.0 has no empty fields
  if (!big_ && is_wide(type)) {
    if (needs_big(tag)) throw bad_tag(tag.id, "it holds values beyond 32 bits, which only BigTIFF can");
    for (std::uint64_t i = 0; i < tag.count; ++i)
      put(tag.bytes, i * 4, static_cast<std::uint32_t>(value_at(tag.bytes, i)));
    tag.bytes.resize(tag.count * 4);
    type = narrow(type);
  }
  if (type == TiffType::ascii && tag.bytes.back() != std::byte{0}) {
    tag.bytes.push_back(std::byte{0});
    ++tag.count;
  }
  if (!big_ && tag.count > largest_classic) throw bad_tag(tag.id, "a classic TIFF cannot count its values");
  Field& field = insert(tag.id);
  field.type = type;
  field.count = tag.count;
  field.bytes = std::move(tag.bytes);
}

void TiffDirectoryBuilder::add_values(std::uint16_t id, TiffType type, const void* values,
                                      std::uint64_t count) {
  if (count == 0) return;
  const auto* first = static_cast<const std::byte*>(values);
  add({id, static_cast<std::uint16_t>(type), count, {first, first + count * value_bytes(type)}});
}

void TiffDirectoryBuilder::reserve(std::uint16_t id, TiffType type, std::uint64_t count) {
  assert(count > 0 && value_bytes(type) > 0);
  Field& field = insert(id);
  field.type = type;
  field.count = count;
  field.is_reserved = true;
}

bool TiffDirectoryBuilder::fits_entry(const Field& field) const {
  const std::uint64_t size = value_bytes(field.type);
  assert(size > 0);
  return field.count <= (big_ ? 8u : 4u) / size;
}

std::uint64_t TiffDirectoryBuilder::place(std::uint64_t offset) {
  assert(offset % 2 == 0);
  const std::uint64_t count_bytes = big_ ? 8 : 2, entry_bytes = big_ ? 20 : 12, word_bytes = big_ ? 8 : 4;
  offset_ = offset;
  std::uint64_t entry = offset + count_bytes;
  end_ = entry + fields_.size() * entry_bytes + word_bytes;
  for (auto& [id, field] : fields_) {
    if (fits_entry(field)) {
      field.offset = entry + entry_bytes - word_bytes;  // the entry's last member
    } else if (!field.is_reserved) {
      field.offset = aligned(end_, alignment(field.type));
      end_ = field.offset + field.bytes.size();
    }
    entry += entry_bytes;
  }
  return end_;
}

std::uint64_t TiffDirectoryBuilder::array_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, field] : fields_)
    if (field.is_reserved && !fits_entry(field))
      bytes = aligned(bytes, array_alignment(field.type)) + field.count * value_bytes(field.type);
  return bytes;
}

std::uint64_t TiffDirectoryBuilder::place_arrays(std::uint64_t offset) {
  assert(offset % 4 == 0);
  for (auto& [id, field] : fields_) {
    if (!field.is_reserved || fits_entry(field)) continue;
    field.offset = aligned(offset, array_alignment(field.type));
    offset = field.offset + field.count * value_bytes(field.type);
  }
  return offset;
}

TiffDirectoryBuilder::Array TiffDirectoryBuilder::array(std::uint16_t id) const {
  const Field& field = fields_.at(id);
  return {field.offset, field.count, value_bytes(field.type)};
}

std::vector<std::byte> TiffDirectoryBuilder::encode(std::uint64_t next) const {
  std::vector<std::byte> out(end_ - offset_);
  std::uint64_t at = 0;
  if (big_) {
    put(out, at, std::uint64_t{fields_.size()});
    at += 8;
  } else {
    assert(fields_.size() <= std::numeric_limits<std::uint16_t>::max());
    put(out, at, static_cast<std::uint16_t>(fields_.size()));
    at += 2;
  }
  for (const auto& [id, field] : fields_) {
    put(out, at, id);
    put(out, at + 2, static_cast<std::uint16_t>(field.type));
    put_word(out, at + 4, field.count, big_);
    const std::uint64_t value = at + (big_ ? 12 : 8);
    if (!fits_entry(field)) put_word(out, value, field.offset, big_);
    std::ranges::copy(field.bytes, out.begin() + static_cast<std::ptrdiff_t>(
                                                     field.is_reserved ? 0 : field.offset - offset_));
    at = value + (big_ ? 8 : 4);
  }
  put_word(out, at, next, big_);
  return out;
}

std::vector<std::byte> TiffDirectoryBuilder::header(bool big, std::uint64_t first_directory) {
  std::vector<std::byte> out(header_bytes(big));
  out[0] = out[1] = std::byte{'I'};
  put(out, 2, static_cast<std::uint16_t>(big ? 43 : 42));
  if (big) put(out, 4, std::uint16_t{8});  // bytes of an offset; two zero bytes follow
  put_word(out, big ? 8 : 4, first_directory, big);
  return out;
}

}  // namespace weir
