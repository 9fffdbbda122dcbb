#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/check/findings.h"
#include "cli/cluster/agents.h"
#include "cli/cluster/login.h"
#include "cli/cluster/node_check.h"
#include "cli/cluster/preflight.h"

namespace cli::cluster {
namespace {

using check::Finding;
using check::Verdict;
using testing::HasSubstr;
using testing::SizeIs;

// While the next pod starts beside the old one, a node has two.
TEST(AgentPods, AreTheOnesThatServe) {
  const auto pods = read_agent_pods(R"({"items": [
    {"metadata": {"name": "old", "deletionTimestamp": "x"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}},
    {"metadata": {"name": "new"}, "spec": {"nodeName": "n1", "containers": [{"name": "agent", "ports": [{"name": "metrics",
      "containerPort": 15020}]}]}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}},
    {"metadata": {"name": "stuck"}, "spec": {"nodeName": "n2"}, "status": {"phase": "Pending", "containerStatuses": [
      {"name": "agent", "state": {"waiting": {"reason": "ErrImageNeverPull"}}}]}},
    {"metadata": {"name": "nowhere"}, "spec": {}, "status": {"phase": "Pending"}}]})");
  ASSERT_TRUE(pods) << pods.error().message;
  ASSERT_THAT(*pods, SizeIs(2));
  EXPECT_EQ(pods->at(0).name, "new");
  EXPECT_EQ(pods->at(0).port, 15020);
  EXPECT_TRUE(pods->at(0).is_ready);
  EXPECT_FALSE(pods->at(1).is_running);
  EXPECT_EQ(pods->at(1).waiting_for, "agent: ErrImageNeverPull");
  EXPECT_FALSE(read_agent_pods("<html>"));
}

TEST(Credential, IsATokenOrACertificateWithItsKey) {
  agent::kube::ClientConfig config;
  ASSERT_TRUE(read_credential(R"({"kind": "ExecCredential", "status": {"token": "t"}})", config));
  EXPECT_EQ(config.token.text, "t");
  ASSERT_TRUE(read_credential(R"({"status": {"clientCertificateData": "C", "clientKeyData": "K"}})", config));
  EXPECT_EQ(config.client_certificate.text + config.client_key.text + config.token.text, "CK");
  for (const char* const wrong :
       {"", "{}", R"({"status": 3})", R"({"status": {}})", R"({"status": {"clientKeyData": "K"}})"}) {
    EXPECT_FALSE(read_credential(wrong, config)) << wrong;
  }
}

TEST(Credential, ComesFromTheProgramThatIsNamed) {
  agent::kube::ClientConfig config;
  config.host = "10.0.0.1";
  config.origin = "/k";
  const char* const script =
      R"(case "$KUBERNETES_EXEC_INFO" in *ExecCredential*https://10.0.0.1*) echo '{"status": {"token": "'$NAME'"}}';; esac)";
  config.login = {.command = {"sh", "-c", script},
                  .environment = {{"NAME", "me"}},
                  .api_version = "client.authentication.k8s.io/v1"};
  config.login->wants_cluster_info = true;
  const auto done = log_in(config);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(config.token.text, "me");

  config.login->command = {"sh", "-c", "exit 3"};
  const auto failed = log_in(config);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "cannot log in with sh, which /k names: it ended with 3");
}

TEST(Preflight, WantsAKubernetesFrom1_30On) {
  EXPECT_EQ(judge_version(R"({"gitVersion": "v1.30.0+k3s1"})").verdict, Verdict::good);
  EXPECT_EQ(judge_version(R"({"gitVersion": "v1.29.9"})").verdict, Verdict::missing);
  EXPECT_EQ(judge_version("{}").verdict, Verdict::note);
}

TEST(Preflight, NamesOtherAgentsAndASecondInstallation) {
  const auto list = R"({"items": [
    {"metadata": {"name": "ztunnel", "namespace": "istio-system"}},
    {"metadata": {"name": "fairlead", "namespace": "net", "labels": {"app.kubernetes.io/name": "fairlead"}}},
    {"metadata": {"name": "web", "namespace": "shop"}}]})";
  const auto findings = judge_workloads({list}, "fairlead-system");
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_THAT(findings[0].detail, HasSubstr("Istio's ambient mode (istio-system/ztunnel) may redirect"));
  EXPECT_EQ(findings[1].verdict, Verdict::missing);
  EXPECT_EQ(judge_workloads({list}, "net")[1].verdict, Verdict::good);
  EXPECT_EQ(judge_workloads({R"({"items": []})"}, "net")[0].detail, "none found");
}

TEST(Preflight, TellsOfNamespacesThatAskedForTwoMeshes) {
  const auto findings = judge_namespaces(R"({"items": [
    {"metadata": {"name": "a", "labels": {"fairlead.dev/mode": "enabled", "istio-injection": "enabled"}}},
    {"metadata": {"name": "b", "labels": {"fairlead.dev/mode": "enabled"}}},
    {"metadata": {"name": "c", "labels": {"istio-injection": "enabled"}}}]})");
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].subject, "namespace a");
}

TEST(NodeCheck, IsOneLineWhenAllIsWell) {
  const std::vector<Finding> good{{Verdict::good, "kernel", "6.1", ""}, {Verdict::good, "cgroup2", "/x", ""}};
  const auto findings = judge_node({"n1", "6.1.0", "linux"}, check::findings_json(good));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].detail, "kernel 6.1.0, all of 2 checks");
}

TEST(NodeCheck, NamesTheNodeOfWhatIsMissing) {
  const std::vector<Finding> bad{{Verdict::good, "kernel", "6.1", ""},
                                 {Verdict::missing, "bpffs", "not mounted", "mount it"}};
  const auto findings = judge_node({"n1", "6.1.0", "linux"}, check::findings_json(bad));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].subject, "node n1: bpffs");
  EXPECT_EQ(findings[0].remedy, "mount it");
  EXPECT_THAT(judge_node({"n1", "", ""}, "exec format error")[0].detail, HasSubstr("exec format error"));
}

TEST(NodeCheck, RunsOnNodesThatKeepOthersAway) {
  const auto job = check_job("n1", {});
  const auto& pod = job.at("spec").at("template").at("spec");
  EXPECT_EQ(pod.at("nodeName").as_string(), "n1");
  EXPECT_EQ(boost::json::serialize(pod.at("tolerations")), R"([{"operator":"Exists"}])");
  EXPECT_EQ(boost::json::serialize(pod.at("containers").at(0).at("securityContext").at("capabilities").at("drop")),
            R"(["ALL"])");
  EXPECT_EQ(pod.at("volumes").at(2).at("hostPath").at("path").as_string(), "/");
}

TEST(Url, EncodesWhatANameMustNotSay) { EXPECT_EQ(url_encoded("a/../b?c=d e"), "a%2F..%2Fb%3Fc%3Dd%20e"); }

}  // namespace
}  // namespace cli::cluster
