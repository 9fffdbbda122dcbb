#include "agent/pods/host_instances.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace agent {
namespace {

using config::WorkloadSelector;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

config::WorkloadDocument workload(const std::string& name, std::vector<WorkloadSelector> selectors) {
  config::WorkloadDocument document = config::undeclared_workload(name, "shop");
  document.selectors = std::move(selectors);
  return document;
}

WorkloadSelector cgroup(std::string pattern) { return {WorkloadSelector::Kind::cgroup, std::move(pattern)}; }
WorkloadSelector unit(std::string pattern) { return {WorkloadSelector::Kind::systemd_unit, std::move(pattern)}; }

std::vector<std::string> found(const std::vector<config::WorkloadDocument>& workloads,
                               const std::vector<std::string>& cgroups) {
  std::vector<std::string> lines;
  for (const HostInstance& each : find_host_instances(workloads, cgroups)) {
    lines.push_back(each.workload + "/" + each.name + " " + each.cgroup + (each.reason.empty() ? "" : " !"));
  }
  return lines;
}

TEST(HostInstances, AreTheCgroupsThatASelectorNames) {
  EXPECT_THAT(
      found({workload("web", {cgroup("/apps/web-*")}), workload("db", {unit("postgres.service")})},
            {"/apps", "/apps/web-1", "/apps/web-2", "/apps/other", "/system.slice", "/system.slice/postgres.service"}),
      ElementsAre("web/web-1 /apps/web-1", "web/web-2 /apps/web-2",
                  "db/postgres.service /system.slice/postgres.service"));
}

TEST(HostInstances, ANestedCgroupIsPartOfItsInstance) {
  EXPECT_THAT(found({workload("web", {cgroup("/apps/**")})}, {"/apps", "/apps/a", "/apps/a/b", "/apps/a/b/c"}),
              SizeIs(1));
}

TEST(HostInstances, ThoseOfExecNeedNoSelector) {
  EXPECT_THAT(found({workload("web", {})}, {"/fairlead", "/fairlead/workloads", "/fairlead/workloads/shop.web",
                                            "/fairlead/workloads/shop.web/7", "/fairlead/workloads/shop.web/7/inner",
                                            "/fairlead/workloads/shop.webby/8", "/fairlead/proxy"}),
              ElementsAre("web/7 /fairlead/workloads/shop.web/7"));
}

TEST(HostInstances, OneCgroupHasOneWorkloadTheFirst) {
  EXPECT_THAT(
      found({workload("first", {cgroup("/apps/a")}), workload("second", {cgroup("/apps/*")})}, {"/apps/a", "/apps/b"}),
      ElementsAre("first/a /apps/a", "second/b /apps/b"));
}

TEST(HostInstances, SayWhenAnotherWorkloadIsAroundThem) {
  const std::vector<std::string> cgroups = {"/apps", "/apps/a"};
  const auto all =
      find_host_instances({workload("outer", {cgroup("/apps")}), workload("inner", {cgroup("/apps/a")})}, cgroups);
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_THAT(all[0].reason, IsEmpty());
  EXPECT_THAT(all[1].reason, HasSubstr("is within /apps, which is outer.shop"));
}

TEST(HostInstances, HaveTheirPathAsNameWhereTheLastPartIsNotUnique) {
  EXPECT_THAT(found({workload("web", {cgroup("/*/web")})}, {"/a/web", "/b/web"}),
              ElementsAre("web/a:web /a/web", "web/b:web /b/web"));
}

}  // namespace
}  // namespace agent
