#include "tests/support/gate.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <stdexcept>

namespace tests::support {

Gate::Gate() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) throw std::runtime_error("eventfd");
}

void Gate::open() { eventfd_write(event_.get(), 1); }

bool Gate::is_open() const {
  pollfd entry{.fd = event_.get(), .events = POLLIN};
  return poll(&entry, 1, 0) == 1;
}

}  // namespace tests::support
