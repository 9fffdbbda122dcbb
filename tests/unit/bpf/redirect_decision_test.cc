#include "bpf/redirect_decision.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace {

redirect_facts redirectable() {
  return {.protocol = IPPROTO_TCP,
          .bound_device = 0,
          .is_active = true,
          .is_plain = true,
          .is_ours = true,
          .has_place = true,
          .has_listener = true};
}

TEST(RedirectDecision, RedirectsWhenNothingSpeaksAgainstIt) {
  const redirect_facts facts = redirectable();
  EXPECT_EQ(decide_redirect(&facts), FAIRLEAD_REDIRECTED);
}

TEST(RedirectDecision, NamesTheReasonToPass) {
  struct Case {
    void (*change)(redirect_facts&);
    fairlead_counter verdict;
  };
  const Case cases[] = {
      {[](auto& facts) { facts.protocol = IPPROTO_UDP; }, FAIRLEAD_PASSED_NOT_TCP},
      {[](auto& facts) { facts.protocol = IPPROTO_ICMP; }, FAIRLEAD_PASSED_NOT_TCP},
      {[](auto& facts) { facts.protocol = IPPROTO_SCTP; }, FAIRLEAD_PASSED_NOT_TCP},
      {[](auto& facts) { facts.protocol = IPPROTO_MPTCP; }, FAIRLEAD_PASSED_NOT_TCP},
      {[](auto& facts) { facts.is_ours = false; }, FAIRLEAD_PASSED_NOT_OURS},
      {[](auto& facts) { facts.is_active = false; }, FAIRLEAD_PASSED_INACTIVE},
      {[](auto& facts) { facts.is_plain = false; }, FAIRLEAD_PASSED_MPTCP},
      {[](auto& facts) { facts.bound_device = 7; }, FAIRLEAD_PASSED_BOUND_TO_DEVICE},
      {[](auto& facts) { facts.has_place = false; }, FAIRLEAD_PASSED_MAP_FULL},
      {[](auto& facts) { facts.has_listener = false; }, FAIRLEAD_PASSED_NO_LISTENER},
  };
  for (const Case& each : cases) {
    redirect_facts facts = redirectable();
    each.change(facts);
    EXPECT_EQ(decide_redirect(&facts), each.verdict);
  }
}

TEST(RedirectDecision, JudgesASocketBeforeAnythingIsReservedForIt) {
  redirect_facts facts = redirectable();
  facts.has_place = facts.has_listener = false;
  EXPECT_EQ(judge_socket(&facts), FAIRLEAD_REDIRECTED);
  facts.bound_device = 7;
  EXPECT_EQ(judge_socket(&facts), FAIRLEAD_PASSED_BOUND_TO_DEVICE);
}

// Every reason but these two counts a connection that would have been redirected, which is what an operator looks for.
TEST(RedirectDecision, CountsForeignTrafficOnlyAsForeign) {
  redirect_facts facts = {.protocol = IPPROTO_TCP, .bound_device = 7};
  EXPECT_EQ(decide_redirect(&facts), FAIRLEAD_PASSED_NOT_OURS);
  facts.protocol = IPPROTO_UDP;
  EXPECT_EQ(decide_redirect(&facts), FAIRLEAD_PASSED_NOT_TCP);
}

}  // namespace
