#include "proxy/engine/timing_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"

namespace proxy::engine {
namespace {

using base::TimePoint;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Not a whole number of milliseconds: the wheel's ticks need not be those of the clock.
const TimePoint t0 = TimePoint{} + std::chrono::seconds(1000) + nanoseconds(123'456);

struct Recorder {
  void on_timer(TimePoint now) {
    ++runs;
    last_run = now;
    if (then) then();
  }
  int runs = 0;
  TimePoint last_run{};
  std::function<void()> then;
  Timer timer = Timer::calling<&Recorder::on_timer>(*this);
};

// What a shell around the wheel does: sleep until next_expiry(), then advance.
TimePoint run_next(TimingWheel& wheel) {
  const TimePoint wake = wheel.next_expiry();
  wheel.advance(wake);
  return wake;
}

TEST(TimingWheel, ATimerNeverRunsEarlyAndAtMostOneTickLate) {
  for (const nanoseconds delay :
       {nanoseconds(1), nanoseconds(999'999), nanoseconds(1'000'000), nanoseconds(1'000'001), nanoseconds(63'000'000),
        nanoseconds(64'000'000), nanoseconds(65'500'000), nanoseconds(4'096'000'000), nanoseconds(hours(50))}) {
    TimingWheel wheel(t0);
    Recorder recorder;
    wheel.arm(recorder.timer, t0 + delay);
    wheel.advance(t0 + delay - nanoseconds(1));
    EXPECT_EQ(recorder.runs, 0) << delay.count();
    wheel.advance(t0 + delay + milliseconds(1));
    EXPECT_EQ(recorder.runs, 1) << delay.count();
    EXPECT_FALSE(recorder.timer.is_armed());
  }
}

TEST(TimingWheel, ADeadlineOnATickRunsAtThatTick) {
  TimingWheel wheel(t0);
  Recorder recorder;
  wheel.arm(recorder.timer, t0 + milliseconds(500));
  wheel.advance(t0 + milliseconds(500));
  EXPECT_EQ(recorder.runs, 1);
  EXPECT_EQ(recorder.last_run, t0 + milliseconds(500));
}

TEST(TimingWheel, APassedDeadlineRunsAtTheNextTickNotInsideArm) {
  TimingWheel wheel(t0);
  wheel.advance(t0 + milliseconds(100));
  Recorder recorder;
  wheel.arm(recorder.timer, t0);
  EXPECT_EQ(recorder.runs, 0);
  EXPECT_EQ(wheel.next_expiry(), t0 + milliseconds(101));
  wheel.advance(t0 + milliseconds(101));
  EXPECT_EQ(recorder.runs, 1);
}

TEST(TimingWheel, NextExpiryIsNeverAfterTheDeadlineAndReachesItInFewSteps) {
  for (const milliseconds delay : {milliseconds(1), milliseconds(30), milliseconds(500), milliseconds(30'000),
                                   milliseconds(hours(1)), milliseconds(hours(24 * 365))}) {
    TimingWheel wheel(t0);
    Recorder recorder;
    wheel.advance(t0 + milliseconds(777));
    const TimePoint deadline = t0 + milliseconds(777) + delay;
    wheel.arm(recorder.timer, deadline);
    int steps = 0;
    TimePoint woken{};
    while (recorder.runs == 0 && steps < 10) {
      woken = run_next(wheel);
      ++steps;
      EXPECT_LE(woken, deadline);
    }
    EXPECT_EQ(woken, deadline);
    EXPECT_LE(steps, 7);
    EXPECT_EQ(wheel.next_expiry(), TimePoint::max());
  }
}

TEST(TimingWheel, ACancelledTimerDoesNotRunAndLeavesNothingToWaitFor) {
  TimingWheel wheel(t0);
  Recorder recorder;
  wheel.arm(recorder.timer, t0 + milliseconds(20));
  wheel.cancel(recorder.timer);
  wheel.cancel(recorder.timer);
  EXPECT_EQ(wheel.next_expiry(), TimePoint::max());
  wheel.advance(t0 + hours(1));
  EXPECT_EQ(recorder.runs, 0);
}

TEST(TimingWheel, CancellingOneOfASlotKeepsTheOthers) {
  TimingWheel wheel(t0);
  std::array<Recorder, 3> recorders;
  for (auto& recorder : recorders) wheel.arm(recorder.timer, t0 + milliseconds(20));
  wheel.cancel(recorders[1].timer);
  wheel.advance(t0 + milliseconds(20));
  EXPECT_EQ(recorders[0].runs, 1);
  EXPECT_EQ(recorders[1].runs, 0);
  EXPECT_EQ(recorders[2].runs, 1);
}

TEST(TimingWheel, ArmingAgainMovesTheDeadlineBothWays) {
  TimingWheel wheel(t0);
  Recorder later;
  Recorder sooner;
  wheel.arm(later.timer, t0 + milliseconds(10));
  wheel.arm(later.timer, t0 + milliseconds(5000));
  wheel.arm(sooner.timer, t0 + milliseconds(5000));
  wheel.arm(sooner.timer, t0 + milliseconds(10));
  wheel.advance(t0 + milliseconds(4999));
  EXPECT_EQ(later.runs, 0);
  EXPECT_EQ(sooner.runs, 1);
  wheel.advance(t0 + milliseconds(5000));
  EXPECT_EQ(later.runs, 1);
  EXPECT_EQ(sooner.runs, 1);
}

TEST(TimingWheel, ATimerMayArmItselfFromItsCallbackAndRunsOnceForEachDeadline) {
  TimingWheel wheel(t0);
  Recorder recorder;
  recorder.then = [&] {
    if (recorder.runs < 5) wheel.arm(recorder.timer, t0 + milliseconds(100 * (recorder.runs + 1)));
  };
  wheel.arm(recorder.timer, t0 + milliseconds(100));
  wheel.advance(t0 + milliseconds(450));
  EXPECT_EQ(recorder.runs, 4);
  wheel.advance(t0 + milliseconds(10'000));
  EXPECT_EQ(recorder.runs, 5);
}

TEST(TimingWheel, APassedDeadlineArmedInACallbackCannotKeepAdvanceBusy) {
  TimingWheel wheel(t0);
  Recorder recorder;
  recorder.then = [&] { wheel.arm(recorder.timer, t0); };
  wheel.arm(recorder.timer, t0);
  wheel.advance(t0 + milliseconds(10));
  EXPECT_EQ(recorder.runs, 10);  // once a tick
}

TEST(TimingWheel, ACallbackMayCancelATimerThatIsDueAtTheSameTick) {
  TimingWheel wheel(t0);
  Recorder first;
  Recorder second;
  first.then = [&] { wheel.cancel(second.timer); };
  second.then = [&] { wheel.cancel(first.timer); };
  wheel.arm(first.timer, t0 + milliseconds(7));
  wheel.arm(second.timer, t0 + milliseconds(7));
  wheel.advance(t0 + milliseconds(7));
  EXPECT_EQ(first.runs + second.runs, 1);
}

TEST(TimingWheel, ACallbackMayMoveATimerThatIsDueAtTheSameTick) {
  TimingWheel wheel(t0);
  Recorder first;
  Recorder second;
  first.then = [&] { wheel.arm(second.timer, t0 + milliseconds(90)); };
  wheel.arm(first.timer, t0 + milliseconds(70));
  wheel.arm(second.timer, t0 + milliseconds(70));
  wheel.advance(t0 + milliseconds(89));
  EXPECT_EQ(first.runs, 1);
  EXPECT_EQ(second.runs, 0);
  wheel.advance(t0 + milliseconds(90));
  EXPECT_EQ(second.runs, 1);
}

TEST(TimingWheel, ACallbackMayDestroyItselfAndOthers) {
  TimingWheel wheel(t0);
  auto first = std::make_unique<Recorder>();
  auto same_tick = std::make_unique<Recorder>();
  auto later = std::make_unique<Recorder>();
  int runs = 0;
  first->then = [&] {
    ++runs;
    same_tick.reset();
    later.reset();
    wheel.arm(first->timer, t0 + milliseconds(500));
    auto dying = std::move(first->then);  // outlives the object that holds it
    first.reset();
  };
  wheel.arm(first->timer, t0 + milliseconds(64));
  wheel.arm(same_tick->timer, t0 + milliseconds(64));
  wheel.arm(later->timer, t0 + milliseconds(200));
  wheel.advance(t0 + hours(1));
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(wheel.next_expiry(), TimePoint::max());
}

TEST(TimingWheel, ATimerMayOutliveTheWheel) {
  Recorder recorder;
  {
    TimingWheel wheel(t0);
    wheel.arm(recorder.timer, t0 + milliseconds(20));
  }
  EXPECT_FALSE(recorder.timer.is_armed());
}

TEST(TimingWheel, TimeGoingBackRunsNothingAndBreaksNothing) {
  TimingWheel wheel(t0);
  Recorder recorder;
  wheel.advance(t0 + milliseconds(100));
  wheel.arm(recorder.timer, t0 + milliseconds(110));
  wheel.advance(t0 + milliseconds(50));
  wheel.advance(t0 - milliseconds(50));
  EXPECT_EQ(recorder.runs, 0);
  wheel.advance(t0 + milliseconds(110));
  EXPECT_EQ(recorder.runs, 1);
}

TEST(TimingWheel, ADeadlineBeyondAllTimeIsKeptNotMisplaced) {
  TimingWheel wheel(t0);
  Recorder recorder;
  wheel.arm(recorder.timer, TimePoint::max());
  wheel.advance(t0 + hours(24 * 365 * 100));
  EXPECT_EQ(recorder.runs, 0);
  EXPECT_TRUE(recorder.timer.is_armed());
}

// Against an oracle that keeps a sorted multimap: random arming, cancelling, moving and steps from microseconds to
// hours; half of the callbacks arm or cancel others.
TEST(TimingWheel, AgreesWithASortedListOverLongRandomRuns) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::Random random(seed);
    TimingWheel wheel(t0);
    TimePoint now = t0;
    struct Entry {
      void on_timer(TimePoint at) {
        EXPECT_GE(at, deadline);
        deadline = TimePoint::max();
        ++runs;
        if (then) then();
      }
      TimePoint deadline = TimePoint::max();  // max: not armed
      int runs = 0;
      std::function<void()> then;
      Timer timer = Timer::calling<&Entry::on_timer>(*this);
    };
    std::vector<Entry> entries(200);
    const auto random_delay = [&] { return microseconds(random.below(std::uint64_t{1} << random.below(36))); };
    const auto disturb = [&] {
      Entry& entry = entries[random.below(entries.size())];
      if (random.below(3) == 0) {
        wheel.cancel(entry.timer);
        entry.deadline = TimePoint::max();
      } else {
        entry.deadline = now + random_delay() + microseconds(1);
        wheel.arm(entry.timer, entry.deadline);
      }
    };
    for (Entry& entry : entries) {
      if (random.below(2) == 0) entry.then = disturb;
    }
    for (int step = 0; step < 3000; ++step) {
      for (std::uint64_t i = random.below(5); i > 0; --i) disturb();
      // Sometimes as a shell would, sometimes late by anything.
      const TimePoint wake = wheel.next_expiry();
      now = random.below(2) == 0 && wake != TimePoint::max() ? std::max(now, wake) : now + random_delay();
      wheel.advance(now);
      TimePoint earliest = TimePoint::max();
      for (const Entry& entry : entries) {
        EXPECT_EQ(entry.timer.is_armed(), entry.deadline != TimePoint::max());
        if (entry.deadline == TimePoint::max()) continue;
        EXPECT_GT(entry.deadline, now - milliseconds(1)) << "late";
        earliest = std::min(earliest, entry.deadline);
      }
      if (earliest == TimePoint::max()) {
        EXPECT_EQ(wheel.next_expiry(), TimePoint::max());
      } else {
        EXPECT_LT(wheel.next_expiry(), earliest + milliseconds(1));
        EXPECT_GT(wheel.next_expiry(), now);
      }
      if (HasFailure()) FAIL() << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace proxy::engine
