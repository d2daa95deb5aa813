#include "nodes/stores/aws_profile.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <string_view>

#include "framework/error.hpp"

namespace weir {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string file_named(const char* variable, const char* below_home) {
  if (const char* path = std::getenv(variable); path != nullptr && *path != '\0') return path;
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::string() : fmt::format("{}/.aws/{}", home, below_home);
}

/// Whether the file has the section.
bool read_section(const std::string& path, std::string_view section, AwsProfile& profile) {
  std::ifstream file(path);
  bool is_inside = false, was_there = false;
  for (std::string line; std::getline(file, line);) {
    const bool is_nested =
        line.starts_with(' ') || line.starts_with('\t');  // settings of "s3 =" and the like
    const std::string_view text = trimmed(line);
    if (text.empty() || text.front() == '#' || text.front() == ';') continue;
    if (text.front() == '[') {
      is_inside = trimmed(text.substr(1, text.find(']') - 1)) == section;
      was_there = was_there || is_inside;
      continue;
    }
    const std::size_t equals = text.find('=');
    if (!is_inside || is_nested || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(text.substr(0, equals)), value = trimmed(text.substr(equals + 1));
    const auto take = [&](std::string_view wanted, std::string& to) {
      if (name == wanted && to.empty()) to = value;
    };
    take("aws_access_key_id", profile.access_key);
    take("aws_secret_access_key", profile.secret_key);
    take("aws_session_token", profile.session_token);
    take("region", profile.region);
    take("endpoint_url", profile.endpoint);
  }
  return was_there;
}

}  // namespace

AwsProfile read_aws_profile(const std::string& name) {
  const std::string section = name.empty() ? "default" : name;
  AwsProfile profile, other;
  const bool has_keys =
      read_section(file_named("AWS_SHARED_CREDENTIALS_FILE", "credentials"), section, profile);
  const bool has_more = read_section(file_named("AWS_CONFIG_FILE", "config"),
                                     section == "default" ? section : "profile " + section, other);
  if (!has_keys && !has_more && !name.empty())
    throw Error::usage("use", fmt::format("the profile '{}'", name),
                       "neither ~/.aws/credentials nor ~/.aws/config has it");
  // Keys and token belong together.
  if (profile.access_key.empty()) {
    profile.access_key = other.access_key;
    profile.secret_key = other.secret_key;
    profile.session_token = other.session_token;
  }
  if (profile.region.empty()) profile.region = other.region;
  if (profile.endpoint.empty()) profile.endpoint = other.endpoint;
  return profile;
}

}  // namespace weir
