#include "nodes/zarr/zarr_windows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "framework/bytes.hpp"
#include "framework/recording.hpp"

namespace weir {
namespace {

/// Units that should fit into the budget together: one is fetched while another is decoded, and the third is with the caller.
constexpr std::uint64_t units_at_once = 3;

ChunkRuns runs_of(const WindowPlan& plan, std::uint64_t unit, std::uint64_t chunks_per_run) {
  return {plan.shared_layout(), plan.unit_selection(unit), chunks_per_run};
}

std::uint64_t window_item_bytes(std::size_t rank) {
  return sizeof(ZarrWindow) + rank * (sizeof(ZarrAxis) + sizeof(std::uint64_t));
}

}  // namespace

// windows ------------------------------------------------------------------------------------------------------------

AssembleWindows::Unit AssembleWindows::begin(std::uint64_t number, const Context& context) const {
  Unit unit;
  unit.parts_left = runs_of(*plan_, number, chunks_per_run_).count() * parts_per_run_;
  const std::uint64_t first = plan_->first_window(number), element = plan_->layout().type().bytes;
  for (std::uint64_t i = 0; i < plan_->window_count(number); ++i) {
    ZarrWindow window{first + i, plan_->at(first + i), {}, {}};
    window.selection = plan_->selection(window.place);
    unit.strides.push_back(packed_strides(window.selection, element));
    window.data = context.buffer(packed_bytes(window.selection, element));
    unit.windows.push_back(std::move(window));
  }
  return unit;
}

void AssembleWindows::operator()(const Item<DecodedPart>& item, Emit<ZarrWindow>& emit,
                                 const Context& context) {
  const auto found = units_.find(item.unit());
  Unit& unit = found != units_.end() ? found->second
                                     : units_.emplace(item.unit(), begin(item.unit(), context)).first->second;
  const RunPart& part = item->part;
  for (std::size_t i = 0; i < part.count; ++i)
    for (const std::uint64_t window : plan_->windows_of(item.unit(), part.run->chunks[part.first + i]))
      scatter_chunk(*array_, unit.windows[window].selection, *item, i, unit.windows[window].data.data(),
                    unit.strides[window]);
  if (--unit.parts_left > 0) return;
  for (ZarrWindow& window : unit.windows) {
    const std::uint64_t ticket = window.number;
    emit.at(ticket, std::move(window));
  }
  units_.erase(item.unit());
}

// The graph ----------------------------------------------------------------------------------------------------------

ZarrWindows::ZarrWindows(Graph& graph, std::shared_ptr<const ZarrArray> array, ZarrSelection selection,
                         std::vector<std::uint64_t> window)
    : graph_(graph), array_(std::move(array)), decoded_(std::make_shared<std::atomic<std::uint64_t>>(0)) {
  const ZarrLayout& layout = *array_->layout();
  const ChunkCodec& codec = layout.codec();
  check(selection, layout.shape(), array_->name());
  graph_.options() = with_requests(graph_.options(), array_->store().requests_at_once());
  const GraphOptions limits = resolved(graph_.options());
  std::uint64_t standing = array_->standing_bytes() + limits.threads * codec.decoder_scratch_bytes();
  if (limits.recording != nullptr) standing += limits.recording->bytes();
  const std::uint64_t free = limits.memory > standing ? limits.memory - standing : 0;

  const std::uint64_t stored = codec.max_encoded_bytes(), raw = codec.is_raw() ? 0 : codec.raw_bytes();
  const std::uint64_t of_run =
      2 * BufferPool::charge(1) + (layout.index() ? layout.index()->encoded_bytes() : 0);
  sizes_ = run_sizes(*array_, limits, stored + raw + item_bytes(layout), of_run, standing);
  sizes_.gap_bytes = std::min(sizes_.gap_bytes, sizes_.run * stored / 2);
  WindowPlan::Cost cost;
  cost.chunk = stored + raw + item_bytes(layout) + (sizes_.gap_bytes + of_run) / sizes_.run + 1;
  cost.window = window_item_bytes(layout.rank());
  plan_ = std::make_shared<const WindowPlan>(array_->layout(), std::move(selection), std::move(window), cost,
                                             free / units_at_once, array_->name());
}

Output<ZarrWindow> ZarrWindows::windows() {
  const ZarrLayout& layout = *array_->layout();
  const std::shared_ptr<const WindowPlan> plan = plan_;
  const RunSizes sizes = sizes_;
  const std::uint64_t parts = SplitRun::parts(sizes.run, sizes.part);
  const auto runs = [plan, sizes](std::uint64_t unit) { return runs_of(*plan, unit, sizes.run).count(); };

  auto requests =
      graph_.source<RunRequest>("plan",
                                [runs](std::uint64_t unit, Emit<RunRequest>& emit) {
                                  for (std::uint64_t run = 0, count = runs(unit); run < count; ++run)
                                    emit(RunRequest{run, unit});
                                },
                                {.concurrency = 1,
                                 .units = plan->units(),
                                 .items_of_unit = runs,
                                 .standing_bytes = array_->standing_bytes()});
  NodeOptions fetching{.lane = lane_of(array_->store()),
                       .item_bytes = sizes.run * item_bytes(layout),
                       .buffer_bytes = FetchRun::run_bytes(layout, sizes)};
  if (const unsigned at_once = array_->store().requests_at_once(); at_once > 0)
    fetching.concurrency = at_once;
  const auto chunks = [plan, sizes](const RunRequest& request) {
    return runs_of(*plan, request.unit, sizes.run).chunks_of(request.run);
  };
  auto fetched =
      graph_.transform<FetchedRun>("fetch", requests, FetchRun(array_, chunks, sizes), std::move(fetching));
  auto split = graph_.expand<RunPart>("split", fetched, SplitRun(sizes.part, parts), {.items = parts});
  auto decoded = graph_.transform<DecodedPart>("decode", split, DecodePart(array_, decoded_),
                                               {.buffer_bytes = DecodePart::part_bytes(layout, sizes.part),
                                                .is_input = true,
                                                .slot_bytes = layout.codec().decoder_scratch_bytes()});
  return graph_.expand<ZarrWindow>(
      "windows", decoded, AssembleWindows(array_, plan, sizes.run, parts),
      {.items_of_unit = [plan](std::uint64_t unit) { return plan->window_count(unit); },
       .item_bytes = window_item_bytes(layout.rank()),
       .buffer_bytes = plan->window_bytes()});
}

std::string ZarrWindows::explain() const {
  const std::uint64_t chunks = plan_->chunks(), reads = plan_->reads();
  std::string text = fmt::format("windows     {}, in {} units\n", plan_->count(), plan_->units());
  text += fmt::format(
      "chunks      {} of {}, {}\n", chunks, format_bytes(array_->layout()->codec().raw_bytes()),
      reads == chunks ? "each read once"
                      : fmt::format("read {:.2f} times each: the windows that share them do not fit",
                                    static_cast<double>(reads) / static_cast<double>(chunks)));
  return text;
}

}  // namespace weir
