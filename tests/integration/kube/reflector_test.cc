#include "agent/kube/reflector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>
#include <optional>
#include <set>

#include "tests/integration/kube/scripted_api_server.h"

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using tests::support::in_order;
using Health = ReflectorHealth;

const Resource kPods{.version = "v1", .plural = "pods"};
constexpr ApiTimeouts kShort{.connect = 2s, .request = 2s, .silence = 200ms};

// What a reflector said, by name of the object.
class Recorder : public ObjectSink {
 public:
  void replacing() override {
    seen_.clear();
    ++lists_begun;
  }
  void replaced() override {
    std::erase_if(objects, [this](const auto& each) { return !seen_.contains(each.first); });
    ++lists_ended;
  }
  void upsert(const boost::json::object& object) override {
    seen_.insert(name(object));
    objects[name(object)] = object.at("metadata").at("resourceVersion").as_string().c_str();
  }
  void erase(const boost::json::object& object) override { objects.erase(name(object)); }

  std::map<std::string, std::string> objects;  // name and version
  int lists_begun = 0, lists_ended = 0;

 private:
  static std::string name(const boost::json::object& object) {
    return object.at("metadata").at("name").as_string().c_str();
  }
  std::set<std::string> seen_;
};

std::string pod(const std::string& name, const std::string& version) {
  return R"({"metadata":{"name":")" + name + R"(","resourceVersion":")" + version + R"("}})";
}
std::string list(const std::vector<std::string>& items, const std::string& version, const std::string& token = "") {
  std::string body = R"({"metadata":{"resourceVersion":")" + version + R"(","continue":")" + token + R"("},"items":[)";
  for (const std::string& item : items) body += (&item == items.data() ? "" : ",") + item;
  return body + "]}";
}
std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}
std::string bookmark(const std::string& version) {
  return event("BOOKMARK", R"({"metadata":{"resourceVersion":")" + version + R"("}})");
}
std::string error_event(int code, const std::string& reason) {
  return event("ERROR", R"({"kind":"Status","code":)" + std::to_string(code) + R"(,"reason":")" + reason +
                            R"(","message":"as told"})");
}

class ReflectorTest : public ::testing::Test {
 protected:
  void serve(std::vector<tests::support::Handler> handlers) {
    server_.upstream.set_handler(in_order(std::move(handlers)));
  }
  void start(const ApiTimeouts& timeouts = {}) {
    reflector_.emplace(server_.context, server_.credentials(), kPods, sink_, timeouts);
    reflector_->start();
  }
  bool run_until(const std::function<bool()>& condition) { return server_.run_until(condition); }
  bool run_until_requests(std::size_t count) {
    return run_until([&] { return server_.upstream.requests().size() >= count; });
  }
  std::string target(std::size_t request) { return server_.upstream.requests().at(request).target(); }

  ScriptedApiServer server_;
  Recorder sink_;
  std::optional<Reflector> reflector_;
};

TEST_F(ReflectorTest, FollowsWhatHappensAfterTheList) {
  serve({answer(200, list({pod("a", "1"), pod("b", "2")}, "5", "next")), answer(200, list({pod("c", "3")}, "5")),
         watch_of({event("ADDED", pod("d", "6")), event("MODIFIED", pod("a", "7")), event("DELETED", pod("b", "8"))},
                  Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().events == 3; }));
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("a", "7"), Pair("c", "3"), Pair("d", "6")));
  EXPECT_EQ(target(0), "/api/v1/pods?limit=500");
  EXPECT_EQ(target(1), "/api/v1/pods?limit=500&continue=next");
  EXPECT_THAT(target(2), HasSubstr("watch=1&allowWatchBookmarks=true&resourceVersion=5&"));
  const auto status = reflector_->status();
  EXPECT_EQ(status.health, Health::following);
  EXPECT_TRUE(status.is_synced);
  EXPECT_EQ(status.lists, 1U);
  EXPECT_EQ(status.error, "");
  EXPECT_TRUE(status.last_contact);
}

TEST_F(ReflectorTest, TakesAnEmptyListAsGoWritesIt) {
  serve({answer(200, R"({"metadata":{"resourceVersion":"5"},"items":null})"), watch_of({}, Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 1; }));
  EXPECT_EQ(sink_.lists_ended, 1);
}

TEST_F(ReflectorTest, GoesOnFromABookmark) {
  serve({answer(200, list({}, "5")), watch_of({bookmark("90")}, Then::end), watch_of({}, Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 2; }));
  EXPECT_THAT(target(2), HasSubstr("resourceVersion=90&"));
  EXPECT_EQ(reflector_->status().lists, 1U);
  EXPECT_EQ(reflector_->status().events, 0U);
}

TEST_F(ReflectorTest, ListsAgainAfterAnEventSaysThatTheVersionIsGone) {
  serve({answer(200, list({pod("a", "1"), pod("b", "2")}, "5")), watch_of({error_event(410, "Expired")}, Then::stay),
         answer(200, list({pod("b", "2"), pod("c", "8")}, "9")), watch_of({}, Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 2; }));
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("b", "2"), Pair("c", "8")));
  EXPECT_EQ(reflector_->status().lists, 2U);
  EXPECT_THAT(target(3), HasSubstr("resourceVersion=9&"));
}

TEST_F(ReflectorTest, GoesOnWithTheListWhereItWasInterrupted) {
  serve({answer(200, list({pod("a", "1")}, "5", "next")), tests::support::reset_unanswered(),
         answer(200, list({pod("b", "2")}, "5")), watch_of({}, Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 1; }));
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(target(2), "/api/v1/pods?limit=500&continue=next");
}

TEST_F(ReflectorTest, ForgetsNothingUntilANewListIsWhole) {
  serve({answer(200, list({pod("a", "1"), pod("b", "2")}, "5")), watch_of({error_event(410, "Gone")}, Then::stay),
         answer(200, list({pod("b", "2")}, "9", "next")), answer(410, "{}"), answer(500, "{}"),
         answer(200, list({pod("c", "3")}, "9")), watch_of({}, Then::stay)});
  start();
  ASSERT_TRUE(run_until_requests(5));
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 2; }));
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("c", "3")));
  EXPECT_EQ(sink_.lists_begun, 3);
  EXPECT_EQ(sink_.lists_ended, 2);
}

TEST_F(ReflectorTest, ListsAgainWhenTheWatchBringsNonsense) {
  for (const std::string& nonsense :
       {std::string("nonsense"), std::string("[]"), std::string("{}"), event("ADDED", "7"), event("ADDED", "{}"),
        event("UNHEARD", pod("a", "1")), std::string(R"({"type":"ADDED","object":null})")}) {
    serve({answer(200, list({}, "5")), watch_of({nonsense}, Then::stay), answer(200, list({pod("a", "1")}, "6")),
           watch_of({}, Then::stay)});
    start();
    EXPECT_TRUE(run_until([&] { return reflector_->status().watches == 2; })) << nonsense;
    EXPECT_EQ(reflector_->status().lists, 2U) << nonsense;
    reflector_.reset();
  }
}

TEST_F(ReflectorTest, AsksAgainWhenTheListIsNonsense) {
  for (const char* nonsense : {"", "null", "{}", R"({"metadata":{},"items":[]})", R"({"metadata":7,"items":[]})",
                               R"({"metadata":{"resourceVersion":"1"},"items":{}})", "[[[[[["}) {
    serve({answer(200, nonsense), answer(200, list({pod("a", "1")}, "6")), watch_of({}, Then::stay)});
    start();
    EXPECT_TRUE(run_until([&] { return reflector_->status().watches == 1; })) << nonsense;
    EXPECT_EQ(reflector_->status().failures, 1U) << nonsense;
    reflector_.reset();
  }
}

TEST_F(ReflectorTest, LeavesOutItemsThatAreNoObjects) {
  serve({answer(200, list({"7", "{}", pod("a", "1"), "null"}, "6")), watch_of({}, Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 1; }));
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("a", "1")));
}

TEST_F(ReflectorTest, ListsAgainWhenAWatchIsSilent) {
  serve({answer(200, list({}, "5")), watch_of({}, Then::stay), answer(200, list({pod("a", "1")}, "6")),
         watch_of({}, Then::stay)});
  start(kShort);
  ASSERT_TRUE(run_until([&] { return reflector_->status().lists == 2; }));
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("a", "1")));
}

TEST_F(ReflectorTest, KeepsWhatItKnowsWhileTheApiServerIsAway) {
  serve({answer(200, list({pod("a", "1")}, "5")), watch_of({bookmark("7")}, Then::stay), watch_of({}, Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 1 && reflector_->status().last_contact; }));
  ASSERT_TRUE(run_until_requests(2));
  server_.upstream.go_down();
  ASSERT_TRUE(run_until([&] { return reflector_->status().failures >= 3; }));
  EXPECT_EQ(reflector_->status().health, Health::retrying);
  EXPECT_NE(reflector_->status().error, "");
  EXPECT_TRUE(reflector_->status().is_synced);
  EXPECT_THAT(sink_.objects, ElementsAre(Pair("a", "1")));
  server_.upstream.come_up();
  ASSERT_TRUE(run_until([&] { return reflector_->status().watches == 2; }));
  EXPECT_EQ(reflector_->status().health, Health::following);
  EXPECT_EQ(reflector_->status().lists, 1U) << "nothing was missed, so there is nothing to list";
}

TEST_F(ReflectorTest, KnowsThatThereIsNothingOfAKindThatDoesNotExist) {
  serve({answer(200, list({pod("a", "1")}, "5")), watch_of({error_event(410, "Gone")}, Then::stay),
         answer(404, "404 page not found\n")});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().health == Health::absent; }));
  EXPECT_TRUE(reflector_->status().is_synced);
  EXPECT_THAT(sink_.objects, IsEmpty());
}

TEST_F(ReflectorTest, SaysWhatAServiceAccountLacks) {
  serve({answer(403, R"({"reason":"Forbidden","message":"pods is forbidden"})")});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().health == Health::forbidden; }));
  EXPECT_FALSE(reflector_->status().is_synced);
  EXPECT_THAT(reflector_->status().error, HasSubstr("pods is forbidden (the service account needs"));
}

TEST_F(ReflectorTest, SaysNothingMoreOnceItIsGone) {
  serve({answer(200, list({}, "5")), watch_of({event("ADDED", pod("a", "6"))}, Then::stay)});
  start();
  ASSERT_TRUE(run_until([&] { return reflector_->status().events == 1; }));
  reflector_.reset();
  const int lists = sink_.lists_begun;
  EXPECT_TRUE(run_until([&] { return server_.upstream.open_connections() == 0; }));
  EXPECT_EQ(sink_.lists_begun, lists);
}

TEST_F(ReflectorTest, MayGoBeforeItHasBegun) {
  start();
  reflector_.reset();
  server_.context.restart();
  server_.context.run();  // ends, because there is nothing left to do
  EXPECT_EQ(sink_.lists_begun, 0);
}

}  // namespace
}  // namespace agent::kube
