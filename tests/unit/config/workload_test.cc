#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using test::errors_of;
using test::load;
using ::testing::SizeIs;
using Kind = WorkloadSelector::Kind;

std::string workload(std::string_view selectors) {
  return "apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: web, labels: {app: web}}\nspec: "
         "{selectors: " +
         std::string(selectors) + "}\n";
}

TEST(Workload, ReadsItsSelectors) {
  const Documents documents = load(
      workload("[{cgroup: '/a/*'}, {systemdUnit: web}, {systemdUnit: 'web@*.service'}, {systemdSlice: web.slice}]"));
  ASSERT_THAT(documents.workloads, SizeIs(1));
  const auto& selectors = documents.workloads[0].selectors;
  ASSERT_THAT(selectors, SizeIs(4));
  EXPECT_EQ(selectors[0].kind, Kind::cgroup);
  EXPECT_EQ(selectors[1].pattern, "web.service");
  EXPECT_EQ(selectors[2].pattern, "web@*.service");
  EXPECT_EQ(selectors[3].kind, Kind::systemd_slice);
  EXPECT_EQ(documents.find_workload("web", "default"), &documents.workloads[0]);
  EXPECT_EQ(documents.find_workload("web", "other"), nullptr);
}

TEST(Workload, RefusesSelectorsThatCannotMatch) {
  const std::pair<const char*, const char*> kCases[] = {
      {"[{}]", "spec.selectors[0]: needs exactly one of cgroup, systemdUnit and systemdSlice"},
      {"[{cgroup: /a, systemdUnit: b}]",
       "spec.selectors[0]: needs exactly one of cgroup, systemdUnit and systemdSlice"},
      {"[{cgroup: a/b}]",
       "spec.selectors[0].cgroup: \"a/b\" does not begin with /; write the path below the cgroup mount, for example "
       "/system.slice/web.service"},
      {"[{systemdSlice: web}]", "spec.selectors[0].systemdSlice: \"web\" does not end with .slice"},
      {"[{systemdUnit: /a/web.service}]",
       "spec.selectors[0].systemdUnit: \"/a/web.service\" has a /; write the name alone, or use cgroup for a path"},
      {"[{cgroup: ''}]", "spec.selectors[0].cgroup: is empty; write a name or a pattern"},
      {"[{unit: web}]",
       "spec.selectors[0].unit: is not a known field; known here: cgroup, systemdSlice or systemdUnit"},
  };
  for (const auto& [selectors, expected] : kCases) {
    const auto errors = errors_of(workload(selectors));
    ASSERT_FALSE(errors.empty()) << selectors;
    EXPECT_EQ(errors[0].substr(errors[0].find(" spec") + 1), expected);
  }
}

TEST(Workload, SelectsACgroupAndEverythingBelowIt) {
  struct Case {
    Kind kind;
    const char* pattern;
    const char* path;
    const char* selected;  // "" for none
  };
  const Case kCases[] = {
      {Kind::cgroup, "/a/b", "/a/b", "/a/b"},
      {Kind::cgroup, "/a/b", "/a/b/c/d", "/a/b"},
      {Kind::cgroup, "/a/b", "/a", ""},
      {Kind::cgroup, "/a/b", "/a/bc", ""},
      {Kind::cgroup, "/a/b", "/x/a/b", ""},
      {Kind::cgroup, "/a/*", "/a/1", "/a/1"},
      {Kind::cgroup, "/a/*", "/a/1/2", "/a/1"},
      {Kind::cgroup, "/a/*", "/a", ""},
      {Kind::cgroup, "/a/w?b-*", "/a/web-1", "/a/web-1"},
      {Kind::cgroup, "/a/w?b-*", "/a/weeb-1", ""},
      {Kind::cgroup, "/**/web", "/x/y/web/z", "/x/y/web"},
      {Kind::cgroup, "/**/web", "/web", "/web"},
      {Kind::cgroup, "/**", "/x/y", "/x"},
      {Kind::cgroup, "/a/**/b", "/a/b", "/a/b"},
      {Kind::cgroup, "/*a*a*a*b", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
      {Kind::systemd_unit, "web.service", "/system.slice/web.service", "/system.slice/web.service"},
      {Kind::systemd_unit, "web.service", "/system.slice/web.service/nested", "/system.slice/web.service"},
      {Kind::systemd_unit, "web@*.service", "/system.slice/system-web.slice/web@1.service",
       "/system.slice/system-web.slice/web@1.service"},
      {Kind::systemd_unit, "web.service", "/system.slice/other.service", ""},
      {Kind::systemd_slice, "web.slice", "/web.slice/a.service", "/web.slice"},
      {Kind::cgroup, "/a", "/", ""},
      {Kind::cgroup, "/", "/a", ""},
  };
  for (const Case& test : kCases) {
    EXPECT_EQ(selected_cgroup({test.kind, test.pattern}, test.path).value_or(""), test.selected)
        << test.pattern << " " << test.path;
  }
}

TEST(Workload, ThatNobodyDeclaresHasTheLabelOfItsName) {
  const WorkloadDocument workload = undeclared_workload("client", "shop");
  EXPECT_EQ(workload.metadata.name, "client");
  EXPECT_EQ(workload.metadata.name_space, "shop");
  EXPECT_EQ(workload.metadata.labels, (Labels{{"app", "client"}}));
}

}  // namespace
}  // namespace config
