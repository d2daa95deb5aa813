#pragma once

#include <utility>
#include <variant>

#include "nodes/headers/fit_row.hpp"
#include "nodes/headers/header_items.hpp"

namespace weir {

/// Makes rows of headers: GeoKeys, bounds, footprints; and errors of what is damaged. Any number of threads.
struct ParseHeaders {
  RowBatch operator()(FetchedBatch&& batch) const {
    RowBatch made;
    made.keys = batch.headers.size();
    made.cursor = std::move(batch.cursor);
    made.old = std::move(batch.old);
    for (auto& each : batch.headers) {
      auto* fetched = std::get_if<FetchedBatch::Header>(&each);
      HeaderRows rows =
          fetched != nullptr ? rows_of(std::move(*fetched)) : std::get<HeaderRows>(std::move(each));
      if (rows.row) made.rows.push_back(std::move(*rows.row));
      for (HeaderError& error : rows.errors) made.errors.push_back(std::move(error));
    }
    return made;
  }
};

}  // namespace weir
