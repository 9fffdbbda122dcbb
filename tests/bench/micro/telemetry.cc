#include <memory>

#include "proxy/telemetry/access_log.h"
#include "proxy/telemetry/worker_telemetry.h"
#include "tests/bench/micro/body.h"

namespace bench {

namespace telemetry = proxy::telemetry;
using namespace std::chrono_literals;

namespace {

struct Records {
  Records() {
    service.id = 7;
    source.id = 3;
    endpoint.identity.id = 5;
    endpoint.address = *base::SocketAddress::parse("10.0.0.11:8080");
    pod.id = 9;
    route.name = "stable";
    backend.name = "outbound|80||shop.default.svc.cluster.local";
    request = {.config = &config,
               .pod = &pod,
               .source = &source,
               .service = &service,
               .backend = &backend,
               .endpoint = &endpoint,
               .route = &route,
               .response_code = 200,
               .details = "via_upstream",
               .method = "GET",
               .path = "/api/v1/orders/4711?expand=items&currency=EUR",
               .protocol = "HTTP/1.1",
               .authority = "shop.default.svc.cluster.local",
               .request_id = "3f2c1b4a-9d8e-4f7a-b6c5-d4e3f2a1b0c9",
               .user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
               .forwarded_for = "10.1.2.3",
               .upstream_local = *base::SocketAddress::parse("10.244.1.7:51342"),
               .downstream_local = *base::SocketAddress::parse("10.96.0.17:80"),
               .downstream_remote = *base::SocketAddress::parse("10.244.1.7:40100"),
               .start_time = base::WallTime(1'795'441'279'500ms),
               .duration = 3ms,
               .upstream_service_time_ms = 3,
               .response_body_bytes = 1024,
               .request_wire_bytes = 700,
               .response_wire_bytes = 1400,
               .attempts = 1};
    attempt = {.config = &config,
               .pod = &pod,
               .source = &source,
               .service = &service,
               .endpoint = &endpoint,
               .was_sent = true,
               .response_code = 200,
               .authority = request.authority,
               .duration = 3ms,
               .request_wire_bytes = 900,
               .response_wire_bytes = 1300};
  }

  config::NodeConfig config;
  config::Service service;
  config::Backend backend;
  config::Endpoint endpoint;
  config::WorkloadIdentity source;
  config::Pod pod;
  config::Route route;
  telemetry::RequestRecord request;
  telemetry::AttemptRecord attempt;
  std::unique_ptr<telemetry::ShardSet> shards = std::move(*telemetry::ShardSet::create_private());
  telemetry::WorkerTelemetry worker{*shards, 0};
  telemetry::LineBuffer out;
};

}  // namespace

void add_telemetry(std::vector<Body>& bodies) {
  const auto records = std::make_shared<Records>();
  bodies.push_back({"count a request", [records] { records->worker.on_request(records->request); }});
  bodies.push_back({"count an attempt", [records] { records->worker.on_attempt(records->attempt); }});
  bodies.push_back({"write a JSON log line", [records] {
                      records->out.clear();
                      telemetry::append_json_line(records->out, records->request);
                      use(records->out.bytes().data());
                    }});
  bodies.push_back({"write a text log line", [records] {
                      records->out.clear();
                      telemetry::append_text_line(records->out, records->request);
                      use(records->out.bytes().data());
                    }});
}

}  // namespace bench
