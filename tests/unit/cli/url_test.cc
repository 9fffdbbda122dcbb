#include "cli/http/url.h"

#include <vector>

#include <gtest/gtest.h>

namespace cli::http {
namespace {

TEST(Url, SplitsHostPortAndTarget) {
  struct Case {
    std::string text, host;
    std::uint16_t port;
    std::string target, authority;
  };
  const std::vector<Case> cases{
      {"http://greeter-service:3000/hello", "greeter-service", 3000, "/hello", "greeter-service:3000"},
      {"http://a", "a", 80, "/", "a"},
      {"http://a/x?y=z#part", "a", 80, "/x?y=z", "a"},
      {"http://a?y", "a", 80, "/?y", "a"},
      {"http://a#part", "a", 80, "/", "a"},
      {"localhost:8080/x", "localhost", 8080, "/x", "localhost:8080"},
      {"http://[::1]:3000/", "::1", 3000, "/", "[::1]:3000"},
      {"http://[::1]", "::1", 80, "/", "[::1]"},
  };
  for (const auto& expected : cases) {
    const auto url = Url::parse(expected.text);
    ASSERT_TRUE(url) << expected.text << ": " << url.error().message;
    EXPECT_EQ(url->host, expected.host) << expected.text;
    EXPECT_EQ(url->port, expected.port) << expected.text;
    EXPECT_EQ(url->target, expected.target) << expected.text;
    EXPECT_EQ(url->authority(), expected.authority) << expected.text;
  }
}

TEST(Url, RefusesWhatItCannotSend) {
  for (const auto* text : {"", "http://", "https://a", "http://a:0", "http://a:65536", "http://a:x", "http://u@a/",
                           "http://a/b c", "http://a/\r\nX: y", "http://[::1", "http://:80/"}) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_NE(url.error().message.find("http://host:port/path"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace cli::http
