#include "nodes/stores/s3_signing.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "framework/error.hpp"
#include "nodes/stores/http_objects.hpp"

#ifdef WEIR_WITH_OPENSSL
#include <openssl/evp.h>
#include <openssl/hmac.h>
#endif

namespace weir {
namespace {

using Digest = std::array<unsigned char, 32>;

#ifdef WEIR_WITH_OPENSSL
Digest sha256(std::span<const std::byte> bytes) {
  Digest digest;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1)
    throw Error("sign", "a request", "OpenSSL has no SHA-256");
  return digest;
}

Digest hmac(std::span<const std::byte> key, std::string_view text) {
  Digest digest;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
           nullptr) == nullptr)
    throw Error("sign", "a request", "OpenSSL has no HMAC");
  return digest;
}
#else
[[noreturn]] void refuse() {
  throw Error::usage("sign", "requests to S3", "this weir was built without OpenSSL");
}
Digest sha256(std::span<const std::byte>) {
  refuse();
}
Digest hmac(std::span<const std::byte>, std::string_view) {
  refuse();
}
#endif

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string hex(const Digest& digest) {
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

}  // namespace

std::string s3_body_hash(std::span<const std::byte> body) {
  return hex(sha256(body));
}

std::string s3_query_text(S3Query query) {
  for (auto& [name, value] : query) {
    name = encode_url(name, false);
    value = encode_url(value, false);
  }
  std::ranges::sort(query);
  std::string text;
  for (const auto& [name, value] : query)
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
  return text;
}

std::vector<std::string> sign_s3(const S3Request& request, const S3Keys& keys, std::string_view region,
                                 std::chrono::sys_seconds now) {
  const std::string time =
      fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
  const std::string day = time.substr(0, 8);
  std::map<std::string, std::string> headers = request.headers;
  headers["x-amz-content-sha256"] = request.body_hash;
  headers["x-amz-date"] = time;
  if (!keys.session_token.empty()) headers["x-amz-security-token"] = keys.session_token;
  std::vector<std::string> lines;
  for (const auto& [name, value] : headers) lines.push_back(fmt::format("{}: {}", name, value));
  headers["host"] = request.host;  // which is sent anyway

  std::string signed_names, canonical_headers;
  for (const auto& [name, value] : headers) {
    signed_names += (signed_names.empty() ? "" : ";") + name;
    canonical_headers += fmt::format("{}:{}\n", name, value);
  }
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, s3_query_text(request.query),
                  canonical_headers, signed_names, request.body_hash);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, region);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, hex(sha256(bytes_of(canonical))));
  Digest key = hmac(bytes_of("AWS4" + keys.secret_key), day);
  for (const std::string_view step : {region, std::string_view("s3"), std::string_view("aws4_request")})
    key = hmac(std::as_bytes(std::span(key)), step);
  lines.push_back(
      fmt::format("Authorization: AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                  keys.access_key, scope, signed_names, hex(hmac(std::as_bytes(std::span(key)), to_sign))));
  return lines;
}

}  // namespace weir
