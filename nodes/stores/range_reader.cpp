#include "nodes/stores/range_reader.hpp"

#include <algorithm>
#include <utility>

namespace weir {

std::uint64_t WaitingRanges::start(std::string_view key, std::uint64_t offset, std::span<std::byte> out,
                                   Done done) {
  RangeAnswer answer;
  try {
    bool is_there = true;
    if (offset == 0) {  // says how long it is, too
      answer.size = store_.get(key, out);
      is_there = answer.size.has_value();
      answer.bytes = std::min<std::uint64_t>(answer.size.value_or(0), out.size());
    } else {
      const ObjectRange range{offset, out};
      is_there = store_.get_ranges(key, {&range, 1});
      answer.bytes = out.size();
    }
    if (!is_there) {
      answer.code = "not_found";
      answer.reason = "there is no such object";
    }
  } catch (const Error& error) {
    answer.code = "unreadable";
    answer.reason = error.reason();
  }
  done(std::move(answer));
  return 0;
}

}  // namespace weir
