#include "nodes/stores/s3_reply.hpp"

#include <fmt/format.h>

#include <random>
#include <string_view>

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
  const auto says = [&](std::string_view code) { return reply.text.find(code) != std::string::npos; };
  if (reply.status == 404) return says("NoSuchKey") || says("NoSuchUpload");
  // Amazon begins the answer to the end of an upload before it knows how it ends: an error can have status 200.
  return reply.status == 412 || reply.status == 409 ||
         (reply.status == 200 &&
          (says("<Code>PreconditionFailed<") || says("<Code>ConditionalRequestConflict<")));
}

std::string name_beside(std::string_view key) {
  std::random_device device;
  return fmt::format("{}.condition-{:08x}{:08x}", key, device(), device());
}

ObjectVersion s3_version(const std::string& etag, std::uint64_t size) {
  return etag.empty() ? ObjectVersion{} : HttpObjects::version(etag, "", size);
}

}  // namespace weir

#endif
