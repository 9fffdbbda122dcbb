#include "agent/kube/reflector_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Step = ReflectorState::Step;
using Health = ReflectorHealth;

const base::TimePoint t0 = base::TimePoint() + 1h;

ApiError refused(unsigned status, std::string reason = {}) {
  return {.kind = ApiError::Kind::refused, .status = status, .reason = std::move(reason), .message = "no"};
}

class ReflectorStateTest : public ::testing::Test {
 protected:
  // To a watch from version 7 that has been accepted at t0.
  void follow() {
    state_.on_page("", "7", t0);
    state_.on_watching(t0);
  }
  std::chrono::milliseconds fail(const ApiError& error, base::TimePoint now = t0) {
    return state_.on_failure(error, now, random_);
  }
  std::string target() { return state_.target(random_); }

  base::Random random_{1};
  ReflectorState state_{Resource{.version = "v1", .plural = "pods"}, 8};
};

TEST_F(ReflectorStateTest, ListsPageByPageAndThenWatchesFromTheListsVersion) {
  EXPECT_EQ(state_.step(), Step::first_page);
  EXPECT_EQ(target(), "/api/v1/pods?limit=8");
  state_.on_page("more", "7", t0);
  EXPECT_EQ(state_.step(), Step::next_page);
  EXPECT_EQ(target(), "/api/v1/pods?limit=8&continue=more");
  EXPECT_FALSE(state_.is_synced());
  EXPECT_EQ(state_.health(), Health::starting);
  state_.on_page("", "7", t0);
  EXPECT_EQ(state_.step(), Step::watch);
  EXPECT_THAT(target(), HasSubstr("&resourceVersion=7&timeoutSeconds="));
  EXPECT_TRUE(state_.is_synced());
  EXPECT_EQ(state_.health(), Health::following);
}

TEST_F(ReflectorStateTest, GoesOnFromTheLastEventOrBookmark) {
  follow();
  state_.on_version("12", t0 + 1s);
  state_.on_version("", t0 + 2s);  // an event that says none changes nothing
  EXPECT_EQ(state_.on_watch_end(t0 + 300s, random_), 0ms);
  EXPECT_EQ(state_.step(), Step::watch);
  EXPECT_THAT(target(), HasSubstr("&resourceVersion=12&"));
}

TEST_F(ReflectorStateTest, WaitsBeforeItAsksAgainForAWatchThatEndedAtOnce) {
  follow();
  EXPECT_GE(state_.on_watch_end(t0 + 10ms, random_), 50ms);
  state_.on_watching(t0 + 1s);
  EXPECT_GE(state_.on_watch_end(t0 + 1010ms, random_), 100ms);
}

TEST_F(ReflectorStateTest, WatchesLastFiveToTenMinutes) {
  follow();
  std::vector<int> seconds;
  for (int i = 0; i < 100; ++i) {
    const std::string asked = target();
    seconds.push_back(std::stoi(asked.substr(asked.find("timeoutSeconds=") + 15)));
  }
  EXPECT_THAT(seconds, ::testing::Each(::testing::AllOf(::testing::Ge(300), ::testing::Le(600))));
  EXPECT_NE(seconds.front(), seconds.back());
}

TEST_F(ReflectorStateTest, ListsAgainWhenItsVersionIsGone) {
  for (const ApiError& error : {refused(410), refused(410, "Gone"), refused(500, "Expired")}) {
    ReflectorState state(Resource{.version = "v1", .plural = "pods"});
    state.on_page("", "7", t0);
    state.on_watching(t0);
    EXPECT_LE(state.on_failure(error, t0 + 60s, random_), 100ms);
    EXPECT_EQ(state.step(), Step::first_page);
    EXPECT_TRUE(state.is_synced()) << "what is known stays";
  }
}

TEST_F(ReflectorStateTest, ListsAtOnceWhenItsVersionIsGoneAfterAnOutageButNotAgainAndAgain) {
  follow();
  for (int i = 0; i < 10; ++i) fail({.kind = ApiError::Kind::connection}, t0 + 60s);
  EXPECT_GT(fail({.kind = ApiError::Kind::connection}, t0 + 60s), 5s);
  EXPECT_LE(fail(refused(410, "Expired"), t0 + 90s), 100ms);
  std::chrono::milliseconds last{};
  for (int i = 0; i < 10; ++i) {
    state_.on_page("", "8", t0 + 91s);
    last = fail(refused(410, "Expired"), t0 + 91s);
  }
  EXPECT_GT(last, 5s);
}

TEST_F(ReflectorStateTest, ListsFromTheStartWhenAPageIsGone) {
  state_.on_page("more", "7", t0);
  EXPECT_GT(fail(refused(410, "Expired")), 0ms);
  EXPECT_EQ(state_.step(), Step::first_page);
}

TEST_F(ReflectorStateTest, ListsAgainWhenTheVersionIsAheadOfTheApiServer) {
  follow();
  ApiError error = refused(504, "Timeout");
  error.message = "HTTP 504: Too large resource version: 7, current: 3";
  fail(error, t0 + 60s);
  EXPECT_EQ(state_.step(), Step::first_page);
}

TEST_F(ReflectorStateTest, ListsAgainAfterASilentWatch) {
  follow();
  fail({.kind = ApiError::Kind::silence}, t0 + 150s);
  EXPECT_EQ(state_.step(), Step::first_page);
}

TEST_F(ReflectorStateTest, GoesOnWithTheWatchAfterALostConnection) {
  follow();
  state_.on_version("9", t0 + 20s);
  EXPECT_LE(fail({.kind = ApiError::Kind::connection, .message = "reset"}, t0 + 30s), 100ms);
  EXPECT_EQ(state_.step(), Step::watch);
  EXPECT_THAT(target(), HasSubstr("resourceVersion=9&"));
  EXPECT_EQ(state_.health(), Health::retrying);
  EXPECT_EQ(state_.error(), "reset");
  state_.on_watching(t0 + 31s);
  EXPECT_EQ(state_.health(), Health::following);
  EXPECT_EQ(state_.error(), "");
}

TEST_F(ReflectorStateTest, ContinuesAListThatWasInterrupted) {
  state_.on_page("more", "7", t0);
  fail({.kind = ApiError::Kind::connection});
  EXPECT_EQ(state_.step(), Step::next_page);
  fail(refused(500));
  EXPECT_EQ(state_.step(), Step::next_page);
}

TEST_F(ReflectorStateTest, WaitsLongerWithEveryFailureUntilAWatchLives) {
  follow();
  base::TimePoint now = t0 + 60s;
  std::chrono::milliseconds wait{};
  for (int i = 0; i < 12; ++i) {
    wait = fail({.kind = ApiError::Kind::connection}, now);
    now += wait + 30s;  // each attempt takes long, too
  }
  EXPECT_GE(wait, 15s);
  state_.on_watching(now);
  EXPECT_GE(fail({.kind = ApiError::Kind::connection}, now + 1s), 15s) << "it broke at once";
  state_.on_watching(now);
  EXPECT_LE(fail({.kind = ApiError::Kind::connection}, now + 11s), 100ms);
}

TEST_F(ReflectorStateTest, WaitsAtLeastAsLongAsTheApiServerAsksFor) {
  ApiError error = refused(429, "TooManyRequests");
  error.retry_after = 20s;
  EXPECT_GE(fail(error), 20s);
  EXPECT_EQ(state_.step(), Step::first_page);
}

TEST_F(ReflectorStateTest, AKindThatDoesNotExistIsLookedForEveryTenSeconds) {
  for (int i = 0; i < 20; ++i) {
    const auto wait = fail(refused(404, "NotFound"), t0 + i * 10s);
    EXPECT_GE(wait, 5s);
    EXPECT_LE(wait, 10s);
  }
  EXPECT_EQ(state_.health(), Health::absent);
  EXPECT_TRUE(state_.is_synced()) << "that there is nothing is all there is to know";
  EXPECT_EQ(state_.step(), Step::first_page);
  follow();
  EXPECT_EQ(state_.health(), Health::following);
}

TEST_F(ReflectorStateTest, AKindIsLookedForInItsOlderVersionsBeforeItIsAbsent) {
  state_ = ReflectorState({.group = "networking.istio.io",
                           .version = "v1",
                           .plural = "virtualservices",
                           .older_versions = {"v1beta1", "v1alpha3"}},
                          8);
  for (const char* next : {"v1beta1", "v1alpha3"}) {
    EXPECT_EQ(fail(refused(404, "NotFound")), 0ms);
    EXPECT_FALSE(state_.is_synced());
    EXPECT_THAT(target(), HasSubstr(std::string("/networking.istio.io/") + next + "/"));
  }
  EXPECT_GE(fail(refused(404, "NotFound")), 5s);
  EXPECT_EQ(state_.health(), Health::absent);
  EXPECT_THAT(target(), HasSubstr("/v1/"));

  EXPECT_EQ(fail(refused(404, "NotFound")), 0ms);
  follow();
  EXPECT_THAT(target(), HasSubstr("/v1beta1/virtualservices?watch"));
}

TEST_F(ReflectorStateTest, AKindThatGoesWhileItIsWatchedIsListedOnceMoreAtOnce) {
  follow();
  EXPECT_LE(fail(refused(404, "NotFound"), t0 + 60s), 100ms);
  EXPECT_EQ(state_.step(), Step::first_page);
  EXPECT_NE(state_.health(), Health::absent);
}

TEST_F(ReflectorStateTest, SaysWhatAForbiddenKindNeeds) {
  follow();
  fail(refused(403, "Forbidden"), t0 + 60s);
  EXPECT_EQ(state_.health(), Health::forbidden);
  EXPECT_EQ(state_.error(), "no (the service account needs the verbs list and watch for pods)");
  EXPECT_TRUE(state_.is_synced()) << "what is known stays";
}

TEST_F(ReflectorStateTest, AsksForSmallerPagesUntilTheyFit) {
  EXPECT_EQ(fail({.kind = ApiError::Kind::too_large}), 0ms);
  EXPECT_EQ(target(), "/api/v1/pods?limit=4");
  EXPECT_EQ(fail({.kind = ApiError::Kind::too_large}), 0ms);
  EXPECT_EQ(fail({.kind = ApiError::Kind::too_large}), 0ms);
  EXPECT_EQ(target(), "/api/v1/pods?limit=1");
  EXPECT_GT(fail({.kind = ApiError::Kind::too_large}), 0ms) << "one object is larger than all that is taken";
}

TEST_F(ReflectorStateTest, TellsWhenItWasLastInTouch) {
  EXPECT_FALSE(state_.last_contact());
  follow();
  state_.on_version("8", t0 + 5s);
  fail({.kind = ApiError::Kind::connection}, t0 + 60s);
  fail(refused(503), t0 + 70s);
  EXPECT_EQ(state_.last_contact(), t0 + 5s) << "failures confirm nothing";
}

TEST(ReflectorStateOfVersions, LooksForAnOlderOneAtOnceAndStaysWithIt) {
  base::Random random(1);
  ReflectorState state({.group = "g", .version = "v1", .plural = "things", .older_versions = {"v1beta1", "v1alpha3"}});
  EXPECT_EQ(state.on_failure(refused(404), t0, random), 0ms);
  EXPECT_THAT(state.target(random), HasSubstr("/apis/g/v1beta1/things?"));
  state.on_page("", "7", t0);
  EXPECT_THAT(state.target(random), HasSubstr("/apis/g/v1beta1/things?watch=1"));
  EXPECT_EQ(state.health(), Health::following);
}

TEST(ReflectorStateOfVersions, WaitsOnceAllOfThemAreMissing) {
  base::Random random(1);
  ReflectorState state({.group = "g", .version = "v1", .plural = "things", .older_versions = {"v1beta1"}});
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(state.target(random), HasSubstr("/apis/g/v1/things?"));
    EXPECT_EQ(state.on_failure(refused(404), t0, random), 0ms);
    EXPECT_GT(state.on_failure(refused(404), t0, random), 1s);
    EXPECT_EQ(state.health(), Health::absent);
    EXPECT_TRUE(state.is_synced());
  }
}

TEST(ReflectorStateOfVersions, FindsTheNewestWhenItsOwnGoes) {
  base::Random random(1);
  ReflectorState state({.group = "g", .version = "v1", .plural = "things", .older_versions = {"v1beta1"}});
  state.on_failure(refused(404), t0, random);
  state.on_page("", "7", t0);
  state.on_failure(refused(404), t0, random);  // of the watch
  EXPECT_EQ(state.on_failure(refused(404), t0, random), 0ms);
  EXPECT_THAT(state.target(random), HasSubstr("/apis/g/v1/things?limit"));
}

}  // namespace
}  // namespace agent::kube
