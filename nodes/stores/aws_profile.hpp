#pragma once

#include <string>

namespace weir {

/// What the files of Amazon's tools say under a profile's name; what they do not say is empty. Keys that stand there as they are: what
/// roles, SSO and processes give is not asked for.
struct AwsProfile {
  std::string access_key, secret_key, session_token, region, endpoint;
};

/// From ~/.aws/credentials and ~/.aws/config, or AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE
/// (docs.aws.amazon.com/sdkref/latest/guide/file-format.html); what both say is taken from the first. Without a name "default", which need
/// not be there. A usage Error where the named one is nowhere. Messages have no line of these files.
AwsProfile read_aws_profile(const std::string& name);

}  // namespace weir
