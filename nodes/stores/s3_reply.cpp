#include "nodes/stores/s3_reply.hpp"

#include <fmt/format.h>

#include "nodes/stores/http_objects.hpp"

#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

#include <pugixml.hpp>

namespace weir {
namespace {

/// What the server says of an error, "NoSuchBucket: The specified bucket does not exist", or nothing.
std::string error_text(const std::string& xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return "";
  const pugi::xml_node error = document.child("Error");
  const std::string code = error.child_value("Code"), message = error.child_value("Message");
  return message.empty() ? code : code + ": " + message;
}

}  // namespace

std::string s3_reason(const HttpReply& reply) {
  std::string reason = fmt::format("the server answers with status {}", reply.status);
  if (const std::string text = error_text(reply.text); !text.empty()) reason += ", " + text;
  return reason;
}

bool is_unmet(const HttpReply& reply) {
  if (!reply.failure.empty()) return false;
  return reply.status == 412 || reply.status == 409 ||
         (reply.status == 404 && reply.text.find("NoSuchKey") != std::string::npos);
}

ObjectVersion s3_version(const std::string& etag, std::uint64_t size) {
  return etag.empty() ? ObjectVersion{} : HttpObjects::version(etag, "", size);
}

}  // namespace weir

#endif
