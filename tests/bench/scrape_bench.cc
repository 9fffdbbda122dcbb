// A scrape of 1,000 sets of Istio's labels: by our page, and by prometheus-cpp with the same series.
#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "agent/telemetry/metrics_page.h"
#include "proxy/telemetry/worker_telemetry.h"

namespace {

using namespace std::chrono_literals;
namespace telemetry = proxy::telemetry;

constexpr int kSets = 1000;

// One caller of a thousand services, without the destination's side: a set of labels for each.
struct OurPage {
  OurPage() {
    config.settings.reports_destination = false;
    config.workloads.push_back({});
    config.workloads[0].identity.workload = "caller";
    config.backends.resize(kSets);
    for (int i = 0; i < kSets; ++i) {
      const std::string name = "service-" + std::to_string(i);
      config::Service service;
      service.host = name + ".default.svc.cluster.local";
      service.name = name;
      service.name_space = "default";
      config.services.push_back(std::move(service));
      config::Endpoint endpoint;
      endpoint.address =
          *base::SocketAddress::parse("10.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + ":8080");
      endpoint.identity.workload = endpoint.identity.app = name;
      config.backends[static_cast<std::size_t>(i)].endpoints.push_back(std::move(endpoint));
    }
    names.assign(config);
    names.assign(pod);
    names.set_present(config, {pod});
    for (std::size_t i = 0; i < kSets; ++i) {
      telemetry::RequestRecord record;
      record.config = &config;
      record.pod = &pod;
      record.source = &config.workloads[0].identity;
      record.service = &config.services[i];
      record.endpoint = &config.backends[i].endpoints[0];
      record.response_code = 200;
      record.duration = 3ms;
      record.request_wire_bytes = 700;
      record.response_wire_bytes = 1400;
      worker.on_request(record);
    }
  }

  config::NodeConfig config;
  config::Pod pod{.id = 0, .cgroup_id = 1, .workload = 0};
  agent::telemetry::IdentityTable names;
  std::unique_ptr<telemetry::ShardSet> shards = std::move(*telemetry::ShardSet::create_private());
  telemetry::WorkerTelemetry worker{*shards, 0};
  agent::telemetry::NodeState node;
};

void ours(benchmark::State& state) {
  OurPage ours;
  agent::telemetry::MetricsPage page(*::telemetry::SharedMemory::open(*ours.shards->memory().duplicate_fd()),
                                     ours.names, {});
  const auto head = agent::telemetry::negotiate({});
  std::size_t bytes = 0;
  for ([[maybe_unused]] auto _ : state) {
    bytes = page.render(head, ours.node, base::TimePoint{1000s}).size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}

void prometheus_cpp(benchmark::State& state) {
  prometheus::Registry registry;
  auto& requests = prometheus::BuildCounter().Name("istio_requests_total").Help("requests").Register(registry);
  std::vector<prometheus::Family<prometheus::Histogram>*> histograms;
  for (const char* name : {"istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes"}) {
    histograms.push_back(&prometheus::BuildHistogram().Name(name).Help(name).Register(registry));
  }
  const std::vector<double> bounds(::telemetry::kIstioBoundValues.begin(), ::telemetry::kIstioBoundValues.end());
  for (int i = 0; i < kSets; ++i) {
    const std::string name = "service-" + std::to_string(i);
    const prometheus::Labels labels = {{"reporter", "source"},
                                       {"source_workload", "caller"},
                                       {"source_workload_namespace", "default"},
                                       {"source_principal", "unknown"},
                                       {"source_app", "caller"},
                                       {"source_version", "unknown"},
                                       {"source_canonical_service", "caller"},
                                       {"source_canonical_revision", "latest"},
                                       {"source_cluster", "Kubernetes"},
                                       {"destination_workload", name},
                                       {"destination_workload_namespace", "default"},
                                       {"destination_principal", "unknown"},
                                       {"destination_app", name},
                                       {"destination_version", "unknown"},
                                       {"destination_service", name + ".default.svc.cluster.local"},
                                       {"destination_service_name", name},
                                       {"destination_service_namespace", "default"},
                                       {"destination_canonical_service", name},
                                       {"destination_canonical_revision", "latest"},
                                       {"destination_cluster", "Kubernetes"},
                                       {"request_protocol", "http"},
                                       {"response_code", "200"},
                                       {"response_flags", "-"},
                                       {"grpc_response_status", ""},
                                       {"connection_security_policy", "none"}};
    requests.Add(labels).Increment();
    for (auto* const family : histograms) family->Add(labels, bounds).Observe(3);
  }
  const prometheus::TextSerializer serializer;
  std::size_t bytes = 0;
  for ([[maybe_unused]] auto _ : state) {
    bytes = serializer.Serialize(registry.Collect()).size();
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}

BENCHMARK(ours)->Unit(benchmark::kMicrosecond);
BENCHMARK(prometheus_cpp)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
