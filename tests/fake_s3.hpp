#pragma once

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <string>

#include "nodes/stores/http_objects.hpp"
#include "nodes/stores/s3_options.hpp"
#include "tests/http_server.hpp"

namespace weir::test {

/// A bucket named "box" on the loopback device, as far as S3Store uses one: no signature is checked (tests/foreign/s3_agree.py has a
/// server that does). Objects of one seed have one tag. A page of a listing has 3 keys, unless it is said otherwise.
class FakeS3 {
 public:
  FakeS3() {
    server.set_handler([this](const SeenRequest& request) { return handle(request); });
  }
  S3Options options() const {
    S3Options options;
    options.endpoint = server.url("");
    options.access_key = "key";
    options.secret_key = "secret";
    options.region = "here";
    return options;
  }
  std::size_t uploads_open() const {
    const std::lock_guard lock(mutex_);
    return uploads_.size();
  }

  HttpServer server;
  /// Of writes: all, If-None-Match, those of objects in parts.
  bool ignores_conditions = false, ignores_absence = false, ignores_conditions_of_parts = false;
  bool fails_completion = false;      ///< with status 200, as Amazon may
  unsigned spaces_of_completion = 0;  ///< MadeAnswer::spaces
  int keys_of_page = 3;

 private:
  static std::string value(const std::string& query, const std::string& name) {
    const std::size_t at = ("&" + query).find("&" + name + "=");
    if (at == std::string::npos) return "";
    const std::string rest = query.substr(at + name.size() + 1);
    return decode(rest.substr(0, rest.find('&')));
  }
  static std::string decode(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '%') {
        plain += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
        i += 2;
      } else {
        plain += text[i];
      }
    return plain;
  }
  static std::string tag(const std::string& body) {
    return fmt::format("\"{:x}\"", std::hash<std::string>()(body));
  }
  void store(const std::string& path, const std::string& body) {
    ServedFile file;
    const auto bytes = std::as_bytes(std::span(body));
    file.bytes.assign(bytes.begin(), bytes.end());
    file.etag = tag(body);
    objects_[decode(path).substr(std::string("/box/").size())] = {body.size(), file.etag};
    server.serve(path, std::move(file));
  }

  std::optional<MadeAnswer> handle(const SeenRequest& request) {
    const std::lock_guard lock(mutex_);
    const std::size_t mark = request.path.find('?');
    const std::string path = request.path.substr(0, mark);
    const std::string query = mark == std::string::npos ? "" : request.path.substr(mark + 1);
    if (!path.starts_with("/box/"))
      return MadeAnswer{404, "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>"};
    if (!request.headers.contains("authorization"))
      return MadeAnswer{403, "<Error><Code>AccessDenied</Code><Message>not signed</Message></Error>"};
    if (request.method == "GET" && !query.empty()) return page(query);
    if (request.method == "GET") return std::nullopt;
    const std::string upload = value(query, "uploadId");
    if (!upload.empty() && !uploads_.contains(upload))
      return MadeAnswer{404, "<Error><Code>NoSuchUpload</Code></Error>"};
    if (request.method == "DELETE") {
      if (upload.empty()) {
        objects_.erase(decode(path).substr(std::string("/box/").size()));
        server.stop_serving(path);
      }
      uploads_.erase(upload);
      return MadeAnswer{204};
    }
    if (request.method != "PUT" || upload.empty())  // not a part, and not the beginning of parts
      if (std::optional<MadeAnswer> unmet = refused(request, decode(path))) return unmet;
    if (request.method == "PUT" && upload.empty()) {
      store(path, request.body);
      return MadeAnswer{200, "", {"ETag: " + tag(request.body)}};
    }
    if (request.method == "PUT") {
      uploads_[upload][std::stoi(value(query, "partNumber"))] = request.body;
      return MadeAnswer{200, "", {"ETag: " + tag(request.body)}};
    }
    if (upload.empty()) {
      const std::string number = fmt::format("up/{}+", ++numbers_);
      uploads_[number];
      return MadeAnswer{200, fmt::format("<InitiateMultipartUploadResult><UploadId>{}</UploadId>"
                                         "</InitiateMultipartUploadResult>",
                                         number)};
    }
    if (fails_completion)
      return MadeAnswer{200, "<Error><Code>InternalError</Code><Message>sorry</Message></Error>"};
    std::string body;
    for (const auto& [number, part] : uploads_[upload]) {
      if (request.body.find(fmt::format("<PartNumber>{}</PartNumber><ETag>{}</ETag>", number, tag(part))) ==
          std::string::npos)
        return MadeAnswer{400, "<Error><Code>InvalidPart</Code></Error>"};
      body += part;
    }
    uploads_.erase(upload);
    store(path, body);
    return MadeAnswer{200,
                      fmt::format("<?xml version=\"1.0\"?>\n<CompleteMultipartUploadResult>"
                                  "<ETag>{}</ETag></CompleteMultipartUploadResult>",
                                  tag(body)),
                      {},
                      spaces_of_completion};
  }

  /// As Amazon answers where a condition does not hold.
  std::optional<MadeAnswer> refused(const SeenRequest& request, const std::string& path) const {
    const auto found = objects_.find(path.substr(std::string("/box/").size()));
    const bool exists = found != objects_.end();
    const auto wanted = request.headers.find("if-match");
    if (ignores_conditions || (ignores_conditions_of_parts && request.method == "POST")) return std::nullopt;
    if (request.headers.contains("if-none-match") && exists && !ignores_absence)
      return MadeAnswer{412, "<Error><Code>PreconditionFailed</Code></Error>"};
    if (wanted == request.headers.end()) return std::nullopt;
    if (!exists) return MadeAnswer{404, "<Error><Code>NoSuchKey</Code></Error>"};
    if (found->second.tag == wanted->second) return std::nullopt;
    return MadeAnswer{412, "<Error><Code>PreconditionFailed</Code></Error>"};
  }

  MadeAnswer page(const std::string& query) const {
    const std::string prefix = value(query, "prefix"), token = value(query, "continuation-token");
    const std::string after = token.empty() ? value(query, "start-after") : token;
    const std::string wanted = value(query, "max-keys");
    const int most = wanted.empty() ? keys_of_page : std::min(keys_of_page, std::stoi(wanted));
    std::string text, next, folder;
    int count = 0;
    for (auto at = objects_.lower_bound(std::max(prefix, after));
         at != objects_.end() && at->first.starts_with(prefix); ++at) {
      const std::size_t slash =
          value(query, "delimiter").empty() ? std::string::npos : at->first.find('/', prefix.size());
      const std::string shown = slash == std::string::npos ? at->first : at->first.substr(0, slash + 1);
      if (shown <= after || shown == folder) continue;
      if (count++ == most) {
        text += fmt::format(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>", next);
        break;
      }
      next = shown;
      if (slash != std::string::npos) {
        folder = shown;
        text += fmt::format("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", encode_url(shown, true));
      } else {
        text += fmt::format(
            "<Contents><Key>{}</Key><LastModified>2009-10-12T17:50:30.250Z</LastModified><ETag>&quot;{}&quot;"
            "</ETag><Size>{}</Size></Contents>",
            encode_url(shown, true), at->second.tag.substr(1, at->second.tag.size() - 2), at->second.size);
      }
    }
    return {200, "<ListBucketResult><EncodingType>url</EncodingType>" + text + "</ListBucketResult>"};
  }

  mutable std::mutex mutex_;
  struct Listed {
    std::uint64_t size = 0;
    std::string tag;
  };
  std::map<std::string, Listed> objects_;
  std::map<std::string, std::map<int, std::string>> uploads_;
  int numbers_ = 0;
};

}  // namespace weir::test
