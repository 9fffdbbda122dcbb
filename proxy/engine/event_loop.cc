#include "proxy/engine/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <mutex>
#include <optional>
#include <vector>

#include "base/unique_fd.h"

namespace proxy::engine {

class DeferredList {
 public:
  void push(Deferred& deferred) {
    if (!deferred.deferred_.is_linked()) list_.push_back(deferred);
  }
  static void withdraw(Deferred& deferred) { deferred.deferred_.unlink(); }
  [[nodiscard]] bool is_empty() const { return list_.empty(); }
  void take_all_of(DeferredList& other) { list_.swap(other.list_); }
  void run(Deferred::When when) {
    while (!list_.empty()) {
      Deferred& deferred = list_.front();
      list_.pop_front();
      deferred.run_deferred(when);
    }
  }

 private:
  boost::intrusive::list<Deferred,
                         boost::intrusive::member_hook<Deferred, decltype(Deferred::deferred_), &Deferred::deferred_>,
                         boost::intrusive::constant_time_size<false>>
      list_;
};

struct EventLoop::Impl {
  static constexpr int kBatch = 256;

  explicit Impl(std::unique_ptr<SendRing> ring) : sends(std::move(ring)) {}

  base::UniqueFd epoll, wake_up, timer;  // the last two are edge-triggered and never read
  base::TimePoint timer_at = base::TimePoint::max();
  base::TimePoint now = base::now();
  std::optional<base::WallTime> wall_now;
  TimingWheel wheel{now};
  SendBatch sends;
  std::unique_ptr<char[]> scratch = std::make_unique<char[]>(kScratchBytes);
  std::array<epoll_event, kBatch> events;
  DeferredList between_events;
  DeferredList at_end_of_turn;
  DeferredList next_turn;
  std::function<void()> end_of_turn;
  std::atomic<bool> is_stopping{false};
  std::mutex mutex;
  std::vector<std::function<void()>> posted;  // guarded by mutex

  void turn() {
    const int wait = next_turn.is_empty() ? -1 : 0;
    const int count = ::epoll_wait(epoll.get(), events.data(), kBatch, wait);
    now = base::now();
    wall_now.reset();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == &wake_up) {
        run_posted();
      } else if (event.data.ptr == &timer) {
        timer_at = base::TimePoint::max();
      } else {
        static_cast<IoHandler*>(event.data.ptr)->on_io(event.events);
      }
      between_events.run(Deferred::When::between_events);
    }
    DeferredList waiting;  // who defers itself again waits for the turn after
    waiting.take_all_of(next_turn);
    waiting.run(Deferred::When::between_events);
    finish_turn();
  }

  void wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_up.get(), &one, sizeof one));  // never full: it takes 2^64 - 2 of them
  }

  void run_posted() {
    std::vector<std::function<void()>> tasks;
    {
      const std::scoped_lock lock(mutex);
      tasks.swap(posted);
    }
    for (const auto& task : tasks) {
      task();
      between_events.run(Deferred::When::between_events);
    }
  }

  void finish_turn() {
    wheel.advance(now);
    do {
      between_events.run(Deferred::When::between_events);
      at_end_of_turn.run(Deferred::When::end_of_turn);
      sends.send_all();  // a failure defers the connection's owner
    } while (!between_events.is_empty());
    if (end_of_turn) end_of_turn();
    arm_timer();
  }

  // Only ever moved earlier: a wake-up with nothing due costs less than a system call for each request.
  void arm_timer() {
    const base::TimePoint next = wheel.next_expiry();
    if (next >= timer_at) return;
    timer_at = next;
    const auto at = next.time_since_epoch();  // a steady_clock is CLOCK_MONOTONIC
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at);
    const itimerspec when{
        .it_interval = {},
        .it_value = {.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(at - seconds).count()}};
    ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }

  base::Result<> watch(int fd, std::uint32_t wanted, void* data) const {
    epoll_event event{};
    event.events = wanted | EPOLLET;
    event.data.ptr = data;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return base::fail_errno("epoll_ctl");
    return {};
  }
};

EventLoop::EventLoop(std::unique_ptr<SendRing> ring) : impl_(std::make_unique<Impl>(std::move(ring))) {}
EventLoop::~EventLoop() = default;

base::Result<std::unique_ptr<EventLoop>> EventLoop::create(std::unique_ptr<SendRing> ring) {
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(ring)));
  Impl& impl = *loop->impl_;
  impl.epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!impl.epoll) return base::fail_errno("epoll_create1");
  impl.wake_up.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl.wake_up) return base::fail_errno("eventfd");
  impl.timer.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!impl.timer) return base::fail_errno("timerfd_create");
  if (auto watched = impl.watch(impl.wake_up.get(), EPOLLIN, &impl.wake_up); !watched)
    return tl::unexpected(watched.error());
  if (auto watched = impl.watch(impl.timer.get(), EPOLLIN, &impl.timer); !watched)
    return tl::unexpected(watched.error());
  return loop;
}

void EventLoop::run() {
  impl_->now = base::now();
  impl_->finish_turn();  // what was deferred and armed before there was a turn
  while (!impl_->is_stopping.load(std::memory_order_relaxed)) impl_->turn();
}

void EventLoop::stop() {
  impl_->is_stopping.store(true, std::memory_order_relaxed);
  impl_->wake();
}

void EventLoop::post(std::function<void()> task) {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->posted.push_back(std::move(task));
  }
  impl_->wake();
}

base::Result<> EventLoop::add(int fd, IoHandler& handler) {
  return impl_->watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, &handler);
}

void EventLoop::remove(int fd) { ::epoll_ctl(impl_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::defer(Deferred& deferred) { impl_->between_events.push(deferred); }
void EventLoop::defer_to_end_of_turn(Deferred& deferred) { impl_->at_end_of_turn.push(deferred); }
void EventLoop::defer_to_next_turn(Deferred& deferred) {
  DeferredList::withdraw(deferred);
  impl_->next_turn.push(deferred);
}
void EventLoop::set_end_of_turn(std::function<void()> hook) { impl_->end_of_turn = std::move(hook); }

SendBatch& EventLoop::sends() { return impl_->sends; }
TimingWheel& EventLoop::timers() { return impl_->wheel; }
base::TimePoint EventLoop::now() const { return impl_->now; }
base::WallTime EventLoop::wall_now() {
  if (!impl_->wall_now) impl_->wall_now = base::wall_now();
  return *impl_->wall_now;
}
char* EventLoop::scratch() { return impl_->scratch.get(); }

}  // namespace proxy::engine
