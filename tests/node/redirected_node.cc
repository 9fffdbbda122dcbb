#include "tests/node/redirected_node.h"

#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "proxy/listener/original_destination.h"

namespace node {

using base::SocketAddress;
using base::UniqueFd;

std::ostream& operator<<(std::ostream& out, const Record& record) {
  return out << record.destination.to_string() << " by cgroup " << record.cgroup_id;
}

std::optional<Record> record_of(const UniqueFd& connection) {
  const auto original = proxy::original_destination(connection.get());
  if (!original) return std::nullopt;
  return Record{original->address, original->cgroup_id};
}

std::optional<SocketAddress> original_dst_of(const UniqueFd& connection, int family) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  const int level = family == AF_INET ? SOL_IP : SOL_IPV6;
  if (::getsockopt(connection.get(), level, SO_ORIGINAL_DST, &storage, &size) != 0) return std::nullopt;
  return SocketAddress::from_sockaddr(storage);
}

RedirectedNode::RedirectedNode() : datapath_(need(agent::Datapath::open(node_.options()))) {
  add_to_loopback("fd00:8::1");
  service4_ = listen_on(kService4);
  service6_ = listen_on(kService6);
  other4_ = listen_on(kOther4);
  need(datapath_.attach_proxy(node_.cgroup("proxy")));
  start_proxy();
  need(datapath_.set_destinations(std::array{kService4, kService6}));
  app_ = need(datapath_.attach_workload(node_.cgroup("app")));
}

void RedirectedNode::start_proxy() {
  proxy4_ = listen_on(address("127.0.0.1:15001"), 4096);
  proxy6_ = listen_on(address("[::1]:15001"), 4096);
  need(datapath_.register_listener(proxy4_.get()));
  need(datapath_.register_listener(proxy6_.get()));
}

void RedirectedNode::stop_proxy() {
  need(datapath_.unregister_listeners(std::array{proxy4_.get(), proxy6_.get()}, kPatience));
  proxy4_.reset();
  proxy6_.reset();
}

std::string RedirectedNode::who_was_reached() {
  const auto any = [](std::initializer_list<const UniqueFd*> listeners) {
    bool has_any = false;
    for (const UniqueFd* listener : listeners) {
      while (*listener && has_connection(*listener)) {
        has_any = true;
        accept_from(*listener);
      }
    }
    return has_any;
  };
  const bool is_proxy = any({&proxy4_, &proxy6_});
  const bool is_service = any({&service4_, &service6_, &other4_});
  if (is_proxy && is_service) return "both";
  return is_proxy ? "proxy" : is_service ? "service" : "nobody";
}

std::uint64_t RedirectedNode::count(std::string_view reason) const {
  const auto verdicts = need(datapath_.verdicts());
  const auto found =
      std::find_if(verdicts.begin(), verdicts.end(), [&](const auto& each) { return each.reason == reason; });
  return found == verdicts.end() ? ~0ULL : found->count;
}

std::uint64_t RedirectedNode::handshakes() const {
  const auto maps = datapath_.map_use();
  const auto found = std::find_if(maps.begin(), maps.end(), [](const auto& each) { return each.name == "handshakes"; });
  return found == maps.end() ? ~0ULL : found->entries;
}

}  // namespace node
