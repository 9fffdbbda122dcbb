#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/kube/api_error.h"
#include "agent/kube/credentials.h"

namespace agent::kube {

struct ApiTimeouts {
  std::chrono::milliseconds connect{10'000};   // name, TCP and TLS
  std::chrono::milliseconds request{30'000};   // from its first byte to the last one of the answer
  std::chrono::milliseconds silence{150'000};  // of a watch: the API server sends a bookmark every minute
};

struct ApiRequest {
  enum class Method : std::uint8_t { get, post, put, patch, del };
  Method method = Method::get;
  std::string target;  // path and query, without ClientConfig::base_path
  std::string accept = "application/json";
  std::string body;
  std::string content_type = "application/json";
};

// One connection to the API server, made when it is needed. REQUIRES: all of it on the thread of `context`, one call at
// a time, and the client outlives the call.
class ApiClient {
 public:
  ApiClient(boost::asio::io_context& context, std::shared_ptr<Credentials> credentials, ApiTimeouts timeouts = {});
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  // The body of a 2xx answer, at most kMaxBodyBytes. A GET that finds its idle connection closed is sent again on a new
  // one; so is anything after 401, if the token has changed meanwhile.
  boost::asio::awaitable<ApiResult<std::string>> perform(ApiRequest request);

  // Calls `on_line` for each line of a streamed answer until it says false or the server ends the stream, which is no
  // error; `on_open` before the first, when the server has said 200.
  struct Watcher {
    std::function<void()> on_open;
    std::function<bool(std::string_view line)> on_line;
  };
  boost::asio::awaitable<ApiResult<void>> watch(ApiRequest request, Watcher watcher);

  // What is under way ends with ApiError::Kind::closed, and so does whatever is asked for later.
  void close();

  struct Traffic {
    std::uint64_t connections = 0;
    std::uint64_t requests = 0;
    std::uint64_t bytes_received = 0;  // of bodies
  };
  [[nodiscard]] const Traffic& traffic() const;

  static constexpr std::size_t kMaxBodyBytes = std::size_t{32} * 1024 * 1024;
  static constexpr std::size_t kMaxLineBytes = std::size_t{8} * 1024 * 1024;  // etcd takes 1.5 MiB

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace agent::kube
