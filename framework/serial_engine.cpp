#include <deque>
#include <map>
#include <utility>

#include "framework/engine.hpp"

namespace weir::engine {
namespace {

/// Runs a graph on the calling thread: one unit is admitted, and everything that follows from it is done
/// before the next. The same plan, budget and bodies as the oneTBB engine; sequencers are maps.
class SerialEngine {
 public:
  explicit SerialEngine(Run& run) : run_(run), waiting_(run.nodes.size()), next_ticket_(run.nodes.size()) {}

  void run() {
    Message unit;
    while (run_.admission.next(unit) == Admission::Outcome::admitted) {
      for (std::uint32_t node = 0; node < run_.nodes.size(); ++node)
        if (run_.nodes[node].kind == NodeKind::source) ready_.push_back({node, unit});
      unit = {};
      drain();
    }
    // What still waits for its turn waits in vain (the run failed, or the ledger will say so): free it.
    waiting_.clear();
  }

 private:
  struct Ready {
    std::uint32_t node;
    Message message;
  };

  class Successors : public Edges {
   public:
    Successors(SerialEngine& engine, std::uint32_t node) : engine_(engine), node_(node) {}
    void send(Message message) override {
      const std::vector<std::uint32_t>& consumers = engine_.run_.consumers[node_];
      if (consumers.empty()) return;
      for (std::size_t i = 0; i + 1 < consumers.size(); ++i) engine_.deliver(consumers[i], message);
      engine_.deliver(consumers.back(), std::move(message));
    }

   private:
    SerialEngine& engine_;
    std::uint32_t node_;
  };

  void deliver(std::uint32_t node, Message message) {
    if (!needs_order(run_.nodes[node])) {
      ready_.push_back({node, std::move(message)});
      return;
    }
    auto& waiting = waiting_[node];
    if (waiting.empty() && message.ticket == next_ticket_[node]) {  // nearly all
      if (run_.runners[node].waits(message)) message.token.reset();
      ++next_ticket_[node];
      ready_.push_back({node, std::move(message)});
      return;
    }
    const auto [place, is_new] = waiting.emplace(message.ticket, message);
    if (!is_new || message.ticket < next_ticket_[node]) {
      run_.state.fail(Error("send", "item " + std::to_string(message.ticket), "it was sent before")
                          .at(run_.nodes[message.producer].name, ""));
      return;
    }
    if (run_.runners[node].waits(message)) place->second.token.reset();
    for (auto next = waiting.find(next_ticket_[node]); next != waiting.end();
         next = waiting.find(++next_ticket_[node])) {
      ready_.push_back({node, std::move(next->second)});
      waiting.erase(next);
    }
  }

  void drain() {
    while (!ready_.empty()) {
      // Last in, first out for nodes in the middle would hold less, but order within a unit is then lost;
      // units are small, so first in, first out.
      Ready next = std::move(ready_.front());
      ready_.pop_front();
      Successors edges(*this, next.node);
      run_.runners[next.node].run(next.message, edges, 0);
    }
  }

  Run& run_;
  std::deque<Ready> ready_;
  std::vector<std::map<std::uint64_t, Message>> waiting_;
  std::vector<std::uint64_t> next_ticket_;
};

}  // namespace

void run_serially(Run& run) {
  SerialEngine(run).run();
}

}  // namespace weir::engine
