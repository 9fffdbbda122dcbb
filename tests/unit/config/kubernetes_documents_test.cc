#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/support.h"

namespace config {
namespace {

using test::compile_text;
using test::errors_of;
using test::find_backend;
using test::kClient;
using test::load;
using ::testing::ElementsAre;
using ::testing::SizeIs;

// As `kubectl get -o yaml` prints them.
const std::string kService = R"(
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  uid: 7d0e
  creationTimestamp: "2026-01-01T00:00:00Z"
  resourceVersion: "12"
  managedFields: [{manager: kubectl}]
spec:
  clusterIP: 10.0.0.7
  clusterIPs: [10.0.0.7]
  internalTrafficPolicy: Cluster
  ipFamilies: [IPv4]
  ipFamilyPolicy: SingleStack
  ports:
  - {name: http, port: 80, protocol: TCP, targetPort: 8080}
  - {name: db, port: 5432, protocol: TCP, targetPort: 5432, appProtocol: tcp}
  - {name: dns, port: 53, protocol: UDP, targetPort: 53}
  selector: {app: web}
  sessionAffinity: None
  type: ClusterIP
status: {loadBalancer: {}}
)";
const std::string kSlice = R"(
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-abc
  namespace: shop
  labels: {kubernetes.io/service-name: web, endpointslice.kubernetes.io/managed-by: me, version: v2}
addressType: IPv4
ports:
- {name: http, port: 8080, protocol: TCP}
endpoints:
- addresses: [10.1.0.1]
  conditions: {ready: true, serving: true, terminating: false}
  targetRef: {kind: Pod, name: web-6f-1, namespace: shop}
  nodeName: n1
  zone: z1
- addresses: [10.1.0.2]
  conditions: {ready: false}
- addresses: [10.1.0.3]
)";

TEST(KubernetesDocuments, MakeAServiceWithItsReadyEndpoints) {
  const auto [config, findings, destinations, hosts] = compile_text(kService + kSlice + kClient);
  ASSERT_THAT(config.services, SizeIs(1));
  const Service& service = config.services[0];
  EXPECT_EQ(service.host, "web.shop.svc.cluster.local");
  EXPECT_EQ(service.name, "web");
  EXPECT_EQ(service.name_space, "shop");
  EXPECT_EQ(service.app, "web");
  EXPECT_EQ(service.vips.at(0).to_string(), "10.0.0.7");
  EXPECT_THAT(service.ports,
              ElementsAre(ServicePort{80, "http", Protocol::http}, ServicePort{5432, "db", Protocol::tcp}));
  const Backend* backend = find_backend(config, "outbound|80||web.shop.svc.cluster.local");
  ASSERT_NE(backend, nullptr);
  ASSERT_THAT(backend->endpoints, SizeIs(2));
  EXPECT_EQ(backend->endpoints[0].address.to_string(), "10.1.0.1:8080");
  EXPECT_EQ(backend->endpoints[0].identity.workload, "web-6f-1");
  EXPECT_EQ(backend->endpoints[0].identity.app, "web");
  EXPECT_EQ(backend->endpoints[0].identity.version, "v2");
  EXPECT_EQ(backend->endpoints[1].address.to_string(), "10.1.0.3:8080");
}

TEST(KubernetesDocuments, GiveAHeadlessServiceWildcardNames) {
  const auto [config, findings, destinations, hosts] = compile_text(R"(
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
)" + kClient);
  EXPECT_THAT(config.route_tables.at(0).ports.at(0).virtual_hosts.at(0).domains,
              ElementsAre("db.default.svc.cluster.local", "db.default.svc.cluster.local.", "db", "db.default.svc",
                          "db.default", "*.db.default.svc.cluster.local", "*.db.default.svc.cluster.local.", "*.db",
                          "*.db.default.svc", "*.db.default"));
}

TEST(KubernetesDocuments, AreReadFromAList) {
  const Documents documents = load(R"({"apiVersion": "v1", "kind": "List", "items": [
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}},
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}, "spec": {"ports": [{"port": 80}]}}]})");
  EXPECT_THAT(documents.services, SizeIs(2));
}

TEST(KubernetesDocuments, AreCheckedStrictly) {
  EXPECT_THAT(errors_of("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: [{port: 80}]}\n"),
              ElementsAre("test.yaml:4:8: spec.port: is not a known field; did you mean ports?"));
  EXPECT_THAT(
      errors_of("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a}\naddressType: IPv4\n"),
      ElementsAre("test.yaml:3:11: metadata.labels: the label kubernetes.io/service-name is missing; it names the "
                  "Service"));
  EXPECT_THAT(
      errors_of("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: x, ports: [{port: 1}]}\n"),
      ElementsAre("test.yaml:4:19: spec.clusterIP: \"x\" is not an IPv4 or IPv6 address"));
}

TEST(KubernetesDocuments, ReadTheProtocolFromPortNames) {
  const std::pair<const char*, Protocol> kCases[] = {
      {"name: http", Protocol::http},
      {"name: http-admin", Protocol::http},
      {"name: grpc-web", Protocol::http},
      {"name: grpc", Protocol::tcp},
      {"name: tcp-x", Protocol::tcp},
      {"name: https", Protocol::tcp},
      {"name: web", Protocol::http},
      {"name: web, appProtocol: tcp", Protocol::tcp},
      {"name: tcp, appProtocol: http", Protocol::http},
      {"name: x, appProtocol: kubernetes.io/h2c", Protocol::tcp},
  };
  for (const auto& [port, expected] : kCases) {
    const Documents documents = load("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80, " +
                                     std::string(port) + "}]}\n");
    EXPECT_EQ(documents.services.at(0).ports.at(0).protocol, expected) << port;
  }
}

}  // namespace
}  // namespace config
