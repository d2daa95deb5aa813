#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// An answer to ListObjectsV2 (docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
struct S3Page {
  struct Entry {
    std::string name;  ///< in the bucket
    std::uint64_t size = 0;
    std::string etag = {};
    std::optional<std::int64_t> last_modified = {};
  };
  std::vector<Entry> entries;  ///< objects, and folders with a slash behind them; in the order of their names
  bool is_last = true;
  std::string next;  ///< the token of the next page, where it is not the last
};

/// What of XML an answer may have; a page of 1000 objects with all that Amazon says of one has 12,000.
constexpr std::uint64_t most_s3_elements = 40'000;
/// What the reading of a page holds beside the text and the page: an element and its text are two nodes of 64 bytes.
constexpr std::uint64_t s3_page_bytes = most_s3_elements * 128;

/// Throws an Error for what is no such answer, or names what does not begin with `start`.
S3Page parse_s3_page(std::string xml, const std::string& start);

}  // namespace weir
