#include "agent/kube/cluster.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <optional>
#include <thread>

#include "agent/kube/cluster_state.h"
#include "agent/kube/credentials.h"
#include "agent/kube/policy_sink.h"
#include "agent/kube/reflector.h"
#include "agent/kube/status/event_writer.h"
#include "agent/kube/status/status_writer.h"

namespace agent::kube {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using Name = ClusterState::Name;

// Changes that come together are published together; a waiting connection hardly notices.
constexpr std::chrono::milliseconds kGathering{10};
// How the watches are is published without any change as well: soon until all has been read once.
constexpr std::chrono::milliseconds kStatusSoon{100}, kStatusInterval{10'000};

Name name_of(const ObjectMeta& metadata) { return {metadata.name_space, metadata.name}; }
Name name_of(const auto& object) { return name_of(object.metadata); }

// A typed resource: objects in, tables of the state changed, and somebody told.
template <typename T>
class TypedSink final : public ObjectSink {
 public:
  using Read = base::Result<T> (*)(const json::object&);
  struct Table {
    std::function<void(T)> upsert;
    std::function<void(const Name&)> erase;
    std::function<void()> listed = [] {};
  };
  TypedSink(Read read, Table table, std::function<void()> changed)
      : read_(read), table_(std::move(table)), changed_(std::move(changed)) {}

  void replacing() override { unlisted_ = known_; }
  void replaced() override {
    for (const Name& name : unlisted_) {
      known_.erase(name);
      table_.erase(name);
    }
    unlisted_.clear();
    table_.listed();
    changed_();
  }
  void upsert(const json::object& object) override {
    auto read = read_(object);
    if (!read) {
      spdlog::error("{}", read.error().message);
      return;
    }
    const Name name = name_of(*read);
    unlisted_.erase(name);
    known_.insert(name);
    table_.upsert(std::move(*read));
    changed_();
  }
  void erase(const json::object& object) override {
    const auto read = read_metadata(object);
    if (!read) return;
    known_.erase(name_of(*read));
    table_.erase(name_of(*read));
    changed_();
  }

 private:
  Read read_;
  Table table_;
  std::function<void()> changed_;
  std::set<Name> known_, unlisted_;
};

std::string selector_text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) text += (text.empty() ? "" : ",") + name + "=" + value;
  return text;
}

}  // namespace

bool ClusterView::is_synced() const {
  return std::all_of(watches.begin(), watches.end(), [](const WatchStatus& watch) { return watch.is_synced; });
}

struct Cluster::Impl {
  struct Watched {
    std::unique_ptr<ObjectSink> sink;
    std::unique_ptr<Reflector> reflector;  // before its sink it ends
  };
  struct Called {
    Labels selector;
    Watched slices, pods;
  };

  Impl(Settings cluster_settings, Publish publisher)
      : settings(std::move(cluster_settings)),
        publish(std::move(publisher)),
        credentials(std::make_shared<Credentials>(settings.api_server)),
        timer(context),
        status_timer(context),
        state({.node = settings.node, .cluster_domain = settings.cluster_domain}),
        events(context, credentials) {
    if (settings.identity.empty() || settings.api_server.name_space.empty()) return;
    status.emplace(context, credentials,
                   StatusWriter::Settings{.name_space = settings.api_server.name_space,
                                          .identity = settings.identity,
                                          .node = settings.node,
                                          .election = settings.election},
                   [this](Event event) { events.add(std::move(event)); });
  }

  Watched watch(Resource resource, std::unique_ptr<ObjectSink> sink);
  void start();
  void follow(std::set<std::string, std::less<>> hosts);
  void follow_called();
  Called call(const Name& name, const Service& service);
  void change_documents();
  void schedule();
  void publish_now();
  void publish_status();
  void end(const Called& ended);
  [[nodiscard]] static WatchStatus describe(const Watched& watched);

  Settings settings;
  Publish publish;
  asio::io_context context;
  std::shared_ptr<Credentials> credentials;
  asio::steady_timer timer, status_timer;
  bool is_scheduled = false;
  bool is_synced = false;  // as published
  ClusterState state;
  EventWriter events;
  std::optional<StatusWriter> status;  // none: nobody is told
  std::uint64_t revision = 1;
  std::vector<Watched> always;
  std::set<std::string, std::less<>> wanted;  // hosts
  std::map<Name, Called> called;
  WatchStatus ended_slices{.resource = "endpointslices.discovery.k8s.io", .is_synced = true};
  WatchStatus ended_pods{.resource = "pods/metadata", .is_synced = true};
  std::thread thread;
};

Cluster::Impl::Watched Cluster::Impl::watch(Resource resource, std::unique_ptr<ObjectSink> sink) {
  Watched watched;
  watched.sink = std::move(sink);
  watched.reflector = std::make_unique<Reflector>(context, credentials, std::move(resource), *watched.sink);
  watched.reflector->start();
  return watched;
}

void Cluster::Impl::start() {
  const auto documents_change = [this] { change_documents(); };
  always.push_back(
      watch({.group = {}, .version = "v1", .plural = "namespaces"},
            std::make_unique<TypedSink<Namespace>>(
                read_namespace,
                TypedSink<Namespace>::Table{.upsert = [this](Namespace object) { state.upsert(std::move(object)); },
                                            .erase = [this](const Name& name) { state.erase_namespace(name.second); }},
                documents_change)));
  always.push_back(
      watch({.group = {}, .version = "v1", .plural = "pods", .field_selector = "spec.nodeName=" + settings.node},
            std::make_unique<TypedSink<Pod>>(
                read_pod,
                TypedSink<Pod>::Table{.upsert = [this](Pod object) { state.upsert(std::move(object)); },
                                      .erase = [this](const Name& name) { state.erase_pod(name); }},
                documents_change)));
  always.push_back(
      watch({.group = {}, .version = "v1", .plural = "services"},
            std::make_unique<TypedSink<Service>>(
                read_service,
                TypedSink<Service>::Table{.upsert = [this](Service object) { state.upsert(std::move(object)); },
                                          .erase = [this](const Name& name) { state.erase_service(name); }},
                [this] {
                  follow_called();
                  change_documents();
                })));
  always.push_back(
      watch({.group = {},
             .version = "v1",
             .plural = "nodes",
             .field_selector = "metadata.name=" + settings.node,
             .is_metadata_only = true},
            std::make_unique<TypedSink<ObjectMeta>>(
                read_metadata,
                TypedSink<ObjectMeta>::Table{.upsert =
                                                 [this](const ObjectMeta& node) {
                                                   const auto zone = node.labels.find("topology.kubernetes.io/zone");
                                                   state.set_zone(zone == node.labels.end() ? "" : zone->second);
                                                 },
                                             .erase = [](const Name&) {}},
                documents_change)));
  constexpr const char* kIstio = "networking.istio.io";
  const std::pair<const char*, const char*> policies[] = {{"virtualservices", "VirtualService"},
                                                          {"destinationrules", "DestinationRule"},
                                                          {"serviceentries", "ServiceEntry"}};
  for (const auto& [plural, kind] : policies) {
    const Resource resource{
        .group = kIstio, .version = "v1", .plural = plural, .older_versions = {"v1beta1", "v1alpha3"}};
    always.push_back(watch(resource, std::make_unique<PolicySink>(resource, kind, state.policies(),
                                                                  status ? &*status : nullptr, documents_change)));
  }
}

// Subscribes to the endpoints of these services and drops all others.
void Cluster::Impl::follow(std::set<std::string, std::less<>> hosts) {
  if (hosts == wanted) return;
  wanted = std::move(hosts);
  follow_called();
}

// A service that is made again with another selector has other pods.
void Cluster::Impl::follow_called() {
  std::map<Name, const Service*> services;
  for (const std::string& host : wanted) {
    const Name name = state.service_of(host);
    if (const Service* service = state.find_service(name)) services.emplace(name, service);
  }
  const std::size_t dropped = std::erase_if(called, [&](const auto& each) {
    const auto still = services.find(each.first);
    const bool is_over = still == services.end() || still->second->selector != each.second.selector;
    if (is_over) {
      state.forget_endpoints(each.first);
      end(each.second);
    }
    return is_over;
  });
  if (dropped != 0) change_documents();
  for (const auto& [name, service] : services) {
    if (!called.contains(name)) called.emplace(name, call(name, *service));
  }
}

Cluster::Impl::Called Cluster::Impl::call(const Name& name, const Service& service) {
  ClusterState::Endpoints& endpoints = state.endpoints(name);
  Called result;
  result.selector = service.selector;
  const auto changed = [this] { change_documents(); };
  result.slices = watch({.group = "discovery.k8s.io",
                         .version = "v1",
                         .plural = "endpointslices",
                         .name_space = name.first,
                         .label_selector = "kubernetes.io/service-name=" + name.second},
                        std::make_unique<TypedSink<EndpointSlice>>(
                            read_endpoint_slice,
                            TypedSink<EndpointSlice>::Table{
                                .upsert =
                                    [&endpoints](EndpointSlice slice) {
                                      std::string key = slice.metadata.name;
                                      endpoints.slices.insert_or_assign(std::move(key), std::move(slice));
                                    },
                                .erase = [&endpoints](const Name& slice) { endpoints.slices.erase(slice.second); },
                                .listed = [&endpoints] { endpoints.has_slices = true; }},
                            changed));
  if (service.selector.empty()) {  // somebody else writes its slices: there are no pods to look for
    endpoints.has_pods = true;
    return result;
  }
  result.pods = watch(
      {.group = {},
       .version = "v1",
       .plural = "pods",
       .name_space = name.first,
       .label_selector = selector_text(service.selector),
       .is_metadata_only = true},
      std::make_unique<TypedSink<ObjectMeta>>(
          read_metadata,
          TypedSink<ObjectMeta>::Table{.upsert =
                                           [&endpoints](ObjectMeta pod) {
                                             std::string key = pod.name;
                                             endpoints.pods.insert_or_assign(std::move(key), std::move(pod));
                                           },
                                       .erase = [&endpoints](const Name& pod) { endpoints.pods.erase(pod.second); },
                                       .listed = [&endpoints] { endpoints.has_pods = true; }},
          changed));
  return result;
}

void Cluster::Impl::change_documents() {
  ++revision;
  schedule();
}

void Cluster::Impl::schedule() {
  if (is_scheduled) return;
  is_scheduled = true;
  timer.expires_after(kGathering);
  timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    is_scheduled = false;
    publish_now();
  });
}

WatchStatus Cluster::Impl::describe(const Watched& watched) {
  const Reflector& reflector = *watched.reflector;
  const Reflector::Status status = reflector.status();
  WatchStatus described{.resource = to_string(reflector.resource()),
                        .error = status.error,
                        .is_synced = status.is_synced,
                        .events = status.events_by_type,
                        .restarts = status.restarts,
                        .lists = status.lists,
                        .failures = status.failures,
                        .bytes_received = status.bytes_received};
  if (status.last_contact) {
    const auto age = base::now() - *status.last_contact;
    described.last_contact = base::wall_now() - std::chrono::duration_cast<base::WallTime::duration>(age);
  }
  return described;
}

// Counters never go down.
void Cluster::Impl::end(const Called& ended) {
  const auto add = [](WatchStatus& total, const Watched& watched) {
    if (!watched.reflector) return;
    WatchStatus last = describe(watched);
    last.error.clear();
    last.last_contact.reset();
    last.is_synced = true;
    total.add(last);
  };
  add(ended_slices, ended.slices);
  add(ended_pods, ended.pods);
}

void Cluster::Impl::publish_now() {
  auto view = std::make_shared<ClusterView>(state.view());
  view->documents_revision = revision;
  for (const Watched& watched : always) view->watches.push_back(describe(watched));
  WatchStatus slices = ended_slices, pods = ended_pods;
  for (const auto& [name, each] : called) {
    slices.add(describe(each.slices));
    if (each.pods.reflector) pods.add(describe(each.pods));
  }
  view->called_watches = {std::move(slices), std::move(pods)};
  is_synced = view->is_synced();
  publish(std::move(view));
}

void Cluster::Impl::publish_status() {
  status_timer.expires_after(is_synced ? kStatusInterval : kStatusSoon);
  status_timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    publish_now();
    publish_status();
  });
}

Cluster::Cluster(Settings settings, Publish publish)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(publish))) {
  impl_->thread = std::thread([impl = impl_.get()] {
    ::pthread_setname_np(::pthread_self(), "kube");
    impl->start();
    impl->publish_status();
    const auto work = asio::make_work_guard(impl->context);
    impl->context.run();
  });
}

Cluster::~Cluster() {
  asio::post(impl_->context, [impl = impl_.get()] {
    impl->called.clear();
    impl->always.clear();
    impl->context.stop();
  });
  impl_->thread.join();
}

void Cluster::set_called(std::set<std::string, std::less<>> hosts) {
  asio::post(impl_->context,
             [impl = impl_.get(), hosts = std::move(hosts)]() mutable { impl->follow(std::move(hosts)); });
}

void Cluster::announce(Event event) {
  asio::post(impl_->context, [impl = impl_.get(), event = std::move(event)]() mutable {
    if (!impl->settings.identity.empty()) impl->events.add(std::move(event));
  });
}

}  // namespace agent::kube
