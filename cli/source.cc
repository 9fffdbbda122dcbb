#include "cli/source.h"

#include <cstdio>

#include "base/socket_address.h"
#include "cli/cluster/agents.h"
#include "cli/exit_code.h"

namespace cli {
namespace {

base::Result<Answers> ask_host(const std::string& admin_address) {
  const auto address = base::SocketAddress::parse(admin_address);
  if (!address) return base::fail(base::Errc::invalid, "--admin: " + address.error().message);
  auto page = admin::fetch(*address, "/config_dump");
  if (!page) return tl::unexpected(page.error());
  auto node = admin::parse_node(*page);
  if (!node) return tl::unexpected(node.error());
  const auto clusters = admin::fetch(*address, "/clusters?format=json");
  if (!clusters) return tl::unexpected(clusters.error());
  auto backends = admin::parse_backends(*clusters);
  if (!backends) return tl::unexpected(backends.error());
  Answers answers;
  NodeReport& report = answers.fleet.emplace_back();
  report.config_dump = std::move(*page);
  report.clusters = *clusters;
  report.view = std::move(*node);
  report.backends = std::move(*backends);
  return answers;
}

base::Result<Answers> ask_cluster(const cluster::Options& options) {
  const auto connection = cluster::Connection::open(options);
  if (!connection) return tl::unexpected(connection.error());
  auto fleet = cluster::read_fleet(*connection, options.fairlead_namespace);
  if (!fleet) return tl::unexpected(fleet.error());
  return Answers{std::move(*fleet), connection->name_space()};
}

}  // namespace

base::Result<Answers> ask(const Source& source) {
  return source.cluster ? ask_cluster(*source.cluster) : ask_host(source.admin);
}

int refuse(const std::string& command, const base::Error& error) {
  std::fprintf(stderr, "fairlead %s: %s\n", command.c_str(), error.message.c_str());
  return error.code == base::Errc::invalid ? kUsage : kBad;
}

}  // namespace cli
