#pragma once

#include <map>
#include <memory>
#include <vector>

#include "framework/item.hpp"
#include "nodes/raster/band.hpp"
#include "nodes/raster/band_plan.hpp"
#include "nodes/raster/chunk_nodes.hpp"

namespace weir {

/// Gathers the chunks of each unit into its band; many to one, one call at a time. Chunks come in any order, bands leave
/// in the order of the units, ticket = unit. Nothing is copied: a band holds handles. A chunk that later units borrow
/// stays here until the last of them has its band, as the plan says.
class AssembleBands {
 public:
  explicit AssembleBands(std::shared_ptr<const BandPlan> plan) : plan_(std::move(plan)) {}

  void operator()(const Item<DecodedChunk>& item, Emit<Band>& emit);

 private:
  using SharedBlock = std::shared_ptr<const Block>;
  struct Waiting {
    std::vector<std::pair<ChunkIndex, Item<DecodedChunk>>> items;
    std::uint64_t expected = 0;
  };
  Band take_band(const BandUnit& unit, const Waiting& waiting);

  std::shared_ptr<const BandPlan> plan_;
  std::map<std::uint64_t, Waiting> waiting_;  ///< by unit: those admitted whose band has not left
  std::map<ChunkIndex, SharedBlock>
      kept_;  ///< chunks of units before next_unit_ that it or later ones borrow
  std::uint64_t next_unit_ = 0;
};

}  // namespace weir
