#pragma once

// Producers that write cells of their own into the same inner chunks.

#include <exception>
#include <thread>

#include "tests/zarr_update_support.hpp"

namespace weir::test {

inline ZarrArrayMetadata writers_array() {
  ZarrCodecSpec zstd = codec_of(ZarrCodecSpec::Id::zstd);
  zstd.level = 1;
  return sharded({2048}, {256}, {32}, {ZarrCodecSpec{}, zstd}, true);
}
inline constexpr int writes_of_producer = 12;

struct Writing {
  ZarrSelection selection;
  batched::Elements elements;
  WriteZarrOptions options;
};
/// What a producer writes, in its order: cells whose number modulo `all` is its own, over some shards or many. In place only where
/// the store has locks.
inline std::vector<Writing> writings_of(unsigned producer, unsigned all, bool has_locks = true) {
  std::mt19937 random(producer + 1);
  std::vector<Writing> writings;
  for (int i = 0; i < writes_of_producer; ++i) {
    Writing it;
    const std::uint64_t cells = 2048 / all, first = random() % cells;
    const std::uint64_t count = random() % 3 == 0 ? 1 : 1 + random() % (cells - first);
    it.selection = {{producer + all * first, count, all}};
    it.elements = random_elements(count, random);
    it.options = random() % 2 == 0 && has_locks ? in_place() : copy_on_write();
    if (random() % 3 == 0) {
      it.options.graph.engine = Engine::onetbb;
      it.options.graph.threads = 2;
    }
    writings.push_back(std::move(it));
  }
  return writings;
}

/// All at once, a thread each, through one open array.
inline void run_producers(const std::shared_ptr<const ZarrArray>& array, unsigned first, unsigned count,
                          unsigned all) {
  std::vector<std::exception_ptr> failures(count);
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < count; ++i)
      threads.emplace_back([&, i] {
        try {
          for (const Writing& it : writings_of(first + i, all, array->store().abilities().lock))
            update(array, it.selection, it.elements, it.options);
        } catch (...) {
          failures[i] = std::current_exception();
        }
      });
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

/// Cells that are not what their producer wrote last, of 2048.
inline int lost_updates(const std::shared_ptr<const ZarrArray>& array, unsigned all) {
  batched::Elements wanted = batched::Chunks(array->metadata(), false).all_fill({2048});
  for (unsigned producer = 0; producer < all; ++producer)
    for (const Writing& it : writings_of(producer, all))
      for (std::uint64_t i = 0; i < it.selection[0].count; ++i)
        std::memcpy(wanted.data() + 2 * (it.selection[0].begin + i * all), it.elements.data() + 2 * i, 2);
  const batched::Elements now = read_all(array);
  int lost = 0;
  for (std::size_t i = 0; i < now.size(); i += 2)
    lost += now[i] != wanted[i] || now[i + 1] != wanted[i + 1] ? 1 : 0;
  return lost;
}

}  // namespace weir::test
