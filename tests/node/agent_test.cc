// The programs as they are installed, on a host of the test's own: what happens to callers while documents change and
// processes die.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "base/mounts.h"
#include "base/unique_fd.h"
#include "bpf/abi.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/http_client.h"

namespace node {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using base::UniqueFd;
using ::testing::AllOf;
using ::testing::HasSubstr;
using tests::support::FakeUpstream;
using tests::support::HttpClient;

constexpr auto kLimit = 10s;

[[noreturn]] void give_up(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno) + " (node tests need root, cgroup2 and eBPF)");
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

template <typename Condition>
bool wait_until(Condition condition) {
  const base::TimePoint deadline = base::now() + kLimit;
  while (!condition()) {
    if (base::now() >= deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

// Mounts, network and cgroups that nobody else on the machine sees: the agent finds what it always finds, and what it
// leaves behind is the test's. Each test is a process of its own.
class Host : public ::testing::Test {
 protected:
  Host() {
    const auto cgroup2 = base::find_cgroup2(base::read_mountinfo());
    if (!cgroup2) throw std::runtime_error("no cgroup2");
    cgroup_root_ = *cgroup2 + "/fairlead-test-" + std::to_string(::getpid());
    fs::create_directory(cgroup_root_);
    enter(AT_FDCWD, cgroup_root_ + "/cgroup.procs");
    if (::unshare(CLONE_NEWCGROUP | CLONE_NEWNS | CLONE_NEWNET) != 0) give_up("unshare");
    if (::mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0) give_up("make mounts private");
    outer_cgroups_.reset(::open(cgroup2->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (::mount(cgroup_root_.c_str(), cgroup2->c_str(), "", MS_BIND, nullptr) != 0) give_up("mount cgroups");
    if (::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0) give_up("mount a bpffs");
    cgroups_ = *cgroup2;
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) give_up("lo up");

    std::string path = (fs::temp_directory_path() / "fairlead-host-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) give_up("mkdtemp");
    folder_ = path;
    fs::permissions(folder_, fs::perms(0755));  // the proxy's user comes back through it
    fs::create_directory(folder_ + "/documents");
    fs::create_directory(cgroups_ + "/client");
    upstream_.emplace(tests::support::reply({.body = "hello"}));
    write_document("services", services());
  }

  ~Host() override {
    for (const pid_t pid : {agent_, proxy()}) {
      if (pid > 0) ::kill(pid, SIGKILL);
    }
    if (agent_ > 0) ::waitpid(agent_, nullptr, 0);
    upstream_.reset();
    enter(outer_cgroups_.get(), "cgroup.procs");
    // By the outer mount: the bind mount keeps its own root busy.
    ::umount2(cgroups_.c_str(), MNT_DETACH);
    wait_until([this] {
      remove_cgroups(cgroup_root_);
      return !fs::exists(cgroup_root_);
    });
    fs::remove_all(folder_);
  }

  static void enter(int folder, const std::string& members) {
    const UniqueFd file(::openat(folder, members.c_str(), O_WRONLY | O_CLOEXEC));
    if (::write(file.get(), "0", 1) != 1) give_up("enter a cgroup");
  }
  static void remove_cgroups(const std::string& folder) {
    std::error_code error;
    std::vector<std::string> children;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->is_directory(error)) children.push_back(entry->path());
    }
    for (const std::string& child : children) remove_cgroups(child);
    ::rmdir(folder.c_str());
  }

  // The service's address is its endpoint's: a connection that passes is answered too.
  [[nodiscard]] std::string services() const {
    const std::string port = std::to_string(upstream_->address().port);
    return "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: greeter}\nspec:\n"
           "  hosts: [greeter.default.svc.cluster.local]\n  addresses: [127.0.0.1]\n  resolution: STATIC\n"
           "  ports: [{number: " +
           port + ", name: http, protocol: HTTP}]\n  endpoints: [{address: 127.0.0.1}]\n---\n" +
           "apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: web, labels: {app: web}}\n"
           "spec: {selectors: [{cgroup: /client}]}\n";
  }
  static std::string abort_with(int status) {
    return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: greeter}\nspec:\n"
           "  hosts: [greeter.default.svc.cluster.local]\n  http:\n"
           "  - fault: {abort: {httpStatus: " +
           std::to_string(status) +
           ", percentage: {value: 100}}}\n"
           "    route: [{destination: {host: greeter.default.svc.cluster.local}}]\n";
  }
  void write_document(const std::string& name, const std::string& text) const {
    const std::string path = folder_ + "/documents/" + name;
    std::ofstream(path + ".new") << text;
    fs::rename(path + ".new", path + ".yaml");
  }

  void start_agent(const std::string& program = FAIRLEAD_AGENT) {
    const std::string out = folder_ + "/agent.out";
    fs::remove(out);
    agent_ = spawn({program, "-f", folder_ + "/documents", "--runtime-dir", folder_ + "/run", "--access-log",
                    folder_ + "/access.log", "--workers", "2"},
                   out);
    ASSERT_TRUE(wait_until([&] { return read_file(out).find("ready") != std::string::npos; })) << read_file(out);
  }
  static pid_t spawn(std::vector<std::string> words, const std::string& out) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const UniqueFd file(::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::dup2(file.get(), STDOUT_FILENO);
    ::dup2(file.get(), STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  // The pid of the proxy that the agent has last started; 0: none.
  [[nodiscard]] pid_t proxy() const {
    std::istringstream text(read_file(folder_ + "/run/agent.sock.proxy"));
    pid_t pid = 0;
    text >> pid;
    return read_file("/proc/" + std::to_string(pid) + "/comm") == "fairlead-proxy\n" ? pid : 0;
  }
  void kill_agent() {
    ::kill(agent_, SIGKILL);
    ::waitpid(std::exchange(agent_, 0), nullptr, 0);
  }

  void end_agent() {
    ::kill(agent_, SIGTERM);
    int status = 0;
    ASSERT_GT(::waitpid(std::exchange(agent_, 0), &status, 0), 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << read_file(folder_ + "/agent.out");
  }
  // Another agent that is expected to end by itself: its exit code. What it says is in second.out.
  [[nodiscard]] int run_agent(std::vector<std::string> options) const {
    const std::string out = folder_ + "/second.out";
    fs::remove(out);
    std::vector<std::string> words{FAIRLEAD_AGENT, "-f", folder_ + "/documents"};
    words.insert(words.end(), options.begin(), options.end());
    const pid_t second = spawn(std::move(words), out);
    int status = 0;
    const auto has_ended = [&] { return ::waitpid(second, &status, WNOHANG) == second; };
    if (!wait_until(has_ended)) {
      ::kill(second, SIGKILL);
      ::waitpid(second, &status, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // Runs `body` in a process of the workload and returns what it said.
  std::string in_workload(const std::function<std::string()>& body, const std::string& cgroup = "/client") const {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up("pipe");
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t pid = ::fork();
    if (pid == 0) {
      std::ofstream(cgroups_ + cgroup + "/cgroup.procs") << "0" << std::flush;
      std::string said;
      try {
        said = body();
      } catch (const std::exception& error) {
        said = error.what();
      }
      static_cast<void>(!::write(writer.get(), said.data(), said.size()));
      ::_exit(0);
    }
    writer.reset();
    std::string said;
    std::array<char, 4096> chunk{};
    for (ssize_t size = 0; (size = ::read(reader.get(), chunk.data(), chunk.size())) > 0;) {
      said.append(chunk.data(), static_cast<std::size_t>(size));
    }
    ::waitpid(pid, nullptr, 0);
    return said;
  }
  // "200 through the proxy", "200 direct", "503 through the proxy".
  [[nodiscard]] std::string ask() const {
    HttpClient client(upstream_->address());
    const auto response = client.get("/", "greeter:" + std::to_string(upstream_->address().port));
    const bool was_proxied = response.head.header("server") == "envoy";
    return std::to_string(response.status()) + (was_proxied ? " through the proxy" : " direct");
  }
  [[nodiscard]] std::string ask_as_workload() const {
    return in_workload([this] { return ask(); });
  }
  [[nodiscard]] bool becomes(const std::string& answer) const {
    return wait_until([&] { return ask_as_workload() == answer; });
  }
  static std::string metrics() {
    HttpClient client(*base::SocketAddress::parse("127.0.0.1:15020"));
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    std::string page;
    for (std::string piece = client.receive_some(); !piece.empty(); piece = client.receive_some()) page += piece;
    return page;
  }

  std::string cgroup_root_, cgroups_, folder_;
  UniqueFd outer_cgroups_;
  std::optional<FakeUpstream> upstream_;
  pid_t agent_ = 0;
};

TEST_F(Host, PoliciesHoldForTheWorkloadAndForNobodyElse) {
  write_document("policy", abort_with(418));
  start_agent();
  EXPECT_EQ(ask_as_workload(), "418 through the proxy");
  EXPECT_EQ(ask(), "200 direct");
  ASSERT_TRUE(wait_until([&] { return read_file(folder_ + "/access.log").find('\n') != std::string::npos; }));
  EXPECT_THAT(read_file(folder_ + "/access.log"),
              AllOf(HasSubstr(R"("source_workload":"web")"), HasSubstr(R"("response_flags":"FI")")));
  EXPECT_THAT(metrics(), AllOf(HasSubstr("fairlead_redirects_total"), HasSubstr(R"(source_workload="web")")));
}

TEST_F(Host, AChangedDocumentIsInForceAndABadOneIsNot) {
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  write_document("policy", abort_with(418));
  EXPECT_TRUE(becomes("418 through the proxy"));
  write_document("policy", abort_with(999));  // out of range
  EXPECT_TRUE(wait_until([&] { return read_file(folder_ + "/agent.out").find("out of range") != std::string::npos; }));
  EXPECT_EQ(ask_as_workload(), "418 through the proxy") << "the last good version";
  write_document("policy", abort_with(503));
  EXPECT_TRUE(becomes("503 through the proxy"));
}

TEST_F(Host, TheMetricsPageShowsWhatTheKernelAndTheLoopsDo) {
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  std::string page = metrics();
  for (const char* const program : {"create", "connect4", "connect6", "getpeername4", "getpeername6", "release",
                                    "caller_events", "getsockopt", "accept_events"}) {
    EXPECT_THAT(page, HasSubstr("fairlead_bpf_program_attached{program=\"" + std::string(program) + "\"} 1\n"));
  }
  for (const char* const loop : {R"(process="agent",worker="0")", R"(process="proxy",worker="0")"}) {
    const std::string count = "fairlead_event_loop_lag_seconds_count{" + std::string(loop) + "} ";
    EXPECT_TRUE(wait_until([&] {
      const std::string now = metrics();
      const auto at = now.find(count);
      return at != std::string::npos && now[at + count.size()] != '0';
    })) << loop;
  }
  // What somebody has taken off by hand is noticed.
  const std::string links = "/sys/fs/bpf/fairlead/v" + std::to_string(FAIRLEAD_ABI_VERSION) + "/links";
  ASSERT_TRUE(fs::remove(fs::directory_iterator(links)->path() / "connect6"));
  EXPECT_TRUE(wait_until(
      [] { return metrics().find("fairlead_bpf_program_attached{program=\"connect6\"} 0\n") != std::string::npos; }));
  EXPECT_THAT(metrics(), HasSubstr("fairlead_bpf_program_attached{program=\"connect4\"} 1\n"));
}

// What passes is counted by the kernel, what is redirected by the proxy; a pod's row is the sum.
TEST_F(Host, TheMetricsPageShowsTheTcpOfConnectionsThatPassAndOfThoseThatDoNot) {
  write_document("policy",
                 "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: greeter}\nspec:\n"
                 "  host: greeter.default.svc.cluster.local\n"
                 "  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}\n");
  FakeUpstream unknown(tests::support::reply({.pattern_size = 100'000}));
  start_agent();
  const auto received = [] {
    const std::string page = metrics();
    const std::string name =
        R"(fairlead_pod_tcp_bytes_total{source_namespace="default",source_pod="client",direction="received"} )";
    const auto at = page.find(name);
    return at == std::string::npos ? -1.0 : std::stod(page.substr(at + name.size()));
  };
  EXPECT_EQ(in_workload([&] { return std::to_string(HttpClient(unknown.address()).get("/").status()); }), "200");
  EXPECT_TRUE(wait_until([&] { return received() >= 100'000; }));
  const double passed = received();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  EXPECT_TRUE(wait_until([&] { return received() > passed; }));
  unknown.set_on_accept(FakeUpstream::OnAccept::reset);
  in_workload([&] { return std::to_string(HttpClient(unknown.address()).get("/").status()); });
  const std::string resets = R"(fairlead_pod_tcp_resets_total{source_namespace="default",source_pod="client"} 1)";
  EXPECT_TRUE(wait_until([&] { return metrics().find(resets) != std::string::npos; }));
  const std::string rtt = R"(fairlead_pod_tcp_rtt_seconds_sum{source_namespace="default",source_pod="client"} )";
  const std::string page = metrics();
  EXPECT_NE(page.find(rtt), std::string::npos);
  EXPECT_EQ(page.find(rtt + "0\n"), std::string::npos);
}

// HTTP/2 without a policy's help: a service's address belongs to nobody, so the bytes go to one of its endpoints.
TEST_F(Host, BytesThatAreNotHttpReachAnEndpoint) {
  const std::string port = std::to_string(upstream_->address().port);
  write_document("more",
                 "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: raw}\nspec:\n"
                 "  hosts: [raw.default.svc.cluster.local]\n  addresses: [127.99.0.1]\n  resolution: STATIC\n"
                 "  ports: [{number: 80, name: http, protocol: HTTP}]\n"
                 "  endpoints: [{address: 127.0.0.1, ports: {http: " +
                     port + "}}]\n");
  start_agent();
  EXPECT_EQ(in_workload([] {
              HttpClient client(*base::SocketAddress::parse("127.99.0.1:80"));
              client.send("PRI * HTTP/2.0\r\n\r\n");
              return client.receive().head.header("server").value_or("an endpoint");
            }),
            "an endpoint");
  EXPECT_EQ(upstream_->connections(), 1U);
}

TEST_F(Host, AWorkloadThatComesLaterIsRedirected) {
  write_document("more",
                 "apiVersion: fairlead.dev/v1alpha1\nkind: Workload\nmetadata: {name: late}\n"
                 "spec: {selectors: [{cgroup: /late/*}]}\n");
  start_agent();
  fs::create_directories(cgroups_ + "/late/one");
  EXPECT_TRUE(
      wait_until([&] { return in_workload([this] { return ask(); }, "/late/one") == "200 through the proxy"; }));
}

TEST_F(Host, TheProxyMayDoNothingButCarryBytes) {
  start_agent();
  const std::string status = read_file("/proc/" + std::to_string(proxy()) + "/status");
  EXPECT_THAT(status,
              AllOf(HasSubstr("Uid:\t65532\t65532\t65532\t65532"), HasSubstr("Gid:\t65532\t65532\t65532\t65532"),
                    HasSubstr("CapEff:\t0000000000000000"), HasSubstr("CapBnd:\t0000000000000000"),
                    HasSubstr("NoNewPrivs:\t1"), HasSubstr("Seccomp:\t2")));
}

// New connections wait for the next proxy; none is refused, and each is answered.
TEST_F(Host, NoConnectionIsRefusedWhenTheProxyIsKilled) {
  start_agent();
  const pid_t first = proxy();
  ASSERT_GT(first, 0);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd stop_reader(ends[0]), stop_writer(ends[1]);
  std::string said;
  std::thread load([&] {
    said = in_workload([&] {
      stop_writer.reset();
      int asked = 0, unanswered = 0;
      std::chrono::nanoseconds longest{0};
      char byte = 0;
      ::fcntl(stop_reader.get(), F_SETFL, O_NONBLOCK);
      while (::read(stop_reader.get(), &byte, 1) != 0) {  // 0: told to stop
        const base::TimePoint started = base::now();
        HttpClient client(upstream_->address());  // throws when it is refused
        const auto response = client.get("/", "greeter:" + std::to_string(upstream_->address().port));
        longest = std::max<std::chrono::nanoseconds>(longest, base::now() - started);
        ++asked;
        // Only what the killed proxy had in its hands may be lost.
        if (response.status() != 200 || response.head.header("server") != "envoy") ++unanswered;
      }
      return "asked " + std::string(asked > 100 ? "a lot" : "little") + ", unanswered at most " +
             std::string(unanswered <= 3 ? "one for each kill" : std::to_string(unanswered)) + ", longest " +
             std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(longest).count()) + " ms";
    });
  });
  for (int i = 0; i < 3; ++i) {
    const pid_t killed = proxy();
    const std::size_t before = upstream_->requests().size();
    ASSERT_TRUE(wait_until([&] { return upstream_->requests().size() > before + 50; }));
    ::kill(killed, SIGKILL);
    ASSERT_TRUE(wait_until([&] { return proxy() != 0 && proxy() != killed; }));
    const std::size_t then = upstream_->requests().size();
    ASSERT_TRUE(wait_until([&] { return upstream_->requests().size() > then + 50; }));
  }
  stop_writer.reset();
  load.join();
  EXPECT_THAT(said, HasSubstr("asked a lot, unanswered at most one for each kill"));
  RecordProperty("longest", said);
  EXPECT_THAT(metrics(), HasSubstr(R"(fairlead_proxy_restarts_total{reason="crash"} 3)"));
}

TEST_F(Host, TheNextProxyServesWithin200Milliseconds) {
  start_agent();
  std::vector<std::chrono::nanoseconds> gaps;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(ask_as_workload(), "200 through the proxy");
    const pid_t killed = proxy();
    const base::TimePoint begun = base::now();
    ::kill(killed, SIGKILL);
    // The kernel lets go of the killed one's connections a moment later: it may still have taken this one.
    ASSERT_TRUE(wait_until([&] { return ask_as_workload() == "200 through the proxy" && proxy() != killed; }));
    gaps.push_back(base::now() - begun);
  }
  std::sort(gaps.begin(), gaps.end());
  EXPECT_LT(gaps[gaps.size() / 2], 200ms);
}

TEST_F(Host, AProxyThatHangsIsReplacedAndNeverHoldsUpTheMetricsPage) {
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  const pid_t stopped = proxy();
  ::kill(stopped, SIGSTOP);
  EXPECT_TRUE(wait_until([] { return metrics().find("\nfairlead_proxy_up 0\n") != std::string::npos; }));
  EXPECT_EQ(ask_as_workload(), "200 through the proxy") << "it has waited for the next one";
  EXPECT_NE(proxy(), stopped);
  EXPECT_NE(metrics().find("fairlead_proxy_restarts_total{reason=\"crash\"} 0\n"
                           "fairlead_proxy_restarts_total{reason=\"hang\"} 1\n"),
            std::string::npos);
}

// The thread that answers the agent goes on.
TEST_F(Host, AWorkerThatHangsIsNoticed) {
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  const pid_t process = proxy();
  pid_t worker = 0;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    if (read_file(thread.path() / "comm") == "worker\n") worker = std::stoi(thread.path().filename());
  }
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, worker, nullptr, nullptr), 0) << std::strerror(errno);
  ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, worker, nullptr, nullptr), 0) << std::strerror(errno);
  EXPECT_TRUE(wait_until([&] {
    ::waitpid(worker, nullptr, __WALL | WNOHANG);  // what is traced ends when its tracer has seen it
    return proxy() != process && proxy() != 0;
  }));
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  EXPECT_NE(metrics().find(R"(fairlead_proxy_restarts_total{reason="hang"} 1)"), std::string::npos);
}

// As in an upgrade that has gone wrong.
TEST_F(Host, ConnectionsPassWhenTheProxyCannotBeStarted) {
  const fs::path programs = folder_ + "/programs";
  fs::create_directory(programs);
  for (const char* const name : {"fairlead-agent", "fairlead-proxy"}) {
    fs::copy_file(fs::path(FAIRLEAD_AGENT).parent_path() / name, programs / name);
  }
  start_agent(programs / "fairlead-agent");
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  fs::rename(programs / "fairlead-proxy", programs / "gone");
  ::kill(proxy(), SIGKILL);
  EXPECT_TRUE(becomes("200 direct"));
  fs::rename(programs / "gone", programs / "fairlead-proxy");
  EXPECT_TRUE(becomes("200 through the proxy")) << read_file(folder_ + "/agent.out");
}

TEST_F(Host, RequestsGoOnWithoutTheAgentAndTheNextOneTakesOver) {
  write_document("policy", abort_with(418));
  start_agent();
  EXPECT_EQ(ask_as_workload(), "418 through the proxy");
  const pid_t first_proxy = proxy();
  kill_agent();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask_as_workload(), "418 through the proxy");

  write_document("policy", abort_with(503));
  start_agent();
  EXPECT_EQ(proxy(), first_proxy) << "adopted";
  EXPECT_TRUE(becomes("503 through the proxy"));
  EXPECT_THAT(metrics(), HasSubstr(R"(response_code="418")")) << "counters go on";
}

// The proxy ignores generations that it has had.
TEST_F(Host, GenerationsOfTheNextAgentFollowThoseOfTheProxy) {
  const auto generation = [] {
    const std::string page = metrics();
    const std::string name = "\nfairlead_proxy_config_generation ";
    const std::size_t at = page.find(name);
    return at == std::string::npos ? 0 : std::stoul(page.substr(at + name.size()));
  };
  start_agent();
  for (const int status : {418, 503, 418}) {
    write_document("policy", abort_with(status));
    ASSERT_TRUE(becomes(std::to_string(status) + " through the proxy"));
  }
  const unsigned long before = generation();
  EXPECT_GE(before, 4U);
  kill_agent();
  start_agent();
  EXPECT_TRUE(wait_until([&] { return generation() > before; }));
}

TEST_F(Host, ConnectionsPassWhenBothAreDead) {
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  const pid_t last = proxy();
  kill_agent();
  ::kill(last, SIGKILL);
  ASSERT_TRUE(wait_until([&] { return proxy() == 0; }));
  EXPECT_EQ(ask_as_workload(), "200 direct");
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
}

TEST_F(Host, OnlyAConnectUnderWayFailsWhenBothAreKilled) {
  const UniqueFd service(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  socklen_t size = base::SocketAddress::parse("127.0.0.1:0")->to_sockaddr(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  ASSERT_EQ(::bind(service.get(), address, size), 0);
  ASSERT_EQ(::listen(service.get(), 4096), 0);
  ASSERT_EQ(::getsockname(service.get(), address, &size), 0);
  write_document("more",
                 "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: raw}\nspec:\n"
                 "  hosts: [raw.default.svc.cluster.local]\n  addresses: [127.0.0.1]\n  resolution: STATIC\n"
                 "  ports: [{number: " +
                     std::to_string(base::SocketAddress::from_sockaddr(storage).port) +
                     ", name: http, protocol: HTTP}]\n  endpoints: [{address: 127.0.0.1}]\n");
  start_agent();
  std::thread served([&] {
    while (const UniqueFd connection = UniqueFd(::accept4(service.get(), nullptr, nullptr, SOCK_CLOEXEC))) {
    }
  });
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd stop_reader(ends[0]), stop_writer(ends[1]);
  std::string said;
  std::thread load([&] {
    said = in_workload([&] {
      stop_writer.reset();
      ::fcntl(stop_reader.get(), F_SETFL, O_NONBLOCK);
      std::map<std::string, int> outcomes;
      for (char byte = 0; ::read(stop_reader.get(), &byte, 1) != 0;) {  // 0: told to stop
        const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const linger abort{.l_onoff = 1, .l_linger = 0};  // or ports run out
        ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
        ++outcomes[::connect(socket.get(), address, size) == 0 ? "good" : std::strerror(errno)];
      }
      int failed = 0;
      std::string text;
      for (const auto& [outcome, count] : outcomes) {
        text += outcome + " " + std::to_string(count) + " ";
        if (outcome != "good") failed += count;
      }
      return std::to_string(failed) + " failed: " + text;
    });
  });
  constexpr int kRounds = 4;
  for (int i = 0; i < kRounds; ++i) {
    const pid_t last = proxy();
    if (i % 2 == 0) ::kill(last, SIGKILL);
    kill_agent();
    ::kill(last, SIGKILL);
    if (const pid_t another = proxy()) ::kill(another, SIGKILL);
    ASSERT_TRUE(wait_until([this] { return proxy() == 0; }));
    start_agent();
  }
  stop_writer.reset();
  load.join();
  ::shutdown(service.get(), SHUT_RDWR);
  served.join();
  // The loop has one connection at a time. When the last holder of the listening socket is killed, one whose address
  // was rewritten a moment ago finds nobody, and one whose handshake was over is reset: at most one each time.
  EXPECT_THAT(said, HasSubstr("good "));
  EXPECT_LE(std::atoi(said.c_str()), kRounds) << said;
}

TEST_F(Host, TerminationLeavesNothing) {
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  end_agent();
  EXPECT_EQ(ask_as_workload(), "200 direct");
  EXPECT_EQ(proxy(), 0);
  EXPECT_FALSE(fs::exists("/sys/fs/bpf/fairlead"));
  EXPECT_FALSE(fs::exists(cgroups_ + "/fairlead"));
  EXPECT_FALSE(fs::exists(folder_ + "/run"));
}

TEST_F(Host, ASecondAgentRefuses) {
  start_agent();
  EXPECT_EQ(run_agent({"--runtime-dir", folder_ + "/run"}), 1);
  EXPECT_THAT(read_file(folder_ + "/second.out"),
              HasSubstr("another agent is running (pid " + std::to_string(agent_) + ")"));
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
}

TEST_F(Host, ASecondAgentWithAFolderAndPortsOfItsOwnRefusesToo) {
  start_agent();
  EXPECT_EQ(run_agent({"--runtime-dir", folder_ + "/other", "--admin", "127.0.0.1:15021"}), 1);
  EXPECT_THAT(read_file(folder_ + "/second.out"),
              HasSubstr("another agent redirects connections here (it holds /sys/fs/bpf/fairlead)"));
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
}

TEST_F(Host, AStartThatFailsLeavesNothing) {
  for (const std::uint16_t port : {15020, FAIRLEAD_PROXY_PORT}) {
    sockaddr_storage storage{};
    const socklen_t size = base::SocketAddress::parse("127.0.0.1:" + std::to_string(port))->to_sockaddr(storage);
    const UniqueFd other(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(other.get(), reinterpret_cast<sockaddr*>(&storage), size), 0);
    ASSERT_EQ(::listen(other.get(), 1), 0);
    EXPECT_EQ(run_agent({"--runtime-dir", folder_ + "/run"}), 1);
    EXPECT_THAT(read_file(folder_ + "/second.out"), HasSubstr("127.0.0.1:" + std::to_string(port)));
    EXPECT_EQ(proxy(), 0);
    EXPECT_FALSE(fs::exists("/sys/fs/bpf/fairlead"));
    EXPECT_FALSE(fs::exists(cgroups_ + "/fairlead"));
  }
}

// Nothing that others have put there is touched: the host's own file system stays.
TEST_F(Host, ABpfFileSystemIsMountedWhereThereIsNoneAndUnmountedAtTheEnd) {
  while (base::has_mount(base::read_mountinfo(), "/sys/fs/bpf", "bpf")) ASSERT_EQ(::umount("/sys/fs/bpf"), 0);
  start_agent();
  EXPECT_EQ(ask_as_workload(), "200 through the proxy");
  EXPECT_TRUE(base::is_own_mount(base::read_mountinfo(), "/sys/fs/bpf"));
  end_agent();
  EXPECT_FALSE(base::has_mount(base::read_mountinfo(), "/sys/fs/bpf", "bpf"));
}

}  // namespace
}  // namespace node
