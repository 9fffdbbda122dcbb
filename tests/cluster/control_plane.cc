#include "tests/cluster/control_plane.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace agent::kube {
namespace {

std::string folder_of_state() {
  const char* folder = std::getenv("FAIRLEAD_CLUSTER_STATE");
  return folder != nullptr ? folder : "/var/lib/fairlead-cluster";
}

ClientConfig administrator(const std::string& folder) {
  auto config = load_kubeconfig(folder + "/kubeconfig");
  if (!config) throw std::runtime_error(config.error().message + " (tests/cluster/up starts an API server)");
  return *config;
}

}  // namespace

ControlPlane::ControlPlane()
    : state_folder_(folder_of_state()), config_(administrator(state_folder_)), client_(context, credentials()) {}

std::string ControlPlane::ask(ApiRequest request) {
  const std::string target = request.target;
  auto answer = run(client_.perform(std::move(request)));
  if (!answer) throw std::runtime_error(target + ": " + answer.error().message);
  return std::move(*answer);
}

std::string ControlPlane::create(const std::string& path, const std::string& json) {
  return ask({.method = ApiRequest::Method::post, .target = path, .body = json});
}

void ControlPlane::patch(const std::string& path, const std::string& json) {
  ask({.method = ApiRequest::Method::patch,
       .target = path,
       .body = json,
       .content_type = "application/merge-patch+json"});
}

void ControlPlane::remove(const std::string& path) { ask({.method = ApiRequest::Method::del, .target = path}); }

std::string ControlPlane::script(const std::string& command) {
  FILE* output = ::popen((std::string(FAIRLEAD_CLUSTER_SCRIPTS) + "/" + command).c_str(), "re");
  if (output == nullptr) throw std::runtime_error("popen");
  std::string text;
  char chunk[4096];
  while (const std::size_t size = std::fread(chunk, 1, sizeof chunk, output)) text.append(chunk, size);
  if (::pclose(output) != 0) throw std::runtime_error(command + " failed");
  return text;
}

bool ControlPlane::answers(const std::string& path) { return run(client_.perform({.target = path})).has_value(); }

TestNamespace::TestNamespace(ControlPlane& control_plane) : control_plane_(control_plane) {
  const auto made = control_plane.create("/api/v1/namespaces", R"({"metadata":{"generateName":"test-"}})");
  name_ = boost::json::parse(made).at("metadata").at("name").as_string();
}

TestNamespace::~TestNamespace() {
  try {
    control_plane_.remove("/api/v1/namespaces/" + name_);
  } catch (const std::exception& error) {
    ADD_FAILURE() << error.what();
  }
}

}  // namespace agent::kube
