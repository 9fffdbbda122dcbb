#include <deque>
#include <memory>

#include "proxy/engine/buffer_pool.h"
#include "proxy/engine/timing_wheel.h"
#include "tests/bench/micro/body.h"

namespace bench {

namespace engine = proxy::engine;

namespace {

// A thousand connections wait with their idle timers.
struct Timers {
  static void on_time(void*, base::TimePoint) {}

  Timers() {
    for (int i = 0; i < 1000; ++i) {
      wheel.arm(idle.emplace_back(&on_time, nullptr), now + std::chrono::hours(1) + std::chrono::milliseconds(i));
    }
  }

  base::TimePoint now{std::chrono::seconds(1000)};
  engine::TimingWheel wheel{now};
  std::deque<engine::Timer> idle;
  engine::Timer timeout{&on_time, nullptr}, per_try{&on_time, nullptr};
};

}  // namespace

void add_engine(std::vector<Body>& bodies) {
  const auto timers = std::make_shared<Timers>();
  bodies.push_back({"arm and cancel a request's timers", [timers] {
                      timers->wheel.arm(timers->timeout, timers->now + std::chrono::seconds(10));
                      timers->wheel.arm(timers->per_try, timers->now + std::chrono::seconds(5));
                      timers->per_try.cancel();
                      timers->timeout.cancel();
                    }});
  bodies.push_back({"turn the timing wheel by 1 ms", [timers] {
                      timers->now += std::chrono::milliseconds(1);
                      timers->wheel.advance(timers->now);
                      engine::Timer& first = timers->idle.front();
                      timers->wheel.arm(first, timers->now + std::chrono::hours(1));
                      use(timers->wheel.next_expiry());
                    }});
  const auto buffers = std::make_shared<engine::BufferPool>();
  bodies.push_back({"borrow a buffer", [buffers] { use(buffers->take()->size()); }});
}

}  // namespace bench
