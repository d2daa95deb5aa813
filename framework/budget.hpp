#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace weir {

class Budget;

/// Bytes held from a budget; they go back when the lease goes, shrinks or is given back. Move-only. One
/// thread at a time, except that several leases split from one may live on different threads.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      give_back();
      budget_ = std::move(other.budget_);
      bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
  }
  ~Lease() { give_back(); }

  std::uint64_t bytes() const { return bytes_; }
  /// Moves `bytes` of this lease into a new one; at most what this one holds.
  Lease split(std::uint64_t bytes);
  /// Adds another lease of the same budget to this one.
  void merge(Lease other);
  /// Gives back all but `bytes`.
  void shrink_to(std::uint64_t bytes);
  void give_back();

 private:
  friend class Budget;
  Lease(std::shared_ptr<Budget> budget, std::uint64_t bytes) : budget_(std::move(budget)), bytes_(bytes) {}

  std::shared_ptr<Budget> budget_;
  std::uint64_t bytes_ = 0;
};

/// The byte credits of a run. Thread-safe. There is one taker (admission, which asks in ticket order, so the
/// budget is first come, first served) and any number of leases that give back.
///
/// Why one taker: if items took their bytes later, or piece by piece, item k+1 could hold what item k still
/// needs, while the ordered sink waits for item k. Nothing would ever move again.
class Budget : public std::enable_shared_from_this<Budget> {
 public:
  explicit Budget(std::uint64_t limit) : limit_(limit) {}

  std::uint64_t limit() const { return limit_; }
  std::uint64_t in_use() const;
  std::uint64_t peak() const;  ///< the most that was ever leased at once

  /// A lease of `bytes`, or nothing where they are not free. In the latter case the taker is starving: the
  /// wake hook is called once, by the thread that gives enough back.
  std::optional<Lease> try_take(std::uint64_t bytes);

  /// What to call when a starving taker can be served. Called without the budget's lock held, on the thread
  /// that gave back. Replace by an empty function before whatever it wakes dies; returns only when no call is
  /// under way.
  void set_wake(std::function<void()> wake);

 private:
  friend class Lease;
  void give_back(std::uint64_t bytes);

  const std::uint64_t limit_;
  mutable std::mutex mutex_;
  std::uint64_t in_use_ = 0, peak_ = 0;
  std::uint64_t starving_for_ = 0;  ///< 0: nobody waits
  std::mutex wake_mutex_;
  std::function<void()> wake_;
};

}  // namespace weir
