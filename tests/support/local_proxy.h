#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/telemetry/identity_table.h"
#include "proxy/server.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/http_client.h"

namespace tests::support {

inline constexpr const char* kHost = "greeter-service:3000";

// The proxy in this process: documents go in as a user writes them, real connections go through, the access log comes
// out line by line. What cannot be set up throws.
class LocalProxy {
 public:
  LocalProxy();
  ~LocalProxy();
  LocalProxy(const LocalProxy&) = delete;
  LocalProxy& operator=(const LocalProxy&) = delete;

  // Another endpoint of greeter-service, with label version: v1, v2, ... in the order of the calls. Before start().
  FakeUpstream& add_upstream(Handler handler = reply());
  // Where callers connect to, in place of greeter-service. Before start().
  void dial(const base::SocketAddress& address) { destination_ = address; }
  // Where bytes that are not HTTP, and requests for unknown hosts, go. Before start().
  void pass_to(const base::SocketAddress& address) { passthrough_ = address; }
  // How many descriptors the proxy takes itself to have. Before start().
  void set_descriptors(std::uint64_t count) { descriptors_ = count; }
  // As where io_uring is not allowed. Before start().
  void use_no_send_rings() { has_send_rings_ = false; }
  // In place of the pipe that log_line() reads. Before start().
  void log_to(base::UniqueFd file) { log_file_ = std::move(file); }
  // Starts the proxy with these policies for the workload client.default. `settings`: fields of a Settings document.
  void start(const std::string& policies = "", std::uint32_t workers = 1, const std::string& settings = "");
  // The first half of start(): there is a listener and no configuration; apply() is the other half.
  void listen(std::uint32_t workers = 1);
  // Replaces the policies; returns when new requests see them.
  void apply(const std::string& policies);

  [[nodiscard]] HttpClient client() const { return HttpClient(address_); }
  ClientResponse get(const std::string& path = "/") const { return client().get(path, kHost); }
  // The next line of the access log that nobody has read yet; throws when none comes.
  std::string log_line();
  // The value of a member of that line, as it is written: 504, "UT", null.
  static std::string member(const std::string& line, const std::string& name);

  struct Ejection {
    std::string address, reason;
    std::uint32_t times = 0;
  };
  [[nodiscard]] std::vector<Ejection> ejections();
  [[nodiscard]] std::uint64_t ejections_suppressed();

  [[nodiscard]] proxy::Server& server() { return *server_; }
  // A sample of the metrics page, by its name and labels as they stand there; nothing when there is none.
  [[nodiscard]] std::optional<double> sample(const std::string& name) const;
  [[nodiscard]] bool becomes(const std::string& name, double value) const;
  // Within ten seconds.
  [[nodiscard]] static bool becomes_true(const std::function<bool()>& condition);
  // What the first worker counts.
  [[nodiscard]] const ::telemetry::WorkerCounters& counters() const { return shards_->memory().worker(0); }

 private:
  [[nodiscard]] std::string documents(const std::string& policies) const;
  void compile_and_apply(const std::string& text);

  std::deque<FakeUpstream> upstreams_;
  std::string settings_;
  agent::telemetry::IdentityTable identities_;
  std::unique_ptr<proxy::telemetry::ShardSet> shards_;
  base::UniqueFd log_file_;
  base::UniqueFd log_;  // the reading end of a pipe; outlives who writes
  std::unique_ptr<proxy::Server> server_;
  base::SocketAddress address_;
  base::SocketAddress destination_;
  std::optional<base::SocketAddress> passthrough_;
  std::uint64_t descriptors_ = 1024;
  bool has_send_rings_ = true;
  std::string unread_;
  std::uint64_t generation_ = 0;
};

// A VirtualService and a DestinationRule for greeter-service with these specs, in flow style.
std::string virtual_service(const std::string& http);
std::string destination_rule(const std::string& traffic_policy);

}  // namespace tests::support
