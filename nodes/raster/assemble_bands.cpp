#include "nodes/raster/assemble_bands.hpp"

#include <cassert>

namespace weir {

void AssembleBands::operator()(const Item<DecodedChunk>& item, Emit<Band>& emit) {
  Waiting& of_unit = waiting_[item.unit()];
  if (of_unit.items.empty()) of_unit.expected = PlanChunks::items(*plan_, item.unit());
  of_unit.items.emplace_back(item->request.chunk, item);

  for (auto next = waiting_.find(next_unit_); next != waiting_.end(); next = waiting_.find(next_unit_)) {
    const Waiting& ready = next->second;
    if (ready.items.size() < ready.expected) return;
    emit.on_behalf_of(ready.items.front().second, next_unit_, take_band(plan_->unit(next_unit_), ready));
    waiting_.erase(next);
    ++next_unit_;
  }
}

Band AssembleBands::take_band(const BandUnit& unit, const Waiting& waiting) {
  for (const auto& [chunk, item] : waiting.items)
    if (!item->request.is_none) kept_[chunk] = SharedBlock(item.share(), &item->block);

  Band band;
  band.window = unit.source;
  const Window needed = plan_->needed_chunks(unit);
  band.blocks.reserve(needed.height * needed.width);
  for (std::uint64_t row = needed.row; row < needed.row_end(); ++row)
    for (std::uint64_t col = needed.col; col < needed.col_end(); ++col) {
      const auto held = kept_.find({row, col});
      assert(held != kept_.end());  // the plan keeps what it lets borrow
      band.blocks.push_back(held->second);
      if (!plan_->is_kept(unit, {row, col})) kept_.erase(held);
    }
  return band;
}

}  // namespace weir
