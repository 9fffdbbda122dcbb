// What an agent costs in a large cluster: its memory, what it reads, and what it does when nothing concerns it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "agent/kube/spawn.h"
#include "base/mounts.h"
#include "channel/connection.h"
#include "tests/cluster/control_plane.h"

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::ip::tcp;

constexpr int kCalled = 5;  // services
constexpr std::chrono::seconds kLimit{60};

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// Between an agent and the API server: counts what the latter sends, encrypted as it is.
class CountingRelay {
 public:
  explicit CountingRelay(std::uint16_t port) : target_(asio::ip::address_v4::loopback(), port) {
    spawn(context_, accept(), "relay");
    thread_ = std::thread([this] { context_.run(); });
  }
  ~CountingRelay() {
    context_.stop();
    thread_.join();
  }
  CountingRelay(const CountingRelay&) = delete;
  CountingRelay& operator=(const CountingRelay&) = delete;

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t connections() const { return connections_; }

 private:
  using Socket = std::shared_ptr<tcp::socket>;

  asio::awaitable<void> accept() {
    for (;;) {
      const auto from = std::make_shared<tcp::socket>(co_await acceptor_.async_accept(asio::use_awaitable));
      const auto to = std::make_shared<tcp::socket>(context_);
      boost::system::error_code error;
      co_await to->async_connect(target_, asio::redirect_error(asio::use_awaitable, error));
      ++connections_;
      spawn(context_, pump(from, to, nullptr), "relay");
      spawn(context_, pump(to, from, &bytes_), "relay");
    }
  }
  static asio::awaitable<void> pump(Socket from, Socket to, std::atomic<std::uint64_t>* count) {
    std::vector<char> chunk(64 * 1024);
    boost::system::error_code error;
    while (!error) {
      const std::size_t size =
          co_await from->async_read_some(asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, error));
      if (count != nullptr) *count += size;
      if (!error) {
        co_await asio::async_write(*to, asio::buffer(chunk, size), asio::redirect_error(asio::use_awaitable, error));
      }
    }
    boost::system::error_code ignored;
    to->shutdown(tcp::socket::shutdown_send, ignored);
  }

  asio::io_context context_{1};
  tcp::endpoint target_;
  tcp::acceptor acceptor_{context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::atomic<std::uint64_t> bytes_ = 0, connections_ = 0;
  std::thread thread_;
};

// The proxy's end of the channel: takes every configuration, and asks for services as connections to them would.
class FakeProxy {
 public:
  explicit FakeProxy(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const base::TimePoint deadline = base::now() + kLimit;
    for (;;) {
      base::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        connection_.emplace(std::move(socket));
        send(channel::ProxyHello{.version = "test"});
        return;
      }
      if (base::now() > deadline) throw std::runtime_error("the agent does not listen on " + path);
      std::this_thread::sleep_for(10ms);
    }
  }

  // Waits a moment when there are none.
  void take_messages() {
    pollfd readable{.fd = connection_->fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, 10);
    const auto taken = connection_->receive(
        [this](channel::Message message) { std::visit([this](auto& each) { on(each); }, message); });
    if (!taken || !*taken) throw std::runtime_error("the agent closed the channel");
  }
  void find(const std::string& address) {
    found.reset();
    send(channel::FindService{*base::IpAddress::parse(address)});
  }

  std::shared_ptr<const config::NodeConfig> config;
  std::optional<std::uint64_t> found;

 private:
  void send(const channel::Message& message) {
    if (auto sent = connection_->send(message); !sent) throw std::runtime_error(sent.error().message);
  }
  void on(channel::ApplyConfig& apply) {
    config = std::move(apply.config);
    send(channel::Applied{.generation = config->generation, .error = {}});
  }
  void on(const channel::Ping& ping) { send(channel::Pong{ping.sequence}); }
  void on(const channel::StatusRequest& asked) {
    send(channel::StatusReply{.sequence = asked.sequence, .backends = {}});
  }
  void on(const channel::ServiceFound& answer) { found = answer.generation; }
  template <typename Other>
  void on(const Other&) {}

  std::optional<channel::Connection> connection_;
};

void remove_cgroup(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) remove_cgroup(entry.path());
  }
  EXPECT_EQ(::rmdir(folder.c_str()), 0) << folder << ": " << std::strerror(errno);
}

// The agent as a DaemonSet runs it, with a file system for pins and a tree of cgroups of its own.
class AgentProcess {
 public:
  AgentProcess(const std::string& kubeconfig, const std::string& folder) {
    const auto cgroup2 = base::find_cgroup2(base::read_mountinfo());
    if (!cgroup2) throw std::runtime_error("no cgroup2");
    cgroup_ = *cgroup2 + "/fairlead-scale-" + std::to_string(::getpid());
    fs::create_directory(cgroup_);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0 ||
        ::mount(cgroup_.c_str(), cgroup_.c_str(), "", MS_BIND, nullptr) != 0) {
      throw std::runtime_error("mount a bpffs and a tree of cgroups");
    }
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string program = FAIRLEAD_AGENT;
      const std::string runtime = folder + "/run";
      ::execl(program.c_str(), program.c_str(), "--kubernetes", "--kubeconfig", kubeconfig.c_str(), "--node",
              "fairlead-node", "--external-proxy", "--workers", "1", "--admin", "127.0.0.1:0", "--runtime-dir",
              runtime.c_str(), "--cgroup2", cgroup_.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~AgentProcess() {
    ::kill(pid_, SIGKILL);  // otherwise it would end its proxy, which is this process
    ::waitpid(pid_, nullptr, 0);
    ::umount2("/sys/fs/bpf", MNT_DETACH);
    ::umount2(cgroup_.c_str(), MNT_DETACH);
    // The agent has put its proxy, which is this process, into a cgroup of its own.
    std::ofstream(fs::path(cgroup_).parent_path() / "cgroup.procs") << "0" << std::flush;
    remove_cgroup(cgroup_);
  }
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  [[nodiscard]] std::uint64_t resident_kib() const {
    const std::string status = read_file("/proc/" + std::to_string(pid_) + "/status");
    return std::stoull(status.substr(status.find("VmRSS:") + 6));
  }
  // Of all its threads, user and kernel.
  [[nodiscard]] std::chrono::milliseconds cpu() const {
    const std::string stat = read_file("/proc/" + std::to_string(pid_) + "/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    long user = 0, kernel = 0;
    fields >> user >> kernel;
    return std::chrono::milliseconds((user + kernel) * 1000 / ::sysconf(_SC_CLK_TCK));
  }

 private:
  pid_t pid_ = -1;
  std::string cgroup_;
};

class LargeCluster : public ::testing::Test {
 protected:
  LargeCluster() {
    std::string path = (fs::temp_directory_path() / "fairlead-scale-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = path;
    ControlPlane::script("service stop kube-controller-manager");
    if (!control_plane_.answers("/api/v1/namespaces/scale-49/services/svc-4999")) {
      std::cout << ControlPlane::script("node " FAIRLEAD_FILL " fairlead-node");
      ControlPlane::script("crds istio");
    }
    relay_.emplace(control_plane_.config().port);
    std::string kubeconfig = read_file(control_plane_.state_folder() + "/kubeconfig");
    const std::string port = ":" + std::to_string(control_plane_.config().port);
    kubeconfig.replace(kubeconfig.find(port), port.size(), ":" + std::to_string(relay_->port()));
    std::ofstream(folder_ + "/kubeconfig") << kubeconfig;
  }
  ~LargeCluster() override {
    proxy_.reset();
    agent_.reset();
    fs::remove_all(folder_);
  }

  bool run_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = kLimit) {
    return control_plane_.run_until(
        [&] {
          proxy_->take_messages();
          return condition();
        },
        limit);
  }
  void run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
  }
  static std::string address(int service) {
    return "10.96." + std::to_string(32 + service / 200) + "." + std::to_string(1 + service % 200);
  }
  void change_endpoint(int service, int change) {
    const std::string name = "svc-" + std::to_string(service);
    std::string number = std::to_string(service % 50);
    number.insert(0, 2 - number.size(), '0');
    control_plane_.patch("/apis/discovery.k8s.io/v1/namespaces/scale-" + number + "/endpointslices/" + name,
                         R"({"endpoints":[{"addresses":["10.200.0.)" + std::to_string(change + 1) +
                             R"("],"conditions":{"ready":true}}]})");
  }
  [[nodiscard]] std::size_t services() const { return proxy_->config->services.size(); }
  [[nodiscard]] std::size_t endpoints() const {
    std::size_t most = 0;
    for (const auto& backend : proxy_->config->backends) most = std::max(most, backend.endpoints.size());
    return most;
  }

  ControlPlane control_plane_;
  std::string folder_;
  std::optional<CountingRelay> relay_;
  std::optional<AgentProcess> agent_;
  std::optional<FakeProxy> proxy_;
};

void report(const std::string& what, double number, const char* unit) {
  std::cout << "  " << what << ": " << number << " " << unit << "\n";
}

TEST_F(LargeCluster, CostsWhatItsNodeUses) {
  const base::TimePoint start = base::now();
  agent_.emplace(folder_ + "/kubeconfig", folder_);
  proxy_.emplace(folder_ + "/run/agent.sock");
  ASSERT_TRUE(run_until([&] { return proxy_->config != nullptr; }));
  report("until it serves", std::chrono::duration<double>(base::now() - start).count(), "s");
  const std::uint64_t read = relay_->bytes();
  report("read until then", static_cast<double>(read) / 1e6, "MB");
  report("its memory", static_cast<double>(agent_->resident_kib()) / 1024, "MiB");
  report("its CPU time", static_cast<double>(agent_->cpu().count()), "ms");
  EXPECT_EQ(services(), 0U) << "nobody has called any";
  EXPECT_LT(read, 6'000'000U) << "services and the node's own pods; 20,000 pods and endpoints are five times that";
  EXPECT_LT(relay_->connections(), 12U);

  double longest = 0;
  for (int service = 0; service < kCalled; ++service) {
    const base::TimePoint asked = base::now();
    proxy_->find(address(service * 7));
    ASSERT_TRUE(run_until([&] { return proxy_->found.has_value(); }));
    EXPECT_NE(*proxy_->found, 0U);
    longest = std::max(longest, std::chrono::duration<double, std::milli>(base::now() - asked).count());
  }
  report("a service on first use, the slowest", longest, "ms");
  EXPECT_EQ(services(), static_cast<std::size_t>(kCalled));
  EXPECT_EQ(endpoints(), 4U);
  EXPECT_LT(relay_->bytes() - read, 400'000U) << "their endpoints and pods' labels, and nobody else's";
  report("read for five services", static_cast<double>(relay_->bytes() - read) / 1000, "kB");

  // What happens to services that nobody calls.
  run_for(1s);
  const std::uint64_t before_others = relay_->bytes();
  auto cpu = agent_->cpu();
  for (int change = 0; change < 50; ++change) change_endpoint(1000 + change, change);
  run_for(1s);
  report("read for 50 changes of endpoints elsewhere", static_cast<double>(relay_->bytes() - before_others), "bytes");
  EXPECT_LT(relay_->bytes() - before_others, 20'000U);

  // One change a second of a service that is called.
  cpu = agent_->cpu();
  constexpr int kChanges = 10;
  const base::TimePoint began = base::now();
  for (int change = 0; change < kChanges; ++change) {
    const std::uint64_t generation = proxy_->config->generation;
    change_endpoint(0, change);
    EXPECT_TRUE(run_until([&] { return proxy_->config->generation > generation; })) << change;
    while (base::now() < began + (change + 1) * 1s) run_for(20ms);
  }
  const double used = std::chrono::duration<double>(agent_->cpu() - cpu) / (base::now() - began);
  report("CPU for one change of an endpoint a second", used * 100, "% of a core");
  EXPECT_LT(used, 0.25);

  cpu = agent_->cpu();
  run_for(5s);
  const double idle = std::chrono::duration<double>(agent_->cpu() - cpu) / 5s;
  report("CPU when nothing happens", idle * 100, "% of a core");
  EXPECT_LT(idle, 0.05);
  const std::uint64_t resident = agent_->resident_kib();
  report("its memory at the end", static_cast<double>(resident) / 1024, "MiB");
  EXPECT_LT(resident, 96U * 1024) << "deploy/kubernetes limits it to 256 MiB";
}

}  // namespace
}  // namespace agent::kube
