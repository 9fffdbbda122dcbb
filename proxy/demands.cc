#include "proxy/demands.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace proxy {

base::Result<std::unique_ptr<Demands>> Demands::create() {
  base::UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup) return base::fail_errno("eventfd");
  return std::unique_ptr<Demands>(new Demands(std::move(wakeup)));
}

void Demands::push(const Demand& demand) {
  const std::lock_guard lock(mutex_);
  if (demands_.empty()) {
    const std::uint64_t one = 1;
    // Cannot fail: the count is at most one.
    static_cast<void>(::write(wakeup_.get(), &one, sizeof one));
  }
  demands_.push_back(demand);
}

std::vector<Demand> Demands::take() {
  // First: what is pushed from here on wakes again, perhaps for nothing.
  std::uint64_t count = 0;
  static_cast<void>(::read(wakeup_.get(), &count, sizeof count));
  const std::lock_guard lock(mutex_);
  return std::exchange(demands_, {});
}

}  // namespace proxy
