#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "proxy/policy/fault.h"
#include "proxy/policy/limits.h"
#include "proxy/policy/load_balancer.h"
#include "proxy/policy/outlier.h"
#include "proxy/policy/retry.h"
#include "proxy/policy/route_match.h"
#include "tests/unit/proxy/policy/request_fake.h"

// PERFORMANCE 3, rule 6: no allocation per request. This program counts its own.
namespace {
std::uint64_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace proxy::policy {
namespace {

// The first call may fill a cache or reach a capacity.
template <typename Function>
std::uint64_t allocations_after_the_first(Function call) {
  call();
  const std::uint64_t before = allocations;
  for (int i = 0; i < 1000; ++i) call();
  return allocations - before;
}

TEST(NoAllocation, TheCountingWorks) {
  std::size_t size = 0;
  EXPECT_GE(allocations_after_the_first([&] { size += std::string(100, 'x').size(); }), 1000U);
  EXPECT_GT(size, 0U);
}

TEST(NoAllocation, FindingAHostAndARoute) {
  config::Route route;
  route.match.uri = config::StringMatch{.kind = config::MatchKind::regex, .value = "/a/[0-9]+"};
  route.match.method = config::StringMatch{.kind = config::MatchKind::exact, .value = "GET"};
  route.match.headers.push_back({.name = "x-user", .match = {.kind = config::MatchKind::prefix, .value = "al"}});
  route.match.query.push_back({.name = "k", .match = {.kind = config::MatchKind::exact, .value = "1"}});
  route.destinations = {{.backend = 0, .weight = 1}, {.backend = 1, .weight = 3}};
  route.total_weight = 4;
  config::Route ignoring_case;
  ignoring_case.match.uri =
      config::StringMatch{.kind = config::MatchKind::prefix, .value = "/LongerThanAnySmallString", .ignore_case = true};
  config::RouteTable config;
  config.ports.push_back({.port = 3000,
                          .virtual_hosts = {{.name = "greeter",
                                             .domains = {"greeter-service.default.svc.cluster.local", "*.wild.example"},
                                             .routes = {ignoring_case, route}}}});
  const auto table = std::move(*RouteTable::build(config));
  const FakeRequest request("/a/17?j=2&k=1", {{"accept", "*/*"}, {"x-user", "alice"}});
  base::Random random(1);
  const config::Route* found = nullptr;
  std::uint64_t backends = 0;
  EXPECT_EQ(allocations_after_the_first([&] {
              const auto* host = table->find_host(3000, "Greeter-Service.default.svc.cluster.local:3000");
              found = RouteTable::match(*host, request);
              backends += pick_destination(*found, random).backend;
              found = RouteTable::match(*table->find_host(3000, "a.b.wild.example"), request);
            }),
            0U);
  EXPECT_NE(found, nullptr);
  EXPECT_GT(backends, 0U);
}

TEST(NoAllocation, PickingAnEndpoint) {
  base::Random random(1);
  for (const auto algorithm :
       {config::LoadBalancer::round_robin, config::LoadBalancer::least_request, config::LoadBalancer::random}) {
    std::vector<Candidate> candidates(20);
    EndpointPicker picker(algorithm);
    const std::array<std::uint32_t, 2> previous = {3, 4};
    int turn = 0;
    EXPECT_EQ(allocations_after_the_first([&] {
                candidates[0].weight = 1 + turn % 3;
                candidates[1].is_healthy = ++turn % 5 != 0;
                if (turn == 1) candidates[0].weight = 2;  // reaches the capacity of the weighted schedule
                picker.pick(candidates, 50, random);
                pick_avoiding(picker, candidates, 50, previous, random);
              }),
              0U);
  }
}

TEST(NoAllocation, DecidingOnRetriesLimitsAndFaults) {
  base::Random random(1);
  config::RetryPolicy policy;
  policy.retriable_status_codes = {503};
  config::BackendPolicy backend;
  Limits limits;
  config::FaultPolicy fault;
  fault.delay = config::Milliseconds(5);
  fault.delay_per_million = 500'000;
  int decisions = 0;
  EXPECT_EQ(allocations_after_the_first([&] {
              RetryState state(policy);
              decisions += wants_retry(policy, ResponseFacts{.status = 503}) ? 1 : 0;
              decisions += wants_retry(policy, ResetReason::connect_failure, false) ? 1 : 0;
              if (state.take()) decisions += static_cast<int>(state.next_backoff(random).count());
              decisions += static_cast<int>(roll_fault(fault, random).delay.count());
              if (limits.retries.try_acquire(allowed_retries(backend, limits))) Permit permit(limits.retries);
            }),
            0U);
  EXPECT_GT(decisions, 0);
}

TEST(NoAllocation, ReportingResultsThatEjectNobody) {
  config::OutlierPolicy policy;
  const base::TimePoint start = base::TimePoint{} + std::chrono::seconds(1);
  OutlierDetector detector(policy, start);
  detector.update(policy, std::array<OutlierDetector::HostKey, 3>{1, 2, 3}, start);
  EXPECT_EQ(allocations_after_the_first([&] {
              detector.on_response(1, 200, start);
              detector.on_response(2, 500, start);
              detector.on_local(2, LocalOutcome::reset, start);
              detector.on_response(2, 200, start);
              detector.on_local(3, LocalOutcome::connect_success, start);
            }),
            0U);
}

}  // namespace
}  // namespace proxy::policy
