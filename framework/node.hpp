#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "framework/item.hpp"

namespace weir {

/// Which threads run a node: the compute threads of the arena, or threads of its own that may block on I/O.
enum class Lane { compute, io };

/// What planning must know of a node beyond its types. All bytes are worst cases.
struct NodeOptions {
  /// Bodies inside at once. Default: 1 where the call operator is not const, else one per compute thread (2
  /// on the I/O lane). Above 1 for a non-const call operator is refused.
  std::optional<unsigned> concurrency = {};
  Lane lane = Lane::compute;

  std::uint64_t units = 0;  ///< sources only: how many work units there are
  /// Sources whose list of work streams, instead of `units`: whether there is no such unit. Asked before a unit is admitted, one
  /// thread at a time, and must not wait; once true, always true. So it may say false too late, for the `tokens` units at most
  /// that are admitted while the source's body waits for the list: for those the body emits its items empty. All units of such a
  /// graph are alike: no node has items, buffers or carried bytes by unit.
  std::function<bool(std::uint64_t unit)> ended = {};
  /// Items that leave the node: per unit for a source, per item that comes in for the others.
  std::uint64_t items = 1;
  /// The same per unit, where it is irregular; the node then gives tickets itself (Emit::at).
  std::function<std::uint64_t(std::uint64_t unit)> items_of_unit = {};

  std::uint64_t item_bytes = 0;    ///< plain memory (vectors, strings) of one item that leaves
  std::uint64_t buffer_bytes = 0;  ///< charge of the Context::buffer calls that make one item that leaves
  /// Buffer bytes of a whole unit, instead of buffer_bytes.
  std::function<std::uint64_t(std::uint64_t unit)> buffer_bytes_of_unit = {};
  /// Bytes of earlier units that are still held when this unit is admitted and all else has been delivered.
  std::function<std::uint64_t(std::uint64_t unit)> carried_bytes = {};

  /// The node sees its items in ticket order, one at a time (ordered sinks always do). Its call operator is
  /// not const.
  bool ordered = false;
  /// Ordered sinks: whether an item's place comes only after items of later units (a tile below its band's
  /// first row). Such an item gives its unit's token back while it waits; its bytes stay leased and are part
  /// of carried_bytes.
  std::function<bool(std::uint64_t unit, std::uint64_t ticket)> waits = {};
  bool is_input = false;  ///< its payload out is what progress and report count as read; default: the sources

  std::uint64_t standing_bytes = 0;  ///< kept by the node through the whole run
  std::uint64_t slot_bytes = 0;      ///< kept once per body inside at once (codec contexts, scratch)
};

/// A node's state for one thread at a time, between calls.
class LocalState {
 public:
  virtual ~LocalState() = default;
};

/// The type-erased body of a node: what both engines call. Const-ness follows the node's: an engine calls
/// `call` from many threads only where the description says so; `close` once, from the thread that called
/// run(), after everything was delivered and before any sink's close has failed.
class NodeBody {
 public:
  virtual ~NodeBody() = default;
  virtual void call(const Message& in, Outlet& out, std::uint64_t first_ticket, LocalState* local,
                    const Context& context) = 0;
  virtual std::unique_ptr<LocalState> make_local(const Scratch&) const { return nullptr; }
  virtual void open() {}  ///< once, before anything is admitted, from the thread that called run()
  virtual void close(const Context&) {}
  virtual std::string item_name(const Message& in) const = 0;
};

/// A node with per-thread state names its type `Local` and makes it: `std::unique_ptr<Local> make_local(const
/// Scratch&) const`.
template <class F>
concept HasLocal = requires(const F& f, const Scratch& scratch) {
  typename F::Local;
  { f.make_local(scratch) } -> std::convertible_to<std::unique_ptr<typename F::Local>>;
};

namespace detail {

template <class L>
struct LocalHolder : LocalState {
  std::unique_ptr<L> local;
};

template <class F>
std::unique_ptr<LocalState> make_local_of(const F& f, const Scratch& scratch) {
  if constexpr (HasLocal<F>) {
    auto holder = std::make_unique<LocalHolder<typename F::Local>>();
    holder->local = f.make_local(scratch);
    return holder;
  } else {
    return nullptr;
  }
}

template <class F>
decltype(auto) local_of(LocalState* state) {
  return *static_cast<LocalHolder<typename F::Local>*>(state)->local;
}

/// Calls f(args..., [Local&,] [const Context&]), whichever of these it takes.
template <class Callable, class F = std::remove_cvref_t<Callable>, class... Args>
decltype(auto) call_node(Callable& f, LocalState* local, const Context& context, Args&&... args) {
  if constexpr (HasLocal<F>) {
    return f(std::forward<Args>(args)..., local_of<F>(local), context);
  } else if constexpr (std::is_invocable_v<Callable&, Args..., const Context&>) {
    return f(std::forward<Args>(args)..., context);
  } else {
    return f(std::forward<Args>(args)...);
  }
}

template <class F, class... Args>
constexpr bool callable_as() {
  if constexpr (HasLocal<std::remove_cv_t<F>>) {
    return std::is_invocable_v<F&, Args..., typename F::Local&, const Context&>;
  } else {
    return std::is_invocable_v<F&, Args..., const Context&> || std::is_invocable_v<F&, Args...>;
  }
}

template <class T>
std::string name_message(const Message& in) {
  if constexpr (NamesItself<T>) {
    if (in.value) return item_name(*static_cast<const T*>(in.value.get()));
  }
  return "item " + std::to_string(in.ticket);
}

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

/// void(std::uint64_t unit, Emit<Out>&)
template <class Out, class F>
class SourceBody : public NodeBody {
 public:
  SourceBody(F f, std::uint64_t item_bytes) : f_(std::move(f)), item_bytes_(item_bytes) {}
  static constexpr bool is_parallel = callable_as<const F, std::uint64_t, Emit<Out>&>();

  void call(const Message& in, Outlet& out, std::uint64_t first_ticket, LocalState* local,
            const Context& context) override {
    Emit<Out> emit(out, in, first_ticket, item_bytes_);
    if constexpr (is_parallel) {
      call_node(std::as_const(f_), local, context, in.unit->index, emit);
    } else {
      call_node(f_, local, context, in.unit->index, emit);
    }
  }
  std::unique_ptr<LocalState> make_local(const Scratch& s) const override { return make_local_of(f_, s); }
  std::string item_name(const Message& in) const override { return "unit " + std::to_string(in.ticket); }

 private:
  F f_;
  std::uint64_t item_bytes_;
};

/// Out(const In&), or Out(In&&) where the node is the only consumer and takes the value over;
/// std::optional<Out> where it may drop items.
template <class In, class Out, class F>
class TransformBody : public NodeBody {
 public:
  TransformBody(F f, std::uint64_t item_bytes) : f_(std::move(f)), item_bytes_(item_bytes) {}
  static constexpr bool is_parallel = callable_as<const F, const In&>() || callable_as<const F, In&&>();
  static constexpr bool takes_over = !callable_as<F, const In&>();

  void call(const Message& in, Outlet& out, std::uint64_t first_ticket, LocalState* local,
            const Context& context) override {
    Emit<Out> emit(out, in, first_ticket, item_bytes_);
    auto made = [&] {
      if constexpr (takes_over) {
        // The engine has checked that no one else consumes this edge, so the value is ours to move from.
        In& value = *static_cast<In*>(const_cast<void*>(in.value.get()));
        if constexpr (is_parallel) {
          return call_node(std::as_const(f_), local, context, std::move(value));
        } else {
          return call_node(f_, local, context, std::move(value));
        }
      } else {
        const In& value = *static_cast<const In*>(in.value.get());
        if constexpr (is_parallel) {
          return call_node(std::as_const(f_), local, context, value);
        } else {
          return call_node(f_, local, context, value);
        }
      }
    }();
    if constexpr (is_optional<decltype(made)>::value && !is_optional<Out>::value) {
      if (made)
        emit(std::move(*made));
      else
        emit.drop();
    } else {
      emit(std::move(made));
    }
  }
  std::unique_ptr<LocalState> make_local(const Scratch& s) const override { return make_local_of(f_, s); }
  std::string item_name(const Message& in) const override { return name_message<In>(in); }

 private:
  F f_;
  std::uint64_t item_bytes_;
};

/// void(const In&, Emit<Out>&), or void(const Item<In>&, Emit<Out>&) for a node that keeps items (many to
/// one).
template <class In, class Out, class F>
class ExpandBody : public NodeBody {
 public:
  ExpandBody(F f, std::uint64_t item_bytes) : f_(std::move(f)), item_bytes_(item_bytes) {}
  static constexpr bool keeps_items = callable_as<F, const Item<In>&, Emit<Out>&>();
  static constexpr bool is_parallel =
      callable_as<const F, const In&, Emit<Out>&>() || callable_as<const F, const Item<In>&, Emit<Out>&>();

  void call(const Message& in, Outlet& out, std::uint64_t first_ticket, LocalState* local,
            const Context& context) override {
    Emit<Out> emit(out, in, first_ticket, item_bytes_);
    if constexpr (keeps_items) {
      run(Item<In>(in), emit, local, context);
    } else {
      run(*static_cast<const In*>(in.value.get()), emit, local, context);
    }
  }
  std::unique_ptr<LocalState> make_local(const Scratch& s) const override { return make_local_of(f_, s); }
  std::string item_name(const Message& in) const override { return name_message<In>(in); }

 private:
  template <class Value>
  void run(const Value& value, Emit<Out>& emit, LocalState* local, const Context& context) {
    if constexpr (is_parallel) {
      call_node(std::as_const(f_), local, context, value, emit);
    } else {
      call_node(f_, local, context, value, emit);
    }
  }
  F f_;
  std::uint64_t item_bytes_;
};

/// Brings the items of several edges together by ticket. The tuple shares the values.
template <class... Ins>
class JoinBody : public NodeBody {
 public:
  using Out = std::tuple<std::shared_ptr<const Ins>...>;
  explicit JoinBody(std::vector<std::uint32_t> producers) : producers_(std::move(producers)) {}

  void call(const Message& in, Outlet& out, std::uint64_t, LocalState*, const Context&) override {
    std::vector<Message>& waiting = waiting_[in.ticket];
    waiting.resize(producers_.size());
    bool complete = true, dropped = false;
    for (std::size_t port = 0; port < producers_.size(); ++port) {
      if (producers_[port] == in.producer) waiting[port] = in;
      complete = complete && waiting[port].unit;
      dropped = dropped || !waiting[port].value;
    }
    if (!complete) return;
    // On behalf of the first port, whichever came last: its unit is the one that planning made pay for what
    // follows.
    Emit<Out> emit(out, waiting.front(), in.ticket, 0);
    if (dropped)
      emit.drop();
    else
      emit(values(waiting, std::index_sequence_for<Ins...>{}));
    waiting_.erase(in.ticket);
  }
  std::string item_name(const Message& in) const override { return "item " + std::to_string(in.ticket); }

 private:
  template <std::size_t... I>
  static Out values(const std::vector<Message>& messages, std::index_sequence<I...>) {
    return Out(std::static_pointer_cast<const Ins>(messages[I].value)...);
  }
  std::vector<std::uint32_t> producers_;
  std::map<std::uint64_t, std::vector<Message>> waiting_;
};

/// void(const In&), with an optional open() and close().
template <class In, class F>
class SinkBody : public NodeBody {
 public:
  explicit SinkBody(F f) : f_(std::move(f)) {}
  static constexpr bool is_parallel = callable_as<const F, const In&>();

  void call(const Message& in, Outlet&, std::uint64_t, LocalState* local, const Context& context) override {
    const In& value = *static_cast<const In*>(in.value.get());
    if constexpr (is_parallel) {
      call_node(std::as_const(f_), local, context, value);
    } else {
      call_node(f_, local, context, value);
    }
  }
  std::unique_ptr<LocalState> make_local(const Scratch& s) const override { return make_local_of(f_, s); }
  void open() override {
    if constexpr (requires(F & f) { f.open(); }) f_.open();
  }
  void close(const Context&) override {
    if constexpr (requires(F & f) { f.close(); }) f_.close();
  }
  std::string item_name(const Message& in) const override { return name_message<In>(in); }

 private:
  F f_;
};

}  // namespace detail
}  // namespace weir
