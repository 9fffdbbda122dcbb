// A whole worker between a caller and an endpoint that say whatever they like, whenever they like: what neither of the
// parsers' targets sees is how the states of a connection, a request and an attempt meet.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <future>
#include <string>
#include <vector>

#include "config/compile/compile.h"
#include "config/documents.h"
#include "proxy/http1/body.h"
#include "proxy/http1/head.h"
#include "proxy/worker.h"
#include "telemetry/shared_memory.h"
#include "tests/fuzz/require.h"

using fuzz::require;
using namespace proxy::http1;

namespace {

// In every head that the proxy writes, and in no input: a head without it was made up by one side for the other.
constexpr std::string_view kOperation = "nonce-6b1f.default.svc.cluster.local:80/*";
constexpr std::string_view kServer = "nonce-92ad";

base::UniqueFd listen_on_loopback(base::SocketAddress& address) {
  base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t size = base::SocketAddress::parse("127.0.0.1:0")->to_sockaddr(storage);
  auto* const plain = reinterpret_cast<sockaddr*>(&storage);
  require(::bind(socket.get(), plain, size) == 0 && ::listen(socket.get(), 64) == 0, "there is a port");
  ::getsockname(socket.get(), plain, &size);
  address = base::SocketAddress::from_sockaddr(storage);
  return socket;
}

std::string documents(std::uint16_t port) {
  return "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: s}\nspec:\n"
         "  hosts: [nonce-6b1f.default.svc.cluster.local]\n  addresses: [127.77.0.9]\n  resolution: STATIC\n"
         "  ports: [{number: 80, name: http, protocol: HTTP}]\n  endpoints:\n"
         "  - {address: 127.0.0.1, ports: {http: " +
         std::to_string(port) +
         "}}\n"
         "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: s}\nspec:\n"
         "  hosts: [nonce-6b1f]\n  http:\n"
         "  - retries: {attempts: 2, retryOn: '5xx,reset', backoff: 1ms}\n    route: [{destination: {host: "
         "nonce-6b1f}}]\n"
         "---\napiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: client, labels: {app: client}}\n"
         "spec: {selectors: [{cgroup: /client}]}\n"
         "---\napiVersion: fairlead.dev/v1alpha1\nkind: Settings\nmetadata: {name: s}\nspec:\n"
         "  serverHeader: nonce-92ad\n  accessLog: {format: json}\n"
         "  limits: {requestHeadBytes: 1024, responseHeadBytes: 1024, retryBufferBytes: 256, streamBufferBytes: 4096,\n"
         "           delayedClose: 1ms}\n";
}

class World {
 public:
  World() {
    auto memory = ::telemetry::SharedMemory::create(1, 1000);
    shards_ = std::move(*proxy::telemetry::ShardSet::attach(std::move(*memory->duplicate_fd())));
    demands_ = std::move(*proxy::Demands::create());
    base::SocketAddress endpoint;
    endpoint_ = listen_on_loopback(endpoint);
    const auto loaded =
        config::load_documents(std::vector<config::SourceFile>{{"fuzz.yaml", documents(endpoint.port)}});
    require(loaded.findings.empty(), "the documents are good");
    auto compiled = std::make_shared<config::NodeConfig>(config::compile(loaded.documents, 1).config);

    worker_ = std::move(*proxy::Worker::create(0, nullptr, *shards_, pods_, *demands_, 1000));
    worker_->set_access_log(base::UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC)));
    worker_->set_pods(std::make_shared<std::vector<config::Pod>>(
        std::vector<config::Pod>{{.id = 1, .cgroup_id = 0, .name = "client", .name_space = "default", .workload = 0}}));
    worker_->add_listener(
        1, listen_on_loopback(address_),
        proxy::ListenerSpec::Fixed{.original_destination = *base::SocketAddress::parse("127.77.0.9:80"),
                                   .pod = 1,
                                   .passthrough = *base::SocketAddress::parse("127.0.0.1:1")});
    worker_->apply(std::move(*proxy::Snapshot::build(compiled, base::now())));
    worker_->start();
  }

  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { worker_->stop(); }

  // Returns when the worker has handled what was there before the call: what is sent over loopback has arrived.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      std::promise<void> done;
      worker_->loop().post([&] { done.set_value(); });
      done.get_future().wait();
    }
  }

  base::UniqueFd connect() {
    base::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage{};
    const socklen_t size = address_.to_sockaddr(storage);
    require(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0, "the proxy listens");
    return socket;
  }
  base::UniqueFd accept() { return base::UniqueFd(::accept4(endpoint_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

  // Once nobody is connected, nothing is in use.
  void require_rest() {
    const base::TimePoint deadline = base::now() + std::chrono::seconds(5);
    while (worker_->open_connections() != 0 || !is_at_rest()) {
      require(base::now() < deadline, "what is over gives back what it held");
      settle();
    }
  }

 private:
  bool is_at_rest() {
    for (const auto& pod : pods_.list()) {
      for (const auto& [name, backend] : pod->backends()) {
        if (backend->limits.pending.in_use() + backend->limits.requests.in_use() + backend->limits.retries.in_use() !=
            0)
          return false;
        for (const auto& endpoint : backend->endpoints()) {
          if (endpoint->active_requests.load() != 0) return false;
        }
      }
      if (pod->buffered_bytes.load() != 0 || pod->connections.load() != 0) return false;
    }
    return true;
  }

  std::unique_ptr<proxy::telemetry::ShardSet> shards_;
  std::unique_ptr<proxy::Demands> demands_;
  proxy::upstream::SharedPods pods_;
  base::UniqueFd endpoint_;
  base::SocketAddress address_;
  std::unique_ptr<proxy::Worker> worker_;
};

struct Peer {
  base::UniqueFd socket;
  std::string sent, received;

  void send(std::string_view bytes) {
    if (!socket) return;
    const ssize_t count = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) sent += bytes.substr(0, static_cast<std::size_t>(count));
  }
  void receive() {
    std::array<char, 65536> chunk;
    for (;;) {
      if (!socket) return;
      const ssize_t count = ::recv(socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (count <= 0) return;
      received.append(chunk.data(), static_cast<std::size_t>(count));
    }
  }
  void reset() {
    if (!socket) return;
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket.reset();
  }
};

// Skips a body; false when it goes on beyond `bytes`.
bool skip_body(std::string_view& bytes, BodyKind kind, std::uint64_t length) {
  BodyDecoder decoder;
  decoder.start(kind, length);
  std::string copy(bytes);
  const BodyDecoder::Step step = decoder.decode(copy.data(), copy.size());
  require(!step.is_error, "the proxy frames bodies properly");
  bytes.remove_prefix(step.consumed);
  return decoder.is_done();
}

// The methods and versions of the requests that the caller has sent, as far as they are well-formed.
std::vector<bool> heads_asked_for(std::string_view bytes) {
  std::vector<bool> all;
  RequestHead head;
  for (;;) {
    bytes.remove_prefix(leading_blank_bytes(bytes));
    if (parse_request_head(bytes, {.max_bytes = 1024}, head).status != ParseStatus::complete) return all;
    all.push_back(head.is_head_method);
    bytes.remove_prefix(head.size);
    BodyDecoder decoder;
    decoder.start(head.body, head.content_length);
    std::string copy(bytes);
    const BodyDecoder::Step step = decoder.decode(copy.data(), copy.size());
    if (step.is_error || !decoder.is_done()) return all;
    bytes.remove_prefix(step.consumed);
  }
}

void require_own_requests(std::string_view bytes) {
  RequestHead head;
  while (!bytes.empty()) {
    const ParseResult parsed = parse_request_head(bytes, {}, head);
    require(parsed.status != ParseStatus::error, "the endpoint is sent well-formed requests");
    if (parsed.status == ParseStatus::incomplete) return;
    const Header* const operation = head.find(HeaderId::decorator_operation);
    require(operation != nullptr && value_of(bytes, *operation) == kOperation,
            "the endpoint is sent no other requests");
    if (head.is_websocket_upgrade) return;
    bytes.remove_prefix(head.size);
    if (!skip_body(bytes, head.body, head.content_length)) return;
  }
}

void require_own_responses(std::string_view bytes, const std::vector<bool>& asked) {
  ResponseHead head;
  for (std::size_t answered = 0; !bytes.empty();) {
    const bool is_head = answered < asked.size() && asked[answered];
    const ParseResult parsed = parse_response_head(bytes, {.max_bytes = 80 * 1024}, is_head, head);
    require(parsed.status != ParseStatus::error, "the caller is sent well-formed responses");
    if (parsed.status == ParseStatus::incomplete) return;
    if (head.status == 101) return;
    if (head.status >= 200) {
      const Header* const server = head.find(HeaderId::server);
      require(server != nullptr && value_of(bytes, *server) == kServer, "the caller is sent no other responses");
      // One more than there are well-formed requests refuses what follows them.
      require(answered++ <= asked.size(), "there is at most one response for each request");
    }
    bytes.remove_prefix(head.size);
    if (!skip_body(bytes, head.body, head.content_length)) return;
  }
}

}  // namespace

// The input is a script. Each step is a byte that says what happens, with a size where bytes follow; a step of the
// caller or of the endpoint is settled before the next, unless the top bit is set.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  std::string_view script(reinterpret_cast<const char*>(data), size);
  const auto take = [&](std::size_t count) {
    const std::string_view taken = script.substr(0, count);
    script.remove_prefix(taken.size());
    return taken;
  };
  std::vector<Peer> callers(1);
  std::vector<Peer> endpoints;
  callers.back().socket = world.connect();
  while (!script.empty()) {
    const auto step = static_cast<std::uint8_t>(take(1).front());
    const std::string_view count = (step & 7) < 2 ? take(1) : std::string_view();
    const std::string_view bytes = count.empty() ? count : take(static_cast<std::uint8_t>(count.front()));
    Peer& caller = callers.back();
    Peer* const endpoint = endpoints.empty() ? nullptr : &endpoints.back();
    switch (step & 7) {
      case 0:
        caller.send(bytes);
        break;
      case 1:
        if (endpoint != nullptr) endpoint->send(bytes);
        break;
      case 2:
        if (caller.socket) ::shutdown(caller.socket.get(), SHUT_WR);
        break;
      case 3:
        if (endpoint != nullptr && endpoint->socket) ::shutdown(endpoint->socket.get(), SHUT_WR);
        break;
      case 4:
        if (endpoint != nullptr) endpoint->reset();
        break;
      case 5:
        caller.reset();
        break;
      case 6:
        if (callers.size() < 4) callers.emplace_back().socket = world.connect();
        break;
      default:
        ::poll(nullptr, 0, 2);  // time for a back-off
        break;
    }
    if ((step & 0x80) != 0) continue;
    world.settle();
    if (base::UniqueFd accepted = world.accept()) endpoints.emplace_back().socket = std::move(accepted);
    for (Peer& peer : callers) peer.receive();
    for (Peer& peer : endpoints) peer.receive();
  }
  world.settle();
  for (Peer& peer : callers) {
    peer.receive();
    require_own_responses(peer.received, heads_asked_for(peer.sent));
    peer.reset();
  }
  world.settle();
  while (base::UniqueFd accepted = world.accept()) endpoints.emplace_back().socket = std::move(accepted);
  for (Peer& peer : endpoints) {
    peer.receive();
    require_own_requests(peer.received);
    peer.reset();  // or this run's ports would all be in TIME_WAIT
  }
  world.require_rest();
  return 0;
}
