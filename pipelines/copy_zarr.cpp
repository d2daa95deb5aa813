#include "pipelines/copy_zarr.hpp"

#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/remote_reading.hpp"

namespace weir {

//  plan ──► fetch ──► store
//  source   I/O lane  I/O lane; shards: in order
//
//  plan     WriteRequest  runs of chunks: of one shard of the new array, in the order in which it has them; where it has none, of
//                         one shard of the source                                                 nodes/zarr/chunk_pass.hpp
//  fetch    EncodedRun    their stored bytes: one request for an object, merged ranges of a shard  nodes/zarr/stored_chunks.hpp
//  store                  objects; or appended to the open shard, its index last. The metadata and the name at the end
ZarrCopy::ZarrCopy(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted,
                   std::shared_ptr<ZarrOutput> output, const CopyZarrOptions& options)
    : source_(std::move(source)),
      stored_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      graph_(std::make_unique<Graph>(with_requests(options.graph, source_->store().requests_at_once()))) {
  check(wanted, output->name());
  refuse_to_remove(*output, {&source_->store(), source_->path()});
  NewZarr target{output, "", wanted, std::make_shared<const ZarrLayout>(wanted, output->name())};
  if (const std::string reason = why_not_passed(*source_, wanted, *target.layout); !reason.empty())
    throw Error::usage("pass through", "the chunks of " + source_->name(), reason);
  pass_ = std::make_shared<const ChunkPass>(source_, std::move(target), options, resolved(graph_->options()));
  add_chunk_pass(*graph_, pass_, stored_);
  for (const auto& [node, concurrency] : options.concurrency) graph_->set_concurrency(node, concurrency);
}

ZarrCopy::ZarrCopy(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted,
                   const std::string& path, const CopyZarrOptions& options)
    : ZarrCopy(std::move(source), wanted, zarr_output(path, wanted.format, options.overwrite, *options.files),
               options) {}

ZarrCopy::ZarrCopy(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted,
                   std::shared_ptr<const Store> store, const std::string& path,
                   const CopyZarrOptions& options)
    : ZarrCopy(std::move(source), wanted, store_output(std::move(store), path, options.overwrite), options) {}

std::string ZarrCopy::explain() const {
  return weir::explain(*pass_) + graph_->explain();
}

CopyZarrReport ZarrCopy::run(const RunOptions& run) {
  CopyZarrReport report{graph_->run(run), pass_->passed()};
  report.run.source_chunks = report.run.source_reads = report.passed;
  report.run.output_bytes = stored_->load();
  report.run.raw_bytes = source_->layout()->type().bytes;
  for (const std::uint64_t extent : source_->layout()->shape()) report.run.raw_bytes *= extent;
  add_traffic(source_->store().traffic(), report.run);
  return report;
}

CopyZarrReport copy_zarr(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted,
                         const std::string& path, const CopyZarrOptions& options, const RunOptions& run) {
  return ZarrCopy(std::move(source), wanted, path, options).run(run);
}

}  // namespace weir
