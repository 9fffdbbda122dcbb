// What each step between a changed file and the request that sees it costs, with 1,000 policies among 1,000 and 10,000
// services: the documents of lib/documents.py.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "agent/telemetry/identity_table.h"
#include "base/clock.h"
#include "channel/codec.h"
#include "config/compile/compile.h"
#include "config/document_store.h"
#include "config/source_files.h"
#include "proxy/snapshot.h"

namespace {

constexpr int kPolicies = 1000;

std::string service(const std::string& name, const std::string& address) {
  return "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: " + name + "}\nspec:\n  hosts: [" +
         name + ".default.svc.cluster.local]\n  addresses: [" + address +
         "]\n  resolution: STATIC\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  endpoints:\n"
         "  - address: 127.0.0.1\n    ports: {http: 8080}\n    labels: {app: " +
         name + ", version: v1}\n";
}

std::string policies(const std::string& name, const std::string& timeout) {
  return "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: " + name +
         "}\nspec:\n  hosts: [" + name + "]\n  http:\n  - name: canary\n" +
         "    match: [{headers: {x-canary: {exact: \"yes\"}}}]\n    timeout: 5s\n    route: [{destination: {host: " +
         name + "}}]\n  - name: stable\n    timeout: " + timeout +
         "\n    retries: {attempts: 2, perTryTimeout: 5s, retryOn: \"5xx,reset,connect-failure\"}\n"
         "    route: [{destination: {host: " +
         name + "}}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: " + name +
         "}\nspec:\n  host: " + name +
         "\n  trafficPolicy:\n    connectionPool:\n      tcp: {maxConnections: 1024, connectTimeout: 1s}\n"
         "      http: {http1MaxPendingRequests: 1024, http2MaxRequests: 1024, maxRetries: 16}\n"
         "    outlierDetection: {consecutive5xxErrors: 5, interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: "
         "50}\n";
}

std::string address(int number) {
  return "127." + std::to_string(40 + (number >> 16)) + "." + std::to_string(number >> 8 & 255) + "." +
         std::to_string(number & 255);
}

std::vector<config::SourceFile> node(int services) {
  std::vector<config::SourceFile> files;
  files.push_back({.name = "caller.yaml",
                   .text = "apiVersion: fairlead.dev/v1alpha1\nkind: Workload\n"
                           "metadata: {name: caller, namespace: default, labels: {app: caller}}\n"
                           "spec: {selectors: [{cgroup: /caller}]}\n"});
  for (int i = 0; i < services; ++i) {
    const std::string name = "service-" + std::to_string(i);
    files.push_back(
        {.name = name + ".yaml", .text = service(name, address(i)) + (i < kPolicies ? policies(name, "10s") : "")});
  }
  return files;
}

// The same with one policy changed, and changed back: what one who edits a file does.
class EditedNode {
 public:
  explicit EditedNode(int services) : files_(node(services)) { store_.update(files_); }
  void edit() {
    is_edited_ = !is_edited_;
    files_[1].text = service("service-0", address(0)) + policies("service-0", is_edited_ ? "9s" : "10s");
  }
  void update() { store_.update(files_); }
  [[nodiscard]] const config::Documents& documents() const { return store_.documents(); }

 private:
  std::vector<config::SourceFile> files_;
  config::DocumentStore store_;
  bool is_edited_ = false;
};

std::shared_ptr<const config::NodeConfig> compiled(int services) {
  return std::make_shared<const config::NodeConfig>(config::compile(EditedNode(services).documents(), 1).config);
}

void read_files(benchmark::State& state) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("policy_change_bench." + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  for (const config::SourceFile& file : node(static_cast<int>(state.range(0)))) {
    std::ofstream(folder / file.name) << file.text;
  }
  const std::vector<std::string> paths = {folder};
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(config::read_source_files(paths));
  std::filesystem::remove_all(folder);
}

void update_documents(benchmark::State& state) {
  EditedNode edited(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) {
    edited.edit();
    edited.update();
  }
}

void copy_documents(benchmark::State& state) {
  const EditedNode edited(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) {
    config::Documents copy = edited.documents();
    benchmark::DoNotOptimize(copy);
  }
}

void compile(benchmark::State& state) {
  const EditedNode edited(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(config::compile(edited.documents(), 1));
}

void name_identities(benchmark::State& state) {
  config::NodeConfig config = *compiled(static_cast<int>(state.range(0)));
  agent::telemetry::IdentityTable identities;
  for ([[maybe_unused]] auto _ : state) identities.assign(config);
}

void compare(benchmark::State& state) {
  const auto one = compiled(static_cast<int>(state.range(0))), other = compiled(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(*one == *other);
}

void encode(benchmark::State& state) {
  const channel::Message message = channel::ApplyConfig{compiled(static_cast<int>(state.range(0)))};
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(channel::encode(message));
  state.counters["bytes"] = static_cast<double>(channel::encode(message).bytes.size());
}

void decode(benchmark::State& state) {
  const std::string bytes = channel::encode(channel::ApplyConfig{compiled(static_cast<int>(state.range(0)))}).bytes;
  std::vector<base::UniqueFd> none;
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(channel::decode(bytes, none));
}

void build_snapshot(benchmark::State& state) {
  const auto config = compiled(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(proxy::Snapshot::build(config, base::now()));
}

void in_both_sizes(benchmark::internal::Benchmark* step) { step->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond); }

}  // namespace

BENCHMARK(read_files)->Apply(in_both_sizes);
BENCHMARK(update_documents)->Apply(in_both_sizes);
BENCHMARK(copy_documents)->Apply(in_both_sizes);
BENCHMARK(compile)->Apply(in_both_sizes);
BENCHMARK(name_identities)->Apply(in_both_sizes);
BENCHMARK(compare)->Apply(in_both_sizes);
BENCHMARK(encode)->Apply(in_both_sizes);
BENCHMARK(decode)->Apply(in_both_sizes);
BENCHMARK(build_snapshot)->Apply(in_both_sizes);

BENCHMARK_MAIN();
