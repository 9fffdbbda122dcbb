#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "proxy/engine/send_batch.h"
#include "proxy/engine/timing_wheel.h"

namespace proxy::engine {

// Something with a file descriptor in the loop.
class IoHandler {
 public:
  // `events` are epoll's; edge-triggered, so remember what was not used up.
  virtual void on_io(std::uint32_t events) = 0;

 protected:
  ~IoHandler() = default;
};

// What one event may move of one connection before the others have their turn: peers on other cores can feed and drain
// a connection for as long as it is served.
inline constexpr std::size_t kBytesPerTurn = 256 * 1024;

// Something that runs once the stack is unwound, never inside a handler. Handlers may share the scratch buffer, and
// objects may end while their own method is on the stack, only because of this. One that is destroyed is not run.
class Deferred {
 public:
  enum class When : std::uint8_t { between_events, end_of_turn };
  virtual void run_deferred(When when) = 0;

 protected:
  ~Deferred() = default;

 private:
  friend class DeferredList;
  boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> deferred_;
};

// The edge-triggered epoll shell of one worker thread: one epoll_wait a turn, and nothing that waits beside it. Its
// timers are one timing wheel behind one timerfd.
// All calls but post() and stop() are for the thread that runs it.
class EventLoop {
 public:
  // A response of 64 KiB and its head in one read: cut in two, its tail costs a read and a send more, a fifth of all.
  static constexpr std::size_t kReadBytes = 128 * 1024;
  // Room for a partial head in front of what is read.
  static constexpr std::size_t kScratchBytes = 2 * kReadBytes + 16 * 1024;

  // `ring`: by which small messages are sent together, if there is one.
  static base::Result<std::unique_ptr<EventLoop>> create(std::unique_ptr<SendRing> ring = nullptr);
  ~EventLoop();

  void run();
  void stop();                            // any thread
  void post(std::function<void()> task);  // any thread

  // Once for each descriptor; never modified. Closing the last copy of the descriptor removes it; a descriptor with
  // copies elsewhere (listeners) must be removed.
  base::Result<> add(int fd, IoHandler& handler);
  void remove(int fd);

  // Between two events / when the turn's events are all done. Recycling belongs to the end of the turn: an event of the
  // same batch may still name the object. At most once until it has run. All of it has run before the thread sleeps.
  void defer(Deferred& deferred);
  void defer_to_end_of_turn(Deferred& deferred);
  // After the events that are there by then, and without waiting for any: for who has had its share and wants more.
  // Takes the place of defer(). Runs as `between_events`.
  void defer_to_next_turn(Deferred& deferred);
  // Called when a turn's events are done and before the thread sleeps.
  void set_end_of_turn(std::function<void()> hook);

  SendBatch& sends();  // go out when the turn's events are done, before what is set below
  TimingWheel& timers();
  [[nodiscard]] base::TimePoint now() const;  // read once a turn
  [[nodiscard]] base::WallTime wall_now();    // read once a turn, when it is asked for
  [[nodiscard]] char* scratch();              // kScratchBytes; valid until the handler returns

 private:
  explicit EventLoop(std::unique_ptr<SendRing> ring);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace proxy::engine
