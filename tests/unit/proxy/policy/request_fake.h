#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/policy/route_match.h"

namespace proxy::policy {

// A request as the matcher sees it, written in one line.
struct FakeRequest final : RequestView {
  std::string target = "/";
  std::string verb = "GET";
  std::string host = "greeter-service";
  std::string protocol = "http";
  std::vector<std::pair<std::string, std::string>> lines{};  // names in lower case

  explicit FakeRequest(std::string target_value = "/", std::vector<std::pair<std::string, std::string>> headers = {})
      : target(std::move(target_value)), lines(std::move(headers)) {}

  [[nodiscard]] std::string_view method() const override { return verb; }
  [[nodiscard]] std::string_view path() const override { return target; }
  [[nodiscard]] std::string_view authority() const override { return host; }
  [[nodiscard]] std::string_view scheme() const override { return protocol; }
  [[nodiscard]] bool header(std::string_view name, std::string_view& value) const override {
    bool is_there = false;
    for (const auto& [line_name, line_value] : lines) {
      if (line_name != name) continue;
      if (!is_there) {
        value = line_value;
      } else {
        joined_.assign(value).append(name == "accept" ? "," : "\n").append(line_value);
        value = joined_;
      }
      is_there = true;
    }
    return is_there;
  }

 private:
  mutable std::string joined_;
};

}  // namespace proxy::policy
