#include "framework/budget.hpp"

#include <algorithm>
#include <cassert>

namespace weir {

Lease Lease::split(std::uint64_t bytes) {
  assert(bytes <= bytes_);
  bytes_ -= bytes;
  return Lease(budget_, bytes);
}

void Lease::merge(Lease other) {
  if (!budget_) {
    *this = std::move(other);
    return;
  }
  assert(!other.budget_ || other.budget_ == budget_);
  bytes_ += std::exchange(other.bytes_, 0);
}

void Lease::shrink_to(std::uint64_t bytes) {
  if (bytes >= bytes_) return;
  const std::uint64_t surplus = bytes_ - bytes;
  bytes_ = bytes;
  budget_->give_back(surplus);
}

void Lease::give_back() {
  if (bytes_ > 0) budget_->give_back(std::exchange(bytes_, 0));
  budget_.reset();
}

std::uint64_t Budget::in_use() const {
  std::lock_guard lock(mutex_);
  return in_use_;
}

std::uint64_t Budget::peak() const {
  std::lock_guard lock(mutex_);
  return peak_;
}

std::optional<Lease> Budget::try_take(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (bytes > limit_ - in_use_) {
    // Set under the same lock that give_back looks under: a release between the check and the flag would be
    // lost.
    starving_for_ = bytes;
    return std::nullopt;
  }
  starving_for_ = 0;
  in_use_ += bytes;
  peak_ = std::max(peak_, in_use_);
  return Lease(shared_from_this(), bytes);
}

void Budget::give_back(std::uint64_t bytes) {
  {
    std::lock_guard lock(mutex_);
    assert(bytes <= in_use_);
    in_use_ -= bytes;
    if (starving_for_ == 0 || starving_for_ > limit_ - in_use_) return;
    starving_for_ = 0;
  }
  std::lock_guard lock(wake_mutex_);
  if (wake_) wake_();
}

void Budget::set_wake(std::function<void()> wake) {
  std::lock_guard lock(wake_mutex_);
  wake_ = std::move(wake);
}

}  // namespace weir
