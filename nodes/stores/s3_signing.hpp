#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

/// Names and values as they are, not encoded.
using S3Query = std::vector<std::pair<std::string, std::string>>;

struct S3Keys {
  std::string access_key, secret_key, session_token;
};

/// A request as Signature Version 4 sees it (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
struct S3Request {
  std::string_view method;                          ///< "GET"
  std::string_view host;                            ///< with its port, where that is sent
  std::string_view path;                            ///< encoded, from the slash on
  S3Query query = {};                               ///< in any order
  std::map<std::string, std::string> headers = {};  ///< more of them, by lower-case name
  std::span<const std::byte> body = {};
};

/// Sorted by name and encoded: what stands behind '?' in the URL that is signed.
std::string s3_query_text(S3Query query);
/// The lines of the headers that make the request a signed one: Authorization, x-amz-date, x-amz-content-sha256 (of the whole body),
/// the token, and those of the request itself. A usage Error where this build has no OpenSSL.
std::vector<std::string> sign_s3(const S3Request& request, const S3Keys& keys, std::string_view region,
                                 std::chrono::sys_seconds now);

}  // namespace weir
