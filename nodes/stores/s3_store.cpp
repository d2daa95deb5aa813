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
#include "nodes/stores/url.hpp"

#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

#include <pugixml.hpp>

namespace weir {
namespace {

// Of the protocol.
constexpr std::uint64_t smallest_part = 5 << 20, largest_put = std::uint64_t{5} << 30;
constexpr std::size_t most_parts = 10'000;
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

/// What the server says of an error, "NoSuchBucket: The specified bucket does not exist", or nothing.
std::string error_text(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return "";
  const pugi::xml_node error = document.child("Error");
  const std::string code = error.child_value("Code"), message = error.child_value("Message");
  return message.empty() ? code : code + ": " + message;
}

std::string reason_of(const HttpReply& reply) {
  std::string reason = fmt::format("the server answers with status {}", reply.status);
  if (const std::string text = error_text(reply.text); !text.empty()) reason += ", " + text;
  return reason;
}

/// Of an object that was written; not known where the server gives it no entity tag.
ObjectVersion version(const std::string& etag, std::uint64_t size) {
  return etag.empty() ? ObjectVersion{} : HttpObjects::version(etag, "", size);
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
    reason = reason_of(reply);
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
  return options_.part_bytes + most_parts * 150;
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

/// Throws unless the answer is a good one, or says that there is no such thing (404).
HttpReply S3Store::send(std::string_view action, std::string_view key, HttpRequest request,
                        const std::stop_token& stop) const {
  std::vector<HttpRequest> requests;
  requests.push_back(std::move(request));
  HttpReply reply = std::move(objects_->client().get(std::move(requests), stop).front());
  objects_->traffic().add(reply.traffic);
  if (reply.was_cancelled) throw Error::cancelled();
  if (!reply.failure.empty()) throw failure(action, key, reply.failure);
  const bool is_good = reply.status >= 200 && reply.status < 300;
  if (!is_good && reply.status != 404) throw failure(action, key, reason_of(reply));
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

ObjectVersion S3Store::put_object(std::string_view key, std::span<const std::byte> bytes) const {
  const HttpReply reply = send("write", key, request(HttpMethod::put, object_name(key), {}, bytes));
  if (reply.status == 404) throw failure("write", key, reason_of(reply));
  return version(reply.etag, bytes.size());
}

void S3Store::erase(std::string_view key) const {
  const HttpReply reply = send("erase", key, request(HttpMethod::erase, object_name(key), {}));
  if (reply.status == 404 && reply.text.find("NoSuchBucket") != std::string::npos)
    throw failure("erase", key, reason_of(reply));
}

class S3Store::Writer : public ObjectWriter {
 public:
  Writer(const S3Store& store, std::string_view key)
      : store_(store), key_(key), object_(store.object_name(key)) {}
  ~Writer() override {
    if (upload_.empty()) return;
    try {  // parts that stay would be paid for
      store_.send("write", key_, store_.request(HttpMethod::erase, object_, {{"uploadId", upload_}}));
    } catch (...) {
    }
  }

  void append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      if (part_.empty()) part_.reserve(store_.options_.part_bytes);
      const std::size_t some =
          std::min<std::uint64_t>(bytes.size(), store_.options_.part_bytes - part_.size());
      // The last part is kept until commit: what fits in one is no upload of parts.
      if (some == 0) {
        send_part();
        continue;
      }
      part_.insert(part_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(some));
      bytes = bytes.subspan(some);
      size_ += some;
    }
  }

  void copy(std::uint64_t offset, std::uint64_t bytes) override {
    if (!old_size_) look_at_old();
    if (offset > *old_size_ || bytes > *old_size_ - offset)
      throw store_.failure("copy from", key_, fmt::format("it ends at byte {}", *old_size_));
    while (bytes > 0) {
      if (part_.size() == store_.options_.part_bytes) send_part();
      part_.reserve(store_.options_.part_bytes);
      const std::size_t begin = part_.size();
      const std::size_t some = std::min<std::uint64_t>(bytes, store_.options_.part_bytes - begin);
      part_.resize(begin + some);
      HttpRequest request = store_.request(HttpMethod::get, object_, {});
      request.headers.push_back("If-Match: " + old_tag_);
      request.first = offset;
      request.out = std::span(part_).subspan(begin);
      const HttpReply reply = store_.send("copy from", key_, std::move(request));
      if (reply.status != 206 || reply.bytes != some || reply.etag != old_tag_)
        throw store_.failure("copy from", key_, "it was changed meanwhile");
      offset += some;
      size_ += some;
      bytes -= some;
    }
  }

  std::uint64_t size() const override { return size_; }
  void patch(std::uint64_t, std::span<const std::byte>) override {
    throw store_.unable("change", key_, &StoreAbilities::patch);
  }

  ObjectVersion commit() override {
    if (upload_.empty()) return store_.put_object(key_, part_);
    if (!part_.empty()) send_part();
    std::string xml = "<CompleteMultipartUpload>";
    for (std::size_t i = 0; i < tags_.size(); ++i)
      xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, tags_[i]);
    xml += "</CompleteMultipartUpload>";
    const HttpReply reply = send(HttpMethod::post, {{"uploadId", upload_}}, std::as_bytes(std::span(xml)));
    // Amazon begins the answer before it knows how it ends: an error can have status 200.
    pugi::xml_document document;
    pugi::xml_node done;
    if (document.load_buffer(reply.text.data(), reply.text.size()))
      done = document.child("CompleteMultipartUploadResult");
    if (!done) throw store_.failure("write", key_, reason_of(reply));
    upload_.clear();
    return version(done.child_value("ETag"), size_);
  }

 private:
  HttpReply send(HttpMethod method, const S3Query& query, std::span<const std::byte> body) const {
    HttpReply reply = store_.send("write", key_, store_.request(method, object_, query, body));
    if (reply.status == 404) throw store_.failure("write", key_, reason_of(reply));
    return reply;
  }

  void send_part() {
    if (tags_.size() == most_parts)
      throw store_.failure(
          "write", key_,
          fmt::format("it has more than {} parts of {} bytes", most_parts, store_.options_.part_bytes));
    if (upload_.empty()) {
      const HttpReply reply = send(HttpMethod::post, {{"uploads", ""}}, {});
      pugi::xml_document document;
      if (document.load_buffer(reply.text.data(), reply.text.size()))
        upload_ = document.child("InitiateMultipartUploadResult").child_value("UploadId");
      if (upload_.empty()) throw store_.failure("write", key_, "the server gives no number for an upload");
    }
    const HttpReply reply = send(
        HttpMethod::put, {{"partNumber", std::to_string(tags_.size() + 1)}, {"uploadId", upload_}}, part_);
    if (reply.etag.empty() || reply.etag.find_first_of("<&") != std::string::npos)
      throw store_.failure("write", key_, "the server gives no entity tag for a part");
    tags_.push_back(reply.etag);
    part_.clear();
  }

  void look_at_old() {
    std::byte first{};
    HttpRequest request = store_.request(HttpMethod::get, object_, {});
    request.out = std::span(&first, 1);
    std::vector<HttpRequest> requests;
    requests.push_back(std::move(request));
    const HttpReply reply = std::move(store_.objects_->client().get(std::move(requests)).front());
    store_.objects_->traffic().add(reply.traffic);
    const bool is_empty = reply.failure.empty() && reply.status == 416;
    const bool is_there =
        reply.failure.empty() && reply.status == 206 && reply.range->size && !reply.etag.empty();
    if (!is_empty && !is_there)
      throw store_.failure("copy from", key_,
                           !reply.failure.empty() ? reply.failure
                           : reply.status == 404  ? "there is no such object"
                                                  : reason_of(reply));
    old_size_ = is_empty ? 0 : *reply.range->size;
    old_tag_ = reply.etag;
  }

  const S3Store& store_;
  const std::string key_, object_;
  std::string upload_;             ///< its number; empty: there is none
  std::vector<std::byte> part_;    ///< not sent yet
  std::vector<std::string> tags_;  ///< of the parts that were
  std::uint64_t size_ = 0;
  std::optional<std::uint64_t> old_size_;
  std::string old_tag_;
};

std::unique_ptr<ObjectWriter> S3Store::writer(std::string_view key) const {
  return std::make_unique<Writer>(*this, key);
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
  std::vector<HttpRequest> requests;
  requests.push_back(std::move(request));
  HttpReply reply = std::move(objects_->client().get(std::move(requests), stop).front());
  objects_->traffic().add(reply.traffic);
  if (reply.was_cancelled) throw Error::cancelled();
  if (!reply.is_too_long && !reply.failure.empty()) throw failure("list", prefix, reply.failure);
  if (reply.status != 200) throw failure("list", prefix, reason_of(reply));
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
std::unique_ptr<ObjectWriter> S3Store::writer(std::string_view) const {
  return nullptr;
}
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
