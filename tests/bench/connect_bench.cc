// What our programs add to a connection, from socket() to close(), as CPU time. In turns, in a cgroup that they are
// attached to and in one that they are not, in a network namespace of its own. Prints a line for each case: its name
// and the nanoseconds of each round, with tabs. usage: connect_bench ROUNDS      (root; owns the kernel part of the
// machine while it runs)
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>

#include "proxy/engine/stream_socket.h"
#include "tests/node/redirected_node.h"

namespace {

using base::SocketAddress;

constexpr int kConnects = 500;

// Of this process, which has one thread: who else runs meanwhile is not in it.
std::uint64_t cpu_ns() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto nanoseconds = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_usec) * 1000;
  };
  return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

class ConnectBench : public node::RedirectedNode {
 public:
  void TestBody() override {}

  void run(int rounds) {
    shared_ = static_cast<double*>(
        ::mmap(nullptr, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (shared_ == MAP_FAILED) throw std::runtime_error("no memory");
    // Nobody routes there from a namespace with a loopback device alone, so nothing but the hook costs anything.
    const SocketAddress nowhere = node::address("203.0.113.1:80");
    const SocketAddress refused = node::address("127.8.0.3:9");
    for (int i = 0; i < rounds; ++i) {
      take("not ours, hook alone", nowhere, nowhere);
      take("not ours, refused by the peer", refused, refused);
      take("ours, redirected and established", kService4, node::address("127.0.0.1:15001"));
    }
    ::munmap(shared_, sizeof(double));
  }

  void print() const {
    for (const auto& [name, values] : values_) {
      std::printf("%s", name.c_str());
      for (const double value : values) std::printf("\t%.1f", value);
      std::printf("\n");
    }
  }

 private:
  void take(const std::string& name, const SocketAddress& with_hook, const SocketAddress& without) {
    const double hooked = nanoseconds_each("app", with_hook);
    const double plain = nanoseconds_each("bystander", without);
    values_[name + ", without"].push_back(plain);
    values_[name + ", added"].push_back(hooked - plain);
  }

  double nanoseconds_each(const std::string& cgroup, const SocketAddress& address) {
    const int status = node_.run(cgroup, [&] {
      const std::uint64_t began = cpu_ns();
      for (int i = 0; i < kConnects; ++i) {
        base::UniqueFd socket = node::tcp_socket(AF_INET, 0);
        static_cast<void>(node::connect_to(socket, address));
        proxy::engine::close_with_reset(std::move(socket));
      }
      *shared_ = static_cast<double>(cpu_ns() - began) / kConnects;
      return 0;
    });
    if (status != 0) throw std::runtime_error("a caller did not come to its end");
    who_was_reached();  // empties the listeners' queues
    return *shared_;
  }

  double* shared_ = nullptr;
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
