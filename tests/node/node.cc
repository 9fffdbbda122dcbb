#include "tests/node/node.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/mounts.h"

namespace node {
namespace {

namespace fs = std::filesystem;
using base::SocketAddress;
using base::UniqueFd;

constexpr std::string_view kCgroupPrefix = "fairlead-test-";

void require(bool is_good, const std::string& what) {
  if (!is_good) throw std::runtime_error(what + ": " + std::strerror(errno));
}

// In the calling process. Only what is safe after fork().
bool enter_cgroup(const std::string& folder) {
  const UniqueFd fd(::open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), "0", 1) == 1;
}

// Mounts of tests go with their process, however it ends.
void leave_shared_mounts() {
  static const bool kIsDone = [] {
    require(::unshare(CLONE_NEWNS) == 0, "leave the mount namespace (root?)");
    require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
    return true;
  }();
  (void)kIsDone;
}

// Left by a test process that was killed.
void remove_stale_cgroups(const std::string& mount) {
  for (const auto& entry : fs::directory_iterator(mount)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kCgroupPrefix)) continue;
    const int pid = std::atoi(name.c_str() + kCgroupPrefix.size());
    if (pid <= 0 || ::kill(pid, 0) == 0 || errno != ESRCH) continue;
    std::vector<std::string> folders{entry.path()};
    std::error_code ignored;
    for (const auto& below : fs::recursive_directory_iterator(entry.path(), ignored)) {
      if (below.is_directory(ignored)) folders.push_back(below.path());
    }
    std::sort(folders.begin(), folders.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    for (const std::string& folder : folders) ::rmdir(folder.c_str());
  }
}

void bring_up_loopback() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  require(::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0, "bring up lo");
}

int milliseconds_until(base::TimePoint deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

// The exit code; -1 when it does not end in time, and then it is killed.
int reap(pid_t process) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  const bool has_ended = wait_for(pidfd, POLLIN);
  if (!has_ended) ::kill(process, SIGKILL);
  int status = 0;
  ::waitpid(process, &status, 0);
  return has_ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

Node::Node() {
  leave_shared_mounts();
  const auto mount = base::find_cgroup2(base::read_mountinfo());
  if (!mount) throw std::runtime_error("no cgroup2 is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified");
  remove_stale_cgroups(*mount);

  char folder[] = "/tmp/fairlead-node-XXXXXX";
  require(::mkdtemp(folder) != nullptr, "make a folder in /tmp");
  directory_ = folder;
  require(::mkdir((directory_ + "/bpf").c_str(), 0700) == 0, "make a folder");

  static int instances = 0;
  root_ = *mount + "/" + std::string(kCgroupPrefix) + std::to_string(::getpid()) + "-" + std::to_string(++instances);
  require(::mkdir(root_.c_str(), 0755) == 0, "create the cgroup " + root_);

  home_netns_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  require(::unshare(CLONE_NEWNET) == 0, "make a network namespace");
  bring_up_loopback();
  visit_.emplace(need(agent::CgroupVisit::enter(*mount, cgroup("proxy"))));
}

Node::~Node() {
  for (const pid_t process : processes_) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
  visit_.reset();
  ::setns(home_netns_.get(), CLONE_NEWNET);
  (void)agent::Datapath::remove(pins());
  ::umount2((directory_ + "/bpf").c_str(), MNT_DETACH);
  std::for_each(cgroups_.rbegin(), cgroups_.rend(), [](const std::string& each) { ::rmdir(each.c_str()); });
  ::rmdir(root_.c_str());
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string Node::cgroup(const std::string& name) {
  std::string folder = root_;
  for (const fs::path& part : fs::path(name)) {
    folder += "/" + part.string();
    if (::mkdir(folder.c_str(), 0755) == 0) {
      cgroups_.push_back(folder);
    } else {
      require(errno == EEXIST, "create the cgroup " + folder);
    }
  }
  return folder;
}

void Node::remove_cgroup(const std::string& name) {
  const std::string folder = cgroup(name);
  require(::rmdir(folder.c_str()) == 0, "remove the cgroup " + folder);
  std::erase(cgroups_, folder);
}

pid_t Node::fork_into(const std::string& cgroup_name, const std::function<void()>& body) {
  const std::string folder = cgroup(cgroup_name);
  const pid_t process = ::fork();
  require(process >= 0, "fork");
  if (process > 0) return process;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!enter_cgroup(folder)) ::_exit(125);
  body();
  ::_exit(0);
}

int Node::run(const std::string& cgroup_name, const std::function<int()>& body) {
  return reap(fork_into(cgroup_name, [&] { ::_exit(body()); }));
}

Seen Node::see(const std::string& cgroup_name, const std::function<Seen()>& body) {
  int ends[2];
  require(::pipe2(ends, O_CLOEXEC) == 0, "pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const int status = run(cgroup_name, [&] {
    const Seen seen = body();
    return ::write(writer.get(), &seen, sizeof seen) == sizeof seen ? 0 : 1;
  });
  writer.reset();
  Seen seen;
  if (status != 0 || ::read(reader.get(), &seen, sizeof seen) != sizeof seen) seen.error = ETIMEDOUT;
  return seen;
}

pid_t Node::start(const std::string& cgroup_name, const std::function<void()>& body) {
  return processes_.emplace_back(fork_into(cgroup_name, [&] {
    ::close_range(3, ~0U, 0);  // or it would keep our sockets open
    body();
  }));
}

int Node::stop(pid_t process) {
  std::erase(processes_, process);
  ::kill(process, SIGTERM);
  return reap(process);
}

SocketAddress address(const char* text) { return need(SocketAddress::parse(text)); }

void add_to_loopback(const char* text) {
  const SocketAddress wanted{need(base::IpAddress::parse(text)), 0};
  sockaddr_storage storage{};
  const socklen_t size = wanted.to_sockaddr(storage);
  const UniqueFd fd(::socket(wanted.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (wanted.ip.is_v4()) {
    ifreq request{};
    std::strcpy(request.ifr_name, "lo:1");
    std::memcpy(&request.ifr_addr, &storage, sizeof request.ifr_addr);
    require(::ioctl(fd.get(), SIOCSIFADDR, &request) == 0, std::string("add ") + text + " to lo");
    return;
  }
  struct In6Request {
    in6_addr address;
    std::uint32_t prefix_length;
    int interface;
  } request{.address = {}, .prefix_length = 128, .interface = static_cast<int>(::if_nametoindex("lo"))};
  std::memcpy(&request.address, wanted.ip.bytes.data(), wanted.ip.bytes.size());
  require(::ioctl(fd.get(), SIOCSIFADDR, &request) == 0, std::string("add ") + text + " to lo");
  // The kernel brings it into use a little later.
  const auto deadline = base::now() + kPatience;
  while (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) {
    require(errno == EADDRNOTAVAIL && base::now() < deadline, std::string("use ") + text);
    ::poll(nullptr, 0, 1);
  }
}

UniqueFd listen_on(const SocketAddress& address, int backlog) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  const socklen_t size = address.to_sockaddr(storage);
  require(::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0, "bind " + address.to_string());
  require(::listen(fd.get(), backlog) == 0, "listen on " + address.to_string());
  return fd;
}

bool wait_for(const UniqueFd& fd, short events, std::chrono::milliseconds patience) {
  const auto deadline = base::now() + patience;
  for (;;) {
    pollfd entry{fd.get(), events, 0};
    const int ready = ::poll(&entry, 1, milliseconds_until(deadline));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

UniqueFd accept_from(const UniqueFd& listener, std::chrono::milliseconds patience) {
  if (!wait_for(listener, POLLIN, patience)) return {};
  return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

bool has_connection(const UniqueFd& listener) { return wait_for(listener, POLLIN, std::chrono::milliseconds(0)); }

UniqueFd tcp_socket(int family, int flags) { return UniqueFd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)); }

int connect_to(const UniqueFd& socket, const SocketAddress& address) {
  sockaddr_storage storage{};
  const socklen_t size = address.to_sockaddr(storage);
  return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0 ? 0 : errno;
}

SocketAddress peer_of(const UniqueFd& socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return SocketAddress::from_sockaddr(storage);
}

Seen connect_plainly(const SocketAddress& address) {
  const UniqueFd socket = tcp_socket(address.family());
  const int error = connect_to(socket, address);
  return {error, peer_of(socket)};
}

}  // namespace node
