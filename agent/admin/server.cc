#include "agent/admin/server.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <thread>

#include "agent/admin/pages.h"
#include "agent/telemetry/metrics_page.h"
#include "base/build_info.h"
#include "base/clock.h"

namespace agent::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

constexpr std::size_t kMaxConnections = 64;
constexpr std::size_t kMaxHeadBytes = 8 * 1024;
constexpr std::chrono::seconds kIdleLimit{30};
constexpr std::chrono::seconds kAnswerLimit{5};  // of the main thread
constexpr std::chrono::seconds kMaintenanceInterval{10};

constexpr std::string_view kIndex =
    "Fairlead\n\n"
    "/metrics          what Prometheus scrapes (also /stats/prometheus)\n"
    "/healthz          the agent answers\n"
    "/readyz           connections are served\n"
    "/config_dump      what is in force, as JSON\n"
    "/clusters         endpoints, ejections, limits in use (?format=json)\n";

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

struct Page {
  http::status status = http::status::ok;
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string body;
};

Page text(http::status status, std::string body) { return {.status = status, .body = std::move(body)}; }
Page json(std::string body) { return {.content_type = "application/json", .body = std::move(body)}; }

// The parts of a request target: path and query.
struct Target {
  std::string_view path, query;
};
Target split(std::string_view target) {
  const auto question = target.find('?');
  if (question == std::string_view::npos) return {target, {}};
  return {target.substr(0, question), target.substr(question + 1)};
}

}  // namespace

struct Server::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  tcp::acceptor acceptor{context};
  asio::steady_timer maintenance{context};
  Ask ask;
  const telemetry::IdentityTable* names = nullptr;
  std::optional<telemetry::MetricsPage> metrics;
  telemetry::TrafficLabelSettings labels;
  std::size_t connections = 0;
  std::thread thread;

  void accept();
  void maintain();
  Response respond(const Request& request, const Snapshot& snapshot);
  Page page(const Request& request, const Snapshot& snapshot);
  Response scrape(const Request& request, const Snapshot& snapshot);
};

namespace {

// One connection: reads a head, asks the main thread, answers; then the next.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using Respond = std::function<Response(const Request&, const Snapshot&)>;
  Session(tcp::socket socket, Ask ask, Respond respond, std::function<void()> on_end)
      : stream_(std::move(socket)),
        timer_(stream_.get_executor()),
        ask_(std::move(ask)),
        respond_(std::move(respond)),
        on_end_(std::move(on_end)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { on_end_(); }

  void read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeadBytes);
    parser_->body_limit(0);
    stream_.expires_after(kIdleLimit);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](const beast::error_code& error, std::size_t) { self->on_read(error); });
  }

 private:
  void on_read(const beast::error_code& error) {
    if (error == http::error::end_of_stream || error == beast::error::timeout) return;
    if (error && error.category() == http::make_error_code(http::error::bad_method).category()) {
      Response refusal(http::status::bad_request, 11);
      refusal.set(http::field::content_type, "text/plain; charset=utf-8");
      refusal.body() = "this is not a request that the admin endpoint understands\n";
      refusal.keep_alive(false);
      write(std::move(refusal));
      return;
    }
    if (error) return;
    request_ = parser_->release();
    // The main thread answers through this thread; whoever is first, the answer or the limit, writes.
    const std::uint64_t turn = ++turn_;
    stream_.expires_never();
    timer_.expires_after(kAnswerLimit);
    timer_.async_wait([self = shared_from_this(), turn](const beast::error_code& cancelled) {
      if (cancelled || self->turn_ != turn) return;
      ++self->turn_;
      Response late(http::status::service_unavailable, self->request_.version());
      late.body() = "the agent does not answer\n";
      late.keep_alive(false);
      self->write(std::move(late));
    });
    ask_([self = shared_from_this(), turn](Snapshot snapshot) {
      asio::post(self->stream_.get_executor(), [self, turn, snapshot = std::move(snapshot)] {
        if (self->turn_ != turn) return;
        ++self->turn_;
        self->timer_.cancel();
        self->write(self->respond_(self->request_, snapshot));
      });
    });
  }

  void write(Response response) {
    response.prepare_payload();
    if (request_.method() == http::verb::head) response.body().clear();  // its length stays
    const bool keeps = response.keep_alive();
    response_ = std::move(response);
    stream_.expires_after(kIdleLimit);
    const auto written = [self = shared_from_this(), keeps](const beast::error_code& error, std::size_t) {
      if (error) return;
      if (keeps) return self->read();
      beast::error_code ignored;
      self->stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    };
    if (request_.method() != http::verb::head) {
      http::async_write(stream_, response_, written);
      return;
    }
    head_.emplace(response_);
    http::async_write_header(stream_, *head_, written);
  }

  beast::tcp_stream stream_;
  asio::steady_timer timer_;
  beast::flat_buffer buffer_{kMaxHeadBytes + 1024};
  std::optional<http::request_parser<http::empty_body>> parser_;
  Request request_;
  Response response_;
  std::optional<http::response_serializer<http::string_body>> head_;
  std::uint64_t turn_ = 0;
  Ask ask_;
  Respond respond_;
  std::function<void()> on_end_;
};

}  // namespace

void Server::Impl::accept() {
  acceptor.async_accept([this](const beast::error_code& error, tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error && connections < kMaxConnections) {
      ++connections;
      std::make_shared<Session>(
          std::move(socket), ask,
          [this](const Request& request, const Snapshot& snapshot) { return respond(request, snapshot); },
          [this] { --connections; })
          ->read();
    }
    accept();
  });
}

void Server::Impl::maintain() {
  maintenance.expires_after(kMaintenanceInterval);
  maintenance.async_wait([this](const beast::error_code& error) {
    if (error) return;
    if (metrics) metrics->maintain(base::now());
    maintain();
  });
}

Response Server::Impl::scrape(const Request& request, const Snapshot& snapshot) {
  Response response(http::status::ok, request.version());
  const telemetry::ScrapeHead head = telemetry::negotiate(
      {.accept = view(request[http::field::accept]), .accept_encoding = view(request[http::field::accept_encoding])});
  response.set(http::field::content_type, beast::string_view(head.content_type.data(), head.content_type.size()));
  if (!head.content_encoding.empty()) {
    response.set(http::field::content_encoding,
                 beast::string_view(head.content_encoding.data(), head.content_encoding.size()));
  }
  response.set(http::field::vary, "Accept, Accept-Encoding");
  response.body() = metrics->render(head, node_state(snapshot), base::now());
  return response;
}

Page Server::Impl::page(const Request& request, const Snapshot& snapshot) {
  const Target target = split(view(request.target()));
  if (target.path == "/") return text(http::status::ok, std::string(kIndex));
  if (target.path == "/healthz") return text(http::status::ok, "ok\n");
  if (target.path == "/readyz") {
    std::string missing = not_ready(snapshot);
    if (missing.empty()) return text(http::status::ok, "ok\n");
    return text(http::status::service_unavailable, std::move(missing));
  }
  if (target.path == "/config_dump") return json(config_dump(snapshot));
  if (target.path == "/clusters") {
    if (!snapshot.backends) return text(http::status::service_unavailable, "no proxy answers\n");
    const bool wants_json = target.query.find("format=json") != std::string_view::npos ||
                            view(request[http::field::accept]).find("application/json") != std::string_view::npos;
    return wants_json ? json(clusters_json(snapshot)) : text(http::status::ok, clusters_text(snapshot));
  }
  if (target.path == "/metrics" || target.path == "/stats/prometheus") {
    return text(http::status::service_unavailable, "no proxy has counted anything yet\n");
  }
  return text(http::status::not_found, "no such page; / lists them\n");
}

Response Server::Impl::respond(const Request& request, const Snapshot& snapshot) {
  const std::string_view path = split(view(request.target())).path;
  const bool reads = request.method() == http::verb::get || request.method() == http::verb::head;
  Response response;
  if (!reads) {
    response = Response(http::status::method_not_allowed, request.version());
    response.set(http::field::allow, "GET, HEAD");
    response.set(http::field::content_type, "text/plain; charset=utf-8");
    response.body() = "only GET and HEAD: nothing can be changed here\n";
  } else if (metrics && (path == "/metrics" || path == "/stats/prometheus")) {
    response = scrape(request, snapshot);
  } else {
    Page made = page(request, snapshot);
    response = Response(made.status, request.version());
    response.set(http::field::content_type, beast::string_view(made.content_type.data(), made.content_type.size()));
    response.body() = std::move(made.body);
  }
  response.keep_alive(request.keep_alive());
  return response;
}

Server::Server() : impl_(std::make_unique<Impl>()) {}

base::Result<std::unique_ptr<Server>> Server::start(const base::SocketAddress& address, Ask ask,
                                                    const telemetry::IdentityTable& names) {
  std::unique_ptr<Server> server(new Server);
  Impl& impl = *server->impl_;
  impl.ask = std::move(ask);
  impl.names = &names;
  beast::error_code error;
  const tcp::endpoint endpoint(asio::ip::make_address(address.ip.to_string()), address.port);
  impl.acceptor.open(endpoint.protocol(), error);
  if (!error) impl.acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) impl.acceptor.bind(endpoint, error);
  if (!error) impl.acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return base::fail(base::Errc::io, "admin endpoint on " + address.to_string() + ": " + error.message() +
                                          "; choose another with --admin ADDRESS:PORT");
  }
  impl.accept();
  impl.maintain();
  impl.thread = std::thread([&impl] { impl.context.run(); });
  return server;
}

Server::~Server() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Server::show_counters(::telemetry::SharedMemory memory) {
  const auto shared = std::make_shared<::telemetry::SharedMemory>(std::move(memory));
  asio::post(impl_->context,
             [impl = impl_.get(), shared] { impl->metrics.emplace(std::move(*shared), *impl->names, impl->labels); });
}

void Server::set_label_settings(telemetry::TrafficLabelSettings settings) {
  asio::post(impl_->context, [impl = impl_.get(), settings = std::move(settings)] {
    impl->labels = settings;
    if (impl->metrics) impl->metrics->set_label_settings(settings);
  });
}

base::SocketAddress Server::address() const {
  const tcp::endpoint endpoint = impl_->acceptor.local_endpoint();
  return {*base::IpAddress::parse(endpoint.address().to_string()), endpoint.port()};
}

}  // namespace agent::admin
