#include "pipelines/stream_zarr.hpp"

#include <utility>

#include "nodes/raster/remote_reading.hpp"

namespace weir {

//  plan ──► fetch ──► split ──► decode ──► windows ──► give
//  source   I/O lane            all cores  one at a    in order
//                                          time
//
//  plan ... decode              as in read_zarr
//  windows  ZarrWindow          of a unit, when all its chunks are there      nodes/zarr/zarr_windows.hpp
//  give                         the caller's
//
//  A unit is some windows that share chunks: what is stored of them, their elements and the windows are what it takes from the
//  budget (nodes/zarr/window_plan.hpp).
ZarrWindowStream::ZarrWindowStream(std::shared_ptr<const ZarrArray> array, ZarrSelection selection,
                                   std::vector<std::uint64_t> window, const StreamZarrOptions& options)
    : array_(std::move(array)),
      graph_(std::make_unique<Graph>(options.graph)),
      each_(std::make_shared<std::function<void(const ZarrWindow&)>>()) {
  raw_bytes_ = packed_bytes(selection, array_->layout()->type().bytes);
  windows_ = std::make_unique<ZarrWindows>(*graph_, array_, std::move(selection), std::move(window));
  graph_->ordered_sink("give", windows_->windows(), [each = each_](const ZarrWindow& it) { (*each)(it); });
  for (const auto& [node, concurrency] : options.concurrency) graph_->set_concurrency(node, concurrency);
}

std::string ZarrWindowStream::explain() const {
  return windows_->explain() + graph_->explain();
}

RunReport ZarrWindowStream::run(std::function<void(const ZarrWindow&)> each, const RunOptions& run) {
  *each_ = std::move(each);
  RunReport report = graph_->run(run);
  report.source_chunks = plan().chunks();
  report.source_reads = windows_->decoded();
  report.raw_bytes = raw_bytes_;
  add_traffic(array_->store().traffic(), report);
  return report;
}

RunReport stream_zarr(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                      const std::vector<std::uint64_t>& window, std::function<void(const ZarrWindow&)> each,
                      const StreamZarrOptions& options, const RunOptions& run) {
  return ZarrWindowStream(std::move(array), selection, window, options).run(std::move(each), run);
}

}  // namespace weir
