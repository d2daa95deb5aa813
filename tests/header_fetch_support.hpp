#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "nodes/headers/fetch_headers.hpp"
#include "nodes/headers/key_filter.hpp"
#include "nodes/headers/parse_headers.hpp"
#include "nodes/stores/http_options.hpp"
#include "tests/header_support.hpp"

namespace weir::test {

inline KeyBatch batch_of(const std::vector<std::string>& paths, std::uint64_t size = unknown_size) {
  KeyBatch batch;
  for (const std::string& path : paths) batch.keys.push_back({{path, size}, 0});
  return batch;
}

/// Rows and errors of a batch, as the graph makes them.
inline RowBatch rows_of_batch(const FetchHeaders& fetch, KeyBatch batch) {
  return ParseHeaders{}(fetch(std::move(batch), Context()));
}

inline HttpOptions quick() {
  HttpOptions http;
  http.retries = 9;
  http.retry_pause = std::chrono::milliseconds(2);
  http.longest_pause = std::chrono::milliseconds(20);
  http.timeout = std::chrono::milliseconds(300);
  return http;
}

/// Where requests are counted: none is sent again because the machine is busy.
inline HttpOptions patient() {
  HttpOptions http = quick();
  http.timeout = std::chrono::seconds(30);
  return http;
}

/// A small file; `gap` bytes of pixels before its directory.
inline Bytes picture(std::uint64_t gap = 0, std::uint16_t width = 40, std::vector<MadeEntry> more = {}) {
  HeaderMaker maker;
  maker.fill(gap);
  std::vector<MadeEntry> entries = std::move(more);
  entries.push_back(maker.shorts(256, {width}));
  maker.add(maker.picture(std::move(entries)));
  return maker.bytes();
}

}  // namespace weir::test
