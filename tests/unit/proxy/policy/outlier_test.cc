#include "proxy/policy/outlier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace proxy::policy {
namespace {

using base::TimePoint;
using config::OutlierPolicy;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = OutlierDetector::Event::Kind;
using HostKey = OutlierDetector::HostKey;

const TimePoint t0 = TimePoint{} + seconds(100);

constexpr HostKey kA = 11;
constexpr HostKey kB = 7;
constexpr HostKey kC = 23;

OutlierPolicy all_may_go() {
  OutlierPolicy policy;
  policy.max_ejection_percent = 100;
  policy.interval = seconds(1);
  policy.base_ejection_time = seconds(2);
  return policy;
}

OutlierDetector detector_of(const OutlierPolicy& policy, std::vector<HostKey> hosts = {kA, kB}) {
  OutlierDetector detector(policy, t0);
  detector.update(policy, hosts, t0);
  return detector;
}

void respond(OutlierDetector& detector, HostKey host, std::initializer_list<std::uint16_t> statuses, TimePoint now) {
  for (const std::uint16_t status : statuses) detector.on_response(host, status, now);
}

std::string events_of(OutlierDetector& detector) {
  std::string text;
  for (const auto& event : detector.take_events()) {
    if (!text.empty()) text += ", ";
    text += event.kind == Kind::ejected ? "ejected " : event.kind == Kind::returned ? "returned " : "suppressed ";
    text += std::to_string(event.host) + " " + std::string(to_string(event.reason));
  }
  return text;
}

// --- counting -------------------------------------------------------------------------------------------------------

TEST(Outlier, EjectsRightAfterTheLastOfNConsecutive5xx) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 3;
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {500, 503}, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
  respond(detector, kA, {501}, t0);
  EXPECT_EQ(detector.ejected_count(), 1U);
  EXPECT_TRUE(detector.is_ejected_for_balancer(kA));
  EXPECT_FALSE(detector.is_ejected_for_balancer(kB));
  EXPECT_EQ(events_of(detector), "ejected 11 consecutive_5xx");
  EXPECT_EQ(events_of(detector), "");
}

TEST(Outlier, ASuccessInBetweenBeginsTheCountAnew) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 3;
  OutlierDetector detector = detector_of(policy);
  for (int i = 0; i < 10; ++i) respond(detector, kA, {500, 500, 200}, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
}

TEST(Outlier, OnlyStatusCodesFrom500To599AreErrors) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 1;
  for (int status = 100; status < 1000; ++status) {
    OutlierDetector detector = detector_of(policy);
    detector.on_response(kA, static_cast<std::uint16_t>(status), t0);
    EXPECT_EQ(detector.ejected_count() == 1, status >= 500 && status <= 599) << status;
  }
}

TEST(Outlier, GatewayErrorsAre502To504AndAnother5xxBreaksTheirRow) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 0;
  policy.consecutive_gateway = 1;
  for (int status = 100; status < 1000; ++status) {
    OutlierDetector detector = detector_of(policy);
    detector.on_response(kA, static_cast<std::uint16_t>(status), t0);
    EXPECT_EQ(detector.ejected_count() == 1, status >= 502 && status <= 504) << status;
  }
  policy.consecutive_gateway = 2;
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {503, 500, 503, 500, 503, 200, 503}, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
  respond(detector, kA, {504}, t0);
  EXPECT_EQ(events_of(detector), "ejected 11 consecutive_gateway");
}

TEST(Outlier, ZeroTurnsAThresholdOff) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = policy.consecutive_gateway = 0;
  OutlierDetector detector = detector_of(policy);
  for (int i = 0; i < 1000; ++i) respond(detector, kA, {503}, t0);
  EXPECT_EQ(events_of(detector), "");
}

TEST(Outlier, WhenBothThresholdsAreReachedTheReasonIsTheGateway) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = policy.consecutive_gateway = 3;
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {503, 503, 503}, t0);
  EXPECT_EQ(events_of(detector), "ejected 11 consecutive_gateway");
}

// Recorded: 12 answers 503 with both thresholds at 3 and no room to eject are 8 overflows.
TEST(Outlier, WhenBothThresholdsAreSuppressedEachIsCounted) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = policy.consecutive_gateway = 3;
  policy.max_ejection_percent = 10;
  OutlierDetector detector = detector_of(policy);
  for (int i = 0; i < 12; ++i) respond(detector, kA, {503}, t0);
  EXPECT_EQ(detector.take_events().size(), 8U);
  EXPECT_EQ(detector.ejected_count(), 0U);
}

TEST(Outlier, ThereIsNoTimeWindow) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 3;
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {500}, t0);
  respond(detector, kA, {500}, t0 + hours(5));
  respond(detector, kA, {500}, t0 + hours(10));
  EXPECT_EQ(detector.ejected_count(), 1U);
}

TEST(Outlier, ACounterIsResetByItsDetectionEvenIfNobodyIsEjected) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 5;
  policy.max_ejection_percent = 10;
  OutlierDetector detector = detector_of(policy);
  for (int i = 0; i < 20; ++i) respond(detector, kA, {500}, t0);
  EXPECT_EQ(detector.take_events().size(), 4U);  // recorded: 20 errors, 4 overflows
}

TEST(Outlier, UnknownHostsAreIgnored) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 1;
  OutlierDetector detector = detector_of(policy);
  respond(detector, 99, {500}, t0);
  detector.on_local(99, LocalOutcome::reset, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
  EXPECT_FALSE(detector.is_ejected_for_balancer(99));
  EXPECT_EQ(detector.ejection(99), nullptr);
  EXPECT_TRUE(detector.is_clean(99));
}

TEST(Outlier, AHostIsCleanWhenASuccessWouldChangeNothing) {
  OutlierPolicy policy = all_may_go();
  OutlierDetector detector = detector_of(policy);
  EXPECT_TRUE(detector.is_clean(kA));
  respond(detector, kA, {500}, t0);
  EXPECT_FALSE(detector.is_clean(kA));
  EXPECT_TRUE(detector.is_clean(kB));
  respond(detector, kA, {200}, t0);
  EXPECT_TRUE(detector.is_clean(kA));

  policy.splits_local_origin = true;
  OutlierDetector split = detector_of(policy);
  split.on_local(kA, LocalOutcome::connect_failure, t0);
  EXPECT_FALSE(split.is_clean(kA));
  split.on_local(kA, LocalOutcome::connect_success, t0);
  EXPECT_TRUE(split.is_clean(kA));
}

// --- what the proxy itself saw --------------------------------------------------------------------------------------

TEST(Outlier, WithoutSplitLocalResultsCountAsGatewayErrorsAndAs5xx) {
  for (const LocalOutcome outcome : {LocalOutcome::connect_failure, LocalOutcome::connect_timeout,
                                     LocalOutcome::request_timeout, LocalOutcome::reset}) {
    for (const bool by_gateway : {false, true}) {
      OutlierPolicy policy = all_may_go();
      policy.consecutive_5xx = by_gateway ? 0 : 2;
      policy.consecutive_gateway = by_gateway ? 2 : 0;
      policy.consecutive_local_origin = 1;  // only with split
      OutlierDetector detector = detector_of(policy);
      detector.on_local(kA, outcome, t0);
      detector.on_local(kA, LocalOutcome::connect_success, t0);  // says nothing here
      EXPECT_EQ(detector.ejected_count(), 0U);
      detector.on_local(kA, outcome, t0);
      EXPECT_EQ(events_of(detector), by_gateway ? "ejected 11 consecutive_gateway" : "ejected 11 consecutive_5xx");
    }
  }
}

OutlierPolicy split(std::uint32_t threshold) {
  OutlierPolicy policy = all_may_go();
  policy.splits_local_origin = true;
  policy.consecutive_local_origin = threshold;
  policy.consecutive_5xx = 1;
  policy.consecutive_gateway = 1;
  return policy;
}

TEST(Outlier, WithSplitConnectFailuresCountOnlyForTheLocalThreshold) {
  for (const LocalOutcome outcome : {LocalOutcome::connect_failure, LocalOutcome::connect_timeout}) {
    OutlierDetector detector = detector_of(split(3));
    detector.on_local(kA, outcome, t0);
    detector.on_local(kA, outcome, t0);
    EXPECT_EQ(detector.ejected_count(), 0U);
    detector.on_local(kA, outcome, t0);
    EXPECT_EQ(events_of(detector), "ejected 11 consecutive_local");
  }
}

TEST(Outlier, WithSplitEveryConnectionBeginsTheLocalCountAnew) {
  OutlierDetector detector = detector_of(split(2));
  for (int i = 0; i < 10; ++i) {  // a request that gets its connection and then times out or is reset
    detector.on_local(kA, LocalOutcome::connect_success, t0);
    detector.on_local(kA, i % 2 == 0 ? LocalOutcome::request_timeout : LocalOutcome::reset, t0);
  }
  EXPECT_EQ(detector.ejected_count(), 0U);
  OutlierDetector once = detector_of(split(1));  // recorded: with a threshold of 1 they do eject
  once.on_local(kA, LocalOutcome::connect_success, t0);
  once.on_local(kA, LocalOutcome::request_timeout, t0);
  EXPECT_EQ(once.ejected_count(), 1U);
}

TEST(Outlier, WithSplitResponsesCountAsBefore) {
  OutlierDetector detector = detector_of(split(5));
  detector.on_local(kA, LocalOutcome::connect_failure, t0);
  respond(detector, kA, {200}, t0);
  EXPECT_FALSE(detector.is_clean(kA));  // an answer does not touch the local count
  respond(detector, kA, {500}, t0);
  EXPECT_EQ(events_of(detector), "ejected 11 consecutive_5xx");
}

// --- how many may go ------------------------------------------------------------------------------------------------

TEST(Outlier, TheShareOfEjectedHostsNeverPassesTheMaximum) {
  struct Case {
    std::uint32_t percent, hosts, expected;
  };
  for (const auto& [percent, hosts, expected] : {
           Case{10, 3, 0},  // S5
           Case{10, 9, 0},  // 11 % > 10 %
           Case{10, 10, 1},
           Case{10, 19, 1},
           Case{10, 20, 2},
           Case{33, 3, 0},  // 33.3 % > 33 %
           Case{34, 3, 1},
           Case{50, 2, 1},
           Case{67, 3, 2},
           Case{100, 3, 3},
           Case{200, 3, 3},
           Case{0, 3, 0},
           Case{99, 1, 0},
           Case{100, 1, 1},
       }) {
    for (const bool always_one : {false, true}) {
      OutlierPolicy policy = all_may_go();
      policy.consecutive_5xx = 1;
      policy.max_ejection_percent = percent;
      policy.always_ejects_one_host = always_one;
      std::vector<HostKey> keys(hosts);
      for (std::uint32_t i = 0; i < hosts; ++i) keys[i] = i;
      OutlierDetector detector = detector_of(policy, keys);
      for (const HostKey key : keys) respond(detector, key, {500}, t0);
      EXPECT_EQ(detector.ejected_count(), always_one ? std::max(expected, 1U) : expected)
          << percent << " % of " << hosts << (always_one ? ", always one" : "");
      EXPECT_EQ(detector.take_events().size(), hosts);
    }
  }
}

// S5: 10 % of three hosts is nobody, and each detection is an overflow.
TEST(Outlier, ScenarioS5EjectsNobodyAndCountsTheOverflow) {
  OutlierPolicy policy;
  policy.consecutive_5xx = 3;
  policy.max_ejection_percent = 10;
  OutlierDetector detector = detector_of(policy, {kA, kB, kC});
  std::size_t suppressed = 0;
  for (int i = 1; i <= 300; ++i) {
    respond(detector, kA, {500}, t0 + milliseconds(20) * i);
    for (const auto& event : detector.take_events()) suppressed += event.kind == Kind::suppressed ? 1 : 0;
    EXPECT_EQ(suppressed, static_cast<std::size_t>(i / 3));
  }
  EXPECT_FALSE(detector.is_ejected_for_balancer(kA));
  EXPECT_EQ(detector.next_event(), TimePoint::max());
}

// S6: with a maximum of 100 % all hosts may be gone at once.
TEST(Outlier, ScenarioS6EjectsEverybody) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 1;
  OutlierDetector detector = detector_of(policy, {kA, kB, kC});
  for (const HostKey host : {kA, kB, kC}) respond(detector, host, {500}, t0);
  detector.advance(t0 + seconds(1));
  for (const HostKey host : {kA, kB, kC}) EXPECT_TRUE(detector.is_ejected_for_balancer(host));
}

// --- how long -------------------------------------------------------------------------------------------------------

TEST(Outlier, AHostReturnsAtTheFirstSweepAfterItsEjectionTime) {
  struct Case {
    milliseconds ejected_after, returns_after;
  };
  for (const auto& [ejected_after, returns_after] : {
           Case{milliseconds(0), milliseconds(2000)},
           Case{milliseconds(1), milliseconds(3000)},
           Case{milliseconds(163), milliseconds(3000)},
           Case{milliseconds(999), milliseconds(3000)},
           Case{milliseconds(1000), milliseconds(3000)},
           Case{milliseconds(1001), milliseconds(4000)},
       }) {
    OutlierPolicy policy = all_may_go();
    policy.consecutive_5xx = 1;
    OutlierDetector detector = detector_of(policy);
    respond(detector, kA, {500}, t0 + ejected_after);
    ASSERT_NE(detector.ejection(kA), nullptr);
    EXPECT_EQ(detector.ejection(kA)->until, t0 + returns_after) << ejected_after.count();
    EXPECT_EQ(detector.ejection(kA)->times, 1U);
    EXPECT_EQ(detector.next_event(), t0 + returns_after);
    detector.advance(t0 + returns_after - milliseconds(1));
    EXPECT_EQ(detector.ejected_count(), 1U);
    detector.advance(t0 + returns_after);
    EXPECT_EQ(detector.ejected_count(), 0U);
    EXPECT_FALSE(detector.is_ejected_for_balancer(kA));
    EXPECT_EQ(events_of(detector), "ejected 11 consecutive_5xx, returned 11 consecutive_5xx");
  }
}

// S4: 50 requests a second, the third error ejects; 2 s, then 4 s, then 6 s.
TEST(Outlier, ScenarioS4EjectsForLongerEachTime) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 3;
  OutlierDetector detector = detector_of(policy);
  std::vector<std::pair<milliseconds, milliseconds>> ejections;  // from, until
  for (milliseconds at{0}; at < seconds(24); at += milliseconds(20)) {
    detector.advance(t0 + at);
    if (detector.ejection(kA) == nullptr) detector.on_response(kA, 500, t0 + at);
    for (const auto& event : detector.take_events()) {
      if (event.kind == Kind::ejected) ejections.emplace_back(at, milliseconds(0));
      if (event.kind == Kind::returned) ejections.back().second = at;
    }
  }
  using Ejections = std::vector<std::pair<milliseconds, milliseconds>>;
  // Three errors take 40 ms; back at the first whole second that is 2, 4, 6, 8 s later.
  const Ejections expected = {{milliseconds(40), seconds(3)},
                              {seconds(3) + milliseconds(40), seconds(8)},
                              {seconds(8) + milliseconds(40), seconds(15)},
                              {seconds(15) + milliseconds(40), milliseconds(0)}};
  EXPECT_EQ(ejections, expected);
  EXPECT_EQ(detector.ejection(kA)->times, 4U);
  EXPECT_EQ(detector.ejection(kA)->until, t0 + seconds(24));
}

TEST(Outlier, EachHealthySweepLowersTheMultiplierFromOneIntervalAfterTheReturn) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 1;
  // Ejected three times in a row: the multiplier is 3.
  const auto three_times = [&] {
    OutlierDetector detector = detector_of(policy);
    TimePoint at = t0;
    for (int i = 0; i < 3; ++i) {
      respond(detector, kA, {500}, at);
      at = detector.ejection(kA)->until;
      detector.advance(at);
    }
    return std::pair(std::move(detector), at);
  };
  for (std::uint32_t sweeps = 0; sweeps <= 6; ++sweeps) {
    auto [detector, returned_at] = three_times();
    const TimePoint at = returned_at + seconds(sweeps);
    respond(detector, kA, {500}, at);
    EXPECT_EQ(detector.ejection(kA)->times, 1 + (sweeps >= 3 ? 0 : 3 - sweeps)) << sweeps;
  }
  auto [detector, returned_at] = three_times();
  EXPECT_EQ(detector.next_event(), returned_at + seconds(1));
  detector.advance(returned_at + hours(1000));
  EXPECT_EQ(detector.next_event(), TimePoint::max());
}

TEST(Outlier, AnEjectionLastsAtMostFiveMinutesOrTheBaseTime) {
  struct Case {
    milliseconds base;
    std::vector<seconds> durations;
  };
  for (const Case& test : {
           Case{seconds(100), {seconds(100), seconds(200), seconds(300), seconds(300), seconds(300)}},
           Case{seconds(120), {seconds(120), seconds(240), seconds(300), seconds(300)}},
           Case{seconds(600), {seconds(600), seconds(600), seconds(600)}},
       }) {
    OutlierPolicy policy = all_may_go();
    policy.consecutive_5xx = 1;
    policy.base_ejection_time = test.base;
    OutlierDetector detector = detector_of(policy);
    TimePoint at = t0;
    for (const seconds duration : test.durations) {
      respond(detector, kA, {500}, at);
      EXPECT_EQ(detector.ejection(kA)->until - at, duration) << test.base.count();
      at = detector.ejection(kA)->until;
      detector.advance(at);
    }
  }
}

TEST(Outlier, TheMultiplierStopsGrowingWhereTheMaximumIsReached) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 1;
  policy.base_ejection_time = seconds(30);
  OutlierDetector detector = detector_of(policy);
  TimePoint at = t0;
  std::uint32_t times = 0;
  for (int i = 0; i < 30; ++i) {
    respond(detector, kA, {500}, at);
    times = detector.ejection(kA)->times;
    at = detector.ejection(kA)->until;
    detector.advance(at);
  }
  EXPECT_EQ(times, 11U);  // 10 x 30 s < 300 s + 30 s, 11 x 30 s is not
}

TEST(Outlier, TheReturnZeroesTheCountersThatGrewDuringTheEjection) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 3;
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {500, 500, 500}, t0);
  respond(detector, kA, {500, 500}, t0 + milliseconds(100));  // answers that were on their way
  EXPECT_FALSE(detector.is_clean(kA));
  detector.advance(t0 + seconds(2));
  EXPECT_TRUE(detector.is_clean(kA));
  respond(detector, kA, {500, 500}, t0 + seconds(2));
  EXPECT_EQ(detector.ejected_count(), 0U);
  respond(detector, kA, {500}, t0 + seconds(2));
  EXPECT_EQ(detector.ejected_count(), 1U);
}

TEST(Outlier, AnEjectedHostCannotTriggerHoweverOftenItFails) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 2;
  policy.consecutive_gateway = 4;
  OutlierDetector detector = detector_of(policy);
  for (int i = 0; i < 50; ++i) respond(detector, kA, {503}, t0 + milliseconds(10) * i);
  EXPECT_EQ(events_of(detector), "ejected 11 consecutive_5xx");
  EXPECT_EQ(detector.ejection(kA)->times, 1U);
}

// --- when the balancer sees it --------------------------------------------------------------------------------------

OutlierPolicy one_error(seconds interval = seconds(30)) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 1;
  policy.interval = interval;
  policy.base_ejection_time = seconds(60);
  return policy;
}

TEST(Outlier, TheFirstChangeIsAppliedAtOnceTheNextOnesASecondAfterTheyBegin) {
  OutlierDetector detector = detector_of(one_error(), {kA, kB, kC});
  respond(detector, kA, {500}, t0 + milliseconds(20));
  EXPECT_TRUE(detector.is_ejected_for_balancer(kA));
  respond(detector, kB, {500}, t0 + milliseconds(40));
  respond(detector, kC, {500}, t0 + milliseconds(60));
  EXPECT_EQ(detector.ejected_count(), 3U);
  EXPECT_FALSE(detector.is_ejected_for_balancer(kB));
  EXPECT_EQ(detector.next_event(), t0 + milliseconds(1040));
  detector.advance(t0 + milliseconds(1039));
  EXPECT_FALSE(detector.is_ejected_for_balancer(kB));
  detector.advance(t0 + milliseconds(1040));
  EXPECT_TRUE(detector.is_ejected_for_balancer(kB));
  EXPECT_TRUE(detector.is_ejected_for_balancer(kC));
}

// Recorded: applied at 53 ms, the next change at 853 ms was seen at 1853 ms.
TEST(Outlier, TheSecondIsCountedFromTheChangeThatIsHeldBack) {
  OutlierDetector detector = detector_of(one_error(), {kA, kB, kC});
  respond(detector, kA, {500}, t0 + milliseconds(53));
  respond(detector, kB, {500}, t0 + milliseconds(853));
  EXPECT_EQ(detector.next_event(), t0 + milliseconds(1853));
}

// Recorded: applied at 153 ms, held back at 702 ms, a third change at 1503 ms took both with it.
TEST(Outlier, AChangeOutsideTheWindowTakesThoseHeldBackWithIt) {
  OutlierDetector detector = detector_of(one_error(), {kA, kB, kC});
  respond(detector, kA, {500}, t0 + milliseconds(153));
  respond(detector, kB, {500}, t0 + milliseconds(702));
  respond(detector, kC, {500}, t0 + milliseconds(1153));  // exactly 1 s: within
  EXPECT_FALSE(detector.is_ejected_for_balancer(kC));
  OutlierDetector later = detector_of(one_error(), {kA, kB, kC});
  respond(later, kA, {500}, t0 + milliseconds(153));
  respond(later, kB, {500}, t0 + milliseconds(702));
  respond(later, kC, {500}, t0 + milliseconds(1154));
  EXPECT_TRUE(later.is_ejected_for_balancer(kB));
  EXPECT_TRUE(later.is_ejected_for_balancer(kC));
  EXPECT_EQ(later.next_event(), later.ejection(kA)->until);
}

TEST(Outlier, AnApplicationOpensTheNextWindow) {
  OutlierDetector detector = detector_of(one_error(), {kA, kB, kC});
  respond(detector, kA, {500}, t0);
  respond(detector, kB, {500}, t0 + milliseconds(500));   // held until 1500
  respond(detector, kC, {500}, t0 + milliseconds(1600));  // 100 ms after that: held until 2600
  EXPECT_TRUE(detector.is_ejected_for_balancer(kB));
  EXPECT_FALSE(detector.is_ejected_for_balancer(kC));
  EXPECT_EQ(detector.next_event(), t0 + milliseconds(2600));
}

TEST(Outlier, OfTwoThatReturnAtOneSweepTheSecondIsSeenASecondLater) {
  OutlierPolicy policy = one_error(seconds(1));
  policy.base_ejection_time = seconds(3);
  OutlierDetector detector = detector_of(policy);
  respond(detector, kB, {500}, t0);
  respond(detector, kA, {500}, t0);
  detector.advance(t0 + seconds(3));
  EXPECT_EQ(detector.ejected_count(), 0U);
  EXPECT_NE(detector.is_ejected_for_balancer(kA), detector.is_ejected_for_balancer(kB));
  detector.advance(t0 + seconds(4));
  EXPECT_FALSE(detector.is_ejected_for_balancer(kA) || detector.is_ejected_for_balancer(kB));
}

TEST(Outlier, LateCallsSeeEventsInTheirOrderAndTime) {
  OutlierPolicy policy = one_error(seconds(1));
  policy.base_ejection_time = seconds(2);
  OutlierDetector step = detector_of(policy);
  OutlierDetector jump = detector_of(policy);
  for (OutlierDetector* detector : {&step, &jump}) {
    respond(*detector, kA, {500}, t0 + milliseconds(300));
    respond(*detector, kB, {500}, t0 + milliseconds(500));
  }
  for (milliseconds at{500}; at <= seconds(20); at += milliseconds(1)) step.advance(t0 + at);
  jump.advance(t0 + seconds(20));
  EXPECT_EQ(events_of(step), events_of(jump));
  EXPECT_EQ(step.next_event(), jump.next_event());
  for (const HostKey host : {kA, kB}) {
    EXPECT_EQ(step.is_ejected_for_balancer(host), jump.is_ejected_for_balancer(host));
  }
}

// Workers read their clocks once per turn, so a report may be a little older than what was seen before.
TEST(Outlier, AReportFromAMomentAgoIsTakenAsItIs) {
  OutlierDetector detector = detector_of(one_error(), {kA, kB});
  respond(detector, kA, {500}, t0 + seconds(5));
  respond(detector, kB, {500}, t0 + seconds(5) - milliseconds(3));
  EXPECT_EQ(detector.ejected_count(), 2U);
  detector.advance(t0 + seconds(6));
  EXPECT_TRUE(detector.is_ejected_for_balancer(kB));
}

// --- endpoints and policies come and go -----------------------------------------------------------------------------

TEST(Outlier, HostsThatStayKeepTheirStateAndRemovedOnesMakeRoom) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 2;
  policy.max_ejection_percent = 50;
  OutlierDetector detector = detector_of(policy, {kA, kB});
  respond(detector, kA, {500, 500}, t0);
  respond(detector, kB, {500}, t0);
  const std::array same = {kC, kB, kA};
  detector.update(policy, same, t0 + milliseconds(100));
  EXPECT_TRUE(detector.is_ejected_for_balancer(kA));
  EXPECT_FALSE(detector.is_clean(kB));
  EXPECT_EQ(detector.ejected_count(), 1U);
  const std::array without_a = {kB, kC};
  detector.update(policy, without_a, t0 + milliseconds(200));
  EXPECT_EQ(detector.ejected_count(), 0U);
  EXPECT_EQ(detector.ejection(kA), nullptr);
  events_of(detector);
  respond(detector, kB, {500}, t0 + milliseconds(200));
  EXPECT_EQ(events_of(detector), "ejected 7 consecutive_5xx");
}

TEST(Outlier, AChangeOfHostsAppliesWhatWasHeldBack) {
  OutlierDetector detector = detector_of(one_error(), {kA, kB});
  respond(detector, kA, {500}, t0);
  respond(detector, kB, {500}, t0 + milliseconds(10));
  EXPECT_FALSE(detector.is_ejected_for_balancer(kB));
  const std::array more = {kA, kB, kC};
  detector.update(one_error(), more, t0 + milliseconds(20));
  EXPECT_TRUE(detector.is_ejected_for_balancer(kB));
}

TEST(Outlier, TheSameHostsAndPolicyChangeNothing) {
  OutlierDetector detector = detector_of(one_error(), {kA, kB});
  respond(detector, kA, {500}, t0);
  respond(detector, kB, {500}, t0 + milliseconds(10));
  const std::array same = {kB, kA};
  detector.update(one_error(), same, t0 + milliseconds(20));
  EXPECT_FALSE(detector.is_ejected_for_balancer(kB));
  EXPECT_EQ(detector.next_event(), t0 + milliseconds(1010));
}

TEST(Outlier, ALoweredThresholdIsReachedByTheNextError) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 10;
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {500, 500, 500, 500, 500}, t0);
  policy.consecutive_5xx = 3;
  detector.update(policy, std::array{kA, kB}, t0);
  EXPECT_EQ(detector.ejected_count(), 0U);
  respond(detector, kA, {500}, t0);
  EXPECT_EQ(detector.ejected_count(), 1U);
}

TEST(Outlier, AShorterEjectionTimeAlsoServesThoseWhoAreEjected) {
  OutlierPolicy policy = all_may_go();
  policy.consecutive_5xx = 1;
  policy.base_ejection_time = hours(1);
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {500}, t0);
  policy.base_ejection_time = seconds(5);
  detector.update(policy, std::array{kA, kB}, t0 + milliseconds(1500));
  EXPECT_EQ(detector.next_event(), t0 + seconds(5));
  detector.update(policy, std::array{kA, kB}, t0 + milliseconds(1700));
  policy.base_ejection_time = seconds(1);
  detector.update(policy, std::array{kA, kB}, t0 + milliseconds(1800));
  EXPECT_EQ(detector.next_event(), t0 + seconds(2));
}

TEST(Outlier, ANewIntervalBeginsWithItsPolicy) {
  OutlierPolicy policy = one_error(seconds(30));
  policy.base_ejection_time = seconds(1);
  OutlierDetector detector = detector_of(policy);
  respond(detector, kA, {500}, t0);
  EXPECT_EQ(detector.next_event(), t0 + seconds(30));
  policy.interval = seconds(2);
  detector.update(policy, std::array{kA, kB}, t0 + milliseconds(500));
  EXPECT_EQ(detector.next_event(), t0 + milliseconds(2500));
}

TEST(Outlier, WithoutHostsNothingHappens) {
  OutlierDetector detector = detector_of(one_error(), {});
  respond(detector, kA, {500}, t0);
  detector.advance(t0 + hours(1));
  EXPECT_EQ(detector.next_event(), TimePoint::max());
  EXPECT_EQ(detector.ejected_count(), 0U);
}

TEST(Outlier, ReasonsHaveTheirMetricNames) {
  EXPECT_EQ(to_string(EjectionReason::consecutive_5xx), "consecutive_5xx");
  EXPECT_EQ(to_string(EjectionReason::consecutive_gateway), "consecutive_gateway");
  EXPECT_EQ(to_string(EjectionReason::consecutive_local), "consecutive_local");
}

}  // namespace
}  // namespace proxy::policy
