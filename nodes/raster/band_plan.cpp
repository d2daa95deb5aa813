#include "nodes/raster/band_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <numeric>
#include <tuple>

#include "framework/buffer.hpp"
#include "framework/error.hpp"
#include "nodes/raster/band_axis.hpp"

// The model.
//
// Rows and columns are planned apart. Along an axis the tiles are cut into groups (bands, segments).
// BandGroup i needs the chunks ("pieces" of the axis) [first, end) that its pixels touch, grown by the halo
// and clipped. Both ends only ever move forward, and neighbours touch, so four numbers say all about sharing:
//
//        first        kept_from   owned_from       end
//          |--------------|-----------|-------------|        (kept_from may also lie right of owned_from)
//          borrowed from group i-1 ...|  new here
//                         | needed again by group i+1
//
// owned_from is the end of group i-1, kept_from the first of group i+1. An axis that does not keep has
// owned_from = first and kept_from = end: nothing is shared, each group reads again.
//
// A unit is a band crossed with a segment, a chunk a row crossed with a column, and units go band by band. So
// unit (b, s) owns the new rows x the new columns, and of the earlier units' chunks these are held before it:
//
//        rows of band b      old and needed again   old, last time   new, needed again   new, only here
//                            (through)              (ending)         (starting)          (inside)
//        columns held        all                    [first, N)       [0, owned_from)     [first, owned_from)
//
// Tiles lie in the file by tile row, then plane, then tile column. Before (b, s) the first tile row's first
// plane of the earlier segments is out; their other rows x planes - 1 wait encoded for the segments to come.
//
// charge() rounds, so bytes are not additive in pixels: sums run over (chunk height, chunk width). All but
// the last piece of an even axis have one size, which makes each sum two products.
//
// The peak over all units needs few of them. (1) Groups that share all four numbers form a run; only the
// waiting tiles differ in it, and grow, so its last group stands for it. (2) On an even axis the numbers
// shift by a constant every `period` groups (where tile and chunk boundaries meet). So bytes are linear along
// each residue and peak at its first or last group: the periods between are skipped, and counted. (3) Bands
// matter only relative to their first chunk row: equal ones are weighed once.

namespace weir {
namespace {

/// What a unit should carry, decoded and encoded bytes together: some milliseconds of work, against which
/// dispatch (microseconds per unit) vanishes. More would only hold memory longer and leave the caches.
constexpr std::uint64_t enough_work = 2 << 20;

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

std::uint64_t saturated_product(std::uint64_t a, std::uint64_t b) {
  return a != 0 && b > most / a ? most : a * b;
}
std::uint64_t round_up(std::uint64_t n, std::uint64_t step) {
  return divide_up(n, step) * step;
}

struct Shape {
  std::uint64_t band_tiles = 1, segment_tiles = 1;
  bool keeps_rows = true, keeps_cols = true;
};

BandAxis row_axis(const BandPlanRequest& request, std::uint64_t band_tiles, bool keeps) {
  return {request.chunks.rows, request.halo, request.tiles.tile_height, band_tiles, keeps};
}
BandAxis col_axis(const BandPlanRequest& request, std::uint64_t segment_tiles, bool keeps) {
  return {request.chunks.cols, request.halo, request.tiles.tile_width, segment_tiles, keeps};
}

struct Range {
  Range(std::uint64_t from, std::uint64_t to) : begin(from), end(std::max(from, to)) {}
  std::uint64_t begin, end;
};

/// Decoded bytes of the chunks `rows` of one column, `width` pixels wide.
std::uint64_t column_bytes(const BandPlanRequest& request, Range rows, std::uint64_t width) {
  if (rows.begin == rows.end) return 0;
  const Partition& pieces = request.chunks.rows;
  const auto charge = [&](std::uint64_t row) {
    return BufferPool::charge(pieces.size(row) * width * request.pixel_bytes) + request.excess_bytes;
  };
  if (!pieces.is_ragged()) return (rows.end - rows.begin - 1) * charge(rows.begin) + charge(rows.end - 1);
  std::uint64_t sum = 0;
  for (std::uint64_t row = rows.begin; row < rows.end; ++row) sum += charge(row);
  return sum;
}

/// Decoded bytes of the chunks `rows` x any range of columns, found from sums made once (`Summed`), or from
/// scratch.
class Summed {
 public:
  Summed(const BandPlanRequest& request, Range rows) : count_(request.chunks.cols.count()) {
    const Partition& pieces = request.chunks.cols;
    if (rows.begin == rows.end) return;
    if (!pieces.is_ragged()) {
      each_ = column_bytes(request, rows, pieces.size(0));
      last_ = column_bytes(request, rows, pieces.size(count_ - 1));
      return;
    }
    sums_.reserve(count_ + 1);
    sums_.push_back(0);
    for (std::uint64_t col = 0; col < count_; ++col)
      sums_.push_back(sums_.back() + column_bytes(request, rows, pieces.size(col)));
  }
  std::uint64_t operator()(std::uint64_t from, std::uint64_t to) const {
    if (from == to) return 0;
    if (!sums_.empty()) return sums_[to] - sums_[from];
    return (to - from - 1) * each_ + (to == count_ ? last_ : each_);
  }

 private:
  std::uint64_t count_, each_ = 0, last_ = 0;
  std::vector<std::uint64_t> sums_;  // ragged columns: bytes left of each
};

/// The same for a few questions: adds up just what is asked for.
class Direct {
 public:
  Direct(const BandPlanRequest& request, Range rows) : request_(request), rows_(rows) {}
  std::uint64_t operator()(std::uint64_t from, std::uint64_t to) const {
    const Partition& pieces = request_.chunks.cols;
    if (from == to) return 0;
    if (!pieces.is_ragged())
      return (to - from - 1) * column_bytes(request_, rows_, pieces.size(from)) +
             column_bytes(request_, rows_, pieces.size(to - 1));
    std::uint64_t sum = 0;
    for (std::uint64_t col = from; col < to; ++col) sum += column_bytes(request_, rows_, pieces.size(col));
    return sum;
  }

 private:
  const BandPlanRequest& request_;
  const Range rows_;
};

/// The bytes of a band's units: the table at the top of this file.
template <typename Sum>
class BandBytes {
 public:
  BandBytes(const BandPlanRequest& request, const BandGroup& band)
      : request_(request),
        chunk_cols_(request.chunks.cols.count()),
        owned_rows_(band.end - band.owned_from),
        encoded_(band.tiles * request.tiles.planes),
        through_(request, {band.kept_from, band.owned_from}),
        ending_(request, {band.first, std::min(band.owned_from, band.kept_from)}),
        starting_(request, {std::max(band.owned_from, band.kept_from), band.end}),
        inside_(request, {band.owned_from, band.kept_from}) {}

  std::uint64_t blocks(const BandGroup& segment) const {
    return starting_(segment.owned_from, segment.end) + inside_(segment.owned_from, segment.end);
  }
  std::uint64_t unit(const BandGroup& segment) const {
    return blocks(segment) + owned_rows_ * (segment.end - segment.owned_from) * request_.fetch_bytes +
           encoded_ * segment.tiles * (request_.tile_bytes + request_.transient_tile_bytes);
  }
  std::uint64_t carried(const BandGroup& segment) const {
    return through_(0, chunk_cols_) + ending_(segment.first, chunk_cols_) + starting_(0, segment.owned_from) +
           inside_(segment.first, segment.owned_from) +
           segment.tiles_before * ((encoded_ - 1) * request_.tile_bytes + request_.waiting_tile_bytes);
  }

 private:
  const BandPlanRequest& request_;
  const std::uint64_t chunk_cols_, owned_rows_;
  const std::uint64_t encoded_;  // tiles in one tile column of the band, over all planes
  const Sum through_, ending_, starting_, inside_;
};

/// The groups of an axis that matter, and how many pieces all its groups read together.
struct Cut {
  std::vector<BandGroup> groups;
  std::uint64_t reads = 0;
};

Cut cut(const BandAxis& axis) {
  Cut cut;
  axis.visit_runs([&](const BandGroup& group, std::uint64_t length, std::uint64_t times) {
    cut.groups.push_back(group);
    cut.reads += (group.end - group.owned_from) * length * times;
  });
  return cut;
}

/// As cut, with equal bands once. The short last chunk row, and ragged rows, stay where they are.
Cut distinct_bands(const BandAxis& axis, const Partition& rows) {
  Cut bands = cut(axis);
  for (BandGroup& band : bands.groups) {
    band.tiles_before = 0;
    if (rows.is_ragged() || band.end == rows.count()) continue;
    for (std::uint64_t* row : {&band.end, &band.owned_from, &band.kept_from}) *row -= band.first;
    band.first = 0;
  }
  std::sort(bands.groups.begin(), bands.groups.end());
  bands.groups.erase(std::unique(bands.groups.begin(), bands.groups.end()), bands.groups.end());
  return bands;
}

/// What a shape takes.
struct Weight {
  std::uint64_t required = 0;   ///< the most of carried + unit
  std::uint64_t footprint = 0;  ///< the most of carried + units_wanted x unit
  std::uint64_t in_flight = 0;  ///< units that fit together everywhere, at most units_wanted
  std::uint64_t reads = 0;

  void add(std::uint64_t carried_here, std::uint64_t unit_here, const BandPlanRequest& request) {
    required = std::max(required, carried_here + unit_here);
    // Bytes stay below 2^62 (see check); the product need not.
    const std::uint64_t wanted = saturated_product(request.units_wanted, unit_here);
    const std::uint64_t all = wanted + std::min(carried_here, most - wanted);
    footprint = std::max(footprint, all);
    if (all <= request.available) return;
    const std::uint64_t left = request.available - std::min(request.available, carried_here);
    in_flight = std::min(in_flight, left / std::max<std::uint64_t>(unit_here, 1));
  }
};

/// Calls visit(shape, weight) for every band height with every segment width.
template <typename Visit>
void weigh(const BandPlanRequest& request, bool keeps_rows, bool keeps_cols,
           const std::vector<std::uint64_t>& heights, const std::vector<std::uint64_t>& widths,
           Visit&& visit) {
  std::vector<Cut> segments;
  segments.reserve(widths.size());
  for (const std::uint64_t width : widths) segments.push_back(cut(col_axis(request, width, keeps_cols)));
  for (const std::uint64_t height : heights) {
    const Cut bands = distinct_bands(row_axis(request, height, keeps_rows), request.chunks.rows);
    std::vector<Weight> weights(widths.size());
    for (std::size_t i = 0; i < widths.size(); ++i) {
      weights[i].in_flight = request.units_wanted;
      weights[i].reads = saturated_product(bands.reads, segments[i].reads);
    }
    // Bands outside, widths inside: with ragged columns a band's sums are dear, and serve all widths.
    for (const BandGroup& band : bands.groups) {
      const BandBytes<Summed> bytes(request, band);
      for (std::size_t i = 0; i < widths.size(); ++i)
        for (const BandGroup& segment : segments[i].groups)
          weights[i].add(bytes.carried(segment), bytes.unit(segment), request);
    }
    for (std::size_t i = 0; i < widths.size(); ++i)
      visit(Shape{height, widths[i], keeps_rows, keeps_cols}, weights[i]);
  }
}

/// Decoded and encoded bytes that a full unit of the shape carries.
std::uint64_t work(const BandPlanRequest& request, std::uint64_t rows, std::uint64_t cols) {
  const TileLayout& tiles = request.tiles;
  return std::min(rows * tiles.tile_height, tiles.height) * std::min(cols * tiles.tile_width, tiles.width) *
             request.pixel_bytes +
         rows * cols * tiles.planes * (request.tile_bytes + request.transient_tile_bytes);
}

/// BandGroup lengths worth a try: all small ones; powers of two and multiples of the length after which tile
/// and chunk boundaries meet (no chunk is shared there) and of a run; the length that carries `enough`; the
/// limit.
std::vector<std::uint64_t> lengths(const Partition& pieces, std::uint64_t tile, std::uint64_t tiles,
                                   std::uint64_t run, std::uint64_t enough, std::uint64_t limit) {
  const std::uint64_t piece = pieces.largest();
  const std::uint64_t meet =
      std::min(tiles, pieces.is_ragged() ? divide_up(piece, tile) : piece / std::gcd(piece, tile));
  run = std::min(run, tiles);
  std::vector<std::uint64_t> lengths;
  for (std::uint64_t n = 1; n <= 8; ++n)
    for (const std::uint64_t base : {std::uint64_t{1}, meet, run}) lengths.push_back(n * base);
  for (const std::uint64_t base : {std::uint64_t{1}, meet, run})
    for (std::uint64_t n = base; n < limit; n *= 2) lengths.push_back(n);
  for (const std::uint64_t base : {meet, run, std::lcm(meet, run)}) lengths.push_back(round_up(enough, base));
  lengths.push_back(limit);
  for (std::uint64_t& length : lengths) length = std::min(length, tiles);
  std::sort(lengths.begin(), lengths.end());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  return lengths;
}

std::vector<std::uint64_t> band_heights(const BandPlanRequest& request) {
  const TileLayout& tiles = request.tiles;
  const Partition& rows = request.chunks.rows;
  // Bands higher than a chunk with its halo save no reads unless boundaries never meet, where the waste falls
  // with the height: 64 tile rows bring it near nothing. Narrow rasters (strips) get their work per unit from
  // height.
  const std::uint64_t enough = divide_up(enough_work, work(request, 1, tiles.tile_cols()));
  const std::uint64_t cover =
      divide_up(rows.largest() + 2 * std::min(request.halo, tiles.height), tiles.tile_height);
  const std::uint64_t limit = std::min(tiles.tile_rows(), std::max({std::uint64_t{64}, cover, enough}));
  const std::uint64_t run = tiles.tile_cols() == 1 ? request.run_tiles : 1;
  return lengths(rows, tiles.tile_height, tiles.tile_rows(), run, enough, limit);
}

std::vector<std::uint64_t> segment_widths(const BandPlanRequest& request) {
  const TileLayout& tiles = request.tiles;
  const std::uint64_t enough = divide_up(enough_work, work(request, 1, 1));
  return lengths(request.chunks.cols, tiles.tile_width, tiles.tile_cols(), request.run_tiles, enough,
                 tiles.tile_cols());
}

/// Whether units hold whole runs, so that no item travels with less than a run.
bool has_whole_runs(const BandPlanRequest& request, const Shape& shape) {
  if (request.tiles.tile_cols() == 1)
    return shape.band_tiles % request.run_tiles == 0 || shape.band_tiles == request.tiles.tile_rows();
  return shape.segment_tiles % request.run_tiles == 0 || shape.segment_tiles == request.tiles.tile_cols();
}

/// How good a shape that fits is; less is better, the first difference decides.
auto rank(const BandPlanRequest& request, const Shape& shape, const Weight& weight) {
  const std::uint64_t carries = std::min(enough_work, work(request, shape.band_tiles, shape.segment_tiles));
  return std::tuple(weight.reads, request.units_wanted - weight.in_flight, enough_work - carries,
                    !has_whole_runs(request, shape), weight.footprint, shape.band_tiles, shape.segment_tiles);
}

/// Sums of bytes below may then be made without a look at overflow: none is more than all chunks and tiles.
void check(const BandPlanRequest& request) {
  const TileLayout& tiles = request.tiles;
  const Partition &rows = request.chunks.rows, &cols = request.chunks.cols;
  assert(tiles.height > 0 && tiles.width > 0 && tiles.tile_height > 0 && tiles.tile_width > 0);
  assert(tiles.planes > 0 && request.units_wanted > 0 && request.run_tiles > 0);
  assert(rows.extent() == tiles.height && cols.extent() == tiles.width);
  const auto times = [](std::uint64_t a, std::uint64_t b) {
    return static_cast<double>(a) * static_cast<double>(b);
  };
  // A charge is at most an eighth more than the bytes, or a page.
  const double chunk =
      times(rows.largest(), cols.largest()) * static_cast<double>(request.pixel_bytes) * 1.125 + 4096 +
      static_cast<double>(request.fetch_bytes) + static_cast<double>(request.excess_bytes);
  const double all = times(rows.count(), cols.count()) * chunk +
                     times(tiles.tile_rows(), tiles.tile_cols()) *
                         times(tiles.planes, request.tile_bytes + request.transient_tile_bytes);
  if (all >= 0x1p62)
    throw Error::usage("plan", fmt::format("a raster of {} x {} pixels", tiles.width, tiles.height),
                       "its chunks and tiles come to more than 4 EiB");
}

struct UnitGroups {
  BandGroup band, segment;
};

UnitGroups groups_of(const BandPlan& plan, const BandUnit& unit) {
  return {row_axis(plan.request(), plan.band_tiles(), plan.keeps_rows()).at(unit.band),
          col_axis(plan.request(), plan.segment_tiles(), plan.keeps_cols()).at(unit.segment)};
}

}  // namespace

BandPlan BandPlan::make(const BandPlanRequest& request) {
  check(request);
  const std::vector<std::uint64_t> heights = band_heights(request), widths = segment_widths(request);
  Shape best, smallest;
  Weight best_weight, smallest_weight;
  bool found = false;
  smallest_weight.required = most;
  const auto consider = [&](const Shape& shape, const Weight& weight) {
    if (std::tie(weight.required, weight.reads) < std::tie(smallest_weight.required, smallest_weight.reads)) {
      smallest = shape;
      smallest_weight = weight;
    }
    if (weight.required > request.available) return;
    if (found && rank(request, best, best_weight) <= rank(request, shape, weight)) return;
    best = shape;
    best_weight = weight;
    found = true;
  };
  weigh(request, true, true, heights, widths, consider);  // these read each chunk once
  // Not keeping columns either would save nothing: what a segment borrows it would have to hold as its own.
  if (!found) weigh(request, false, true, heights, widths, consider);
  const Shape& shape = found ? best : smallest;
  return fixed(request, shape.band_tiles, shape.segment_tiles, shape.keeps_rows, shape.keeps_cols);
}

BandPlan BandPlan::fixed(const BandPlanRequest& request, std::uint64_t band_tiles,
                         std::uint64_t segment_tiles, bool keeps_rows, bool keeps_cols) {
  check(request);
  assert(band_tiles > 0 && segment_tiles > 0);
  BandPlan plan;
  plan.request_ = request;
  plan.band_tiles_ = std::min(band_tiles, request.tiles.tile_rows());
  plan.segment_tiles_ = std::min(segment_tiles, request.tiles.tile_cols());
  plan.keeps_rows_ = keeps_rows;
  plan.keeps_cols_ = keeps_cols || keeps_rows;
  weigh(request, plan.keeps_rows_, plan.keeps_cols_, {plan.band_tiles_}, {plan.segment_tiles_},
        [&](const Shape&, const Weight& weight) {
          plan.required_ = weight.required;
          plan.reads_ = weight.reads;
        });
  return plan;
}

std::uint64_t BandPlan::smallest_available(const BandPlanRequest& request) {
  BandPlanRequest nothing = request;
  nothing.available = 0;
  return make(nothing).required();
}

std::uint64_t BandPlan::bands() const {
  return divide_up(request_.tiles.tile_rows(), band_tiles_);
}
std::uint64_t BandPlan::segments() const {
  return divide_up(request_.tiles.tile_cols(), segment_tiles_);
}

BandUnit BandPlan::unit(std::uint64_t index) const {
  assert(index < units());
  BandUnit unit;
  unit.index = index;
  unit.band = index / segments();
  unit.segment = index % segments();
  const BandAxis rows = row_axis(request_, band_tiles_, keeps_rows_);
  const BandAxis cols = col_axis(request_, segment_tiles_, keeps_cols_);
  const BandGroup band = rows.at(unit.band), segment = cols.at(unit.segment);
  unit.tile_row = band.tiles_before;
  unit.tile_rows = band.tiles;
  unit.tile_col = segment.tiles_before;
  unit.tile_cols = segment.tiles;
  unit.source.row = rows.pixel_begin(unit.band);
  unit.source.col = cols.pixel_begin(unit.segment);
  unit.source.height = rows.pixel_end(unit.band) - unit.source.row;
  unit.source.width = cols.pixel_end(unit.segment) - unit.source.col;
  return unit;
}

Window BandPlan::needed_chunks(const BandUnit& unit) const {
  const auto [band, segment] = groups_of(*this, unit);
  return {band.first, segment.first, band.end - band.first, segment.end - segment.first};
}

Window BandPlan::owned_range(const BandUnit& unit) const {
  const auto [band, segment] = groups_of(*this, unit);
  return {band.owned_from, segment.owned_from, band.end - band.owned_from, segment.end - segment.owned_from};
}

std::vector<ChunkIndex> BandPlan::owned_chunks(const BandUnit& unit) const {
  const Window owned = owned_range(unit);
  std::vector<ChunkIndex> chunks;
  chunks.reserve(owned.height * owned.width);
  for (std::uint64_t row = owned.row; row < owned.row_end(); ++row)
    for (std::uint64_t col = owned.col; col < owned.col_end(); ++col) chunks.push_back({row, col});
  return chunks;
}

std::uint64_t BandPlan::owned_count(const BandUnit& unit) const {
  const Window owned = owned_range(unit);
  return owned.height * owned.width;
}

bool BandPlan::is_kept(const BandUnit& unit, ChunkIndex chunk) const {
  const auto [band, segment] = groups_of(*this, unit);
  assert(chunk.row >= band.first && chunk.row < band.end);
  assert(chunk.col >= segment.first && chunk.col < segment.end);
  return chunk.row >= band.kept_from || chunk.col >= segment.kept_from;
}

/// The end of the chunk rows that the band before reads, too.
std::uint64_t BandPlan::reread_end(const BandUnit& unit) const {
  if (keeps_rows_ || unit.band == 0) return 0;
  return row_axis(request_, band_tiles_, false).at(unit.band - 1).end;
}

bool BandPlan::is_reread(const BandUnit& unit, std::uint64_t chunk_row) const {
  return chunk_row < reread_end(unit);
}

bool BandPlan::is_read_again(const BandUnit& unit, std::uint64_t chunk_row) const {
  if (keeps_rows_ || unit.band + 1 == bands()) return false;
  return chunk_row >= row_axis(request_, band_tiles_, false).at(unit.band + 1).first;
}

std::uint64_t BandPlan::most_chunk_rows() const {
  std::uint64_t most_rows = 0;
  row_axis(request_, band_tiles_, keeps_rows_).visit_runs([&](const BandGroup& band, auto, auto) {
    most_rows = std::max(most_rows, band.end - band.first);
  });
  return most_rows;
}

std::uint64_t BandPlan::unit_bytes(const BandUnit& unit) const {
  const auto [band, segment] = groups_of(*this, unit);
  return BandBytes<Direct>(request_, band).unit(segment);
}

std::uint64_t BandPlan::block_bytes(const BandUnit& unit) const {
  const auto [band, segment] = groups_of(*this, unit);
  return BandBytes<Direct>(request_, band).blocks(segment);
}

std::uint64_t BandPlan::reread_bytes(const BandUnit& unit) const {
  const auto [band, segment] = groups_of(*this, unit);
  return Direct(request_, {band.owned_from, reread_end(unit)})(segment.owned_from, segment.end);
}

std::uint64_t BandPlan::carried_bytes(const BandUnit& unit) const {
  const auto [band, segment] = groups_of(*this, unit);
  return BandBytes<Direct>(request_, band).carried(segment);
}

}  // namespace weir
