#pragma once

#include <string>
#include <vector>

#include "agent/kube/api_client.h"
#include "tests/support/io_loop.h"

namespace agent::kube {

// The real API server that ctest has started for this test (fixture control_plane, or whatever FAIRLEAD_CLUSTER_STATE
// names), and the loop of its clients. Nothing here returns an error: what does not work is an exception.
class ControlPlane : public tests::support::IoLoop {
 public:
  ControlPlane();

  [[nodiscard]] const std::string& state_folder() const { return state_folder_; }
  // Of the administrator.
  [[nodiscard]] const ClientConfig& config() const { return config_; }
  [[nodiscard]] std::shared_ptr<Credentials> credentials() const { return std::make_shared<Credentials>(config_); }

  // What the API server answers.
  std::string ask(ApiRequest request);
  std::string create(const std::string& path, const std::string& json);
  void patch(const std::string& path, const std::string& json);  // a merge patch
  void remove(const std::string& path);
  bool answers(const std::string& path);  // other than with an error
  bool is_ready() { return answers("/readyz"); }

  // A script of tests/cluster, and what it prints: script("service stop etcd").
  static std::string script(const std::string& command);

 private:
  std::string state_folder_;
  ClientConfig config_;
  ApiClient client_;
};

// A namespace for one test; what is in it goes with it.
class TestNamespace {
 public:
  explicit TestNamespace(ControlPlane& control_plane);
  ~TestNamespace();
  TestNamespace(const TestNamespace&) = delete;
  TestNamespace& operator=(const TestNamespace&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  // "/api/v1/namespaces/NAME" + "/configmaps".
  [[nodiscard]] std::string path(const std::string& rest) const { return "/api/v1/namespaces/" + name_ + rest; }

 private:
  ControlPlane& control_plane_;
  std::string name_;
};

}  // namespace agent::kube
