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

/// SHA-256 of no bytes.
inline constexpr std::string_view empty_body_hash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request as Signature Version 4 sees it (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
struct S3Request {
  std::string_view method;                          ///< "GET"
  std::string_view host;                            ///< with its port, where that is sent
  std::string_view path;                            ///< encoded, from the slash on
  S3Query query = {};                               ///< in any order
  std::map<std::string, std::string> headers = {};  ///< more of them, by lower-case name
  /// s3_body_hash() of its body; by default of none. Made apart, as it takes milliseconds of a large one, and is the same in each try.
  std::string body_hash = std::string(empty_body_hash);
};

/// SHA-256, in hexadecimal. A usage Error where this build has no OpenSSL.
std::string s3_body_hash(std::span<const std::byte> body);
/// Sorted by name and encoded: what stands behind '?' in the URL that is signed.
std::string s3_query_text(S3Query query);
/// The lines of the headers that make the request a signed one: Authorization, x-amz-date, x-amz-content-sha256,
/// the token, and those of the request itself. A usage Error where this build has no OpenSSL.
std::vector<std::string> sign_s3(const S3Request& request, const S3Keys& keys, std::string_view region,
                                 std::chrono::sys_seconds now);

}  // namespace weir
