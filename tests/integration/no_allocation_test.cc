// PERFORMANCE 3, rule 6: a request over warm connections allocates nothing. Counts what the worker thread takes.
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tests/integration/proxy_fixture.h"

namespace {

std::atomic<std::uint64_t> allocations{0};

bool is_worker() {
  thread_local int known = -1;
  if (known < 0) {
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    if (std::strcmp(name, "worker") != 0) return false;  // not yet, or never
    known = 1;
  }
  return known == 1;
}

}  // namespace

void* operator new(std::size_t size) {
  if (is_worker()) allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace tests {
namespace {

class NoAllocation : public ProxyTest {};

TEST_F(NoAllocation, TheCountingWorks) {
  add_upstream();
  start();
  const std::uint64_t before = allocations;
  EXPECT_EQ(get().status(), 200);  // the first request fills pools
  EXPECT_GT(allocations, before);
}

// With everything that a route can ask of it: timeouts, retries, limits, outlier detection, all labels, the access log.
constexpr const char* kEveryPolicy =
    "[{match: [{headers: {x-canary: {exact: 'yes'}}}], route: [{destination: {host: greeter-service}}]}, "
    "{timeout: 5s, retries: {attempts: 2, perTryTimeout: 2s, retryOn: '5xx,reset'}, "
    "route: [{destination: {host: greeter-service}}]}]";
constexpr const char* kEveryLimit =
    "{connectionPool: {tcp: {maxConnections: 10}, http: {http1MaxPendingRequests: 10, http2MaxRequests: 10}}, "
    "outlierDetection: {consecutive5xxErrors: 5, interval: 60s}}";

TEST_F(NoAllocation, InSteadyStateNothingIsAllocated) {
  add_upstream();
  start(virtual_service(kEveryPolicy) + destination_rule(kEveryLimit));
  support::HttpClient one = client();
  const auto requests = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(one.get("/", kHost).status(), 200);
      log_line();
    }
  };
  requests(200);
  const std::uint64_t before = allocations;
  requests(1000);
  // Housekeeping twice a second and a new second's date are not for a request.
  EXPECT_LT(allocations - before, 50U);
}

// Request bodies that are kept for a retry, responses in chunks, and the headers of traces.
TEST_F(NoAllocation, NorForBodiesAndTraces) {
  add_upstream(support::reply({.body = std::string(5000, 'x'), .is_chunked = true}));
  start(virtual_service(kEveryPolicy) + destination_rule(kEveryLimit));
  support::HttpClient one = client();
  const std::string request = std::string("POST /orders?id=1 HTTP/1.1\r\nHost: ") + kHost +
                              "\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
                              "x-b3-traceid: 463ac35c9f6413ad48485a3953bb6124\r\nx-b3-spanid: a2fb4a1d1a96d312\r\n"
                              "x-forwarded-for: 10.1.2.3\r\nuser-agent: curl/8.5.0\r\ncontent-length: 2000\r\n\r\n" +
                              std::string(2000, 'b');
  const auto requests = [&](int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(one.exchange(request).status(), 200);
      log_line();
    }
  };
  requests(100);
  const std::uint64_t before = allocations;
  requests(400);
  EXPECT_LT(allocations - before, 50U);
}

}  // namespace
}  // namespace tests
