#include "agent/kube/status/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
const base::TimePoint t0 = base::TimePoint() + 1h;
const base::WallTime kToday = base::WallTime() + std::chrono::hours(24 * 365 * 50);

Lease held_by(const std::string& holder, const std::string& renewed = "1") {
  return {.holder = holder, .duration = 30s, .acquired = "0", .renewed = renewed, .transitions = 4, .version = renewed};
}

TEST(Lease, IsReadAsItWasWritten) {
  const Lease lease = held_by("n1_a");
  const auto read = read_lease(to_json(lease, "fairlead-status"));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, lease);
}

TEST(Lease, OfNonsenseIsNobodys) {
  EXPECT_FALSE(read_lease("[]"));
  EXPECT_FALSE(read_lease("{"));
  const auto read = read_lease(R"({"spec":{"holderIdentity":7,"leaseDurationSeconds":-1,"leaseTransitions":"x"}})");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, Lease());
}

TEST(Election, TheFirstOneTakesALeaseThatDoesNotExist) {
  Election election("us");
  election.on_read(std::nullopt, t0);
  const auto claimed = election.claim(t0, kToday);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->holder, "us");
  EXPECT_EQ(claimed->duration, 30s);
  EXPECT_EQ(claimed->transitions, 0);
  EXPECT_EQ(claimed->version, "");
  EXPECT_FALSE(election.is_leading(t0)) << "not before the API server has taken it";
  election.on_written(*claimed, t0);
  EXPECT_TRUE(election.is_leading(t0));
}

TEST(Election, LeadsNoLongerThanOthersWait) {
  Election election("us");
  election.on_written(held_by("us"), t0);
  EXPECT_TRUE(election.is_leading(t0 + 19s));
  EXPECT_FALSE(election.is_leading(t0 + 20s)) << "a third of it is for clocks that run apart";
  EXPECT_EQ(election.renewal_at(), t0 + 10s);
}

TEST(Election, RenewsWithoutBecomingAnother) {
  Election election("us");
  election.on_written(held_by("us"), t0);
  const auto renewed = election.claim(t0 + 10s, kToday);
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->acquired, "0");
  EXPECT_EQ(renewed->transitions, 4);
  EXPECT_EQ(renewed->version, "1") << "so that the API server refuses it if somebody else has it";
  EXPECT_NE(renewed->renewed, "1");
}

TEST(Election, TakesOverOnlyWhatWasNotRenewedWhileItWasWatched) {
  Election election("us");
  election.on_read(held_by("them", "1"), t0);  // however old the holder says it is: clocks differ
  EXPECT_FALSE(election.claim(t0 + 29s, kToday));
  election.on_read(held_by("them", "2"), t0 + 29s);
  EXPECT_FALSE(election.claim(t0 + 58s, kToday));
  election.on_read(held_by("them", "2"), t0 + 58s);
  EXPECT_EQ(election.take_over_at(), t0 + 59s);
  const auto claimed = election.claim(t0 + 59s, kToday);
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->transitions, 5);
  EXPECT_EQ(claimed->version, "2");
}

TEST(Election, TakesWhatNobodyHoldsAndItsOwnAtOnce) {
  for (const char* holder : {"", "us"}) {
    Election election("us");
    election.on_read(held_by(holder), t0);
    EXPECT_TRUE(election.claim(t0, kToday)) << holder;
  }
}

TEST(Election, StopsLeadingWhenItSeesAnotherHolderOrIsRefused) {
  Election election("us");
  election.on_written(held_by("us"), t0);
  election.on_read(held_by("them", "9"), t0 + 1s);
  EXPECT_FALSE(election.is_leading(t0 + 1s));
  election.on_written(held_by("us"), t0 + 2s);
  election.on_lost();
  EXPECT_FALSE(election.is_leading(t0 + 2s));
}

}  // namespace
}  // namespace agent::kube
