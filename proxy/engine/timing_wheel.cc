#include "proxy/engine/timing_wheel.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace proxy::engine {

namespace {

using Tick = std::chrono::duration<std::int64_t, std::milli>;

}  // namespace

TimingWheel::TimingWheel(base::TimePoint now) : origin_(now) {
  for (detail::TimerLink& head : slots_) head.next = head.previous = &head;
}

TimingWheel::~TimingWheel() {
  for (detail::TimerLink& head : slots_) {
    while (head.next != &head) remove(static_cast<Timer&>(*head.next));
  }
}

std::uint64_t TimingWheel::ticks_before(base::TimePoint time) const {
  if (time <= origin_) return 0;
  return std::min<std::uint64_t>((time - origin_) / Tick(1), kLastTick);
}

std::uint64_t TimingWheel::ticks_after(base::TimePoint time) const {
  return time <= origin_ ? 0 : ticks_before(time - std::chrono::nanoseconds(1)) + 1;
}

void TimingWheel::arm(Timer& timer, base::TimePoint deadline) {
  timer.cancel();
  timer.expiry_ = std::clamp(ticks_after(deadline), std::min(current_ + 1, kLastTick), kLastTick);
  timer.wheel_ = this;
  insert(timer);
}

void TimingWheel::insert(Timer& timer) {
  unsigned index = kDueSlot;
  if (timer.expiry_ > current_) {
    // The level is the highest base-64 digit in which the deadline differs from now: lower levels come first.
    const unsigned level = (std::bit_width(timer.expiry_ ^ current_) - 1) / kSlotBits;
    const unsigned slot = (timer.expiry_ >> (level * kSlotBits)) % kSlots;
    occupied_[level] |= std::uint64_t{1} << slot;
    index = level * kSlots + slot;
  }
  detail::TimerLink& head = slots_[index];
  timer.slot_ = static_cast<std::uint16_t>(index);
  timer.next = &head;
  timer.previous = head.previous;
  head.previous->next = &timer;
  head.previous = &timer;
}

void TimingWheel::remove(Timer& timer) {
  timer.previous->next = timer.next;
  timer.next->previous = timer.previous;
  if (timer.next == timer.previous && timer.slot_ != kDueSlot) {  // it was the last one of its slot
    occupied_[timer.slot_ / kSlots] &= ~(std::uint64_t{1} << (timer.slot_ % kSlots));
  }
  timer.wheel_ = nullptr;
}

TimingWheel::Next TimingWheel::next() const {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
    const unsigned shift = level * kSlotBits;
    const std::uint64_t above = current_ >> (shift + kSlotBits) << (shift + kSlotBits);
    return {.tick = above | std::uint64_t{slot} << shift, .level = level, .slot = slot};
  }
  return {.tick = kLastTick + 1, .level = kLevels, .slot = 0};
}

// Moves a slot's timers to the due list, where callbacks may still cancel them.
void TimingWheel::take_slot(unsigned level, unsigned slot) {
  detail::TimerLink& head = slots_[level * kSlots + slot];
  detail::TimerLink& due = slots_[kDueSlot];
  assert(due.next == &due && head.next != &head);
  due.next = head.next;
  due.previous = head.previous;
  due.next->previous = due.previous->next = &due;
  head.next = head.previous = &head;
  for (detail::TimerLink* link = due.next; link != &due; link = link->next) static_cast<Timer*>(link)->slot_ = kDueSlot;
  occupied_[level] &= ~(std::uint64_t{1} << slot);
}

void TimingWheel::advance(base::TimePoint now) {
  const std::uint64_t target = ticks_before(now);
  for (Next step = next(); step.tick <= target; step = next()) {
    current_ = step.tick;
    take_slot(step.level, step.slot);
    detail::TimerLink& due = slots_[kDueSlot];
    // Timers of a higher level first find their place below; those of this very tick stay in the due list.
    if (step.level > 0) {
      detail::TimerLink* const last = due.previous;
      for (bool is_last = false; !is_last;) {
        auto& timer = static_cast<Timer&>(*due.next);
        is_last = &timer == last;
        timer.previous->next = timer.next;
        timer.next->previous = timer.previous;
        insert(timer);
      }
    }
    while (due.next != &due) {
      auto& timer = static_cast<Timer&>(*due.next);
      remove(timer);
      timer.callback_(timer.context_, now);
    }
  }
  current_ = std::max(current_, target);
}

base::TimePoint TimingWheel::next_expiry() const {
  const std::uint64_t tick = next().tick;
  return tick > kLastTick ? base::TimePoint::max() : origin_ + Tick(tick);
}

}  // namespace proxy::engine
