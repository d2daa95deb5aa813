#include "nodes/zarr/strided_copy.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <type_traits>

namespace weir {
namespace {

/// One axis of a copy: elements, and how far they lie apart on both sides.
struct Axis {
  std::uint64_t count;
  std::int64_t to, from;
};

std::int64_t distance(std::int64_t stride) {
  return stride < 0 ? -stride : stride;
}

/// A copy of boxes. `tidy` leaves as few axes as say the same: none of one element, none that go on where the next inner one ends,
/// the smallest steps of `to` innermost, and those never negative.
struct Copy {
  std::array<Axis, most_strided_axes> axes;
  std::size_t rank = 0;
  std::byte* to = nullptr;
  const std::byte* from = nullptr;
  bool is_empty = false;

  void add(std::uint64_t count, std::int64_t to_stride, std::int64_t from_stride) {
    if (count == 0) is_empty = true;
    if (count <= 1) return;
    if (to_stride < 0) {
      const auto last = static_cast<std::int64_t>(count - 1);
      to += last * to_stride;
      from += last * from_stride;
      to_stride = -to_stride;
      from_stride = -from_stride;
    }
    axes[rank++] = {count, to_stride, from_stride};
  }

  void tidy() {
    const auto first = axes.begin(), end = first + static_cast<std::ptrdiff_t>(rank);
    std::sort(first, end, [](const Axis& a, const Axis& b) {
      return a.to != b.to ? a.to > b.to : distance(a.from) > distance(b.from);
    });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rank; ++i) {
      const Axis axis = axes[i];
      const auto count = static_cast<std::int64_t>(axis.count);
      if (kept > 0 && axes[kept - 1].to == axis.to * count && axes[kept - 1].from == axis.from * count)
        axes[kept - 1] = {axes[kept - 1].count * axis.count, axis.to, axis.from};
      else
        axes[kept++] = axis;
    }
    rank = kept;
  }
};

template <std::size_t Bytes>
using Word =
    std::conditional_t<Bytes == 1, std::uint8_t,
                       std::conditional_t<Bytes == 2, std::uint16_t,
                                          std::conditional_t<Bytes == 4, std::uint32_t, std::uint64_t>>>;

template <std::size_t Bytes>
void swap_word(std::byte* to, const std::byte* from) {
  Word<Bytes> word;
  std::memcpy(&word, from, Bytes);
  if constexpr (Bytes == 2) word = __builtin_bswap16(word);
  if constexpr (Bytes == 4) word = __builtin_bswap32(word);
  if constexpr (Bytes == 8) word = __builtin_bswap64(word);
  std::memcpy(to, &word, Bytes);
}

/// Moves elements of a size known here, of words that are turned round.
template <std::size_t Bytes, std::size_t WordBytes>
struct Fixed {
  static constexpr std::int64_t bytes = Bytes;
  static void one(std::byte* to, const std::byte* from) {
    if constexpr (WordBytes == 1)
      std::memcpy(to, from, Bytes);
    else
      for (std::size_t i = 0; i < Bytes; i += WordBytes) swap_word<WordBytes>(to + i, from + i);
  }
  static void run(std::byte* __restrict to, const std::byte* __restrict from, std::uint64_t count) {
    if constexpr (WordBytes == 1)
      std::memcpy(to, from, count * Bytes);
    else
      for (std::uint64_t i = 0; i < count * Bytes; i += WordBytes) swap_word<WordBytes>(to + i, from + i);
  }
};

/// Elements of any size, as they are or in words that are turned round.
struct AnySize {
  std::int64_t bytes;
  std::size_t word_bytes;  ///< 1: as they are
  void one(std::byte* to, const std::byte* from) const {
    const auto size = static_cast<std::size_t>(bytes);
    if (word_bytes == 1) {
      std::memcpy(to, from, size);
      return;
    }
    for (std::size_t i = 0; i < size; i += word_bytes)
      std::reverse_copy(from + i, from + i + word_bytes, to + i);
  }
  void run(std::byte* to, const std::byte* from, std::uint64_t count) const {
    if (word_bytes == 1) {
      std::memcpy(to, from, count * static_cast<std::size_t>(bytes));
      return;
    }
    for (std::uint64_t i = 0; i < count; ++i, to += bytes, from += bytes) one(to, from);
  }
};

template <class Element>
void copy_line(const Element& element, std::byte* to, const std::byte* from, const Axis& axis) {
  if (axis.to == element.bytes && axis.from == element.bytes) {
    element.run(to, from, axis.count);
    return;
  }
  for (std::uint64_t i = 0; i < axis.count; ++i, to += axis.to, from += axis.from) element.one(to, from);
}

// `inner` has the small steps of `to`, `other` those of `from`. Line by line, every element of `from` would be a cache line of its
// own; so it goes square by square, in which the lines of both sides stay in the cache. 16 lines at a time, as more at the same
// distance of a power of two fall out of an 8-way cache before they are used up.
template <class Element>
void copy_squares(const Element& element, std::byte* to, const std::byte* from, const Axis& other,
                  const Axis& inner) {
  constexpr std::uint64_t side = 16;
  const auto square = [&](std::uint64_t row, std::uint64_t column, std::uint64_t rows,
                          std::uint64_t columns) {
    std::byte* to_row =
        to + static_cast<std::int64_t>(row) * other.to + static_cast<std::int64_t>(column) * inner.to;
    const std::byte* from_row =
        from + static_cast<std::int64_t>(row) * other.from + static_cast<std::int64_t>(column) * inner.from;
    for (std::uint64_t i = 0; i < rows; ++i, to_row += other.to, from_row += other.from) {
      std::byte* to_at = to_row;
      const std::byte* from_at = from_row;
      for (std::uint64_t k = 0; k < columns; ++k, to_at += inner.to, from_at += inner.from)
        element.one(to_at, from_at);
    }
  };
  for (std::uint64_t column = 0; column < inner.count; column += side) {
    const std::uint64_t columns = std::min(side, inner.count - column);
    for (std::uint64_t row = 0; row < other.count; row += side) {
      const std::uint64_t rows = std::min(side, other.count - row);
      if (rows == side && columns == side)
        square(row, column, side, side);
      else
        square(row, column, rows, columns);
    }
  }
}

/// Calls `work(to, from)` for each place of the first `rank` axes, the last of them fastest.
template <class Work>
void for_each_place(const Copy& copy, std::size_t rank, Work&& work) {
  std::array<std::uint64_t, most_strided_axes> at{};
  std::byte* to = copy.to;
  const std::byte* from = copy.from;
  for (;;) {
    work(to, from);
    std::size_t axis = rank;
    for (; axis > 0; --axis) {
      const Axis& a = copy.axes[axis - 1];
      to += a.to;
      from += a.from;
      if (++at[axis - 1] < a.count) break;
      at[axis - 1] = 0;
      to -= a.to * static_cast<std::int64_t>(a.count);
      from -= a.from * static_cast<std::int64_t>(a.count);
    }
    if (axis == 0) return;
  }
}

template <class Element>
void run_copy(const Element& element, Copy& copy) {
  if (copy.is_empty) return;
  copy.tidy();
  if (copy.rank == 0) {
    element.one(copy.to, copy.from);
    return;
  }
  const Axis inner = copy.axes[copy.rank - 1];
  // The axis on which `from` moves least; where it is not the inner one, the copy is a transposition.
  std::size_t least = copy.rank - 1;
  for (std::size_t i = 0; i < copy.rank; ++i)
    if (distance(copy.axes[i].from) < distance(copy.axes[least].from)) least = i;
  const bool is_run = inner.to == element.bytes && inner.from == element.bytes;
  if (is_run || least == copy.rank - 1) {
    for_each_place(copy, copy.rank - 1,
                   [&](std::byte* to, const std::byte* from) { copy_line(element, to, from, inner); });
    return;
  }
  const Axis other = copy.axes[least];
  std::rotate(copy.axes.begin() + static_cast<std::ptrdiff_t>(least),
              copy.axes.begin() + static_cast<std::ptrdiff_t>(least) + 1,
              copy.axes.begin() + static_cast<std::ptrdiff_t>(copy.rank) - 1);
  for_each_place(copy, copy.rank - 2, [&](std::byte* to, const std::byte* from) {
    copy_squares(element, to, from, other, inner);
  });
}

void run_copy(const StoredLayout& layout, Copy& copy) {
  const std::size_t bytes = layout.element_bytes, word = layout.swapped ? layout.word_bytes : 1;
  if (word == 1) {
    switch (bytes) {
      case 1:
        return run_copy(Fixed<1, 1>(), copy);
      case 2:
        return run_copy(Fixed<2, 1>(), copy);
      case 4:
        return run_copy(Fixed<4, 1>(), copy);
      case 8:
        return run_copy(Fixed<8, 1>(), copy);
      case 16:
        return run_copy(Fixed<16, 1>(), copy);
      default:
        break;
    }
  } else if (word == bytes) {
    if (bytes == 2) return run_copy(Fixed<2, 2>(), copy);
    if (bytes == 4) return run_copy(Fixed<4, 4>(), copy);
    if (bytes == 8) return run_copy(Fixed<8, 8>(), copy);
  } else if (2 * word == bytes) {
    if (bytes == 8) return run_copy(Fixed<8, 4>(), copy);
    if (bytes == 16) return run_copy(Fixed<16, 8>(), copy);
  }
  run_copy(AnySize{static_cast<std::int64_t>(bytes), word}, copy);
}

/// Byte strides of a chunk in the stored layout, per axis of the array.
std::array<std::int64_t, most_strided_axes> chunk_strides(const StoredLayout& layout,
                                                          std::span<const std::uint64_t> chunk_shape) {
  assert(layout.axes.size() == chunk_shape.size() && chunk_shape.size() <= most_strided_axes);
  std::array<std::int64_t, most_strided_axes> strides{};
  std::int64_t stride = layout.element_bytes;
  for (std::size_t i = layout.axes.size(); i-- > 0;) {
    const std::uint32_t axis = layout.axes[i];
    strides[axis] = stride;
    stride *= static_cast<std::int64_t>(chunk_shape[axis]);
  }
  return strides;
}

/// Calls `add(count, chunk_stride)` per axis, in steps of the box, and returns where its first element lies in the chunk.
template <class Add>
std::int64_t walk_box(const StoredLayout& layout, std::span<const std::uint64_t> chunk_shape,
                      const ChunkBox& box, Add&& add) {
  assert(box.start.size() == chunk_shape.size() && box.shape.size() == chunk_shape.size());
  const auto strides = chunk_strides(layout, chunk_shape);
  std::int64_t first = 0;
  for (std::size_t axis = 0; axis < chunk_shape.size(); ++axis) {
    const std::uint64_t step = box.step.empty() ? 1 : box.step[axis];
    assert(box.shape[axis] == 0 || box.start[axis] + (box.shape[axis] - 1) * step < chunk_shape[axis]);
    first += static_cast<std::int64_t>(box.start[axis]) * strides[axis];
    add(axis, static_cast<std::int64_t>(step) * strides[axis]);
  }
  return first;
}

/// An element as the chunk stores it. Only numbers are turned round, of up to 16 bytes.
class StoredElement {
 public:
  StoredElement(const StoredLayout& layout, std::span<const std::byte> fill) : bytes_(fill) {
    assert(fill.size() == layout.element_bytes);
    if (!layout.swapped) return;
    assert(fill.size() <= turned_.size());
    AnySize{layout.element_bytes, layout.word_bytes}.one(turned_.data(), fill.data());
    bytes_ = std::span(turned_).first(fill.size());
  }
  StoredElement(const StoredElement&) = delete;
  StoredElement& operator=(const StoredElement&) = delete;
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::array<std::byte, 16> turned_;
  std::span<const std::byte> bytes_;
};

/// Whether bytes are the first `period` of them again and again: then they are the same as themselves, shifted by it.
bool repeats(std::span<const std::byte> bytes, std::size_t period) {
  return std::memcmp(bytes.data(), bytes.data() + period, bytes.size() - period) == 0;
}

/// Repeats the first `period` bytes throughout.
void repeat(std::span<std::byte> bytes, std::size_t period) {
  // Doubling what is there, up to half of a first-level cache: what is copied from stays in it.
  constexpr std::size_t most = 16 * 1024;
  for (std::size_t filled = period; filled < bytes.size();) {
    std::size_t next = filled;
    if (next > most) next = most / period * period;
    next = std::min(next, bytes.size() - filled);
    std::memcpy(bytes.data() + filled, bytes.data(), next);
    filled += next;
  }
}

void fill_run(std::span<std::byte> bytes, std::span<const std::byte> element) {
  if (bytes.empty()) return;
  if (std::all_of(element.begin(), element.end(), [&](std::byte byte) { return byte == element[0]; })) {
    std::memset(bytes.data(), std::to_integer<int>(element[0]), bytes.size());
    return;
  }
  std::memcpy(bytes.data(), element.data(), element.size());
  repeat(bytes, element.size());
}

}  // namespace

void scatter_box(const StoredLayout& layout, std::span<const std::uint64_t> chunk_shape,
                 std::span<const std::byte> raw, const ChunkBox& box, std::byte* target,
                 std::span<const std::int64_t> strides) {
  Copy copy;
  copy.to = target;
  copy.from = raw.data();
  const std::int64_t first = walk_box(layout, chunk_shape, box, [&](std::size_t axis, std::int64_t stride) {
    copy.add(box.shape[axis], strides[axis], stride);
  });
  copy.from += first;
  run_copy(layout, copy);
}

void gather_box(const StoredLayout& layout, std::span<const std::uint64_t> chunk_shape,
                std::span<std::byte> raw, const ChunkBox& box, const std::byte* source,
                std::span<const std::int64_t> strides) {
  Copy copy;
  copy.to = raw.data();
  copy.from = source;
  const std::int64_t first = walk_box(layout, chunk_shape, box, [&](std::size_t axis, std::int64_t stride) {
    copy.add(box.shape[axis], stride, strides[axis]);
  });
  copy.to += first;
  run_copy(layout, copy);
}

bool is_all_fill(const StoredLayout& layout, std::span<const std::byte> raw,
                 std::span<const std::byte> fill) {
  if (raw.empty()) return true;
  if (fill.empty()) return raw[0] == std::byte{0} && repeats(raw, 1);
  const StoredElement element(layout, fill);
  return std::memcmp(raw.data(), element.bytes().data(), fill.size()) == 0 && repeats(raw, fill.size());
}

void fill_chunk(const StoredLayout& layout, std::span<std::byte> raw, std::span<const std::byte> fill) {
  if (raw.empty()) return;
  if (fill.empty())
    std::memset(raw.data(), 0, raw.size());
  else
    fill_run(raw, StoredElement(layout, fill).bytes());
}

void fill_box(std::byte* target, std::span<const std::int64_t> strides, std::span<const std::uint64_t> shape,
              std::span<const std::byte> fill, std::uint32_t element_bytes) {
  Copy copy;
  copy.to = target;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) copy.add(shape[axis], strides[axis], 0);
  if (copy.is_empty) return;
  copy.tidy();
  Axis inner{1, element_bytes, 0};
  if (copy.rank > 0) inner = copy.axes[--copy.rank];
  const auto fill_some = [&](std::byte* to, std::uint64_t elements) {
    const std::span<std::byte> bytes(to, elements * element_bytes);
    if (fill.empty())
      std::memset(bytes.data(), 0, bytes.size());
    else
      fill_run(bytes, fill);
  };
  for_each_place(copy, copy.rank, [&](std::byte* to, const std::byte*) {
    if (inner.to == element_bytes) return fill_some(to, inner.count);
    for (std::uint64_t i = 0; i < inner.count; ++i, to += inner.to) fill_some(to, 1);
  });
}

}  // namespace weir
