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
TEST_F(NoAllocation, InSteadyStateNothingIsAllocated) {
  add_upstream();
  start(virtual_service("[{timeout: 5s, retries: {attempts: 2, perTryTimeout: 2s, retryOn: '5xx,reset'}, "
                        "route: [{destination: {host: greeter-service}}]}]") +
        destination_rule("{connectionPool: {tcp: {maxConnections: 10}, http: {http1MaxPendingRequests: 10, "
                         "http2MaxRequests: 10}}, outlierDetection: {consecutive5xxErrors: 5, interval: 60s}}"));
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

}  // namespace
}  // namespace tests
