#include "nodes/headers/catalog_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "framework/parameters.hpp"
#include "framework/yaml_document.hpp"
#include "nodes/stores/web_time.hpp"

namespace weir {
namespace {

/// "1h 30min", "500ms" or a number of seconds, as humantime has them; nothing where it is neither.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr Unit units[] = {{"ms", 1e-3},   {"msec", 1e-3}, {"s", 1},       {"sec", 1},     {"second", 1},
                            {"seconds", 1}, {"m", 60},      {"min", 60},    {"minute", 60}, {"minutes", 60},
                            {"h", 3600},    {"hr", 3600},   {"hour", 3600}, {"hours", 3600}};
  double sum = 0;
  bool is_any = false;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    double number = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), number);
    if (error != std::errc() || number < 0 || !std::isfinite(number)) return std::nullopt;
    at = static_cast<std::size_t>(end - text.data());
    const std::size_t letters =
        std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz", at), text.size());
    const std::string_view name = text.substr(at, letters - at);
    const auto* unit = std::ranges::find(units, name, &Unit::name);
    if (name.empty() ? letters != text.size() || is_any : unit == std::end(units)) return std::nullopt;
    sum += number * (name.empty() ? 1 : unit->seconds);
    is_any = true;
    at = letters;
  }
  if (!is_any || sum > 86'400) return std::nullopt;
  return std::chrono::milliseconds(std::llround(sum * 1e3));
}

/// As YAML 1.1 reads what is written so, PyYAML among its readers: truths in other words and cases, digits that are set apart.
std::string plain(std::string text, ParameterType type) {
  if (type == ParameterType::flag) {
    for (const std::string_view word : {"true", "yes", "on", "false", "no", "off"}) {
      std::string spelled(word);
      spelled[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(spelled[0])));
      if (text == spelled) return std::string(word);
      std::ranges::transform(spelled, spelled.begin(),
                             [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      if (text == spelled) return std::string(word);
    }
  } else if (type == ParameterType::integer || type == ParameterType::number ||
             type == ParameterType::bytes) {
    const std::string_view digits =
        std::string_view(text).substr(text.starts_with('-') || text.starts_with('+'));
    if (!digits.empty() && digits[0] >= '1' && digits[0] <= '9' &&
        digits.find_first_not_of("0123456789_") == std::string_view::npos) {
      std::erase(text, '_');
      if (text.front() == '+') text.erase(0, 1);
    }
  }
  return text;
}

/// A map whose keys are taken one by one; what is left at the end is unknown. All that is wrong goes to the problems.
class Section {
 public:
  Section(const YamlNode& map, std::string name, Problems& problems)
      : map_(map), name_(std::move(name)), problems_(problems) {
    if (map.kind != YamlNode::Kind::map && map.kind != YamlNode::Kind::empty)
      problems_.add(map.place, fmt::format("{} must be a map: names with values", name_));
    for (std::size_t i = 0; i < map_.entries.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (map_.entries[i].key.text == map_.entries[j].key.text)
          problems_.add(map_.entries[i].key.place,
                        fmt::format("{} is there twice", map_.entries[i].key.text));
  }

  /// nullptr where it is not there, or null.
  const YamlEntry* find(const std::string& key, const std::vector<std::string>& other_names = {}) {
    known_.push_back(key);
    const YamlEntry* found = nullptr;
    for (const YamlEntry& entry : map_.entries) {
      if (entry.key.text != key &&
          std::ranges::find(other_names, lowered(entry.key.text)) == other_names.end())
        continue;
      taken_.push_back(&entry);
      if (entry.value.kind != YamlNode::Kind::empty) found = &entry;
    }
    return found;
  }
  /// A scalar as the parameter's type says it.
  std::optional<ParameterValue> value(const Parameter& parameter,
                                      const std::vector<std::string>& other_names = {}) {
    const YamlEntry* entry = find(parameter.name, other_names);
    if (entry == nullptr) return std::nullopt;
    if (entry->value.kind != YamlNode::Kind::text) {
      problems_.add(entry->value.place, fmt::format("{} must be a single value", parameter.name));
      return std::nullopt;
    }
    try {
      return parse_parameter(parameter, plain(entry->value.text, parameter.type));
    } catch (const Error& error) {
      problems_.add(entry->value.place, fmt::format("{}: {}", parameter.name, error.reason()));
      return std::nullopt;
    }
  }
  void text(const std::string& key, std::string& to, const std::vector<std::string>& other_names = {}) {
    if (const auto found = value({.name = key, .type = ParameterType::text, .help = ""}, other_names))
      to = std::get<std::string>(*found);
  }
  void flag(const std::string& key, bool& to, const std::vector<std::string>& other_names = {}) {
    if (const auto found = value({.name = key, .type = ParameterType::flag, .help = ""}, other_names))
      to = std::get<bool>(*found);
  }
  template <class T>
  void number(Parameter parameter, T& to) {
    if (const auto found = value(parameter)) to = static_cast<T>(std::get<std::int64_t>(*found));
  }
  void duration(const std::string& key, std::chrono::milliseconds& to) {
    read_text(key, "a duration, such as 30s or 500ms", [&](const std::string& text) {
      const auto time = parse_duration(text);
      if (time) to = *time;
      return time.has_value();
    });
  }
  void time(const std::string& key, std::optional<std::int64_t>& to) {
    read_text(key, "a time, such as 2024-05-01 or 2024-05-01T12:00:00Z", [&](const std::string& text) {
      to = parse_iso_time(text);
      return to.has_value();
    });
  }
  void texts(const std::string& key, std::vector<std::string>& to,
             const std::function<std::string_view(std::string_view)>& what_is_wrong) {
    const YamlEntry* entry = find(key);
    if (entry == nullptr) return;
    if (entry->value.kind != YamlNode::Kind::list) {
      problems_.add(entry->value.place, fmt::format("{} must be a list", key));
      return;
    }
    for (const YamlNode& item : entry->value.items) {
      const std::string_view wrong =
          item.kind == YamlNode::Kind::text ? what_is_wrong(item.text) : "it must be a single value";
      if (!wrong.empty())
        problems_.add(item.place, fmt::format("{}: '{}': {}", key, item.text, wrong));
      else
        to.push_back(item.text);
    }
  }
  Section section(const std::string& key) {
    static const YamlNode nothing;
    const YamlEntry* entry = find(key);
    return {entry == nullptr ? nothing : entry->value, key, problems_};
  }
  /// Keys that may be there, and change nothing.
  void without_effect(const std::vector<std::string>& keys, std::vector<Problem>& to) {
    for (const std::string& key : keys)
      if (const YamlEntry* entry = find(key, {"aws_" + key}))
        to.push_back({entry->key.place, fmt::format("{} has no effect here", entry->key.text)});
  }
  void unsupported(const std::vector<std::string>& keys) {
    for (const std::string& key : keys)
      if (const YamlEntry* entry = find(key, {"aws_" + key}))
        problems_.add(entry->key.place, fmt::format("{} is not supported", entry->key.text));
    known_.resize(known_.size() - keys.size());  // not to be proposed
  }
  /// Once all keys are asked for.
  void refuse_others() {
    for (const YamlEntry& entry : map_.entries)
      if (std::ranges::find(taken_, &entry) == taken_.end())
        problems_.add_unknown(entry.key.place, fmt::format("{} has no key {}", name_, entry.key.text),
                              entry.key.text, known_);
  }
  Place place_of(const std::string& key) {
    for (const YamlEntry& entry : map_.entries)
      if (entry.key.text == key) return entry.value.place;
    return map_.place;
  }

 private:
  static std::string lowered(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  }
  void read_text(const std::string& key, std::string_view wanted,
                 const std::function<bool(const std::string&)>& read) {
    const YamlEntry* entry = find(key);
    if (entry == nullptr) return;
    if (entry->value.kind != YamlNode::Kind::text || !read(entry->value.text))
      problems_.add(entry->value.place, fmt::format("{}: '{}' is not {}", key, entry->value.text, wanted));
  }

  const YamlNode& map_;
  const std::string name_;
  Problems& problems_;
  std::vector<std::string> known_;
  std::vector<const YamlEntry*> taken_;
};

Parameter whole_number(std::string name, double least, double most) {
  return {.name = std::move(name), .type = ParameterType::integer, .help = "", .least = least, .most = most};
}
Parameter size_of(std::string name) {
  return {.name = std::move(name), .type = ParameterType::bytes, .help = ""};
}

void read_retries(Section section, HttpOptions& http) {
  section.number(whole_number("max_retries", 0, 1000), http.retries);
  section.duration("retry_timeout", http.retry_time);
  Section backoff = section.section("backoff");
  backoff.duration("init_backoff", http.retry_pause);
  backoff.duration("max_backoff", http.longest_pause);
  std::int64_t base = 2;  // which is how pauses grow
  backoff.number(whole_number("base", 2, 2), base);
  backoff.refuse_others();
  section.refuse_others();
}

void read_obstore(Section section, CatalogConfig& config) {
  S3Options& s3 = config.opening.s3;
  HttpOptions& http = config.opening.http.http;
  const auto s3_names = [](const std::string& key) { return std::vector<std::string>{key, "aws_" + key}; };
  section.text("default_region", s3.region, s3_names("default_region"));
  section.text("region", s3.region, s3_names("region"));
  section.text("endpoint", s3.endpoint, {"endpoint", "aws_endpoint", "endpoint_url", "aws_endpoint_url"});
  section.text("access_key_id", s3.access_key, s3_names("access_key_id"));
  section.text("secret_access_key", s3.secret_key, s3_names("secret_access_key"));
  section.text("session_token", s3.session_token,
               {"session_token", "aws_session_token", "token", "aws_token"});
  section.text("profile", s3.profile);
  section.flag("skip_signature", s3.anonymous, s3_names("skip_signature"));
  section.flag("request_payer", s3.requester_pays, s3_names("request_payer"));
  if (const auto hosted =
          section.value({.name = "virtual_hosted_style_request", .type = ParameterType::flag, .help = ""},
                        s3_names("virtual_hosted_style_request")))
    s3.path_style = !std::get<bool>(*hosted);
  // Of writing, and of credentials that are not asked for here.
  section.without_effect({"allow_http", "checksum_algorithm", "conditional_put", "copy_if_not_exists",
                          "disable_tagging", "imdsv1_fallback", "metadata_endpoint", "server_side_encryption",
                          "sse_bucket_key_enabled", "sse_kms_key_id", "unsigned_payload"},
                         config.without_effect);
  section.unsupported(
      {"bucket", "container_credentials_relative_uri", "s3_express", "sse_customer_key_base64"});

  Section client = section.section("client_options");
  client.duration("timeout", http.timeout);
  client.duration("connect_timeout", http.connect_timeout);
  client.without_effect({"allow_http", "default_content_type", "http1_only", "http2_keep_alive_interval",
                         "http2_keep_alive_timeout", "http2_keep_alive_while_idle", "http2_only",
                         "pool_idle_timeout", "pool_max_idle_per_host", "user_agent"},
                        config.without_effect);
  client.unsupported({"allow_invalid_certificates", "default_headers", "proxy_ca_certificate",
                      "proxy_excludes", "proxy_url"});
  client.refuse_others();
  read_retries(section.section("retry_config"), http);
  section.refuse_others();
}

/// n_consumers <= list_chunk_size <= write_chunk_size <= max_buffer_size
void check_order(Section& section, const CatalogConfig& config, Problems& problems) {
  const auto check = [&](std::string_view low, std::uint64_t low_value, const std::string& high,
                         std::uint64_t high_value) {
    if (low_value > high_value)
      problems.add(section.place_of(high),
                   fmt::format("{} ({}) must be at least {} ({})", high, high_value, low, low_value));
  };
  check("n_consumers", config.n_consumers, "list_chunk_size", config.list_chunk_size);
  check("list_chunk_size", config.list_chunk_size, "write_chunk_size", config.write_chunk_size);
  check("write_chunk_size", config.write_chunk_size, "max_buffer_size", config.max_buffer_size);
}

}  // namespace

HttpOptions catalog_http() {
  HttpOptions http;
  http.retries = 9;
  http.retry_time = std::chrono::seconds(180);
  http.retry_pause = std::chrono::milliseconds(100);
  http.longest_pause = std::chrono::seconds(15);
  http.awaits_server = true;
  return http;
}

CatalogConfig read_catalog_config(const std::string& text, const std::string& name) {
  Problems problems;
  CatalogConfig config;
  HttpOptions& http = config.opening.http.http;
  http = catalog_http();
  const YamlNode document = parse_yaml(text, name);
  Section file(document, "the file", problems);

  Section store = file.section("store");
  store.text("name", config.store);
  if (config.store.empty()) problems.add(document.place, "there is no store: a name, such as s3://bucket");
  store.texts("prefixes", config.prefixes, [](std::string_view prefix) -> std::string_view {
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    return prefix.empty() || is_key(prefix) ? "" : "it is no beginning of a key: parts joined by '/'";
  });
  read_obstore(store.section("obstore_config"), config);
  store.refuse_others();

  Section concurrency = file.section("concurrency");
  concurrency.number(whole_number("n_consumers", 1, 65'536), config.n_consumers);
  concurrency.number(whole_number("list_chunk_size", 1, 1e9), config.list_chunk_size);
  concurrency.number(whole_number("max_buffer_size", 1, 1e12), config.max_buffer_size);
  concurrency.number(whole_number("write_chunk_size", 1, 1e9), config.write_chunk_size);
  concurrency.refuse_others();
  check_order(concurrency, config, problems);

  file.texts("include", config.filter.include, what_is_wrong_with_glob);
  file.texts("exclude", config.filter.exclude, what_is_wrong_with_glob);
  const auto size = [&](const std::string& key) -> std::optional<std::uint64_t> {
    const auto found = file.value(size_of(key));
    return found ? std::optional(static_cast<std::uint64_t>(std::get<std::int64_t>(*found))) : std::nullopt;
  };
  config.filter.min_size = size("min_size");
  config.filter.max_size = size("max_size");
  if (const std::string wrong = config.filter.what_is_wrong(); !wrong.empty())
    problems.add(file.place_of("max_size"), wrong);
  file.time("modified_after", config.filter.modified_after);
  file.time("modified_before", config.filter.modified_before);
  file.text("keys", config.keys);
  file.text("catalog", config.catalog);
  if (!config.keys.empty() && !config.catalog.empty())
    problems.add(file.place_of("catalog"), "the keys come from a file or from a catalog, not from both");
  Parameter prefetch = size_of("prefetch");
  prefetch.least = 512;
  prefetch.most = 1 << 20;
  file.number(prefetch, config.prefetch);
  if (const auto rate = file.value(
          {.name = "rate", .type = ParameterType::number, .help = "", .least = 0.001, .most = 1e6}))
    http.rate = std::get<double>(*rate);
  file.number(size_of("memory"), config.memory);
  file.number(whole_number("threads", 1, 1024), config.threads);
  if (const auto schema = file.value(
          {.name = "schema", .type = ParameterType::choice, .help = "", .choices = {"weir", "tiff-dumper"}}))
    config.schema =
        std::get<std::string>(*schema) == "weir" ? CatalogSchema::weir : CatalogSchema::tiff_dumper;
  file.refuse_others();
  problems.throw_if_any(name);
  config.opening.s3.http = http;
  return config;
}

}  // namespace weir
