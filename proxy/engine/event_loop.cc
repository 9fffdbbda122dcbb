#include "proxy/engine/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>
#include <utility>

#include "base/unique_fd.h"

namespace proxy::engine {

namespace asio = boost::asio;

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

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::posix::stream_descriptor descriptor{context};
  asio::steady_timer timer{context};
  base::TimePoint timer_at = base::TimePoint::max();
  base::TimePoint now = base::now();
  TimingWheel wheel{now};
  std::unique_ptr<char[]> scratch = std::make_unique<char[]>(kScratchBytes);
  std::array<epoll_event, kBatch> events;
  DeferredList between_events;
  DeferredList at_end_of_turn;
  DeferredList next_turn;
  bool is_next_turn_posted = false;
  std::function<void()> end_of_turn;

  void wait() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
      if (error) return;  // the loop is being destroyed
      turn();
      wait();
    });
  }

  void turn() {
    const int count = ::epoll_wait(descriptor.native_handle(), events.data(), kBatch, 0);
    now = base::now();
    for (int i = 0; i < count; ++i) {
      static_cast<IoHandler*>(events[static_cast<std::size_t>(i)].data.ptr)
          ->on_io(events[static_cast<std::size_t>(i)].events);
      between_events.run(Deferred::When::between_events);
    }
    DeferredList waiting;  // who defers itself again waits for the turn after
    waiting.take_all_of(next_turn);
    waiting.run(Deferred::When::between_events);
    finish_turn();
  }

  void finish_turn() {
    wheel.advance(now);
    do {
      between_events.run(Deferred::When::between_events);
      at_end_of_turn.run(Deferred::When::end_of_turn);
    } while (!between_events.is_empty());
    if (end_of_turn) end_of_turn();
    arm_timer();
    if (next_turn.is_empty() || std::exchange(is_next_turn_posted, true)) return;
    asio::post(context, [this] {
      is_next_turn_posted = false;
      turn();
    });
  }

  // Only ever moved earlier: a wake-up with nothing due costs less than a system call for each request.
  void arm_timer() {
    const base::TimePoint next = wheel.next_expiry();
    if (next >= timer_at) return;
    timer_at = next;
    timer.expires_at(next);
    timer.async_wait([this](const boost::system::error_code& error) {
      if (error) return;  // moved earlier, or the end
      timer_at = base::TimePoint::max();
      now = base::now();
      finish_turn();
    });
  }
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}
EventLoop::~EventLoop() = default;

base::Result<std::unique_ptr<EventLoop>> EventLoop::create() {
  base::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return base::fail_errno("epoll_create1");
  std::unique_ptr<EventLoop> loop(new EventLoop);
  loop->impl_->descriptor.assign(epoll.release());
  return loop;
}

void EventLoop::run() {
  impl_->now = base::now();
  impl_->finish_turn();  // what was deferred and armed before there was a turn
  impl_->wait();
  impl_->context.run();
}

void EventLoop::stop() { impl_->context.stop(); }

void EventLoop::post(std::function<void()> task) {
  asio::post(impl_->context, [impl = impl_.get(), task = std::move(task)] {
    impl->now = base::now();
    task();
    impl->finish_turn();
  });
}

base::Result<> EventLoop::add(int fd, IoHandler& handler) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &handler;
  if (::epoll_ctl(impl_->descriptor.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return base::fail_errno("epoll_ctl");
  }
  return {};
}

void EventLoop::remove(int fd) { ::epoll_ctl(impl_->descriptor.native_handle(), EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::defer(Deferred& deferred) { impl_->between_events.push(deferred); }
void EventLoop::defer_to_end_of_turn(Deferred& deferred) { impl_->at_end_of_turn.push(deferred); }
void EventLoop::defer_to_next_turn(Deferred& deferred) {
  DeferredList::withdraw(deferred);
  impl_->next_turn.push(deferred);
}
void EventLoop::set_end_of_turn(std::function<void()> hook) { impl_->end_of_turn = std::move(hook); }

TimingWheel& EventLoop::timers() { return impl_->wheel; }
base::TimePoint EventLoop::now() const { return impl_->now; }
char* EventLoop::scratch() { return impl_->scratch.get(); }

}  // namespace proxy::engine
