#include "agent/kube/status/status_queue.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
const base::TimePoint t0 = base::TimePoint() + 1h;
const config::DocumentId kWeb{"VirtualService", "shop", "web"};

StatusWrite write_of(const std::string& version, std::int64_t generation = 1, const std::string& uid = "u") {
  return {.uid = uid, .generation = generation, .version = version, .target = "/t", .patch = {}, .event = {}};
}

class StatusQueueTest : public ::testing::Test {
 protected:
  bool has_next(base::TimePoint now) { return queue_.next(now).has_value(); }
  void write(base::TimePoint now) {
    const auto next = queue_.next(now);
    ASSERT_TRUE(next);
    const StatusWrite copy = *next->write;
    queue_.on_written(kWeb, copy, now);
  }
  StatusQueue queue_;
};

TEST_F(StatusQueueTest, SaysTheLatestOnce) {
  queue_.set(kWeb, write_of("1"));
  queue_.set(kWeb, write_of("2"));
  ASSERT_TRUE(has_next(t0));
  EXPECT_EQ(queue_.next(t0)->write->version, "2");
  write(t0);
  EXPECT_EQ(queue_.size(), 0U);
  EXPECT_FALSE(queue_.due());
}

TEST_F(StatusQueueTest, HasNothingToSayOfWhatSomebodyElseWroteOrDeleted) {
  queue_.set(kWeb, write_of("1"));
  queue_.set_right(kWeb);
  EXPECT_FALSE(has_next(t0));
  queue_.set(kWeb, write_of("2"));
  queue_.erase(kWeb);
  EXPECT_FALSE(has_next(t0));
}

TEST_F(StatusQueueTest, AnswersWhoChangesItBackMoreAndMoreSlowly) {
  base::TimePoint now = t0;
  for (const auto pause : {1s, 2s, 4s, 8s}) {
    queue_.set(kWeb, write_of(std::to_string(now.time_since_epoch().count())));
    ASSERT_TRUE(has_next(now));
    write(now);
    queue_.set(kWeb, write_of("undone"));
    EXPECT_FALSE(has_next(now + pause - 1ms));
    EXPECT_EQ(*queue_.due(), now + pause);
    now += pause;
  }
  for (int i = 0; i < 20; ++i) {
    queue_.set(kWeb, write_of("undone" + std::to_string(i)));
    now = *queue_.due();
    write(now);
  }
  queue_.set(kWeb, write_of("undone again"));
  EXPECT_EQ(*queue_.due(), now + StatusQueue::kLongestPause);
}

TEST_F(StatusQueueTest, IsQuickAgainForANewGenerationAndForAnotherObjectOfThatName) {
  for (int i = 0; i < 5; ++i) {
    queue_.set(kWeb, write_of(std::to_string(i)));
    write(std::max(t0, *queue_.due()));
  }
  queue_.set(kWeb, write_of("6"));
  EXPECT_FALSE(has_next(t0));
  queue_.set(kWeb, write_of("7", 2));
  EXPECT_TRUE(has_next(t0));
  write(t0);
  queue_.set(kWeb, write_of("8", 2, "another"));
  EXPECT_TRUE(has_next(t0));
}

TEST_F(StatusQueueTest, TriesAgainLaterWhatFailed) {
  queue_.set(kWeb, write_of("1"));
  queue_.on_failed(kWeb, write_of("1"), t0 + 5s);
  EXPECT_FALSE(has_next(t0));
  EXPECT_TRUE(has_next(t0 + 5s));
}

TEST_F(StatusQueueTest, AFailureOfAnOlderVersionDoesNotDelayTheNext) {
  queue_.set(kWeb, write_of("2", 2));
  queue_.on_failed(kWeb, write_of("1"), t0 + 5s);
  EXPECT_TRUE(has_next(t0));
}

TEST_F(StatusQueueTest, WhatChangedWhileItWasWrittenIsWrittenAgain) {
  queue_.set(kWeb, write_of("2", 2));
  queue_.on_written(kWeb, write_of("1", 1), t0);
  EXPECT_TRUE(has_next(t0));
}

}  // namespace
}  // namespace agent::kube
