#pragma once

#include <string>
#include <string_view>

#include "proxy/http1/head.h"
#include "proxy/http1/write.h"
#include "proxy/policy/route_match.h"

namespace proxy {

// What route matching sees of a request: its head as it will be sent on. Hop-by-hop headers are gone by then, and what
// the proxy adds to every request is there.
class RouteInput final : public policy::RequestView {
 public:
  // `request_id`: the generated one, empty when the caller sent one.
  RouteInput(std::string_view bytes, const http1::RequestHead& head, const http1::Target& target,
             std::string_view authority, std::string_view request_id)
      : bytes_(bytes), head_(head), target_(target), authority_(authority), request_id_(request_id) {}

  [[nodiscard]] std::string_view method() const override { return bytes_.substr(0, head_.method_size); }
  [[nodiscard]] std::string_view path() const override { return target_.path; }
  [[nodiscard]] std::string_view authority() const override { return authority_; }
  // Of an absolute target; else x-forwarded-proto when it names https, else what the connection is: plain.
  [[nodiscard]] std::string_view scheme() const override;
  [[nodiscard]] bool header(std::string_view name, std::string_view& value) const override;

 private:
  [[nodiscard]] bool pseudo_header(std::string_view name, std::string_view& value) const;
  [[nodiscard]] bool is_hidden(http1::HeaderId id, std::string_view value) const;

  std::string_view bytes_;
  const http1::RequestHead& head_;
  const http1::Target& target_;
  std::string_view authority_;
  std::string_view request_id_;
  mutable std::string storage_;
};

}  // namespace proxy
