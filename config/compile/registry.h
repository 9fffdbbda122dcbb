#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "config/documents.h"

namespace config {

// Every service that documents declare, whatever kind they are, with its endpoints.
class Registry {
 public:
  struct Entry {
    Service service;
    std::vector<PortDeclaration> ports;
    std::vector<EndpointDeclaration> endpoints;
    std::vector<std::string> export_to;
    bool is_kubernetes = false;  // a Service of Kubernetes, not a ServiceEntry
    bool is_in_use = true;       // Documents::services_in_use
    Origin origin;
  };

  // Of two services with one host the first is kept, and a finding says so.
  Registry(const Documents& documents, std::vector<Finding>& findings);

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  // By its exact host; nullopt when there is none.
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view host) const;

  // Those whose host `pattern` covers, in the order of entries().
  [[nodiscard]] std::vector<const Entry*> covered_by(std::string_view pattern) const;

  // The endpoints of one port whose labels include `subset`.
  [[nodiscard]] std::vector<Endpoint> endpoints(const Entry& entry, const PortDeclaration& port,
                                                const Labels& subset) const;

 private:
  void add(Entry entry, std::vector<Finding>& findings);
  WorkloadIdentity identity_of(const EndpointDeclaration& endpoint, const std::string& name_space) const;

  void index_workloads(const Documents& documents);

  std::vector<Entry> entries_;
  std::map<std::string, std::uint32_t, std::less<>> by_host_;
  // Workloads with labels, by namespace and their first label: an endpoint is of one that has only labels of its own.
  using FirstLabel = std::tuple<std::string_view, std::string_view, std::string_view>;
  std::map<FirstLabel, std::vector<const WorkloadDocument*>> workloads_;
};

// What labels say about a workload (OBSERVABILITY 2); `workload` is its name where the labels do not give one.
WorkloadIdentity identity_from_labels(const Labels& labels, std::string_view workload, std::string_view name_space);

// Whether every label of `subset` is in `labels`.
bool includes(const Labels& labels, const Labels& subset);

// exportTo: whether a document of `owner` is visible in `viewer`.
bool is_visible(const std::vector<std::string>& export_to, std::string_view owner, std::string_view viewer);

// web.shop.svc.<domain>.
std::string kubernetes_host(const Metadata& service, std::string_view domain);

// "web.shop" where `host` is web.shop.svc.<domain>; empty for any other host.
std::optional<std::pair<std::string, std::string>> kubernetes_name(std::string_view host, std::string_view domain);

}  // namespace config
