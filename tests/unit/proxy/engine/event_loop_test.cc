#include "proxy/engine/event_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/epoll.h>

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/proxy/engine/socket_pair.h"

namespace proxy::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;

struct Handler final : IoHandler {
  explicit Handler(std::function<void(std::uint32_t)> reaction) : react(std::move(reaction)) {}
  void on_io(std::uint32_t events) override {
    ++calls;
    react(events);
  }
  int calls = 0;
  std::function<void(std::uint32_t)> react;
};

struct Task final : Deferred {
  explicit Task(std::function<void(When)> work) : run(std::move(work)) {}
  void run_deferred(When when) override { run(when); }
  std::function<void(When)> run;
};

class EventLoopTest : public ::testing::Test {
 protected:
  EventLoopTest() {
    auto created = EventLoop::create();
    EXPECT_TRUE(created);
    loop_ = std::move(*created);
    loop_->timers().arm(too_late_, base::now() + seconds(30));
  }

  // Until something calls stop().
  void run() {
    loop_->run();
    EXPECT_TRUE(too_late_.is_armed()) << "nothing ended the loop";
  }
  void stop() { loop_->stop(); }
  void on_too_late(base::TimePoint) { stop(); }

  void add(int fd, IoHandler& handler) { EXPECT_TRUE(loop_->add(fd, handler)); }
  void note(std::string what) { log_.push_back(std::move(what)); }

  std::unique_ptr<EventLoop> loop_;
  Timer too_late_ = Timer::calling<&EventLoopTest::on_too_late>(*this);
  std::vector<std::string> log_;
};

TEST_F(EventLoopTest, TellsOnceWhatIsThereUntilMoreComes) {
  SocketPair watched, other;
  std::uint32_t first = 0;
  // The other socket brings a turn after each event of the watched one.
  Handler handler([&](std::uint32_t events) {
    if (first == 0) first = events;
    other.write_from_far("x");
  });
  int turns = 0;
  Handler witness([&](std::uint32_t events) {
    if ((events & EPOLLIN) == 0) return;
    read_all(other.near.get());
    ++turns;
    if (turns == 1) other.write_from_far("another turn");
    if (turns == 2) {
      EXPECT_EQ(handler.calls, 1) << "the byte that nobody read must not be told again";
      watched.write_from_far("y");
    }
    if (turns == 3) stop();
  });
  watched.write_from_far("x");
  add(watched.near.get(), handler);
  add(other.near.get(), witness);
  run();
  EXPECT_EQ(first & (EPOLLIN | EPOLLOUT), std::uint32_t{EPOLLIN | EPOLLOUT});
  EXPECT_EQ(handler.calls, 2);
}

TEST_F(EventLoopTest, TellsThatASocketCanBeWrittenAgain) {
  SocketPair pair;
  const std::string chunk(4096, 'x');
  Handler handler([&](std::uint32_t events) {
    if ((events & EPOLLOUT) == 0) return;
    if (handler.calls > 1) return stop();
    while (::send(pair.near.get(), chunk.data(), chunk.size(), 0) > 0) {
    }
    loop_->post([&] {
      EXPECT_EQ(handler.calls, 1);
      read_all(pair.far.get());
    });
  });
  add(pair.near.get(), handler);
  run();
}

TEST_F(EventLoopTest, TellsTheEndOfThePeersBytesFromTheEndOfTheConnection) {
  SocketPair half, closed;
  std::optional<std::uint32_t> of_half, of_closed;
  const auto keep = [&](std::optional<std::uint32_t>& where) {
    return [&](std::uint32_t events) {
      where = events;
      if (of_half && of_closed) stop();
    };
  };
  Handler half_handler(keep(of_half));
  Handler closed_handler(keep(of_closed));
  ::shutdown(half.far.get(), SHUT_WR);
  closed.far.reset();
  add(half.near.get(), half_handler);
  add(closed.near.get(), closed_handler);
  run();
  EXPECT_EQ(*of_half & (EPOLLRDHUP | EPOLLHUP), std::uint32_t{EPOLLRDHUP});
  EXPECT_EQ(*of_closed & (EPOLLRDHUP | EPOLLHUP), std::uint32_t{EPOLLRDHUP | EPOLLHUP});
}

TEST_F(EventLoopTest, SaysNothingOfADescriptorThatWasRemoved) {
  SocketPair removed, closed, witnessed;
  const base::UniqueFd copy(::dup(removed.near.get()));
  Handler silent([&](std::uint32_t) { ADD_FAILURE() << "an event of a removed descriptor"; });
  Handler witness([&](std::uint32_t) { stop(); });
  add(removed.near.get(), silent);
  add(closed.near.get(), silent);
  loop_->remove(removed.near.get());
  closed.near.reset();
  removed.write_from_far("x");
  witnessed.write_from_far("x");
  add(witnessed.near.get(), witness);
  run();
}

TEST_F(EventLoopTest, RefusesADescriptorThatCannotBeWaitedFor) {
  Handler handler([](std::uint32_t) {});
  const base::UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(loop_->add(-1, handler));
  EXPECT_FALSE(loop_->add(file.get(), handler));
}

TEST_F(EventLoopTest, DeferredWorkRunsAfterItsEventAndBeforeTheNext) {
  SocketPair a, b;
  Task task_a([&](Deferred::When when) {
    EXPECT_EQ(when, Deferred::When::between_events);
    note("after");
  });
  Task task_b([&](Deferred::When) { note("after"); });
  const auto reaction = [&](Task& task) {
    return [&](std::uint32_t) {
      note("begin");
      loop_->defer(task);
      note("end");
    };
  };
  Handler handler_a(reaction(task_a)), handler_b(reaction(task_b));
  loop_->set_end_of_turn([&] {
    note("end of turn");
    if (handler_a.calls + handler_b.calls > 0) stop();
  });
  add(a.near.get(), handler_a);
  add(b.near.get(), handler_b);
  run();
  std::erase(log_, "end of turn");
  EXPECT_THAT(log_, ElementsAre("begin", "end", "after", "begin", "end", "after"));
}

TEST_F(EventLoopTest, TheEndOfATurnComesAfterAllItsEvents) {
  SocketPair a, b;
  Task at_end([&](Deferred::When when) {
    EXPECT_EQ(when, Deferred::When::end_of_turn);
    note("recycled");
  });
  const auto reaction = [&](std::uint32_t) {
    note("event");
    loop_->defer_to_end_of_turn(at_end);
  };
  Handler handler_a(reaction), handler_b(reaction);
  loop_->set_end_of_turn([&] {
    if (log_.empty()) return;
    note("hook");
    stop();
  });
  add(a.near.get(), handler_a);
  add(b.near.get(), handler_b);
  run();
  EXPECT_THAT(log_, ElementsAre("event", "event", "recycled", "hook"));
}

TEST_F(EventLoopTest, DeferredWorkMayDeferMoreAndAllOfItRunsBeforeTheThreadSleeps) {
  std::optional<Task> more, at_end, last;
  Task first([&](Deferred::When) {
    note("first");
    loop_->defer(*more);
  });
  more.emplace([&](Deferred::When) {
    note("more");
    loop_->defer_to_end_of_turn(*at_end);
  });
  at_end.emplace([&](Deferred::When) {
    note("at end");
    loop_->defer(*last);
  });
  last.emplace([&](Deferred::When) { note("last"); });
  loop_->set_end_of_turn([&] {
    if (log_.empty()) return;
    note("hook");
    stop();
  });
  loop_->post([&] { loop_->defer(first); });
  run();
  EXPECT_THAT(log_, ElementsAre("first", "more", "at end", "last", "hook"));
}

TEST_F(EventLoopTest, WhoWantsAnotherTurnHasItAfterTheEventsOfTheOthersAndWithoutWaiting) {
  SocketPair other;
  Handler handler([&](std::uint32_t events) {
    if ((events & EPOLLIN) != 0) note("event");
  });
  int turns = 0;
  std::optional<Task> greedy;
  greedy.emplace([&](Deferred::When when) {
    EXPECT_EQ(when, Deferred::When::between_events);
    note("turn");
    if (++turns == 1) other.write_from_far("x");
    if (turns == 3) return stop();
    loop_->defer(*greedy);  // which would be within this turn
    loop_->defer_to_next_turn(*greedy);
  });
  add(other.near.get(), handler);
  loop_->post([&] { loop_->defer_to_next_turn(*greedy); });
  run();
  EXPECT_THAT(log_, ElementsAre("turn", "event", "turn", "turn"));
}

TEST_F(EventLoopTest, WorkIsDeferredAtMostOnceAndNotWhenItsObjectIsGone) {
  int runs = 0;
  Task kept([&](Deferred::When when) {
    EXPECT_EQ(when, Deferred::When::between_events) << "where it was put first";
    ++runs;
  });
  auto destroyed = std::make_unique<Task>([](Deferred::When) { ADD_FAILURE() << "run after its end"; });
  loop_->post([&] {
    loop_->defer(kept);
    loop_->defer(kept);
    loop_->defer_to_end_of_turn(kept);
    loop_->defer(*destroyed);
    destroyed.reset();
  });
  loop_->post([&] { stop(); });
  run();
  EXPECT_EQ(runs, 1);
}

struct Alarm {
  void on_timer(base::TimePoint now) {
    ran_at = now;
    then();
  }
  std::function<void()> then = [] {};
  std::optional<base::TimePoint> ran_at;
  Timer timer = Timer::calling<&Alarm::on_timer>(*this);
};

TEST_F(EventLoopTest, ATimerThatWasArmedBeforeTheLoopRuns) {
  Alarm alarm;
  alarm.then = [&] { stop(); };
  const auto deadline = base::now() + milliseconds(20);
  loop_->timers().arm(alarm.timer, deadline);
  run();
  ASSERT_TRUE(alarm.ran_at);
  EXPECT_GE(*alarm.ran_at, deadline);
}

TEST_F(EventLoopTest, TimersRunInTheirOrderWhenTheyWereArmedInAnother) {
  Alarm late, early, cancelled;
  early.then = [&] { note("early"); };
  late.then = [&] {
    note("late");
    stop();
  };
  cancelled.then = [&] { note("cancelled"); };
  base::TimePoint start;
  loop_->post([&] {
    start = loop_->now();
    loop_->timers().arm(late.timer, start + milliseconds(500));
    loop_->timers().arm(cancelled.timer, start + milliseconds(5));
  });
  loop_->post([&] {  // the thread would sleep longer by now
    loop_->timers().arm(early.timer, start + milliseconds(10));
    loop_->timers().cancel(cancelled.timer);
  });
  run();
  EXPECT_THAT(log_, ElementsAre("early", "late"));
  EXPECT_GE(*early.ran_at, start + milliseconds(10));
  EXPECT_GE(*late.ran_at, start + milliseconds(500));
  EXPECT_LT(*early.ran_at, start + milliseconds(500)) << "it waited for the later one";
}

TEST_F(EventLoopTest, WhatATimerDefersRunsInItsTurn) {
  Task deferred([&](Deferred::When) { note("deferred"); });
  Task at_end([&](Deferred::When) { note("end of turn"); });
  Alarm alarm;
  alarm.then = [&] {
    loop_->defer_to_end_of_turn(at_end);
    loop_->defer(deferred);
    note("timer");
  };
  loop_->set_end_of_turn([&] {
    if (!log_.empty()) stop();
  });
  loop_->timers().arm(alarm.timer, base::now() + milliseconds(1));
  run();
  EXPECT_THAT(log_, ElementsAre("timer", "deferred", "end of turn"));
}

TEST_F(EventLoopTest, TheTimeIsReadOnceATurn) {
  SocketPair a, b;
  std::vector<base::TimePoint> seen;
  const auto reaction = [&](std::uint32_t) {
    seen.push_back(loop_->now());
    while (base::now() == seen.back()) {
    }
    if (seen.size() == 2) loop_->post([&] { stop(); });
  };
  Handler handler_a(reaction), handler_b(reaction);
  add(a.near.get(), handler_a);
  add(b.near.get(), handler_b);
  run();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_GT(loop_->now(), seen[1]);
}

TEST_F(EventLoopTest, AnotherThreadMayPostAndStopWhileTheLoopRuns) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  std::promise<void> is_running, all_have_run;
  std::thread other([&] {
    is_running.get_future().wait();
    for (int i = 0; i < 3; ++i) {
      loop_->post([&, i] {
        order.push_back(i);
        threads.push_back(std::this_thread::get_id());
        if (i == 2) all_have_run.set_value();
      });
    }
    all_have_run.get_future().wait();
    loop_->stop();
  });
  loop_->post([&] { is_running.set_value(); });
  run();
  other.join();
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  EXPECT_THAT(threads, ::testing::Each(std::this_thread::get_id()));
}

TEST_F(EventLoopTest, ThereIsRoomForAPartialHeadInFrontOfWhatIsRead) {
  EXPECT_GE(EventLoop::kScratchBytes, EventLoop::kReadBytes + 60 * 1024);
  std::fill_n(loop_->scratch(), EventLoop::kScratchBytes, 'x');
}

}  // namespace
}  // namespace proxy::engine
