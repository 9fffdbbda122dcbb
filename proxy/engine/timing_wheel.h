#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace proxy::engine {

class TimingWheel;

namespace detail {
struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};
}  // namespace detail

// One deadline, embedded in the object that waits for it. Not armed when made; destroying it cancels it.
//
//   struct Connection {
//     void on_idle(base::TimePoint now);
//     Timer idle = Timer::calling<&Connection::on_idle>(*this);
//   };
class Timer : private detail::TimerLink {
 public:
  using Callback = void (*)(void* context, base::TimePoint now);

  Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
  template <auto Method, typename Owner>
  static Timer calling(Owner& owner) {
    return Timer([](void* context, base::TimePoint now) { (static_cast<Owner*>(context)->*Method)(now); }, &owner);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  [[nodiscard]] bool is_armed() const { return wheel_ != nullptr; }
  void cancel();

 private:
  friend class TimingWheel;

  Callback callback_;
  void* context_;
  TimingWheel* wheel_ = nullptr;  // nullptr: not armed
  std::uint64_t expiry_ = 0;      // tick
  std::uint16_t slot_ = 0;        // index into TimingWheel::slots_
};

// Deadlines of one thread: arm and cancel are O(1) and allocate nothing (PERFORMANCE 3, rule 5). Hierarchical: seven
// levels of 64 slots, 1 ms each at the lowest; a timer of a higher level moves down when its slot begins.
// A timer never runs early, and runs at the first advance() that is 1 ms after its deadline, or sooner.
class TimingWheel {
 public:
  explicit TimingWheel(base::TimePoint now);
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;
  ~TimingWheel();  // what is still armed will never run

  // An armed timer is moved. A deadline that has passed runs at the next tick, never inside this call.
  void arm(Timer& timer, base::TimePoint deadline);
  void cancel(Timer& timer) { timer.cancel(); }

  // Runs what is due, in the order of deadlines (to the ms), each with `now`. A callback may arm, cancel and destroy
  // any timer, its own included; it must not call advance() or destroy the wheel. An earlier `now` than before is
  // harmless.
  void advance(base::TimePoint now);

  // When advance() has something to do; TimePoint::max() when nothing is armed. Never later than the first timer's
  // tick; for a distant timer it may be an earlier step, at which nothing runs and the answer gets closer.
  [[nodiscard]] base::TimePoint next_expiry() const;

 private:
  friend class Timer;
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1U << kSlotBits;
  static constexpr unsigned kLevels = 7;  // 2^42 ms: 139 years
  static constexpr std::uint64_t kLastTick = (std::uint64_t{1} << (kSlotBits * kLevels)) - 1;
  static constexpr std::uint16_t kDueSlot = kLevels * kSlots;

  struct Next {
    std::uint64_t tick;
    unsigned level;
    unsigned slot;
  };
  [[nodiscard]] Next next() const;
  [[nodiscard]] std::uint64_t ticks_before(base::TimePoint time) const;  // whole ticks, rounded down
  [[nodiscard]] std::uint64_t ticks_after(base::TimePoint time) const;   // rounded up
  void insert(Timer& timer);
  void remove(Timer& timer);
  void take_slot(unsigned level, unsigned slot);
  Timer& pop_due();

  base::TimePoint origin_;
  std::uint64_t current_ = 0;  // the last tick that was run
  // Bit s of level l: slot s is not empty. The digits of `current_` are never set: an armed timer is in the future.
  std::array<std::uint64_t, kLevels> occupied_{};
  // Circular lists; the last one holds what advance() is about to run or to move down.
  std::array<detail::TimerLink, kLevels * kSlots + 1> slots_;
};

inline void Timer::cancel() {
  if (wheel_ != nullptr) wheel_->remove(*this);
}

}  // namespace proxy::engine
