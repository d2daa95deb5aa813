#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "nodes/stores/http_client.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

constexpr std::size_t most_s3_parts = 10'000;  ///< of an object, by the protocol
/// Headers: there is no object; there is one that there never is.
constexpr const char *absence_condition = "If-None-Match: *", *impossible_condition = "If-Match: \"weir\"";

/// Why a server of buckets refuses, as the reason of an Error: "the server answers with status 404, NoSuchBucket: ...".
std::string s3_reason(const HttpReply& reply);
/// Whether the condition of a write did not hold: another object is there, or none; or another write of it is under way, or an
/// upload was ended already
/// (docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
bool is_unmet(const HttpReply& reply);
/// An object beside a key that nobody else writes.
std::string name_beside(std::string_view key);
/// Of an object that was written; not known where the server gives it no entity tag.
ObjectVersion s3_version(const std::string& etag, std::uint64_t size);

}  // namespace weir
