#include "agent/kube/status/event_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
const base::TimePoint t0 = base::TimePoint() + 1h;
constexpr auto kPost = ApiRequest::Method::post;
constexpr auto kPatch = ApiRequest::Method::patch;

Event event(const std::string& message, const std::string& uid = "u1") {
  return {.api_version = "networking.istio.io/v1",
          .kind = "VirtualService",
          .name_space = "shop",
          .name = "web",
          .uid = uid,
          .is_warning = true,
          .reason = "PolicyRejected",
          .action = "ReadPolicy",
          .message = message,
          .node = "n1",
          .time = base::WallTime() + 1h};
}

class EventQueueTest : public ::testing::Test {
 protected:
  // Says what is due at `now`, and answers with this name.
  std::optional<ApiRequest> say(base::TimePoint now, const std::string& name = "e1") {
    auto request = queue_.next(now);
    if (request) queue_.on_done(name, now);
    return request;
  }
  static std::int64_t count_in(const ApiRequest& request) {
    return json::parse(request.body).at("series").at("count").as_int64();
  }
  EventQueue queue_;
};

TEST_F(EventQueueTest, MakesAnEvent) {
  queue_.add(event("bad timeout"), t0);
  const auto request = say(t0);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, kPost);
  EXPECT_EQ(request->target, "/apis/events.k8s.io/v1/namespaces/shop/events");
  EXPECT_EQ(json::parse(request->body).at("note").as_string(), "bad timeout");
  EXPECT_FALSE(queue_.due(t0));
}

TEST_F(EventQueueTest, CountsARepetitionInTheEventThatThereIs) {
  queue_.add(event("a"), t0);
  say(t0);
  queue_.add(event("a"), t0 + 1s);
  queue_.add(event("a"), t0 + 2s);
  EXPECT_FALSE(say(t0 + 2s)) << "once a minute is enough";
  ASSERT_EQ(queue_.due(t0 + 2s), t0 + EventQueue::kRefresh);
  const auto request = say(t0 + EventQueue::kRefresh);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, kPatch);
  EXPECT_EQ(request->target, "/apis/events.k8s.io/v1/namespaces/shop/events/e1");
  EXPECT_EQ(count_in(*request), 3);
}

TEST_F(EventQueueTest, TakesTheSameAfterALongTimeForAnotherEvent) {
  queue_.add(event("a"), t0);
  say(t0);
  queue_.add(event("a"), t0 + EventQueue::kSeries + 1s);
  EXPECT_EQ(say(t0 + EventQueue::kSeries + 1s)->method, kPost);
}

TEST_F(EventQueueTest, TellsObjectsAndMessagesApart) {
  queue_.add(event("a"), t0);
  queue_.add(event("b"), t0);
  queue_.add(event("a", "u2"), t0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(say(t0)->method, kPost);
  EXPECT_FALSE(say(t0));
}

TEST_F(EventQueueTest, ARepetitionDoesNotMakeWhatIsNewWait) {
  queue_.add(event("a"), t0);
  say(t0);
  queue_.add(event("a"), t0);
  queue_.add(event("b"), t0);
  EXPECT_EQ(say(t0)->method, kPost);
}

TEST_F(EventQueueTest, CountsWhatIsSaidWhileItIsBeingWritten) {
  queue_.add(event("a"), t0);
  ASSERT_TRUE(queue_.next(t0));
  queue_.add(event("a"), t0);
  queue_.on_done("e1", t0);
  const auto request = say(t0 + EventQueue::kRefresh);
  ASSERT_TRUE(request);
  EXPECT_EQ(count_in(*request), 2);
}

TEST_F(EventQueueTest, MakesAnEventAnewWhenTheApiServerHasForgottenIt) {
  queue_.add(event("a"), t0);
  say(t0);
  queue_.add(event("a"), t0 + 1s);
  ASSERT_EQ(queue_.next(t0 + EventQueue::kRefresh)->method, kPatch);
  queue_.on_gone();
  EXPECT_EQ(say(t0 + EventQueue::kRefresh)->method, kPost);
  EXPECT_EQ(queue_.waiting(), 0U);
}

TEST_F(EventQueueTest, SaysALittleAtATime) {
  for (unsigned i = 0; i < EventQueue::kBurst + 1; ++i) queue_.add(event(std::to_string(i)), t0);
  for (unsigned i = 0; i < EventQueue::kBurst; ++i) EXPECT_TRUE(say(t0)) << i;
  EXPECT_FALSE(say(t0));
  EXPECT_EQ(queue_.due(t0), t0 + EventQueue::kInterval);
  EXPECT_TRUE(say(t0 + EventQueue::kInterval));
}

TEST_F(EventQueueTest, DropsWhatIsTooMuchAndSaysSo) {
  for (std::size_t i = 0; i < EventQueue::kMaxWaiting + 3; ++i) queue_.add(event(std::to_string(i)), t0);
  EXPECT_EQ(queue_.waiting(), EventQueue::kMaxWaiting);
  EXPECT_EQ(queue_.dropped(), 3U);
}

TEST_F(EventQueueTest, ForgetsWhatCouldNotBeSaid) {
  queue_.add(event("a"), t0);
  say(t0, "");
  EXPECT_EQ(queue_.dropped(), 1U);
  queue_.add(event("a"), t0);
  EXPECT_EQ(say(t0)->method, kPost);
}

}  // namespace
}  // namespace agent::kube
