#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "nodes/stores/http_options.hpp"

namespace weir {

/// How a bucket is reached. What is empty comes from the environment, as named, then from the profile (aws_profile.hpp).
struct S3Options {
  std::string endpoint = {};       ///< AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL; else Amazon's of the region
  std::string region = {};         ///< AWS_REGION, AWS_DEFAULT_REGION; else us-east-1
  std::string access_key = {};     ///< AWS_ACCESS_KEY_ID
  std::string secret_key = {};     ///< AWS_SECRET_ACCESS_KEY
  std::string session_token = {};  ///< AWS_SESSION_TOKEN
  std::string profile = {};        ///< AWS_PROFILE; else "default", where there is one
  bool anonymous = false;          ///< nothing is signed; also with AWS_NO_SIGN_REQUEST=YES
  /// Whether the bucket's name stands in the path, and not in the host's name. By default it does so everywhere but at Amazon, and
  /// there where it has dots, which certificates do not cover.
  std::optional<bool> path_style = {};
  bool requester_pays = false;    ///< what is asked for is paid by who asks, as some buckets want it said
  bool denied_is_absent = false;  ///< see HttpStoreOptions
  /// A writer sends what it is given in parts of so many bytes, and holds one of them: at least 5 MiB, at most 10,000 parts.
  std::uint64_t part_bytes = 8 << 20;
  HttpOptions http = {};
};

}  // namespace weir
