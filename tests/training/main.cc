// What a node's proxy does all day, in proportion, through the proxy in this process. The compiler learns from it which
// code is hot (cmake/FairleadProfile.cmake); nothing is measured. What matters is that every common path is there and
// that failures are rare.
//
// usage: proxy_training [PERCENT]     of the usual number of requests
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/local_proxy.h"

namespace {

using namespace tests::support;

constexpr std::uint64_t kLarge = 64UL * 1024;
constexpr int kServices = 1000;

constexpr const char* kRoutes =
    "[{match: [{headers: {x-canary: {exact: 'yes'}}}], timeout: 5s, route: [{destination: {host: greeter-service}}]}, "
    "{match: [{uri: {prefix: /slow}}], timeout: 10ms, route: [{destination: {host: greeter-service}}]}, "
    "{match: [{uri: {prefix: /split}}], route: [{destination: {host: greeter-service, subset: v1}, weight: 90}, "
    "{destination: {host: greeter-service, subset: v2}, weight: 10}]}, "
    "{timeout: 10s, retries: {attempts: 2, perTryTimeout: 5s, retryOn: '5xx,reset,connect-failure'}, "
    "route: [{destination: {host: greeter-service}}]}]";
constexpr const char* kLimits =
    "{connectionPool: {tcp: {maxConnections: 1024, connectTimeout: 1s}, "
    "http: {http1MaxPendingRequests: 1024, http2MaxRequests: 1024, maxRetries: 16}}, "
    "outlierDetection: {consecutive5xxErrors: 100, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 50}}";

// Requests as wrk, curl and a traced service write them.
std::vector<std::string> get_requests(const std::string& target) {
  const std::string head = "GET " + target + " HTTP/1.1\r\nHost: " + kHost + "\r\n";
  return {
      head + "\r\n",
      head + "User-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
      head +
          "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\nX-Forwarded-For: 10.1.2.3\r\n"
          "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: congo=t61rcWkgMzE\r\n"
          "X-B3-TraceId: 463ac35c9f6413ad48485a3953bb6124\r\nX-B3-SpanId: a2fb4a1d1a96d312\r\nX-B3-Sampled: 1\r\n"
          "X-Request-Id: 4bf92f35-77b3-4da6-a3ce-929d0e0e4736\r\nAuthorization: Bearer "
          "abcdefghijklmnopqrstuvwxyz\r\n\r\n",
      head +
          "User-Agent: Mozilla/5.0\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\n"
          "Accept-Encoding: gzip, deflate, br\r\nCookie: session=0123456789abcdef; theme=dark\r\nx-canary: yes\r\n\r\n",
  };
}

std::vector<std::string> post_requests(const std::string& target, std::size_t size) {
  const std::string head = "POST " + target + " HTTP/1.1\r\nHost: " + kHost + "\r\nContent-Type: application/json\r\n";
  char chunk[32];
  std::snprintf(chunk, sizeof chunk, "%zx\r\n", size);
  return {head + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'b'),
          head + "Transfer-Encoding: chunked\r\n\r\n" + chunk + std::string(size, 'b') + "\r\n0\r\n\r\n"};
}

class Training {
 public:
  explicit Training(int percent) : percent_(percent) {
    proxy_.add_upstream([this](Exchange& exchange) { answer(exchange); });
    proxy_.add_upstream([this](Exchange& exchange) { answer(exchange); });
    proxy_.pass_to(passthrough_.address());
    base::UniqueFd log(::memfd_create("access log", MFD_CLOEXEC));
    if (!log) throw std::runtime_error("memfd_create for the access log");
    proxy_.log_to(std::move(log));
    proxy_.start(policies());
  }

  void run() {
    together(16, [this] { exchange(get_requests("/orders/7?full=1"), 2'000, 200); });
    together(4, [this] { exchange(post_requests("/orders", 2'000), 500, 200); });
    together(4, [this] { exchange(get_requests("/chunked"), 500, 200); });
    together(4, [this] { exchange(get_requests("/large"), 500, 200); });
    together(2, [this] { exchange(post_requests("/large", 100'000), 50, 200); });
    together(2, [this] { exchange(get_requests("/split"), 200, 200); });
    together(2, [this] { connect_each_time(1'000); });
    together(4, [this] { tunnel(std::string("\x01\x02", 2), 1'000, 1024); });
    together(4, [this] { tunnel(std::string("\x01\x03", 2), 300, kLarge); });
    together(1, [this] { exchange({get_requests("/flaky").front()}, 100, 200); });
    together(1, [this] { exchange(get_requests("/absent"), 100, 404); });
    together(1, [this] { exchange({get_requests("/slow").front()}, 20, 504); });
    for (int i = 0; i < 3; ++i) proxy_.apply(policies(kServices));
    together(4, [this] { exchange(get_requests("/"), 500, 200); });
  }

 private:
  static std::string policies(int more_services = 0) {
    std::string text = virtual_service(kRoutes) + destination_rule(kLimits);
    for (int i = 0; i < more_services; ++i) {
      const std::string name = "service-" + std::to_string(i);
      text += "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: " + name +
              "}\nspec:\n  hosts: [" + name + ".default.svc.cluster.local]\n  addresses: [127.78." +
              std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) +
              "]\n  resolution: STATIC\n  ports: [{number: 80, name: http, protocol: HTTP}]\n"
              "  endpoints: [{address: 127.0.0.1, ports: {http: 8080}}]\n---\n"
              "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: " +
              name + "}\nspec: {host: " + name + ", trafficPolicy: " + kLimits + "}\n";
    }
    return text;
  }

  void answer(Exchange& exchange) {
    const std::string target = exchange.request().target();
    const Headers headers = {{"Content-Type", "application/json"}, {"Date", "Thu, 01 Jan 2026 00:00:00 GMT"}};
    Response response{.headers = headers, .body = std::string(1024, 'x')};
    if (target == "/large") response.pattern_size = kLarge;
    if (target == "/chunked") response.is_chunked = true;
    if (target == "/absent") response.status = 404;
    if (target == "/flaky") {
      const unsigned nth = flaky_++;
      if (nth % 4 == 0) response.status = 503;
      if (nth % 4 == 2) return exchange.reset();
    }
    if (target == "/slow") return exchange.hang();
    exchange.respond(response);
  }

  static void pass(Exchange& exchange) {
    exchange.send_pattern(exchange.request().head.start_line.starts_with("\x01\x03") ? kLarge : 1024);
  }

  [[nodiscard]] int part(int usual) const { return std::max(1, usual * percent_ / 100); }

  // This many callers at a time; throws what one of them throws.
  template <typename Caller>
  static void together(int callers, const Caller& caller) {
    std::vector<std::future<void>> running;
    for (int i = 0; i < callers; ++i) running.push_back(std::async(std::launch::async, caller));
    for (std::future<void>& each : running) each.get();
  }

  void exchange(const std::vector<std::string>& requests, int times, int status) const {
    HttpClient caller = proxy_.client();
    for (int i = 0; i < part(times); ++i) {
      const std::string& request = requests[static_cast<std::size_t>(i) % requests.size()];
      check(request, caller.exchange(request), status);
    }
  }

  void connect_each_time(int times) const {
    const std::string request = get_requests("/")[1];
    for (int i = 0; i < part(times); ++i) check(request, proxy_.client().exchange(request), 200);
  }

  void tunnel(const std::string& greeting, int times, std::uint64_t size) const {
    HttpClient caller = proxy_.client();
    for (int i = 0; i < part(times); ++i) {
      caller.send(greeting + std::string(1000, 't') + "\r\n\r\n");
      for (std::uint64_t received = 0; received < size;) {
        const std::string some = caller.receive_some();
        if (some.empty()) throw std::runtime_error("the tunnel has ended");
        received += some.size();
      }
    }
  }

  static void check(const std::string& request, const ClientResponse& response, int status) {
    if (response.status() == status) return;
    throw std::runtime_error(request.substr(0, request.find('\r')) + ": " + std::to_string(response.status()) +
                             " instead of " + std::to_string(status) + ", " + response.body.text);
  }

  const int percent_;
  std::atomic<unsigned> flaky_ = 0;
  FakeUpstream passthrough_{pass};
  LocalProxy proxy_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    Training(argc > 1 ? std::atoi(argv[1]) : 100).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "proxy_training: %s\n", error.what());
    return 1;
  }
}
