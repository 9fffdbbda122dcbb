#include "agent/kube/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ssl/context.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/test_certificate.h"

namespace agent::kube {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using tests::support::TestAuthority;

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() {
    std::string path = (fs::temp_directory_path() / "fairlead-credentials-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = path;
  }
  ~CredentialsTest() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(CredentialsTest, ShowTheTokenThatIsInTheFileNow) {
  const std::string file = write("token", "first\n");
  Credentials credentials({.token = {.file = file}});
  EXPECT_EQ(credentials.bearer_token(), "first");
  write("token", "second");
  EXPECT_EQ(credentials.bearer_token(), "second");
}

TEST_F(CredentialsTest, KeepTheLastTokenWhileTheFileIsNoUse) {
  const std::string file = write("token", "first");
  Credentials credentials({.token = {.file = file}});
  EXPECT_EQ(credentials.bearer_token(), "first");
  write("token", " \n");
  EXPECT_EQ(credentials.bearer_token(), "first");
  write("token", "a\r\nX-Header: b");
  EXPECT_EQ(credentials.bearer_token(), "first");
  fs::remove(file);
  EXPECT_EQ(credentials.bearer_token(), "first");
}

TEST_F(CredentialsTest, PreferTheFileToTheText) {
  EXPECT_EQ(Credentials({.token = {.text = "old", .file = write("token", "new")}}).bearer_token(), "new");
  EXPECT_EQ(Credentials({.token = {.text = "old", .file = folder_ + "/none"}}).bearer_token(), "old");
  EXPECT_EQ(Credentials({.token = {.text = "old"}}).bearer_token(), "old");
  EXPECT_EQ(Credentials(ClientConfig{}).bearer_token(), "");
}

TEST_F(CredentialsTest, MakeTlsAnewWhenACertificateIsReplaced) {
  const TestAuthority first;
  const TestAuthority second;
  const std::string file = write("ca.crt", first.pem());
  Credentials credentials({.authority = {.file = file}});
  const auto before = credentials.tls_context();
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_EQ(*credentials.tls_context(), *before) << "nothing changed";
  write("ca.crt", second.pem());
  const auto after = credentials.tls_context();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_NE(*after, *before);
}

TEST_F(CredentialsTest, SayWhichCertificateIsNoUse) {
  const TestAuthority authority;
  const auto certificate = authority.issue("DNS:client");
  const auto other = authority.issue("DNS:other");
  const auto refused = [](ClientConfig config) {
    config.origin = "kubeconfig";
    const auto context = Credentials(std::move(config)).tls_context();
    return context ? "accepted" : context.error().message;
  };
  EXPECT_THAT(refused({.authority = {.text = "nonsense"}}), HasSubstr("kubeconfig: the certificate authority cannot"));
  EXPECT_THAT(refused({.authority = {.file = folder_ + "/none"}}), HasSubstr("/none: No such file"));
  EXPECT_THAT(refused({.client_certificate = {.text = "nonsense"}, .client_key = {.text = certificate.key}}),
              HasSubstr("the client certificate cannot"));
  EXPECT_THAT(refused({.client_certificate = {.text = certificate.certificate}, .client_key = {.text = "nonsense"}}),
              HasSubstr("the client key cannot"));
  EXPECT_THAT(refused({.client_certificate = {.text = certificate.certificate}, .client_key = {.text = other.key}}),
              HasSubstr("the client key cannot"));
  EXPECT_EQ(refused({.client_certificate = {.text = certificate.certificate}, .client_key = {.text = certificate.key}}),
            "accepted");
}

}  // namespace
}  // namespace agent::kube
