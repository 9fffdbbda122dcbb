#pragma once

#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/socket_address.h"
#include "base/unique_fd.h"

// What the benchmark's own two servers have in common. They are yardsticks: they do the least that is correct, and end
// when anything is not as they need it.
namespace bench {

[[noreturn]] inline void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

inline base::SocketAddress address_of(const char* text) {
  const auto address = base::SocketAddress::parse(text);
  if (!address) {
    std::fprintf(stderr, "%s\n", address.error().message.c_str());
    std::exit(2);
  }
  return *address;
}

// Bound and listening, edge-triggered in `epoll` with no data.
base::UniqueFd listen_at(const base::SocketAddress& address, int epoll);
// Non-blocking, without Nagle's delay; not open when nobody waits any more.
base::UniqueFd accept_from(int listener);
void watch(int epoll, int fd, void* data);

}  // namespace bench
