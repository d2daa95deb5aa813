#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "framework/context.hpp"

namespace weir {

/// The per-thread states of several nodes that can use each other's: many stages of one kind (a codec per level of a pyramid) then
/// hold as many states as there are threads, not as many for each stage. Thread-safe. Whoever makes it declares the bytes: `most`
/// compute bodies run at once in a graph, over all its nodes.
template <class Local>
class SharedLocals {
 public:
  std::unique_ptr<Local> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return nullptr;
    auto local = std::move(free_.back());
    free_.pop_back();
    return local;
  }
  void give_back(std::unique_ptr<Local> local) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(local));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Local>> free_;
};

/// A node with a Local that takes it from a shared place for each call. Where the call throws, the state is dropped: nobody knows
/// what it is in.
template <class Node>
class WithSharedLocals {
 public:
  using Locals = SharedLocals<typename Node::Local>;
  WithSharedLocals(Node node, std::shared_ptr<Locals> locals)
      : node_(std::move(node)), locals_(std::move(locals)) {}

  template <class In>
  auto operator()(const In& in, const Context& context) const
      -> decltype(std::declval<const Node&>()(in, std::declval<typename Node::Local&>(), context)) {
    std::unique_ptr<typename Node::Local> local = locals_->take();
    if (!local) local = node_.make_local(context.scratch());
    auto made = node_(in, *local, context);
    locals_->give_back(std::move(local));
    return made;
  }

 private:
  Node node_;
  std::shared_ptr<Locals> locals_;
};

}  // namespace weir
