#include "bpf/redirect_decision.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>

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
      {[](auto& facts) { facts.is_excluded = true; }, FAIRLEAD_PASSED_EXCLUDED},
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

struct Words {
  __u32 at[4] = {};
};
Words words(const char* address) {
  Words result;
  if (in_addr v4{}; inet_pton(AF_INET, address, &v4) == 1) {
    result.at[2] = htonl(0xffff);
    result.at[3] = v4.s_addr;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, address, result.at), 1) << address;
  }
  return result;
}

// `prefix` of 128 bits, as IPv6 and IPv4-mapped addresses have them.
void exclude(fairlead_exclusions& exclusions, const char* address, unsigned prefix) {
  auto& network = exclusions.network[exclusions.networks++];
  const Words base = words(address);
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned bits = prefix <= i * 32 ? 0 : std::min(prefix - i * 32, 32U);
    network.mask[i] = bits == 0 ? 0 : htonl(~__u32{0} << (32 - bits));
    network.address[i] = base.at[i] & network.mask[i];
  }
}

TEST(Excluded, PortsAreRanges) {
  fairlead_exclusions exclusions{};
  exclusions.port_ranges = 2;
  exclusions.port_range[0] = {80, 80};
  exclusions.port_range[1] = {9000, 9100};
  const Words any = words("10.96.0.1");
  for (const __u16 port : {80, 9000, 9050, 9100}) EXPECT_TRUE(is_excluded(&exclusions, any.at, port)) << port;
  for (const __u16 port : {79, 81, 8999, 9101, 0}) EXPECT_FALSE(is_excluded(&exclusions, any.at, port)) << port;
}

TEST(Excluded, NetworksAreOfTheirFamily) {
  fairlead_exclusions exclusions{};
  exclude(exclusions, "10.96.0.0", 96 + 12);
  exclude(exclusions, "192.0.2.7", 128);
  exclude(exclusions, "fd00:96::", 112);
  for (const char* in : {"10.96.0.1", "10.111.255.255", "192.0.2.7", "fd00:96::ffff"}) {
    EXPECT_TRUE(is_excluded(&exclusions, words(in).at, 80)) << in;
  }
  for (const char* out : {"10.95.255.255", "10.112.0.0", "192.0.2.6", "fd00:96::1:0", "::1"}) {
    EXPECT_FALSE(is_excluded(&exclusions, words(out).at, 80)) << out;
  }
  fairlead_exclusions all6{}, all4{};
  exclude(all6, "::", 0);
  exclude(all4, "0.0.0.0", 96);
  EXPECT_TRUE(is_excluded(&all6, words("fd00::1").at, 80));
  EXPECT_FALSE(is_excluded(&all6, words("10.0.0.1").at, 80));
  EXPECT_TRUE(is_excluded(&all4, words("10.0.0.1").at, 80));
  EXPECT_FALSE(is_excluded(&all4, words("fd00::1").at, 80));
}

TEST(Excluded, NothingIsUnlessItIsNamed) {
  const fairlead_exclusions nothing{};
  EXPECT_FALSE(is_excluded(&nothing, words("0.0.0.0").at, 0));
  fairlead_exclusions full{};
  full.port_ranges = full.networks = FAIRLEAD_MAX_EXCLUSIONS;
  for (auto& range : full.port_range) range = {1, 1};
  for (auto& network : full.network) network.mask[2] = network.mask[3] = ~__u32{0};
  full.port_range[FAIRLEAD_MAX_EXCLUSIONS - 1] = {443, 443};
  EXPECT_TRUE(is_excluded(&full, words("10.0.0.1").at, 443));
  EXPECT_FALSE(is_excluded(&full, words("10.0.0.1").at, 444));
}

}  // namespace
