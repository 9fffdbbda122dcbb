#include "channel/codec.h"

#include <google/protobuf/arena.h>

#include "channel/config_codec.h"
#include "channel/wire_values.h"

namespace channel {
namespace {

using base::Errc;
using base::fail;
using base::Result;
using channel::read;  // beside the overloads here, which would hide them
using channel::write;

void write(pb::AddListener& to, const AddListener& from) {
  to.set_id(from.id);
  if (from.pod) to.set_pod(*from.pod);
  if (!from.fixed) return;
  write(*to.mutable_fixed()->mutable_original_destination(), from.fixed->original_destination);
  to.mutable_fixed()->set_pod(from.fixed->pod);
  if (from.fixed->passthrough) write(*to.mutable_fixed()->mutable_passthrough(), *from.fixed->passthrough);
}

AddListener read(const pb::AddListener& from, std::vector<base::UniqueFd> sockets) {
  if (sockets.empty()) throw Invalid();
  AddListener to{.id = from.id(), .fixed = std::nullopt, .pod = std::nullopt, .sockets = std::move(sockets)};
  if (from.has_pod()) to.pod = from.pod();
  if (!from.has_fixed()) return to;
  to.fixed.emplace();
  to.fixed->original_destination = read(from.fixed().original_destination());
  to.fixed->pod = from.fixed().pod();
  if (from.fixed().has_passthrough()) to.fixed->passthrough = read(from.fixed().passthrough());
  return to;
}

void write(pb::BackendStatus& to, const config::BackendStatus& from) {
  to.set_pod(from.pod);
  to.set_backend(from.backend);
  to.set_connections(from.connections);
  to.set_pending(from.pending);
  to.set_requests(from.requests);
  to.set_retries(from.retries);
  to.set_pending_overflow(from.pending_overflow);
  to.set_retry_overflow(from.retry_overflow);
  to.set_ejections_suppressed(from.ejections_suppressed);
  for (const config::EndpointStatus& endpoint : from.endpoints) {
    pb::EndpointStatus& added = *to.add_endpoints();
    write(*added.mutable_address(), endpoint.address);
    added.set_is_ejected(endpoint.is_ejected);
    added.set_ejection_reason(endpoint.ejection_reason);
    if (endpoint.returns_in) added.set_returns_in_ms(count(*endpoint.returns_in));
    added.set_times_ejected(endpoint.times_ejected);
    added.set_active_requests(endpoint.active_requests);
    added.set_connections(endpoint.connections);
  }
}

config::BackendStatus read(const pb::BackendStatus& from) {
  config::BackendStatus to;
  to.pod = from.pod();
  to.backend = from.backend();
  to.connections = from.connections();
  to.pending = from.pending();
  to.requests = from.requests();
  to.retries = from.retries();
  to.pending_overflow = from.pending_overflow();
  to.retry_overflow = from.retry_overflow();
  to.ejections_suppressed = from.ejections_suppressed();
  for (const pb::EndpointStatus& endpoint : from.endpoints()) {
    config::EndpointStatus& added = to.endpoints.emplace_back();
    added.address = read(endpoint.address());
    added.is_ejected = endpoint.is_ejected();
    added.ejection_reason = endpoint.ejection_reason();
    if (endpoint.has_returns_in_ms()) added.returns_in = milliseconds(endpoint.returns_in_ms());
    added.times_ejected = endpoint.times_ejected();
    added.active_requests = endpoint.active_requests();
    added.connections = endpoint.connections();
  }
  return to;
}

// Writes one message into the frame and collects its descriptors.
struct Writer {
  pb::Frame& frame;
  std::vector<int>& descriptors;

  void add(const base::UniqueFd& fd) {
    if (fd) descriptors.push_back(fd.get());
  }

  void operator()(const Hello& message) {
    frame.mutable_hello()->set_protocol(kProtocol);
    frame.mutable_hello()->set_workers(message.workers);
    add(message.shards);
  }
  void operator()(const ApplyConfig& message) { write(*frame.mutable_config(), *message.config); }
  void operator()(const SetPods& message) {
    frame.mutable_pods();
    for (const config::Pod& pod : message.pods) {
      pb::Pod& added = *frame.mutable_pods()->add_pods();
      added.set_id(pod.id);
      added.set_cgroup_id(pod.cgroup_id);
      added.set_name(pod.name);
      added.set_name_space(pod.name_space);
      added.set_workload(pod.workload);
      added.set_has_own_network(pod.has_own_network);
    }
  }
  void operator()(const AddListener& message) {
    write(*frame.mutable_add_listener(), message);
    for (const base::UniqueFd& socket : message.sockets) add(socket);
  }
  void operator()(const RemoveListener& message) { frame.mutable_remove_listener()->set_id(message.id); }
  void operator()(const AddSockets& message) {
    frame.mutable_add_sockets()->set_pod(message.pod);
    frame.mutable_add_sockets()->set_worker(message.worker);
    frame.mutable_add_sockets()->set_is_v6(message.is_v6);
    for (const base::UniqueFd& socket : message.sockets) add(socket);
  }
  void operator()(const ServiceFound& message) {
    frame.mutable_service_found()->set_address(ip_bytes(message.address));
    frame.mutable_service_found()->set_generation(message.generation);
  }
  void operator()(const SetAccessLog& message) {
    frame.mutable_access_log();
    add(message.file);
  }
  void operator()(const Drain& message) { frame.mutable_drain()->set_deadline_ms(count(message.deadline)); }
  void operator()(const Ping& message) {
    frame.mutable_ping()->set_sequence(message.sequence);
    frame.mutable_ping()->set_asks_for_services(message.asks_for_services);
  }
  void operator()(const StatusRequest& message) { frame.mutable_status_request()->set_sequence(message.sequence); }
  void operator()(const ProxyHello& message) {
    pb::ProxyHello& hello = *frame.mutable_proxy_hello();
    hello.set_protocol(kProtocol);
    hello.set_version(message.version);
    hello.set_generation(message.generation);
    hello.set_listeners(message.listeners);
    for (const std::string& host : message.hosts) hello.add_hosts(host);
    add(message.shards);
  }
  void operator()(const Applied& message) {
    frame.mutable_applied()->set_generation(message.generation);
    frame.mutable_applied()->set_error(message.error);
  }
  void operator()(const Pong& message) {
    frame.mutable_pong()->set_sequence(message.sequence);
    if (!message.used) return;
    pb::Pong::Services& used = *frame.mutable_pong()->mutable_used();
    for (const std::string& host : *message.used) used.add_hosts(host);
  }
  void operator()(const StatusReply& message) {
    frame.mutable_status_reply()->set_sequence(message.sequence);
    for (const config::BackendStatus& backend : message.backends) {
      write(*frame.mutable_status_reply()->add_backends(), backend);
    }
  }
  void operator()(const NeedSockets& message) {
    frame.mutable_need_sockets()->set_pod(message.pod);
    frame.mutable_need_sockets()->set_worker(message.worker);
    frame.mutable_need_sockets()->set_is_v6(message.is_v6);
    frame.mutable_need_sockets()->set_count(message.count);
  }
  void operator()(const TakeOver& message) {
    frame.mutable_take_over()->set_protocol(kProtocol);
    frame.mutable_take_over()->set_owner(message.owner);
  }
  void operator()(const HandedOver& message) {
    frame.mutable_handed_over()->set_listeners(message.listeners);
    frame.mutable_handed_over()->set_refusal(message.refusal);
  }
  void operator()(const FindService& message) { frame.mutable_find_service()->set_address(ip_bytes(message.address)); }
};

std::vector<base::UniqueFd> take(std::vector<base::UniqueFd>& descriptors, std::size_t wanted) {
  if (wanted > descriptors.size()) throw Invalid();
  const auto end = descriptors.begin() + static_cast<std::ptrdiff_t>(wanted);
  std::vector<base::UniqueFd> taken(std::make_move_iterator(descriptors.begin()), std::make_move_iterator(end));
  descriptors.erase(descriptors.begin(), end);
  return taken;
}

base::UniqueFd take_one_if_any(std::vector<base::UniqueFd>& descriptors) {
  if (descriptors.empty()) return {};
  return std::move(take(descriptors, 1).front());
}

void check_protocol(std::uint32_t protocol) {
  if (protocol != kProtocol) throw Invalid();
}

Message read(const pb::Frame& frame, std::vector<base::UniqueFd>& descriptors) {
  switch (frame.body_case()) {
    case pb::Frame::kHello:
      check_protocol(frame.hello().protocol());
      return Hello{.workers = frame.hello().workers(), .shards = take_one_if_any(descriptors)};
    case pb::Frame::kConfig:
      return ApplyConfig{read(frame.config())};
    case pb::Frame::kPods: {
      SetPods message;
      for (const pb::Pod& pod : frame.pods().pods()) {
        message.pods.push_back({.id = pod.id(),
                                .cgroup_id = pod.cgroup_id(),
                                .name = pod.name(),
                                .name_space = pod.name_space(),
                                .workload = pod.workload(),
                                .has_own_network = pod.has_own_network()});
      }
      return message;
    }
    case pb::Frame::kAddListener:
      return read(frame.add_listener(), take(descriptors, descriptors.size()));
    case pb::Frame::kRemoveListener:
      return RemoveListener{frame.remove_listener().id()};
    case pb::Frame::kAddSockets:
      return AddSockets{.pod = frame.add_sockets().pod(),
                        .worker = frame.add_sockets().worker(),
                        .is_v6 = frame.add_sockets().is_v6(),
                        .sockets = take(descriptors, descriptors.size())};
    case pb::Frame::kServiceFound:
      return ServiceFound{.address = read_ip(frame.service_found().address()),
                          .generation = frame.service_found().generation()};
    case pb::Frame::kAccessLog:
      return SetAccessLog{take_one_if_any(descriptors)};
    case pb::Frame::kDrain:
      return Drain{milliseconds(frame.drain().deadline_ms())};
    case pb::Frame::kPing:
      return Ping{.sequence = frame.ping().sequence(), .asks_for_services = frame.ping().asks_for_services()};
    case pb::Frame::kStatusRequest:
      return StatusRequest{frame.status_request().sequence()};
    case pb::Frame::kProxyHello: {
      const pb::ProxyHello& hello = frame.proxy_hello();
      check_protocol(hello.protocol());
      return ProxyHello{.version = hello.version(),
                        .generation = hello.generation(),
                        .listeners = hello.listeners(),
                        .hosts = {hello.hosts().begin(), hello.hosts().end()},
                        .shards = take_one_if_any(descriptors)};
    }
    case pb::Frame::kApplied:
      return Applied{frame.applied().generation(), frame.applied().error()};
    case pb::Frame::kPong: {
      Pong message{.sequence = frame.pong().sequence()};
      const auto& hosts = frame.pong().used().hosts();
      if (frame.pong().has_used()) message.used.emplace(hosts.begin(), hosts.end());
      return message;
    }
    case pb::Frame::kStatusReply: {
      StatusReply message{.sequence = frame.status_reply().sequence(), .backends = {}};
      for (const pb::BackendStatus& backend : frame.status_reply().backends())
        message.backends.push_back(read(backend));
      return message;
    }
    case pb::Frame::kNeedSockets:
      return NeedSockets{.pod = frame.need_sockets().pod(),
                         .worker = frame.need_sockets().worker(),
                         .is_v6 = frame.need_sockets().is_v6(),
                         .count = frame.need_sockets().count()};
    case pb::Frame::kFindService:
      return FindService{.address = read_ip(frame.find_service().address())};
    case pb::Frame::kTakeOver:
      check_protocol(frame.take_over().protocol());
      return TakeOver{.owner = frame.take_over().owner()};
    case pb::Frame::kHandedOver:
      return HandedOver{.listeners = frame.handed_over().listeners(), .refusal = frame.handed_over().refusal()};
    case pb::Frame::BODY_NOT_SET:
      break;
  }
  throw Invalid();
}

// A configuration is 100,000 small messages, made and thrown away together.
google::protobuf::ArenaOptions arena_options() {
  google::protobuf::ArenaOptions options;
  options.max_block_size = std::size_t{256} * 1024;
  return options;
}

}  // namespace

Encoded encode(const Message& message) {
  Encoded encoded;
  google::protobuf::Arena arena(arena_options());
  pb::Frame& frame = *google::protobuf::Arena::CreateMessage<pb::Frame>(&arena);
  std::visit(Writer{frame, encoded.descriptors}, message);
  frame.set_descriptors(static_cast<std::uint32_t>(encoded.descriptors.size()));
  frame.SerializeToString(&encoded.bytes);
  return encoded;
}

Result<Message> decode(std::string_view bytes, std::vector<base::UniqueFd>& descriptors) {
  google::protobuf::Arena arena(arena_options());
  pb::Frame& frame = *google::protobuf::Arena::CreateMessage<pb::Frame>(&arena);
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(Errc::invalid, "a frame that is not one of ours");
  }
  try {
    std::vector<base::UniqueFd> own = take(descriptors, frame.descriptors());
    return read(frame, own);
  } catch (const Invalid&) {
    return fail(Errc::invalid, "a frame with values that cannot be");
  }
}

}  // namespace channel
