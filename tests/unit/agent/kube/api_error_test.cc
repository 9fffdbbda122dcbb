#include "agent/kube/api_error.h"

#include <gtest/gtest.h>

namespace agent::kube {
namespace {

TEST(ApiErrorTest, SaysWhatTheApiServerSaid) {
  const ApiError error = refusal(403, R"({"kind":"Status","status":"Failure","reason":"Forbidden","code":403,
    "message":"pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\""})");
  EXPECT_EQ(error.kind, ApiError::Kind::refused);
  EXPECT_EQ(error.status, 403U);
  EXPECT_EQ(error.reason, "Forbidden");
  EXPECT_EQ(error.message, "HTTP 403: pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\"");
  EXPECT_FALSE(error.retry_after);
}

TEST(ApiErrorTest, TakesTheTimeToWaitFromTheDetails) {
  EXPECT_EQ(refusal(429, R"({"details":{"retryAfterSeconds":7}})").retry_after, std::chrono::seconds(7));
  EXPECT_FALSE(refusal(429, R"({"details":{"retryAfterSeconds":-7}})").retry_after);
  EXPECT_EQ(refusal(429, R"({"details":{"retryAfterSeconds":999999999}})").retry_after, std::chrono::seconds(3600));
}

TEST(ApiErrorTest, SurvivesABodyThatIsNoStatus) {
  for (const char* body : {"", "null", "[]", "{\"message\":7,\"reason\":[],\"details\":\"x\"}"}) {
    EXPECT_EQ(refusal(500, body).reason, "") << body;
  }
  EXPECT_EQ(refusal(502, "<html>\r\nbad gateway\r\n").message, "HTTP 502: <html>  bad gateway");
}

TEST(ApiErrorTest, IsOneLineOfBoundedLengthInUtf8) {
  EXPECT_EQ(printable("a\nb\x1b[2Jc\x7f"), "a b [2Jc");
  EXPECT_EQ(printable("good \xff bad"), "good");
  EXPECT_LE(printable(std::string(1'000'000, 'x')).size(), 500U);
}

}  // namespace
}  // namespace agent::kube
