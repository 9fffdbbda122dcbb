#include <memory>

#include "proxy/http1/head.h"
#include "proxy/http1/write.h"
#include "tests/bench/micro/body.h"
#include "tests/bench/micro/heads.h"

namespace bench {

namespace http1 = proxy::http1;

namespace {

struct Heads {
  http1::RequestHead request;
  http1::ResponseHead response;
  http1::Target target;
  std::string storage, out;
};

}  // namespace

void add_http1(std::vector<Body>& bodies) {
  const auto heads = std::make_shared<Heads>();
  http1::parse_request_head(kRequest, {}, heads->request);
  http1::parse_response_head(kResponse, {}, false, heads->response);

  bodies.push_back({"parse a request head", [head = std::make_shared<http1::RequestHead>()] {
                      use(http1::parse_request_head(kRequest, {}, *head).status);
                    }});
  bodies.push_back({"parse a response head", [head = std::make_shared<http1::ResponseHead>()] {
                      use(http1::parse_response_head(kResponse, {}, false, *head).status);
                    }});
  bodies.push_back({"normalise a target", [heads] {
                      const http1::RequestHead& head = heads->request;
                      use(http1::normalize_target(kRequest.substr(0, head.method_size),
                                                  kRequest.substr(head.target_offset, head.target_size), heads->storage,
                                                  heads->target));
                    }});
  bodies.push_back({"write a request head", [heads] {
                      heads->out.clear();
                      http1::append_request_head(heads->out, kRequest, heads->request,
                                                 {.method = "GET",
                                                  .path = "/api/v1/orders/4711?expand=items&currency=EUR",
                                                  .host = "shop.default.svc.cluster.local",
                                                  .decorator_operation = "shop.default.svc.cluster.local:80/*",
                                                  .attempt = 1,
                                                  .expected_timeout_ms = 5000});
                      use(heads->out.data());
                    }});
  bodies.push_back({"write a response head", [heads] {
                      heads->out.clear();
                      http1::append_response_head(
                          heads->out, kResponse, heads->response,
                          {.server = "envoy", .date = "Mon, 23 Nov 2026 13:41:19 GMT", .upstream_service_time_ms = 3});
                      use(heads->out.data());
                    }});
}

}  // namespace bench
