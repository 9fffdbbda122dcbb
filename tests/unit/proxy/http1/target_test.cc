#include <gtest/gtest.h>

#include <string>

#include "proxy/http1/write.h"

namespace proxy::http1 {
namespace {

std::string path_of(std::string_view raw) {
  std::string storage;
  Target target;
  return normalize_target("GET", raw, storage, target) == TargetError::none ? std::string(target.path) : "refused";
}

// Long paths are looked at in blocks, short ones are not.
TEST(NormalizeTarget, DoesTheSameAnywhereInALongPath) {
  for (std::size_t before = 1; before < 40; ++before) {
    const std::string front = "/" + std::string(before, 'p');
    for (char c = 0x21; c < 0x7f; ++c) {
      if (c == '#') continue;  // cuts the rest off
      const std::string alone = path_of(std::string("/p") + c + "p");
      const std::string middle = alone.substr(2, alone.size() - 3);
      EXPECT_EQ(path_of(front + c + std::string(20, 'p')), front + middle + std::string(20, 'p'));
    }
    EXPECT_EQ(path_of(front + "#fragment"), front);
    EXPECT_EQ(path_of(front + "/./end-of-a-long-path"), front + "/end-of-a-long-path");
    EXPECT_EQ(path_of(front + "/../end-of-a-long-path"), "/end-of-a-long-path");
    EXPECT_EQ(path_of(front + "/.hidden-in-a-long-path"), front + "/.hidden-in-a-long-path");
  }
}

// As Envoy forwarded each of them.
TEST(NormalizeTarget, GivesThePathThatEnvoyForwards) {
  constexpr std::pair<std::string_view, std::string_view> kCases[] = {
      {"/", "/"},
      {"/version?x=1", "/version?x=1"},
      {"/a/../b", "/b"},
      {"/a/./b", "/a/b"},
      {"/%2e%2e/x", "/x"},
      {"/a/%2E%2e/b", "/b"},
      {"/a/.%2e/b", "/b"},
      {"/a/%2e./b", "/b"},
      {"/..", "/"},
      {"/../..", "/"},
      {"/a/..", "/"},
      {"/a/.", "/a/"},
      {"/a/b/..", "/a/"},
      {"/a/b/../../c?x", "/c?x"},
      {"/a/../?q", "/?q"},
      {"/%2e", "/"},
      {"/a/...", "/a/..."},
      {"/.a", "/.a"},
      {"/a/.b", "/a/.b"},
      {"/a%2e", "/a."},
      {"//a/../b", "//b"},
      {"/a//../b", "/a/b"},
      {"/a//b", "/a//b"},
      {"///", "///"},
      {"/a%62c", "/abc"},
      {"/%7Euser", "/~user"},
      {"/a%41%5a%61%30%2d%2e%5f%7e", "/aAZa0-._~"},
      {"/%2F", "/%2F"},
      {"/a%2fb", "/a%2fb"},
      {"/a/..%2fb", "/a/..%2fb"},
      {"/%2e%2e%2f", "/..%2f"},
      {"/a%25b", "/a%25b"},
      {"/a%252e", "/a%252e"},
      {"/a%20b", "/a%20b"},
      {"/a%c3%A4", "/a%c3%A4"},
      {"/a%7f%1f%0d%0a", "/a%7f%1f%0d%0a"},
      {"/a%7C%22%3c%5B", "/a%7C%22%3c%5B"},
      {"/a%zz", "/a%zz"},
      {"/a%2", "/a%2"},
      {"/a%", "/a%"},
      {"/a\\b", "/a/b"},
      {"/a\\..\\b", "/b"},
      {"/a\\\\b", "/a//b"},
      {"/\\a", "//a"},
      {"/a%5cb", "/a%5cb"},
      {"/a%5Cb/..", "/"},
      {"/a#frag", "/a"},
      {"/#", "/"},
      {"/a?q#frag", "/a?q"},
      {"/a#b?c", "/a"},
      {"/a?b#c?d", "/a?b"},
      {"/a\"b<c>d|e{f}g`h^i", "/a%22b%3Cc%3Ed%7Ce%7Bf%7Dg%60h%5Ei"},
      {"/a'b[c];d@e:f!$&()*+,;=", "/a'b[c];d@e:f!$&()*+,;="},
      {"/?", "/?"},
      {"/a??b", "/a??b"},
      {"/a?x=../y", "/a?x=../y"},
      {"/a?x=%62\"<>|\\..;/", "/a?x=%62\"<>|\\..;/"},
      {"/a?%00", "/a?%00"},
      {"/a/../b?%2e%2e", "/b?%2e%2e"},
      // Parameters of a dot segment go with it, but only where everybody sees the dots.
      {"/..;/a", "/a"},
      {"/b/..;/a", "/a"},
      {"/b/c/..;x=y/a", "/b/a"},
      {"/b/.;/a", "/b/a"},
      {"/..;", "/"},
      {"/a/.;", "/a/"},
      {"/b/..;\"x\"/a", "/a"},
      {"/b/..;?q", "/?q"},
      {"/x/b/..;a/../c", "/c"},
      {"/..;x/..;/a", "/a"},
      {"/b\\..;/a", "/b/..;/a"},
      {"/a/%2e%2e;/b", "/a/..;/b"},
      {"/b/.%2e;/a", "/b/..;/a"},
      {"/b/..%3b/a", "/b/..%3b/a"},
      {"/b/...;/a", "/b/...;/a"},
      {"/b;/../a", "/a"},
      {"/b/;../a", "/b/;../a"},
  };
  for (const auto& [raw, path] : kCases) EXPECT_EQ(path_of(raw), path) << raw;
}

TEST(NormalizeTarget, LeavesANormalPathWhereItIs) {
  const std::string raw = "/a/b.c/d-e?x=1";
  std::string storage;
  Target target;
  ASSERT_EQ(normalize_target("GET", raw, storage, target), TargetError::none);
  EXPECT_EQ(target.path.data(), raw.data());
  EXPECT_TRUE(storage.empty());
}

TEST(NormalizeTarget, IsDoneInOnePass) {
  for (const std::string_view raw :
       {"/a/../b", "/a%2e%2e/%41", "/..;/a", "/a\\..;/b", "/a/%2e%2e;/b", "/%25%32%65", "/a\"b"}) {
    const std::string once = path_of(raw);
    if (once.find("..;") == std::string::npos) EXPECT_EQ(path_of(once), once) << raw;
  }
}

TEST(NormalizeTarget, SplitsAnAbsoluteTarget) {
  struct {
    std::string_view raw, authority, path;
  } const cases[] = {
      {"http://greeter-service/abs?x=1", "greeter-service", "/abs?x=1"},
      {"https://greeter-service/abs", "greeter-service", "/abs"},
      {"http://greeter-service", "greeter-service", "/"},
      {"HTTP://greeter-service:3000/a/../x", "greeter-service:3000", "/x"},
      {"http://user:password@greeter-service/x", "greeter-service", "/x"},
      {"http://[::1]/x", "[::1]", "/x"},
      {"http://[::1]:80", "[::1]:80", "/"},
      {"http://greeter-service/\\x", "greeter-service", "//x"},
  };
  for (const auto& c : cases) {
    std::string storage;
    Target target;
    ASSERT_EQ(normalize_target("GET", c.raw, storage, target), TargetError::none) << c.raw;
    EXPECT_EQ(target.authority, c.authority) << c.raw;
    EXPECT_EQ(target.path, c.path) << c.raw;
  }
}

TEST(NormalizeTarget, RefusesWhatNamesNothing) {
  struct {
    std::string_view method, raw;
    TargetError error;
  } const cases[] = {
      {"GET", "*", TargetError::invalid_url},
      {"GET", "*x", TargetError::invalid_url},
      {"OPTIONS", "*", TargetError::absolute_path_rejected},
      {"OPTIONS", "*x", TargetError::absolute_path_rejected},
      {"GET", "http://greeter-service?x=1", TargetError::absolute_path_rejected},
      {"GET", "http:///x", TargetError::invalid_url},
      {"GET", "http://", TargetError::invalid_url},
      {"GET", "http://user@/x", TargetError::invalid_url},
      {"GET", "http://h:abc/x", TargetError::invalid_url},
      {"GET", "http://h:/x", TargetError::invalid_url},
      {"GET", "http://h:99999/x", TargetError::invalid_url},
      {"GET", "http://h:1:2/x", TargetError::invalid_url},
      {"GET", "http://[::1/x", TargetError::invalid_url},
      {"GET", "foo", TargetError::invalid_url},
      {"GET", "", TargetError::invalid_url},
      {"GET", "ftp://h/x", TargetError::invalid_scheme},
      {"GET", "/a%00", TargetError::path_normalization_failed},
      {"GET", "http://h/%00", TargetError::path_normalization_failed},
      {"CONNECT", "greeter-service", TargetError::invalid_url},
      {"CONNECT", "greeter-service:99999", TargetError::invalid_url},
      {"CONNECT", "/x", TargetError::invalid_url},
      {"CONNECT", "*", TargetError::invalid_url},
      {"CONNECT", "http://greeter-service/", TargetError::invalid_url},
  };
  for (const auto& c : cases) {
    std::string storage;
    Target target;
    EXPECT_EQ(normalize_target(c.method, c.raw, storage, target), c.error) << c.method << ' ' << c.raw;
  }
}

TEST(NormalizeTarget, ConnectHasAnAuthorityAndNoPath) {
  std::string storage;
  Target target;
  ASSERT_EQ(normalize_target("CONNECT", "greeter-service:3000", storage, target), TargetError::none);
  EXPECT_EQ(target.authority, "greeter-service:3000");
  EXPECT_EQ(target.path, "");
}

}  // namespace
}  // namespace proxy::http1
