#include "nodes/zarr/read_runs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nodes/zarr/strided_copy.hpp"

namespace weir {
std::string item_name(const FetchedRun& run) {
  return run.chunks.empty() ? fmt::format("run {}", run.run) : chunk_name(run.chunks.front());
}
std::string item_name(const RunPart& part) {
  return part.count == 0 ? item_name(*part.run) : chunk_name(part.run->chunks[part.first]);
}

std::uint64_t FetchRun::run_bytes(const ZarrLayout& layout, const RunSizes& sizes) {
  return BufferPool::charge(chunk_room_bytes(layout, sizes.run) + sizes.gap_bytes);
}

FetchedRun FetchRun::operator()(const RunRequest& request, const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  FetchedRun run;
  run.run = request.run;
  run.chunks = chunks_of_(request);
  run.pieces.resize(run.chunks.size());
  const auto room = [&](std::uint64_t bytes) {
    context.give_back(std::move(run.data));
    run.data = context.buffer(bytes);
    return run.data.span();
  };
  const bool is_whole_object = layout.index() && run.chunks.size() == layout.chunk_count();
  const std::uint64_t room_bytes = sizes_.run * layout.codec().max_encoded_bytes() + sizes_.gap_bytes;
  const std::uint64_t used =
      fetch_chunks(*array_, run.chunks, is_whole_object, run.pieces, room_bytes, room, context.stop());
  if (used > 0)
    run.data.resize(used);
  else
    run.data.reset();
  return run;
}

void SplitRun::operator()(const Item<FetchedRun>& run, Emit<RunPart>& emit) const {
  const std::size_t chunks = run->chunks.size();
  std::size_t first = 0;
  for (std::uint64_t part = 0; part < least_ || first < chunks; ++part) {
    const std::size_t count = std::min<std::size_t>(chunks_per_part_, chunks - first);
    emit(RunPart{run.share(), first, count});
    first += count;
  }
}

std::uint64_t DecodePart::part_bytes(const ZarrLayout& layout, std::uint64_t chunks) {
  return layout.codec().is_raw() ? 0 : BufferPool::charge(chunks * layout.codec().raw_bytes());
}

std::unique_ptr<DecodePart::Local> DecodePart::make_local(const Scratch& scratch) const {
  return std::make_unique<Local>(
      Local{array_->layout()->codec().make_decoder(scratch, array_->options().check_sums)});
}

DecodedPart DecodePart::operator()(const RunPart& part, Local& local, const Context& context) const {
  const ChunkCodec& codec = array_->layout()->codec();
  DecodedPart decoded{part, {}};
  const FetchedRun& run = *part.run;
  const auto pieces = std::span(run.pieces).subspan(part.first, part.count);
  decoded_->fetch_add(part.count, std::memory_order_relaxed);
  if (std::ranges::none_of(pieces, &FetchedRun::Piece::is_there)) return decoded;
  if (!codec.is_raw()) decoded.raw = context.buffer(part.count * codec.raw_bytes());
  for (std::size_t i = 0; i < part.count; ++i) {
    if (!pieces[i].is_there) continue;
    const ZarrIndex& chunk = run.chunks[part.first + i];
    const auto encoded = run.data.span().subspan(pieces[i].offset, pieces[i].bytes);
    if (codec.is_raw())
      check_raw_chunk(*array_, chunk, encoded);
    else
      decode_chunk(*array_, chunk, *local.decoder, encoded,
                   decoded.raw.span().subspan(i * codec.raw_bytes(), codec.raw_bytes()));
  }
  return decoded;
}

void scatter_chunk(const ZarrArray& array, const ZarrSelection& selection, const DecodedPart& decoded,
                   std::size_t i, std::byte* data, std::span<const std::ptrdiff_t> strides) {
  const ZarrLayout& layout = *array.layout();
  const FetchedRun& run = *decoded.part.run;
  const std::size_t number = decoded.part.first + i;
  const ChunkPart part = part_of(layout, selection, run.chunks[number]);
  const FetchedRun::Piece& piece = run.pieces[number];
  std::byte* target = data + part.offset(strides);
  if (!piece.is_there) {
    fill_box(target, strides, part.shape, layout.fill(), layout.type().bytes);
    return;
  }
  const std::uint64_t raw_bytes = layout.codec().raw_bytes();
  const auto raw = layout.codec().is_raw() ? run.data.span().subspan(piece.offset, piece.bytes)
                                           : decoded.raw.span().subspan(i * raw_bytes, raw_bytes);
  scatter_box(layout.codec().layout(), layout.chunk_shape(), raw, {part.begin, part.shape, part.step}, target,
              strides);
}

void ScatterPart::operator()(const DecodedPart& decoded) const {
  for (std::size_t i = 0; i < decoded.part.count; ++i)
    scatter_chunk(*array_, runs_->selection(), decoded, i, target_.data, target_.strides);
}

}  // namespace weir
