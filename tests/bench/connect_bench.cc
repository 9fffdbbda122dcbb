// What our programs add to a connection, from socket() to close(), and to a round trip on one that passes, as CPU time.
// In turns, in a cgroup that they are attached to and in one that they are not, in a network namespace of its own.
// Prints a line for each case: its name, its unit and the value of each round, with tabs. usage: connect_bench ROUNDS
// (root; owns the kernel part of the machine while it runs)
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>

#include "proxy/engine/stream_socket.h"
#include "tests/node/redirected_node.h"

namespace {

using base::SocketAddress;
using node::need;

constexpr int kConnects = 500;
constexpr int kRoundTrips = 2000;

// Of this process, which has one thread: who else runs meanwhile is not in it.
std::uint64_t cpu_ns() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto nanoseconds = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_usec) * 1000;
  };
  return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

template <typename Body>
double nanoseconds_each(int times, Body body) {
  for (int i = 0; i < times / 10; ++i) body();  // a child's first steps copy its parent's pages
  const std::uint64_t began = cpu_ns();
  for (int i = 0; i < times; ++i) body();
  return static_cast<double>(cpu_ns() - began) / times;
}

// Whether or not it comes to a connection.
double connecting(const SocketAddress& address) {
  return nanoseconds_each(kConnects, [&address] {
    base::UniqueFd socket = node::tcp_socket(AF_INET, 0);
    static_cast<void>(node::connect_to(socket, address));
    proxy::engine::close_with_reset(std::move(socket));
  });
}

// Both ends are in the calling process, and no program redirects it.
struct Passing {
  Passing() {
    near = node::tcp_socket(AF_INET, 0);
    if (node::connect_to(near, listening_at()) != 0) throw std::runtime_error("a connection that passes fails");
    far = node::accept_from(listener());
  }
  static const base::UniqueFd& listener() {
    static const base::UniqueFd kListener = node::listen_on(node::address("127.8.0.4:7"));
    return kListener;
  }
  static SocketAddress listening_at() {
    static_cast<void>(listener());
    return node::address("127.8.0.4:7");
  }
  base::UniqueFd near, far;
};

double passing() {
  return nanoseconds_each(kConnects, [] {
    Passing connection;
    proxy::engine::close_with_reset(std::move(connection.near));
  });
}

double round_trip() {
  const Passing connection;
  const auto pass_on = [](const base::UniqueFd& from, const base::UniqueFd& to) {
    char byte = 'x';
    if (::send(from.get(), &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(to.get(), &byte, 1, 0) != 1)
      throw std::runtime_error("a byte does not arrive");
  };
  return nanoseconds_each(kRoundTrips, [&] {
    pass_on(connection.near, connection.far);
    pass_on(connection.far, connection.near);
  });
}

class ConnectBench : public node::RedirectedNode {
 public:
  using Measure = std::function<double()>;

  ConnectBench() {
    shared_ = static_cast<double*>(
        ::mmap(nullptr, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (shared_ == MAP_FAILED) throw std::runtime_error("no memory");
  }
  void TestBody() override {}

  void run(int rounds) {
    // Nobody routes there from a namespace with a loopback device alone, so nothing but the hook costs anything.
    const SocketAddress nowhere = node::address("203.0.113.1:80");
    const SocketAddress refused = node::address("127.8.0.3:9");
    for (int i = 0; i < rounds; ++i) {
      for (const bool counts : {true, false}) {
        need(datapath_.count_tcp(counts));
        const std::string how = counts ? "" : ", telemetry.tcp off";
        take("connect() not ours, hook alone" + how, [&] { return connecting(nowhere); });
        take("connect() not ours, refused by the peer" + how, [&] { return connecting(refused); });
        take("connection that passes, both ends" + how, passing);
        take("round trip on a connection that passes" + how, round_trip);
      }
      need(datapath_.count_tcp(true));
      take(
          "connect() ours, redirected and established", [&] { return connecting(kService4); },
          [&] { return connecting(node::address("127.0.0.1:15001")); });
      compare_with_no_agent();
    }
  }

  void print() const {
    for (const auto& [name, values] : values_) {
      std::printf("%s", name.c_str());
      for (const double value : values) std::printf("\t%.3f", value);
      std::printf("\n");
    }
  }

 private:
  void take(const std::string& name, const Measure& measure) { take(name, measure, measure); }
  void take(const std::string& name, const Measure& with_hook, const Measure& without) {
    is_hooked_first_ = !is_hooked_first_;
    const double first = is_hooked_first_ ? in_cgroup("app", with_hook) : in_cgroup("bystander", without);
    const double second = is_hooked_first_ ? in_cgroup("bystander", without) : in_cgroup("app", with_hook);
    const double hooked = is_hooked_first_ ? first : second;
    const double plain = is_hooked_first_ ? second : first;
    values_[name + ": without\tns"].push_back(plain);
    values_[name + ": added\tns"].push_back(hooked - plain);
  }

  // For a process that nobody has opted in.
  void compare_with_no_agent() {
    const double with_agent = in_cgroup("bystander", passing);
    stop_proxy();
    {
      const agent::Datapath gone = std::move(datapath_);
    }
    need(agent::Datapath::remove(node_.pins()));
    const double without = in_cgroup("bystander", passing);
    datapath_ = need(agent::Datapath::open(node_.options()));
    need(datapath_.attach_proxy(node_.cgroup("proxy")));
    start_proxy();
    need(datapath_.set_destinations(std::array{kService4, kService6}));
    app_ = need(datapath_.attach_workload(node_.cgroup("app")));
    const double again = in_cgroup("bystander", passing);
    values_["connection of a pod that has not opted in\tno agent"].push_back((with_agent + again) / 2 / without);
  }

  double in_cgroup(const std::string& cgroup, const Measure& measure) {
    const int status = node_.run(cgroup, [&] {
      *shared_ = measure();
      return 0;
    });
    if (status != 0) throw std::runtime_error("a caller did not come to its end");
    who_was_reached();  // empties the listeners' queues
    return *shared_;
  }

  double* shared_ = nullptr;
  bool is_hooked_first_ = false;
  std::map<std::string, std::vector<double>> values_;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    ConnectBench bench;
    bench.run(argc > 1 ? std::atoi(argv[1]) : 5);
    bench.print();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "connect_bench: %s\n", error.what());
    return 1;
  }
}
