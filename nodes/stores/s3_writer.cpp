#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nodes/stores/s3_reply.hpp"
#include "nodes/stores/s3_store.hpp"

#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

#include <pugixml.hpp>

namespace weir {

/// Of an object in parts, or in one piece where it is smaller than two.
class S3Store::Writer : public ObjectWriter {
 public:
  Writer(const S3Store& store, std::string_view key)
      : store_(store), key_(key), object_(store.object_name(key)) {}
  /// In the place of that version, or where it is not known of none.
  Writer(const S3Store& store, std::string_view key, const ObjectVersion& old) : Writer(store, key) {
    condition_ = store.condition_of(key, old);
    if (!old.is_known()) return;
    old_size_ = old.words.back();
    old_tag_ = old.tag;
  }
  /// Whether the server writes an object of parts whose condition does not hold.
  static bool is_written(const S3Store& store, std::string_view key) {
    Writer writer(store, key);
    writer.condition_ = impossible_condition;
    writer.part_.resize(1);
    writer.send_part();
    try {
      writer.complete();
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::outdated) throw;
      return false;
    }
  }
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
      const HttpReply reply = store_.ask(std::move(request));
      const bool is_other = reply.failure.empty() && reply.status == 206 && reply.etag != old_tag_;
      if (!condition_.empty() && (is_unmet(reply) || is_other)) throw store_.outdated(key_);
      if (!reply.failure.empty()) throw store_.failure("copy from", key_, reply.failure);
      if (reply.status >= 300 && reply.status != 412 && reply.status != 404)
        throw store_.failure("copy from", key_, s3_reason(reply));
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
    if (upload_.empty()) return store_.put_object(key_, part_, condition_);
    if (!condition_.empty()) store_.find_conditions_of_parts(key_);
    if (!part_.empty()) send_part();
    return complete();
  }

 private:
  ObjectVersion complete() {
    std::string xml = "<CompleteMultipartUpload>";
    for (std::size_t i = 0; i < tags_.size(); ++i)
      xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, tags_[i]);
    xml += "</CompleteMultipartUpload>";
    const HttpReply reply = store_.send_last(
        key_,
        store_.request(HttpMethod::post, object_, {{"uploadId", upload_}}, std::as_bytes(std::span(xml))),
        condition_);
    pugi::xml_document document;
    pugi::xml_node done;
    if (document.load_buffer(reply.text.data(), reply.text.size()))
      done = document.child("CompleteMultipartUploadResult");
    if (!done) throw store_.failure("write", key_, s3_reason(reply));  // with status 200, too: see is_unmet
    upload_.clear();
    return s3_version(done.child_value("ETag"), size_);
  }

  HttpReply send(HttpMethod method, const S3Query& query, std::span<const std::byte> body) const {
    HttpReply reply = store_.send("write", key_, store_.request(method, object_, query, body));
    if (reply.status == 404) throw store_.failure("write", key_, s3_reason(reply));
    return reply;
  }

  void send_part() {
    if (tags_.size() == most_s3_parts)
      throw store_.failure(
          "write", key_,
          fmt::format("it has more than {} parts of {} bytes", most_s3_parts, store_.options_.part_bytes));
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
    const HttpReply reply = store_.ask(std::move(request));
    const bool is_empty = reply.failure.empty() && reply.status == 416;
    const bool is_there =
        reply.failure.empty() && reply.status == 206 && reply.range->size && !reply.etag.empty();
    if (!is_empty && !is_there)
      throw store_.failure("copy from", key_,
                           !reply.failure.empty() ? reply.failure
                           : reply.status == 404  ? "there is no such object"
                                                  : s3_reason(reply));
    old_size_ = is_empty ? 0 : *reply.range->size;
    old_tag_ = reply.etag;
  }

  const S3Store& store_;
  const std::string key_, object_;
  std::string condition_;          ///< of a replacer, a header
  std::string upload_;             ///< its number; empty: there is none
  std::vector<std::byte> part_;    ///< not sent yet
  std::vector<std::string> tags_;  ///< of the parts that were
  std::uint64_t size_ = 0;
  std::optional<std::uint64_t> old_size_;
  std::string old_tag_;
};

void S3Store::find_conditions_of_parts(std::string_view key) const {
  const std::lock_guard guard(conditions_mutex_);
  if (heeds_those_of_parts_) return;
  const std::string beside = name_beside(key);
  if (Writer::is_written(*this, beside)) {
    erase(beside);
    throw heeds_no_condition(key, "If-Match of an object in parts");
  }
  heeds_those_of_parts_ = true;
}

std::unique_ptr<ObjectWriter> S3Store::writer(std::string_view key) const {
  return std::make_unique<Writer>(*this, key);
}
std::unique_ptr<ObjectWriter> S3Store::replacer(std::string_view key, const ObjectVersion& old) const {
  return std::make_unique<Writer>(*this, key, old);
}

}  // namespace weir

#else

namespace weir {

std::unique_ptr<ObjectWriter> S3Store::writer(std::string_view) const {
  return nullptr;
}
std::unique_ptr<ObjectWriter> S3Store::replacer(std::string_view, const ObjectVersion&) const {
  return nullptr;
}
void S3Store::replace(std::string_view, const ObjectVersion&, std::span<const std::byte>) const {}

}  // namespace weir

#endif
