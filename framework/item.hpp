#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/context.hpp"
#include "framework/error.hpp"

namespace weir {

/// What flows on an edge. A message is small and copied freely; the value behind it is immutable and shared
/// by all consumers, and freed (its lease with it) when the last of them drops it. There is no end marker:
/// planning says how many items come. An error does not travel on edges: it stops the run.
struct UnitState {
  std::uint64_t index = 0;
  /// Per node: what is left of the bytes granted at admission. Apart, so that a node which takes more than it
  /// declared fails itself, and not the one whose bytes it took.
  std::vector<SharedLease> leases;
  std::vector<std::uint64_t> tickets;  ///< per node: the first ticket of this unit on the edges that leave it
};

/// The unit's place among the units in flight. Held by items until they wait for nothing but their order.
class Token {
 public:
  virtual ~Token() = default;
};

struct Message {
  std::uint64_t ticket = 0;
  std::shared_ptr<UnitState> unit;
  std::shared_ptr<Token> token;
  std::shared_ptr<const void> value;  ///< nullptr: a tombstone, sent in place of an item that was dropped
  std::uint64_t bytes = 0;            ///< of payload, for the report
  std::uint32_t producer = 0;         ///< the node that it left
  std::chrono::steady_clock::time_point sent{};
};

/// Where a body's messages go; the engine's side of a node's output.
class Outlet {
 public:
  virtual ~Outlet() = default;
  /// Throws Error where the node planned no such ticket.
  virtual void send(Message message) = 0;
  /// `bytes` of what the owner's unit was granted for this node. Throws Error where less is left.
  virtual Lease draw(const Message& owner, std::uint64_t bytes) = 0;
};

/// A value with the lease that pays for its plain memory (buffers in it have leases of their own).
template <class T>
struct Held {
  Lease lease;
  T value;
};

/// Bytes of payload in a value, for the report; overload for types that hold buffers.
template <class T>
std::uint64_t payload_bytes(const T&) {
  return sizeof(T);
}

/// How errors name a value; overload `item_name(const T&)` next to the type. The default is "item <ticket>".
/// Where a node takes values over, it is also asked for the name of values that were moved from.
template <class T>
concept NamesItself = requires(const T& value) {
  { item_name(value) } -> std::convertible_to<std::string>;
};

/// A received item, for nodes that keep items between calls. Holding the item keeps its unit in flight;
/// holding only `share()` keeps the value (and its buffers' leases), not the unit.
template <class T>
class Item {
 public:
  explicit Item(Message message) : message_(std::move(message)) {}
  const T& operator*() const { return *static_cast<const T*>(message_.value.get()); }
  const T* operator->() const { return static_cast<const T*>(message_.value.get()); }
  std::shared_ptr<const T> share() const { return std::static_pointer_cast<const T>(message_.value); }
  std::uint64_t ticket() const { return message_.ticket; }
  std::uint64_t unit() const { return message_.unit->index; }
  const Message& message() const { return message_; }

 private:
  Message message_;
};

/// How a body hands on what it made. One thread at a time; valid during the call.
template <class T>
class Emit {
 public:
  /// `first_ticket`: the ticket of the first value sent without one. `item_bytes`: plain bytes of each value.
  Emit(Outlet& outlet, Message origin, std::uint64_t first_ticket, std::uint64_t item_bytes)
      : outlet_(outlet), origin_(std::move(origin)), next_(first_ticket), item_bytes_(item_bytes) {}

  /// Sends the next value of this call; tickets follow the order of the calls.
  void operator()(T value) { at(next_++, std::move(value)); }
  /// Sends a value at a planned place of the edge's order.
  void at(std::uint64_t ticket, T value) { send(origin_, ticket, std::move(value)); }
  /// Sends a value that belongs to another item's unit, and is paid by that unit.
  template <class U>
  void on_behalf_of(const Item<U>& owner, std::uint64_t ticket, T value) {
    send(owner.message(), ticket, std::move(value));
  }
  /// Says that the next planned value will not come.
  void drop() { drop_at(next_++); }
  void drop_at(std::uint64_t ticket) {
    outlet_.send(Message{ticket, origin_.unit, origin_.token, nullptr, 0, 0, {}});
  }

 private:
  void send(const Message& owner, std::uint64_t ticket, T value) {
    Lease lease;
    if (item_bytes_ > 0) lease = outlet_.draw(owner, item_bytes_);
    const std::uint64_t bytes = payload_bytes(value);
    auto held = std::make_shared<Held<T>>(Held<T>{std::move(lease), std::move(value)});
    std::shared_ptr<const void> shared(held, &held->value);
    outlet_.send(Message{ticket, owner.unit, owner.token, std::move(shared), bytes, 0, {}});
  }

  Outlet& outlet_;
  Message origin_;
  std::uint64_t next_;
  std::uint64_t item_bytes_;
};

}  // namespace weir
