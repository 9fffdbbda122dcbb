#include "base/socket_address.h"

#include <gtest/gtest.h>

using base::SocketAddress;

TEST(SocketAddress, ParsesAndPrintsBothFamilies) {
  for (const char* text : {"127.0.0.1:80", "[::1]:15001", "10.96.3.7:3000", "[fd00:95::2]:65535"}) {
    auto address = SocketAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(SocketAddress, RefusesWhatIsNotAnAddressAndAPort) {
  for (const char* text : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", "host:80", "127.0.0.1:8x"}) {
    EXPECT_FALSE(SocketAddress::parse(text)) << text;
  }
}

TEST(SocketAddress, SurvivesTheRoundTripThroughTheKernelForm) {
  for (const char* text : {"127.0.0.1:80", "[::1]:15001"}) {
    const auto address = *SocketAddress::parse(text);
    sockaddr_storage storage;
    const socklen_t size = address.to_sockaddr(storage);
    EXPECT_EQ(size, address.ip.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    EXPECT_EQ(SocketAddress::from_sockaddr(storage), address);
  }
}

TEST(SocketAddress, AMappedAddressIsTheSameKeyAsTheIpv4One) {
  EXPECT_EQ(base::IpAddress::parse("::ffff:10.0.0.1")->bytes, base::IpAddress::parse("10.0.0.1")->bytes);
}
