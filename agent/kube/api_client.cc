#include "agent/kube/api_client.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/build_info.h"
#include "base/clock.h"
#include "base/socket_address.h"

namespace agent::kube {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::awaitable;
using asio::redirect_error;
using asio::use_awaitable;
using beast::error_code;
using tcp = asio::ip::tcp;
using Stream = beast::ssl_stream<beast::tcp_stream>;
using Endpoints = std::vector<tcp::endpoint>;
using StringParser = http::response_parser<http::string_body>;
using ChunkParser = http::response_parser<http::buffer_body>;

constexpr std::size_t kReadBytes = std::size_t{16} * 1024;
constexpr std::uint32_t kMaxHeadBytes = 16 * 1024;
constexpr std::size_t kMaxRefusalBytes = std::size_t{64} * 1024;
constexpr std::chrono::seconds kMaxIdle{30};  // an API server closes after 90 s; do not race with it

http::verb verb(ApiRequest::Method method) {
  switch (method) {
    case ApiRequest::Method::post:
      return http::verb::post;
    case ApiRequest::Method::put:
      return http::verb::put;
    case ApiRequest::Method::patch:
      return http::verb::patch;
    case ApiRequest::Method::del:
      return http::verb::delete_;
    case ApiRequest::Method::get:
      break;
  }
  return http::verb::get;
}

std::string authority(const ClientConfig& config) {
  const std::string host = config.host.find(':') != std::string::npos ? "[" + config.host + "]" : config.host;
  return config.port == 443 ? host : host + ":" + std::to_string(config.port);
}

// The other end had closed before it read the request, or so it looks.
bool is_end(const error_code& error) {
  return error == http::error::end_of_stream || error == asio::ssl::error::stream_truncated ||
         error == asio::error::connection_reset || error == asio::error::broken_pipe || error == asio::error::eof;
}

bool is_success(unsigned status) { return status >= 200 && status < 300; }

template <typename Fields>
std::optional<std::chrono::seconds> retry_after(const Fields& fields) {
  const auto text = fields[http::field::retry_after];
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || seconds == 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, 3600U));
}

template <typename Parser>
ApiError refusal_of(const Parser& parser, std::string_view body) {
  ApiError error = refusal(parser.get().result_int(), body);
  if (!error.retry_after) error.retry_after = retry_after(parser.get());
  return error;
}

// A connection whose other end has gone is noticed although nothing is being sent on it.
void keep_alive(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  using Seconds = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPIDLE>;
  using Interval = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPINTVL>;
  using Probes = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_KEEPCNT>;
  socket.set_option(Seconds(30), ignored);
  socket.set_option(Interval(10), ignored);
  socket.set_option(Probes(3), ignored);
}

// The name goes out as SNI and must be in the certificate; an address only the latter.
void expect_server(SSL* ssl, const std::string& name) {
  if (base::IpAddress::parse(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str());
    return;
  }
  SSL_set_tlsext_host_name(ssl, name.c_str());
  SSL_set1_host(ssl, name.c_str());
}

}  // namespace

struct ApiClient::Impl {
  Impl(asio::io_context& io_context, std::shared_ptr<Credentials> who, ApiTimeouts limits)
      : context(io_context), credentials(std::move(who)), timeouts(limits) {}

  [[nodiscard]] const ClientConfig& config() const { return credentials->config(); }
  [[nodiscard]] std::string place() const { return authority(config()); }

  ApiError failure(std::string_view doing, const error_code& error) const;
  awaitable<ApiResult<Endpoints>> resolve();
  awaitable<ApiResult<void>> connect();
  awaitable<ApiResult<void>> ready();
  awaitable<ApiResult<std::string>> exchange(const ApiRequest& request, const std::string& token);
  awaitable<ApiResult<void>> stream_lines(const ApiRequest& request, const std::string& token, const Watcher& watcher);
  awaitable<ApiResult<void>> send(const ApiRequest& request, const std::string& token);
  awaitable<ApiResult<std::string>> read_refusal(ChunkParser& parser);
  awaitable<ApiResult<std::size_t>> read_chunk(ChunkParser& parser, std::chrono::milliseconds limit);
  void drop();

  asio::io_context& context;
  std::shared_ptr<Credentials> credentials;
  ApiTimeouts timeouts;
  Traffic traffic;
  bool is_closed = false;
  bool was_used = false;   // the connection has carried an answer: its end may be on its way
  bool was_stale = false;  // and that is why the last request was not answered
  base::TimePoint idle_since;
  std::optional<tcp::resolver> resolver;
  std::shared_ptr<asio::ssl::context> tls;  // outlives the stream
  std::unique_ptr<Stream> stream;
  beast::flat_buffer buffer{kReadBytes};
  std::array<char, kReadBytes> chunk{};
};

ApiError ApiClient::Impl::failure(std::string_view doing, const error_code& error) const {
  if (is_closed) return {.kind = ApiError::Kind::closed, .message = "the client is closed"};
  std::string why = error.message();
  if (error == beast::error::timeout) why = "no answer in time";
  if (is_end(error)) why = "the server closed the connection";
  if (stream != nullptr) {
    const long verdict = SSL_get_verify_result(stream->native_handle());
    if (verdict != X509_V_OK && config().verifies_server) {
      why = std::string("its certificate is not accepted: ") + X509_verify_cert_error_string(verdict);
    }
  }
  return {.message = std::string(doing) + " " + place() + ": " + why};
}

awaitable<ApiResult<Endpoints>> ApiClient::Impl::resolve() {
  using asio::experimental::awaitable_operators::operator||;
  error_code error;
  if (const auto address = asio::ip::make_address(config().host, error); !error) {
    co_return Endpoints{tcp::endpoint(address, config().port)};
  }
  asio::steady_timer timer(context, timeouts.connect);
  resolver.emplace(context);
  constexpr auto kTuple = asio::as_tuple(use_awaitable);
  const auto outcome = co_await (resolver->async_resolve(config().host, std::to_string(config().port), kTuple) ||
                                 timer.async_wait(kTuple));
  resolver.reset();
  if (outcome.index() == 1) co_return tl::unexpected(failure("look up", beast::error::timeout));
  const auto& [problem, found] = std::get<0>(outcome);
  if (problem) co_return tl::unexpected(failure("look up", problem));
  Endpoints endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  co_return endpoints;
}

awaitable<ApiResult<void>> ApiClient::Impl::connect() {
  auto context_for_tls = credentials->tls_context();
  if (!context_for_tls) co_return tl::unexpected(ApiError{.message = context_for_tls.error().message});
  const auto endpoints = co_await resolve();
  if (!endpoints) co_return tl::unexpected(endpoints.error());
  if (is_closed) co_return tl::unexpected(failure("connect", {}));
  tls = std::move(*context_for_tls);
  stream = std::make_unique<Stream>(context, *tls);
  was_used = false;
  buffer.clear();
  ++traffic.connections;
  auto& lowest = beast::get_lowest_layer(*stream);
  lowest.expires_after(timeouts.connect);
  error_code error;
  co_await lowest.async_connect(*endpoints, redirect_error(use_awaitable, error));
  if (error) {
    const ApiError why = failure("connect to", error);
    drop();
    co_return tl::unexpected(why);
  }
  keep_alive(lowest.socket());
  expect_server(stream->native_handle(), config().server_name);
  co_await stream->async_handshake(asio::ssl::stream_base::client, redirect_error(use_awaitable, error));
  if (error) {
    const ApiError why = failure("TLS handshake with", error);
    drop();
    co_return tl::unexpected(why);
  }
  co_return ApiResult<void>();
}

awaitable<ApiResult<void>> ApiClient::Impl::ready() {
  if (is_closed) co_return tl::unexpected(failure("connect to", {}));
  if (stream != nullptr && base::now() - idle_since > kMaxIdle) drop();
  if (stream != nullptr) co_return ApiResult<void>();
  co_return co_await connect();
}

awaitable<ApiResult<void>> ApiClient::Impl::send(const ApiRequest& request, const std::string& token) {
  http::request<http::string_body> message(verb(request.method), config().base_path + request.target, 11);
  message.set(http::field::host, authority(config()));
  message.set(http::field::user_agent, "fairlead/" + std::string(base::kVersion));
  message.set(http::field::accept, request.accept);
  if (!token.empty()) message.set(http::field::authorization, "Bearer " + token);
  if (request.method != ApiRequest::Method::get) {
    message.set(http::field::content_type, request.content_type);
    message.body() = request.body;
  }
  message.prepare_payload();
  ++traffic.requests;
  beast::get_lowest_layer(*stream).expires_after(timeouts.request);
  error_code error;
  co_await http::async_write(*stream, message, redirect_error(use_awaitable, error));
  was_stale = was_used && is_end(error);
  if (error) co_return tl::unexpected(failure("send to", error));
  co_return ApiResult<void>();
}

awaitable<ApiResult<std::string>> ApiClient::Impl::exchange(const ApiRequest& request, const std::string& token) {
  if (auto sent = co_await send(request, token); !sent) co_return tl::unexpected(sent.error());
  StringParser parser;
  parser.header_limit(kMaxHeadBytes);
  parser.body_limit(kMaxBodyBytes);
  error_code error;
  co_await http::async_read(*stream, buffer, parser, redirect_error(use_awaitable, error));
  was_stale = was_used && is_end(error) && !parser.got_some();
  if (error == http::error::body_limit) {
    co_return tl::unexpected(
        ApiError{.kind = ApiError::Kind::too_large,
                 .message = "the answer is larger than " + std::to_string(kMaxBodyBytes >> 20) + " MiB"});
  }
  if (error) co_return tl::unexpected(failure("read from", error));
  std::string body = std::move(parser.get().body());
  traffic.bytes_received += body.size();
  was_used = true;
  idle_since = base::now();
  if (!parser.get().keep_alive()) drop();
  if (!is_success(parser.get().result_int())) co_return tl::unexpected(refusal_of(parser, body));
  co_return body;
}

awaitable<ApiResult<std::size_t>> ApiClient::Impl::read_chunk(ChunkParser& parser, std::chrono::milliseconds limit) {
  parser.get().body().data = chunk.data();
  parser.get().body().size = chunk.size();
  beast::get_lowest_layer(*stream).expires_after(limit);
  error_code error;
  co_await http::async_read_some(*stream, buffer, parser, redirect_error(use_awaitable, error));
  if (error && error != http::error::need_buffer) {
    ApiError why = failure("watch at", error);
    if (error == beast::error::timeout && !is_closed) why.kind = ApiError::Kind::silence;
    co_return tl::unexpected(why);
  }
  const std::size_t size = chunk.size() - parser.get().body().size;
  traffic.bytes_received += size;
  co_return size;
}

awaitable<ApiResult<std::string>> ApiClient::Impl::read_refusal(ChunkParser& parser) {
  std::string body;
  while (!parser.is_done() && body.size() < kMaxRefusalBytes) {
    const auto size = co_await read_chunk(parser, timeouts.request);
    if (!size) co_return tl::unexpected(size.error());
    body.append(chunk.data(), *size);
  }
  co_return body;
}

awaitable<ApiResult<void>> ApiClient::Impl::stream_lines(const ApiRequest& request, const std::string& token,
                                                         const Watcher& watcher) {
  if (auto sent = co_await send(request, token); !sent) co_return tl::unexpected(sent.error());
  ChunkParser parser;
  parser.header_limit(kMaxHeadBytes);
  parser.body_limit(boost::none);
  error_code error;
  co_await http::async_read_header(*stream, buffer, parser, redirect_error(use_awaitable, error));
  if (error) co_return tl::unexpected(failure("read from", error));
  was_used = true;
  if (!is_success(parser.get().result_int())) {
    const auto body = co_await read_refusal(parser);
    if (!body) co_return tl::unexpected(body.error());
    co_return tl::unexpected(refusal_of(parser, *body));
  }
  watcher.on_open();
  std::string line;
  while (!parser.is_done()) {
    const auto size = co_await read_chunk(parser, timeouts.silence);
    if (!size) co_return tl::unexpected(size.error());
    std::string_view rest(chunk.data(), *size);
    for (auto end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
      line += rest.substr(0, end);
      rest.remove_prefix(end + 1);
      if (!line.empty() && !watcher.on_line(line)) {
        drop();  // the rest of the stream is not wanted
        co_return ApiResult<void>();
      }
      if (is_closed) co_return tl::unexpected(failure("watch at", {}));
      line.clear();
    }
    if (line.size() + rest.size() > kMaxLineBytes) {
      co_return tl::unexpected(
          ApiError{.kind = ApiError::Kind::malformed,
                   .message = "a line of the watch is longer than " + std::to_string(kMaxLineBytes >> 20) + " MiB"});
    }
    line += rest;
    if (line.empty()) line.shrink_to_fit();  // one large object must not cost its size for as long as the watch lasts
  }
  idle_since = base::now();
  if (!parser.get().keep_alive()) drop();
  co_return ApiResult<void>();
}

void ApiClient::Impl::drop() {
  if (stream == nullptr) return;
  beast::get_lowest_layer(*stream).close();
  stream.reset();
}

ApiClient::ApiClient(asio::io_context& context, std::shared_ptr<Credentials> credentials, ApiTimeouts timeouts)
    : impl_(std::make_unique<Impl>(context, std::move(credentials), timeouts)) {}
ApiClient::~ApiClient() = default;

awaitable<ApiResult<std::string>> ApiClient::perform(ApiRequest request) {
  std::string token = impl_->credentials->bearer_token();
  for (bool is_again = false;; is_again = true) {
    if (auto ready = co_await impl_->ready(); !ready) co_return tl::unexpected(ready.error());
    auto answer = co_await impl_->exchange(request, token);
    if (answer) co_return answer;
    const ApiError& error = answer.error();
    if (error.kind != ApiError::Kind::refused) impl_->drop();
    if (is_again) co_return answer;
    if (error.kind == ApiError::Kind::refused && error.status == 401) {
      std::string fresh = impl_->credentials->bearer_token();
      if (fresh == token) co_return answer;
      token = std::move(fresh);
    } else if (!impl_->was_stale || request.method != ApiRequest::Method::get) {
      co_return answer;
    }
  }
}

awaitable<ApiResult<void>> ApiClient::watch(ApiRequest request, Watcher watcher) {
  std::string token = impl_->credentials->bearer_token();
  for (bool is_again = false;; is_again = true) {
    if (auto ready = co_await impl_->ready(); !ready) co_return tl::unexpected(ready.error());
    auto ended = co_await impl_->stream_lines(request, token, watcher);
    if (ended) co_return ended;
    impl_->drop();
    if (is_again || ended.error().status != 401) co_return ended;
    std::string fresh = impl_->credentials->bearer_token();
    if (fresh == token) co_return ended;
    token = std::move(fresh);
  }
}

void ApiClient::close() {
  impl_->is_closed = true;
  if (impl_->resolver) impl_->resolver->cancel();
  // The stream itself goes with the call that uses it.
  if (impl_->stream != nullptr) beast::get_lowest_layer(*impl_->stream).close();
}

const ApiClient::Traffic& ApiClient::traffic() const { return impl_->traffic; }

}  // namespace agent::kube
