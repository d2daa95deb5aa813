#pragma once

#include "nodes/headers/header_items.hpp"

namespace weir {

/// What a fetched header adds to the catalog.
HeaderRows rows_of(FetchedBatch::Header&& fetched);

/// Leaves out the longest texts and arrays of a row that has more than `largest_row` bytes, each with a warning.
void fit_row(HeaderRow& row);

}  // namespace weir
