#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "agent/kube/api_client.h"
#include "base/result.h"

// A Kubernetes cluster as its user sees it: with kubectl's ways to say which one.
namespace cli::cluster {

using ApiRequest = agent::kube::ApiRequest;
template <typename T>
using ApiResult = agent::kube::ApiResult<T>;

struct Options {
  std::string kubeconfig;  // empty: $KUBECONFIG, ~/.kube/config, or the service account of the pod we run in
  std::string context;
  std::string name_space;  // empty: the context's
  bool has_all_namespaces = false;
  std::chrono::nanoseconds request_timeout{std::chrono::seconds(10)};
  std::string fairlead_namespace = "fairlead-system";
};

// The API server. Calls block until they are answered.
class Connection {
 public:
  // Finds out where it is and who we are; asks nobody yet, but a program that the kubeconfig names to log in.
  static base::Result<Connection> open(const Options& options);

  [[nodiscard]] ApiResult<std::string> ask(ApiRequest request) const;
  [[nodiscard]] ApiResult<std::string> get(const std::string& target) const;
  // The answers in the order of the requests. A few are asked at a time.
  [[nodiscard]] std::vector<ApiResult<std::string>> ask_all(std::vector<ApiRequest> requests) const;

  // That commands are about; empty: all.
  [[nodiscard]] const std::string& name_space() const { return name_space_; }
  [[nodiscard]] std::string server() const;  // for messages

 private:
  Connection(std::shared_ptr<agent::kube::Credentials> credentials, std::string name_space,
             std::chrono::nanoseconds timeout)
      : credentials_(std::move(credentials)), name_space_(std::move(name_space)), timeout_(timeout) {}

  std::shared_ptr<agent::kube::Credentials> credentials_;
  std::string name_space_;
  std::chrono::nanoseconds timeout_;
};

// In a path, or as the value of a query.
std::string url_encoded(std::string_view text);

}  // namespace cli::cluster
