#include "agent/kube/client_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace agent::kube {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::string_view kConfig = R"(apiVersion: v1
kind: Config
current-context: one
clusters:
- name: near
  cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: Q0EK}
- name: far
  cluster:
    server: https://api.example.test/k8s/clusters/c-1/
    certificate-authority: pki/ca.crt
    tls-server-name: kubernetes
users:
- name: admin
  user: {client-certificate-data: Q0VSVA==, client-key: /keys/admin.key}
- name: robot
  user: {tokenFile: token}
- name: cloud
  user:
    exec: {command: cloud-login, apiVersion: client.authentication.k8s.io/v1}
contexts:
- {name: one, context: {cluster: near, user: admin}}
- {name: two, context: {cluster: far, user: robot, namespace: shop}}
- {name: three, context: {cluster: near, user: cloud}}
- {name: four, context: {cluster: gone, user: admin}}
)";

ClientConfig read(std::string_view context = {}) {
  auto config = read_kubeconfig(kConfig, "/etc/kube/config", {.context = std::string(context)});
  if (!config) throw std::runtime_error(config.error().message);
  return *config;
}

std::string refused(std::string_view text, std::string_view context = {}) {
  const auto config = read_kubeconfig(text, "kubeconfig", {.context = std::string(context)});
  return config ? "accepted" : config.error().message;
}

// One user, one cluster, with what is given.
std::string with(std::string_view cluster, std::string_view user) {
  return "current-context: c\nclusters: [{name: c, cluster: {" + std::string(cluster) +
         "}}]\nusers: [{name: c, user: {" + std::string(user) +
         "}}]\ncontexts: [{name: c, context: {cluster: c, user: c}}]\n";
}

TEST(KubeconfigTest, GivesTheCurrentContext) {
  const ClientConfig config = read();
  EXPECT_EQ(config.host, "127.0.0.1");
  EXPECT_EQ(config.port, 6443);
  EXPECT_EQ(config.base_path, "");
  EXPECT_EQ(config.server_name, "127.0.0.1");
  EXPECT_TRUE(config.verifies_server);
  EXPECT_EQ(config.authority.text, "CA\n");
  EXPECT_EQ(config.client_certificate.text, "CERT");
  EXPECT_EQ(config.client_key.file, "/keys/admin.key");
  EXPECT_EQ(config.name_space, "default");
  EXPECT_EQ(config.origin, "/etc/kube/config");
}

TEST(KubeconfigTest, GivesAnotherContextByName) {
  const ClientConfig config = read("two");
  EXPECT_EQ(config.host, "api.example.test");
  EXPECT_EQ(config.port, 443);
  EXPECT_EQ(config.base_path, "/k8s/clusters/c-1");
  EXPECT_EQ(config.server_name, "kubernetes");
  EXPECT_EQ(config.authority.file, "/etc/kube/pki/ca.crt") << "relative to the kubeconfig";
  EXPECT_EQ(config.token.file, "/etc/kube/token");
  EXPECT_EQ(config.name_space, "shop");
}

TEST(KubeconfigTest, KnowsIpv6Addresses) {
  const auto config = read_kubeconfig(with("server: \"https://[fd00::1]:6443\"", "token: t"), "kubeconfig");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "fd00::1");
  EXPECT_EQ(config->port, 6443);
}

TEST(KubeconfigTest, RefusesWaysToLogInThatItDoesNotHave) {
  EXPECT_THAT(refused(kConfig, "three"), HasSubstr("kubeconfig:19: user.exec runs a program to log in"));
  constexpr std::string_view kServer = "server: \"https://a\"";
  EXPECT_THAT(refused(with(kServer, "auth-provider: {name: gcp}")), HasSubstr("user.auth-provider is no longer"));
  EXPECT_THAT(refused(with(kServer, "username: a, password: b")), HasSubstr("user.username was removed"));
  EXPECT_THAT(refused(with(kServer, "as: somebody, token: t")), HasSubstr("user.as acts as somebody else"));
  EXPECT_THAT(refused(with(kServer, "client-certificate: a.crt")), HasSubstr("go together, and one is missing"));
  EXPECT_THAT(refused(with("server: \"https://a\", proxy-url: \"http://b\"", "token: t")), HasSubstr("proxy-url"));
}

TEST(KubeconfigTest, RefusesWhatNamesNothing) {
  EXPECT_THAT(refused(kConfig, "five"), HasSubstr("there is no context named \"five\""));
  EXPECT_THAT(refused(kConfig, "four"), HasSubstr("there is no cluster named \"gone\""));
  EXPECT_THAT(refused("kind: Config\n"), HasSubstr("has no current-context"));
  EXPECT_THAT(refused(""), HasSubstr("holds 0 documents"));
  EXPECT_THAT(refused("a: [\n"), HasSubstr("kubeconfig:"));
}

TEST(KubeconfigTest, RefusesServersThatAreNotHttpsUrls) {
  for (const char* server :
       {"http://127.0.0.1:8001", "127.0.0.1:6443", "https://", "https://a:0", "https://a:65536", "https://a:6443x",
        "https://[fd00::1", "https://[fd00::1]6443", "https://a b", "https://user@a", "https://a/ b", "https://a/?b"}) {
    EXPECT_THAT(refused(with("server: \"" + std::string(server) + "\"", "token: t")),
                HasSubstr("server \"" + std::string(server) + "\""));
  }
}

TEST(KubeconfigTest, RefusesCertificatesThatAreNotBase64) {
  EXPECT_THAT(refused(with("server: \"https://a\", certificate-authority-data: \"?\"", "token: t")),
              HasSubstr("certificate-authority-data is not base64"));
  EXPECT_THAT(refused(with("server: \"https://a\", certificate-authority-data: \"????\"", "token: t")),
              HasSubstr("certificate-authority-data is not base64"));
}

TEST(KubeconfigTest, KeepsAProgramToLogInWhereItIsAllowed) {
  const std::string text =
      with("server: \"https://a\"",
           "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [get, token], "
           "env: [{name: PROFILE, value: x}], provideClusterInfo: true}");
  const auto config = read_kubeconfig(text, "/etc/kube/config", {.allows_login_program = true});
  ASSERT_TRUE(config && config->login);
  EXPECT_THAT(config->login->command, ::testing::ElementsAre("/etc/kube/./login", "get", "token"));
  EXPECT_THAT(config->login->environment, ::testing::ElementsAre(::testing::Pair("PROFILE", "x")));
  EXPECT_TRUE(config->login->wants_cluster_info);

  const auto old = read_kubeconfig(
      with("server: \"https://a\"", "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: a}"), "k",
      {.allows_login_program = true});
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().message, HasSubstr("v1 and v1beta1 are spoken"));
}

class InClusterTest : public ::testing::Test {
 protected:
  InClusterTest() {
    std::string path = (fs::temp_directory_path() / "fairlead-account-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = path;
  }
  ~InClusterTest() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ + "/" + name) << text; }
  std::string folder_;
};

TEST_F(InClusterTest, IsTheServiceAccountOfThePod) {
  write("token", "abc");
  write("namespace", "fairlead-system");
  const auto config = in_cluster_config("10.96.0.1", "443", folder_);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "10.96.0.1");
  EXPECT_EQ(config->port, 443);
  EXPECT_EQ(config->authority.file, folder_ + "/ca.crt");
  EXPECT_EQ(config->token.file, folder_ + "/token");
  EXPECT_EQ(config->name_space, "fairlead-system");
}

TEST_F(InClusterTest, NeedsAPod) {
  const auto config = in_cluster_config("", "", folder_);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, base::Errc::unavailable);
}

TEST_F(InClusterTest, NeedsATokenAndSaysWhereItComesFrom) {
  const auto config = in_cluster_config("10.96.0.1", "443", folder_);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("automountServiceAccountToken"));
}

TEST_F(InClusterTest, RefusesAPlaceThatIsNone) {
  write("token", "abc");
  EXPECT_FALSE(in_cluster_config("10.96.0.1", "tcp://10.96.0.1:443", folder_));
  EXPECT_FALSE(in_cluster_config("a\r\nb", "443", folder_));
}

TEST_F(InClusterTest, ReadsNoSecretThatIsTooLarge) {
  write("huge", std::string(std::size_t{5} * 1024 * 1024, 'x'));
  const auto text = read_secret_file(folder_ + "/huge");
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, base::Errc::invalid);
}

// $KUBECONFIG may name several files.
TEST_F(InClusterTest, KubeconfigsAreJoinedAndTheFirstCounts) {
  write("a",
        "contexts: [{name: c, context: {cluster: near, user: robot}}]\n"
        "users: [{name: robot, user: {tokenFile: token}}]\n");
  write("b",
        "current-context: c\nclusters: [{name: near, cluster: {server: 'https://b'}}]\n"
        "contexts: [{name: c, context: {cluster: other, user: robot}}]\n");
  const auto config = load_kubeconfigs({folder_ + "/gone", folder_ + "/a", folder_ + "/b"}, {});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->host, "b");
  EXPECT_EQ(config->token.file, folder_ + "/token");
  const auto none = load_kubeconfigs({folder_ + "/gone"}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, base::Errc::not_found);
}

}  // namespace
}  // namespace agent::kube
