#include "nodes/stores/s3_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "nodes/stores/aws_profile.hpp"
#include "nodes/stores/http_ranges.hpp"
#include "nodes/stores/s3_listing.hpp"
#include "nodes/stores/s3_reply.hpp"
#include "nodes/stores/url.hpp"

#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

#include <pugixml.hpp>

namespace weir {
namespace {

// Of the protocol.
constexpr std::uint64_t smallest_part = 5 << 20, largest_put = std::uint64_t{5} << 30;
// Of an answer in XML. A page of 1000 keys of 100 bytes has 450 KB; one that has more than this is asked for in two.
constexpr std::size_t answer_bytes = 640 << 10;
constexpr std::size_t keys_of_page = 1000;

std::string from_environment(std::string value, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* found = std::getenv(name); value.empty() && found != nullptr) value = found;
  return value;
}

std::string_view name_of(HttpMethod method) {
  switch (method) {
    case HttpMethod::put:
      return "PUT";
    case HttpMethod::post:
      return "POST";
    case HttpMethod::erase:
      return "DELETE";
    default:
      return "GET";
  }
}

}  // namespace

S3Store::S3Store(const std::string& url, const S3Options& options) : name_(url), options_(options) {
  const auto refuse = [&](std::string_view reason) { throw Error::usage("open", url, reason); };
  const bool is_google = url.starts_with("gs://");
  const std::string_view scheme = is_google ? "gs://" : "s3://";
  if (!url.starts_with(scheme)) refuse("it does not begin with s3://");
  while (name_.size() > scheme.size() && name_.ends_with('/')) name_.pop_back();
  const std::string path = name_.substr(scheme.size());
  bucket_ = path.substr(0, path.find('/'));
  if (bucket_.empty() || bucket_.find_first_of("?#@:%") != std::string::npos) refuse("it names no bucket");
  if (bucket_.size() < path.size()) {
    prefix_ = path.substr(bucket_.size() + 1);
    check_key(prefix_);
    prefix_ += '/';
  }
  if (options_.part_bytes < smallest_part) refuse("parts have at least 5 MiB");

  if (is_google) {  // the environment's keys are Amazon's
    if (options_.endpoint.empty()) options_.endpoint = "https://storage.googleapis.com";
    if (options_.region.empty()) options_.region = "auto";
    options_.anonymous = options_.anonymous || options_.access_key.empty();
    keys_ = {options_.access_key, options_.secret_key, options_.session_token};
  } else {
    find_keys();
  }
  std::string endpoint = options_.endpoint;
  const bool is_amazon = endpoint.empty();
  if (is_amazon) endpoint = fmt::format("https://s3.{}.amazonaws.com", options_.region);
  if (!is_url(endpoint)) refuse(fmt::format("the endpoint '{}' is not http:// or https://", endpoint));
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const std::size_t host = endpoint.find("://") + 3;
  if (endpoint.find_first_of("/?#@", host) != std::string::npos)
    refuse("the endpoint has more than a host and a port");
  host_ = endpoint.substr(host);
  const bool has_path_style =
      options_.path_style.value_or(!is_amazon || bucket_.find('.') != std::string::npos);
  if (!has_path_style) host_ = bucket_ + "." + host_;
  origin_ = endpoint.substr(0, host) + host_;
  base_ = has_path_style ? "/" + encode_url(bucket_, false) + "/" : "/";
  // curl leaves the port out where it is the scheme's own.
  for (const auto& [start, port] : {std::pair("http://", ":80"), std::pair("https://", ":443")})
    if (origin_.starts_with(start) && host_.ends_with(port)) host_.resize(host_.size() - std::strlen(port));

  if (!options_.anonymous && (keys_.access_key.empty() || keys_.secret_key.empty()))
    refuse(
        "there are no keys (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile), and it is not opened "
        "as "
        "anonymous (AWS_NO_SIGN_REQUEST=YES)");

  HttpObjects::Ways ways;
  ways.request = [this](std::string_view key) { return request(HttpMethod::get, object_name(key), {}); };
  ways.is_absent = [this](const HttpReply& reply, std::string& reason) {
    reason = s3_reason(reply);
    if (reply.status == 403) return options_.denied_is_absent;
    return reply.status == 404 && reply.text.find("NoSuchBucket") == std::string::npos;
  };
  ways.fail = [this](std::string_view key, std::string_view reason) { throw failure("read", key, reason); };
  objects_ = std::make_unique<HttpObjects>(options_.http, std::move(ways));
}

S3Store::~S3Store() = default;

/// What the options leave open, from the environment and the profile.
void S3Store::find_keys() {
  options_.anonymous = options_.anonymous || from_environment("", {"AWS_NO_SIGN_REQUEST"}) == "YES";
  keys_ = {from_environment(options_.access_key, {"AWS_ACCESS_KEY_ID"}),
           from_environment(options_.secret_key, {"AWS_SECRET_ACCESS_KEY"}), options_.session_token};
  // A token belongs to the keys that it came with.
  if (options_.access_key.empty())
    keys_.session_token = from_environment(keys_.session_token, {"AWS_SESSION_TOKEN"});
  options_.region = from_environment(options_.region, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  options_.endpoint = from_environment(options_.endpoint, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  const std::string profile = from_environment(options_.profile, {"AWS_PROFILE"});
  const bool wants_keys = !options_.anonymous && keys_.access_key.empty();
  if (wants_keys || options_.region.empty() || !profile.empty()) {
    const AwsProfile found = read_aws_profile(profile);
    if (wants_keys) keys_ = {found.access_key, found.secret_key, found.session_token};
    if (options_.region.empty()) options_.region = found.region;
    if (options_.endpoint.empty()) options_.endpoint = found.endpoint;
  }
  if (options_.region.empty()) options_.region = "us-east-1";
}

std::uint64_t S3Store::writer_bytes() const {
  // The parts' names, too: an entity tag of up to 100 bytes for each.
  return options_.part_bytes + most_s3_parts * 150;
}

std::string S3Store::object_name(std::string_view key) const {
  check_key(key);
  return fmt::format("{}{}", prefix_, key);
}

/// `object`: its name in the bucket; empty for the bucket itself. Ends before the store does.
HttpRequest S3Store::request(HttpMethod method, std::string_view object, const S3Query& query,
                             std::span<const std::byte> body) const {
  const std::string path = base_ + encode_url(object, true), text = s3_query_text(query);
  HttpRequest made{.url = fmt::format("{}{}{}{}", origin_, path, text.empty() ? "" : "?", text)};
  made.method = method;
  made.body = body;
  made.text_bytes = answer_bytes;
  std::map<std::string, std::string> headers;
  if (options_.requester_pays) headers["x-amz-request-payer"] = "requester";
  if (options_.anonymous) {
    for (const auto& [name, value] : headers) made.headers.push_back(fmt::format("{}: {}", name, value));
    return made;
  }
  made.sign = [this, method, path, query, headers,
               hash = body.empty() ? std::string(empty_body_hash) : s3_body_hash(body)] {
    return sign_s3({name_of(method), host_, path, query, headers, hash}, keys_, options_.region,
                   std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  };
  return made;
}

/// One request and its answer, or why there is none.
HttpReply S3Store::ask(HttpRequest request, const std::stop_token& stop) const {
  std::vector<HttpRequest> requests;
  requests.push_back(std::move(request));
  HttpReply reply = std::move(objects_->client().get(std::move(requests), stop).front());
  objects_->traffic().add(reply.traffic);
  if (reply.was_cancelled) throw Error::cancelled();
  return reply;
}

/// Throws unless the answer is a good one, or says that there is no such thing (404).
HttpReply S3Store::send(std::string_view action, std::string_view key, HttpRequest request,
                        const std::stop_token& stop) const {
  HttpReply reply = ask(std::move(request), stop);
  if (!reply.failure.empty()) throw failure(action, key, reply.failure);
  const bool is_good = reply.status >= 200 && reply.status < 300;
  if (!is_good && reply.status != 404) throw failure(action, key, s3_reason(reply));
  return reply;
}

std::optional<std::uint64_t> S3Store::size(std::string_view key, const std::stop_token& stop) const {
  return objects_->get(key, {}, false, stop);
}
std::optional<std::uint64_t> S3Store::get(std::string_view key, std::span<std::byte> out,
                                          const std::stop_token& stop, ObjectVersion* version) const {
  return objects_->get(key, out, false, stop, version);
}
std::optional<std::uint64_t> S3Store::get_end(std::string_view key, std::span<std::byte> out,
                                              const std::stop_token& stop, ObjectVersion* version) const {
  return objects_->get(key, out, true, stop, version);
}
bool S3Store::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                         const std::stop_token& stop, ObjectVersion* version) const {
  check_key(key);
  return objects_->get_ranges(key, ranges, stop, version);
}

void S3Store::put(std::string_view key, std::span<const std::byte> bytes) const {
  if (bytes.size() > largest_put) {
    const std::unique_ptr<ObjectWriter> parts = writer(key);
    parts->append(bytes);
    parts->commit();
  } else {
    put_object(key, bytes);
  }
}

ObjectVersion S3Store::put_object(std::string_view key, std::span<const std::byte> bytes,
                                  const std::string& condition) const {
  const HttpReply reply = send_last(key, request(HttpMethod::put, object_name(key), {}, bytes), condition);
  return s3_version(reply.etag, bytes.size());
}

/// What makes an object appear; `condition`: a header, or empty. Throws unless the answer is a good one.
HttpReply S3Store::send_last(std::string_view key, HttpRequest request, const std::string& condition) const {
  if (!condition.empty()) request.headers.push_back(condition);
  HttpReply reply = ask(std::move(request));
  if (!reply.failure.empty()) throw failure("write", key, reply.failure);
  if (!condition.empty() && is_unmet(reply)) throw outdated(key);
  if (reply.status < 200 || reply.status >= 300) throw failure("write", key, s3_reason(reply));
  return reply;
}

Error S3Store::heeds_no_condition(std::string_view key, std::string_view which) const {
  return Error::usage(
      "replace", fmt::format("{} in {}", key, name()),
      fmt::format("the server writes objects whose condition ({}) does not hold, so another writer's "
                  "update could be lost without a word",
                  which));
}

/// With an object of its own beside the key.
void S3Store::find_conditions(std::string_view key) const {
  const std::lock_guard guard(conditions_mutex_);
  if (heeds_conditions_) return;
  const std::string beside = name_beside(key);
  const auto is_written = [&](const std::string& condition) {
    try {
      put_object(beside, {}, condition);
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::outdated) throw;
      return false;
    }
  };
  const bool heeds_match = !is_written(impossible_condition);
  if (heeds_match) put_object(beside, {});
  const bool heeds_absence = heeds_match && !is_written(absence_condition);
  erase(beside);
  if (!heeds_match) throw heeds_no_condition(key, "If-Match");
  if (!heeds_absence) throw heeds_no_condition(key, "If-None-Match");
  heeds_conditions_ = true;
}

std::string S3Store::condition_of(std::string_view key, const ObjectVersion& old) const {
  find_conditions(key);
  if (!old.is_known()) return absence_condition;
  if (old.tag.empty()) throw failure("replace", key, "the server gave it no strong entity tag");
  return "If-Match: " + old.tag;
}

void S3Store::replace(std::string_view key, const ObjectVersion& old,
                      std::span<const std::byte> bytes) const {
  if (bytes.size() > largest_put)
    Store::replace(key, old, bytes);
  else
    put_object(key, bytes, condition_of(key, old));
}

void S3Store::erase(std::string_view key) const {
  const HttpReply reply = send("erase", key, request(HttpMethod::erase, object_name(key), {}));
  if (reply.status == 404 && reply.text.find("NoSuchBucket") != std::string::npos)
    throw failure("erase", key, s3_reason(reply));
}

void S3Store::list_objects(const ListRequest& wanted, const std::function<bool(const StoredObject&)>& each,
                           const std::stop_token& stop) const {
  if (!wanted.prefix.empty()) check_key(wanted.prefix);
  const std::string start = prefix_ + (wanted.prefix.empty() ? "" : std::string(wanted.prefix) + "/");
  const auto fail = [&](std::string_view reason) { throw failure("list", wanted.prefix, reason); };
  std::size_t most = wanted.page > 0 ? std::min(wanted.page, keys_of_page) : keys_of_page;
  std::string next;
  const auto ask = [&] {
    S3Query query{{"list-type", "2"}, {"encoding-type", "url"}};
    if (!start.empty()) query.emplace_back("prefix", start);
    if (wanted.one_level) query.emplace_back("delimiter", "/");
    if (most < keys_of_page) query.emplace_back("max-keys", std::to_string(most));
    if (!next.empty())
      query.emplace_back("continuation-token", next);
    else if (!wanted.start_after.empty())
      query.emplace_back("start-after", prefix_ + std::string(wanted.start_after));
    return request(HttpMethod::get, "", query);
  };
  for (;;) {
    S3Page page;
    {
      HttpReply reply = send_listing(wanted.prefix, ask(), stop);
      if (reply.is_too_long && most > 1) {
        most /= 2;
        continue;
      }
      if (!reply.failure.empty()) fail(reply.failure);
      const std::lock_guard guard(listing_mutex_);
      try {
        page = parse_s3_page(std::move(reply.text), start);
      } catch (const Error& error) {
        fail(error.reason());
      }
    }
    for (const S3Page::Entry& entry : page.entries) {
      const std::string_view key = std::string_view(entry.name).substr(prefix_.size());
      // Servers of old do not know start-after.
      if (key.empty() || key <= wanted.start_after) continue;
      if (!each({.key = key, .size = entry.size, .etag = entry.etag, .last_modified = entry.last_modified}))
        return;
    }
    if (page.is_last) return;
    if (page.next.empty() || page.next == next) fail("the server does not say how the listing goes on");
    next = std::move(page.next);
  }
}

/// Throws unless it is a listing, or one that is too long.
HttpReply S3Store::send_listing(std::string_view prefix, HttpRequest request,
                                const std::stop_token& stop) const {
  HttpReply reply = ask(std::move(request), stop);
  if (!reply.is_too_long && !reply.failure.empty()) throw failure("list", prefix, reply.failure);
  if (reply.status != 200) throw failure("list", prefix, s3_reason(reply));
  return reply;
}

std::uint64_t S3Store::standing_bytes() const {
  return sizeof *this + objects_->standing_bytes() + s3_page_bytes;  // one page is taken apart at a time
}

std::uint64_t S3Store::listing_bytes() const {
  return 3 * answer_bytes;  // the text, in a string that doubles, and a page of what it says
}

std::unique_ptr<RangeReader> S3Store::range_reader(unsigned at_once) const {
  HttpOptions http = options_.http;
  http.requests = at_once;
  const auto get = [this](std::string_view key) { return request(HttpMethod::get, object_name(key), {}); };
  return std::make_unique<HttpRanges>(http, get, objects_->traffic());
}

}  // namespace weir

#else

namespace weir {

S3Store::S3Store(const std::string& url, const S3Options&) {
  throw Error::usage("open", url, "this weir was built without one of libcurl, OpenSSL and pugixml");
}
S3Store::~S3Store() = default;
std::optional<std::uint64_t> S3Store::size(std::string_view, const std::stop_token&) const {
  return {};
}
std::optional<std::uint64_t> S3Store::get(std::string_view, std::span<std::byte>, const std::stop_token&,
                                          ObjectVersion*) const {
  return {};
}
std::optional<std::uint64_t> S3Store::get_end(std::string_view, std::span<std::byte>, const std::stop_token&,
                                              ObjectVersion*) const {
  return {};
}
bool S3Store::get_ranges(std::string_view, std::span<const ObjectRange>, const std::stop_token&,
                         ObjectVersion*) const {
  return false;
}
void S3Store::put(std::string_view, std::span<const std::byte>) const {}
void S3Store::erase(std::string_view) const {}
void S3Store::list_objects(const ListRequest&, const std::function<bool(const StoredObject&)>&,
                           const std::stop_token&) const {}
std::unique_ptr<RangeReader> S3Store::range_reader(unsigned) const {
  return nullptr;
}
std::uint64_t S3Store::writer_bytes() const {
  return 0;
}
std::uint64_t S3Store::listing_bytes() const {
  return 0;
}
std::uint64_t S3Store::standing_bytes() const {
  return 0;
}

}  // namespace weir

#endif
