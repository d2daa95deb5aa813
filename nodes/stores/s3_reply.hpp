#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "nodes/stores/http_client.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

constexpr std::size_t most_s3_parts = 10'000;  ///< of an object, by the protocol

/// Why a server of buckets refuses, as the reason of an Error: "the server answers with status 404, NoSuchBucket: ...".
std::string s3_reason(const HttpReply& reply);
/// Whether the condition of a write did not hold: another object is there, or none; or another write of it is under way
/// (docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
bool is_unmet(const HttpReply& reply);
/// Of an object that was written; not known where the server gives it no entity tag.
ObjectVersion s3_version(const std::string& etag, std::uint64_t size);

}  // namespace weir
