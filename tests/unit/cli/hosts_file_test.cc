#include "cli/exec/hosts_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli::exec {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const NamedService kGreeter{"greeter-service.default.svc.cluster.local", "greeter-service", "default", {"127.30.0.1"}};

TEST(HostsFile, AServiceHasTheNamesThatAPodWouldResolve) {
  EXPECT_THAT(names_of(kGreeter, "default"),
              ElementsAre("greeter-service", "greeter-service.default", "greeter-service.default.svc",
                          "greeter-service.default.svc.cluster.local"));
}

TEST(HostsFile, FromAnotherNamespaceTheBareNameLeadsNowhere) {
  EXPECT_THAT(names_of(kGreeter, "web"), ElementsAre("greeter-service.default", "greeter-service.default.svc",
                                                     "greeter-service.default.svc.cluster.local"));
}

TEST(HostsFile, AHostOutsideTheClusterDomainHasOneName) {
  EXPECT_THAT(names_of({"api.example.com", "api", "default", {}}, "default"), ElementsAre("api.example.com"));
}

TEST(HostsFile, LeavesOutWhatCannotStandThere) {
  EXPECT_THAT(names_of({"*.example.com", "x", "default", {}}, "default"), IsEmpty());
  EXPECT_THAT(names_of({"a b\n1.2.3.4 bank.example.com", "x", "default", {}}, "default"), IsEmpty());
  EXPECT_THAT(names_of({"", "x", "default", {}}, "default"), IsEmpty());
}

TEST(HostsFile, ServicesComeBeforeWhatWasThere) {
  EXPECT_EQ(hosts_file("127.0.0.1 localhost\n", {{"api.example.com", "", "", {"127.9.9.9", "::1"}}, kGreeter}, "web"),
            "127.9.9.9 api.example.com\n"
            "::1 api.example.com\n"
            "127.30.0.1 greeter-service.default greeter-service.default.svc greeter-service.default.svc.cluster.local\n"
            "127.0.0.1 localhost\n");
}

}  // namespace
}  // namespace cli::exec
