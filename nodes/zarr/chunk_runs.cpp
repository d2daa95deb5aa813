#include "nodes/zarr/chunk_runs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "framework/error.hpp"

namespace weir {

ChunkRuns::ChunkRuns(std::shared_ptr<const ZarrLayout> layout, ZarrSelection selection,
                     std::uint64_t chunks_per_run)
    : layout_(std::move(layout)),
      selection_(std::move(selection)),
      chunks_per_run_(std::max<std::uint64_t>(chunks_per_run, 1)) {
  std::uint64_t most = 1;  // chunks of a group
  for (std::size_t axis = 0; axis < layout_->rank(); ++axis) {
    chunks_.emplace_back(selection_[axis], layout_->chunk_shape()[axis]);
    objects_.emplace_back(selection_[axis], layout_->object_shape()[axis]);
    if (!layout_->index()) {
      most *= chunks_.back().count();
      continue;
    }
    groups_ *= objects_.back().count();
    most *= std::min(layout_->chunks_of_object()[axis], chunks_.back().count());
  }
  runs_per_group_ = (most + chunks_per_run_ - 1) / chunks_per_run_;
}

std::vector<AxisRun> ChunkRuns::elements_of(std::uint64_t group) const {
  std::vector<AxisRun> elements(layout_->rank());
  for (std::size_t axis = layout_->rank(); axis-- > 0;) {
    if (!layout_->index()) {
      elements[axis] = {0, selection_[axis].count};
      continue;
    }
    const std::uint64_t count = objects_[axis].count();
    assert(count > 0);
    elements[axis] = objects_[axis].elements(objects_[axis].piece(group % count));
    group /= count;
  }
  return elements;
}

std::uint64_t ChunkRuns::chunks_in(const std::vector<AxisRun>& elements) const {
  std::uint64_t count = 1;
  for (std::size_t axis = 0; axis < elements.size(); ++axis) count *= chunks_[axis].count_of(elements[axis]);
  return count;
}

std::uint64_t ChunkRuns::chunks() const {
  std::uint64_t count = 1;
  for (const AxisWalk& walk : chunks_) count *= walk.count();
  return count;
}

std::uint64_t ChunkRuns::size(std::uint64_t run) const {
  const std::uint64_t all = chunks_in(elements_of(run / runs_per_group_));
  const std::uint64_t first = run % runs_per_group_ * chunks_per_run_;
  return first >= all ? 0 : std::min(chunks_per_run_, all - first);
}

std::vector<ZarrIndex> ChunkRuns::chunks_of(std::uint64_t run) const {
  const std::vector<AxisRun> elements = elements_of(run / runs_per_group_);
  const std::uint64_t first = run % runs_per_group_ * chunks_per_run_;
  std::vector<ZarrIndex> chunks(size(run), ZarrIndex(layout_->rank()));
  for (std::uint64_t i = 0; i < chunks.size(); ++i) {
    std::uint64_t number = first + i;
    for (std::size_t axis = layout_->rank(); axis-- > 0;) {
      const std::uint64_t count = chunks_[axis].count_of(elements[axis]);
      assert(count > 0);
      chunks[i][axis] = chunks_[axis].piece_of(elements[axis], number % count);
      number /= count;
    }
  }
  return chunks;
}

bool ChunkRuns::is_whole_object(std::uint64_t run) const {
  return layout_->index() && size(run) == layout_->chunk_count();
}

ChunkPart part_of(const ZarrLayout& layout, const ZarrSelection& selection, const ZarrIndex& chunk) {
  ChunkPart part;
  part.is_whole = part.covers_chunk = true;
  for (std::size_t axis = 0; axis < layout.rank(); ++axis) {
    const AxisWalk walk(selection[axis], layout.chunk_shape()[axis]);
    const AxisRun elements = walk.elements(chunk[axis]);
    const std::uint64_t corner = chunk[axis] * layout.chunk_shape()[axis];
    part.begin.push_back(walk.at(elements.first) - corner);
    part.shape.push_back(elements.count);
    part.step.push_back(selection[axis].step);
    part.target.push_back(elements.first);
    part.is_whole &= elements.count == std::min(layout.chunk_shape()[axis], layout.shape()[axis] - corner);
    part.covers_chunk &= elements.count == layout.chunk_shape()[axis];
  }
  return part;
}

std::ptrdiff_t ChunkPart::offset(std::span<const std::ptrdiff_t> strides) const {
  std::ptrdiff_t offset = 0;
  for (std::size_t axis = 0; axis < strides.size(); ++axis)
    offset += static_cast<std::ptrdiff_t>(target[axis]) * strides[axis];
  return offset;
}

ZarrSelection all_of(const ZarrLayout& layout) {
  ZarrSelection selection;
  for (const std::uint64_t extent : layout.shape()) selection.push_back({0, extent, 1});
  return selection;
}

std::vector<std::ptrdiff_t> packed_strides(const ZarrSelection& selection, std::uint64_t element_bytes) {
  std::vector<std::ptrdiff_t> strides(selection.size());
  auto stride = static_cast<std::ptrdiff_t>(element_bytes);
  for (std::size_t axis = selection.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= static_cast<std::ptrdiff_t>(selection[axis].count);
  }
  return strides;
}

std::uint64_t packed_bytes(const ZarrSelection& selection, std::uint64_t element_bytes) {
  std::uint64_t bytes = element_bytes;
  for (const ZarrAxis& axis : selection) bytes *= axis.count;
  return bytes;
}

void check(const ZarrSelection& selection, const std::vector<std::uint64_t>& shape, const std::string& name) {
  const auto refuse = [&](const std::string& reason) { throw Error::usage("select from", name, reason); };
  if (selection.size() != shape.size())
    refuse(fmt::format("the selection has {} axes, and the array {}", selection.size(), shape.size()));
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const ZarrAxis& it = selection[axis];
    if (it.count == 0) refuse(fmt::format("nothing is selected of axis {}", axis));
    if (it.step == 0) refuse(fmt::format("the step of axis {} is 0", axis));
    if (it.begin >= shape[axis] || (it.count - 1) > (shape[axis] - 1 - it.begin) / it.step)
      refuse(fmt::format("axis {} has {} elements, and {} from {} on in steps of {} are wanted", axis,
                         shape[axis], it.count, it.begin, it.step));
  }
}

}  // namespace weir
