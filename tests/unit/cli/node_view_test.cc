#include "cli/admin/node_view.h"

#include <gtest/gtest.h>

namespace cli::admin {
namespace {

using namespace std::chrono_literals;

TEST(NodeView, ReadsWhatTheAgentSays) {
  const auto node = parse_node(R"({
    "generation": 3, "semantics": "istio",
    "proxy": {"up": true, "version": "0.0.9", "generation": 2, "restarts": 1},
    "workloads": [{"namespace": "default", "name": "helloweb", "instances": [
      {"name": "exec-7", "cgroup": "/fairlead/workloads/default.helloweb/exec-7", "state": "redirected"}]}],
    "services": [{"host": "a.default.svc.cluster.local", "name": "a", "namespace": "default", "vips": ["127.30.0.1"],
      "ports": [{"number": 3000}]}],
    "policies": [{"kind": "VirtualService", "namespace": "default", "name": "a", "file": "p.yaml", "state": "rejected",
      "in_force": false, "findings": [{"severity": "error", "code": "FL0100", "file": "p.yaml", "line": 12,
      "path": "spec.http[0].timeout", "message": "no unit"}]}],
    "something new": {}})");
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ(node->generation, 3U);
  EXPECT_EQ(node->proxy_generation, 2U);
  EXPECT_TRUE(node->is_proxy_up);
  EXPECT_EQ(node->proxy_restarts, 1U);
  EXPECT_EQ(node->proxy_version, "0.0.9");
  ASSERT_EQ(node->workloads.size(), 1U);
  EXPECT_EQ(node->workloads[0].instances.at(0).state, "redirected");
  EXPECT_EQ(node->services.at(0).vips.at(0), "127.30.0.1");
  EXPECT_EQ(node->services.at(0).ports.at(0).number, 3000);
  EXPECT_FALSE(node->policies.at(0).is_in_force);
  EXPECT_EQ(node->policies.at(0).findings.at(0).line, 12U);
}

TEST(NodeView, ReadsPodsWatchesAndWhatIsEnforced) {
  const auto node = parse_node(R"({
    "version": "0.1.0", "kernel": "6.1.0", "time": 100.0,
    "watches": [{"resource": "pods", "synced": true, "error": "", "last_contact": 98.5}, {"resource": "services"}],
    "pods": [{"namespace": "shop", "name": "web-1", "workload": "web", "state": "skipped", "reason": "no label"}],
    "workloads": [{"namespace": "shop", "name": "web", "route_table": 3}],
    "route_tables": [{"virtual_hosts": [{"port": 80, "name": "a:80", "routes": [{
      "match": [{"on": "header x", "how": "exact", "value": "1", "inverted": true}],
      "destinations": [{"backend": "b", "index": 0, "weight": 1}, {"backend": null, "index": null, "weight": 2}],
      "timeout_ms": 300, "retries": {"attempts": 2, "per_try_timeout_ms": null, "retry_on": ["5xx"],
      "status_codes": [503]}, "fault": {"delay": {"ms": 10, "per_million": 500000}}, "direct_response": null,
      "from": "a.yaml:3"}]}]}],
    "backends": [{"host": "a", "port": 80, "subset": "v1", "load_balancer": "RANDOM", "from": "b.yaml:9",
      "limits": {"pending": 1, "requests": null}, "endpoints": [{"address": "10.0.0.1:80"}],
      "outlier_detection": {"consecutive_5xx": 5, "base_ejection_time_ms": 30000, "max_ejection_percent": 10}}]})");
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ(node->kernel, "6.1.0");
  EXPECT_EQ(node->watches.at(0).age, 1500ms);
  EXPECT_FALSE(node->watches.at(1).is_synced || node->watches.at(1).age);
  EXPECT_EQ(node->pods.at(0).reason, "no label");
  EXPECT_EQ(node->workloads.at(0).route_table, 3U);
  const RouteView& route = node->route_tables.at(0).virtual_hosts.at(0).routes.at(0);
  EXPECT_TRUE(route.conditions.at(0).is_inverted);
  EXPECT_EQ(route.destinations.at(0).backend, 0U);
  EXPECT_FALSE(route.destinations.at(1).backend);
  EXPECT_EQ(route.timeout, 300ms);
  EXPECT_FALSE(route.per_try_timeout || route.direct_response);
  EXPECT_EQ(route.retry_status_codes.at(0), 503U);
  EXPECT_EQ(route.delay.per_million, 500'000U);
  EXPECT_EQ(route.abort.per_million, 0U);
  const BackendPolicyView& backend = node->backends.at(0);
  ASSERT_EQ(backend.limits.size(), 1U);
  EXPECT_EQ(backend.limits[0].first, "pending");
  EXPECT_EQ(backend.outlier.value().base_ejection_time, 30s);
  EXPECT_EQ(backend.endpoints.at(0), "10.0.0.1:80");
}

TEST(NodeView, WhatIsMissingOrOfAnotherTypeKeepsItsDefault) {
  const auto node = parse_node(R"({"generation": -1, "proxy": 5, "workloads": {"a": 1}, "policies": [3, {}]})");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->generation, 0U);
  EXPECT_FALSE(node->is_proxy_up);
  EXPECT_TRUE(node->workloads.empty());
  ASSERT_EQ(node->policies.size(), 2U);
  EXPECT_TRUE(node->policies[0].is_in_force);
}

TEST(NodeView, ReadsEndpoints) {
  const auto backends = parse_backends(R"({"clusters": [{"name": "outbound|3000||a.b", "source": "default/helloweb",
    "endpoints": [
      {"address": "127.0.0.1:3001", "active_requests": 2, "connections": 1},
      {"address": "127.0.0.1:3002", "times_ejected": 1, "ejected": {"reason": "consecutive_5xx", "returns_in_ms": 90000}},
      {"address": "127.0.0.1:3003", "ejected": null}]}]})");
  ASSERT_TRUE(backends) << backends.error().message;
  const auto& endpoints = backends->at(0).endpoints;
  EXPECT_EQ(endpoints.at(0).active_requests, 2U);
  EXPECT_FALSE(endpoints[0].is_ejected);
  EXPECT_TRUE(endpoints.at(1).is_ejected);
  EXPECT_EQ(endpoints[1].ejection_rule, "consecutive_5xx");
  EXPECT_EQ(endpoints[1].returns_in, 90s);
  EXPECT_FALSE(endpoints.at(2).is_ejected);
}

TEST(NodeView, SaysSoWhenItIsNotAnAgent) {
  for (const auto* page : {"", "<html>", "[]", "{\"a\":"}) {
    EXPECT_FALSE(parse_node(page)) << page;
    EXPECT_FALSE(parse_backends(page)) << page;
  }
}

}  // namespace
}  // namespace cli::admin
