#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proxy/policy/outlier.h"

// Every sequence of a few steps, on the detector and on a model that does each sweep of each interval, and nothing
// cleverly.
namespace proxy::policy {
namespace {

using base::TimePoint;
using config::OutlierPolicy;
using std::chrono::milliseconds;
using std::chrono::seconds;
using HostKey = OutlierDetector::HostKey;

const TimePoint t0 = TimePoint{} + seconds(1000);
constexpr std::array<HostKey, 3> kHosts = {1, 2, 3};

class Model {
 public:
  explicit Model(const OutlierPolicy& policy) : policy_(policy) {}

  void wait(milliseconds time) {
    const milliseconds end = now_ + time;
    while (now_ < end) {
      now_ += milliseconds(1);
      if (held_since_ >= milliseconds(0) && now_ - held_since_ == milliseconds(1000)) apply();
      if (now_.count() % policy_.interval.count() == 0) sweep();
    }
  }

  void respond(std::size_t index, int status) {
    Host& host = hosts_[index];
    if (status < 500) {
      host.errors = host.gateway_errors = 0;
      return;
    }
    host.gateway_errors = status == 500 ? 0 : host.gateway_errors + 1;
    if (status != 500 && host.gateway_errors == policy_.consecutive_gateway && !host.is_ejected) {
      try_to_eject(host);
      host.gateway_errors = 0;
    }
    ++host.errors;
    if (host.errors == policy_.consecutive_5xx && !host.is_ejected) {
      try_to_eject(host);
      host.errors = 0;
    }
  }

  // "ejected, seen by the balancer, multiplier" of each host, and how often an ejection was refused.
  [[nodiscard]] std::string state() const {
    std::string text;
    for (const Host& host : hosts_) {
      text += host.is_ejected ? 'E' + std::to_string(host.multiplier) : std::string("-");
      text += host.is_seen_ejected ? "! " : " ";
    }
    return text + std::to_string(refused_);
  }
  [[nodiscard]] milliseconds now() const { return now_; }

 private:
  struct Host {
    std::uint32_t errors = 0, gateway_errors = 0, multiplier = 0;
    bool is_ejected = false, is_seen_ejected = false;
    milliseconds since{}, returned{};
  };

  void try_to_eject(Host& host) {
    std::uint32_t ejected = 0;
    for (const Host& each : hosts_) ejected += each.is_ejected ? 1 : 0;
    const bool fits = 100.0 * (ejected + 1) / kHosts.size() <= policy_.max_ejection_percent;
    const bool is_granted = policy_.always_ejects_one_host && ejected == 0;
    if (!fits && !is_granted) {
      ++refused_;
      return;
    }
    host.is_ejected = true;
    host.since = now_;
    ++host.multiplier;
    changed();
  }

  void sweep() {
    for (Host& host : hosts_) {
      if (!host.is_ejected) {
        if (host.multiplier > 0 && now_ - host.returned >= policy_.interval) --host.multiplier;
      } else if (now_ - host.since >= policy_.base_ejection_time * host.multiplier) {
        host.is_ejected = false;
        host.returned = now_;
        host.errors = host.gateway_errors = 0;
        changed();
      }
    }
  }

  void changed() {
    if (applied_ == milliseconds(-1) || now_ - applied_ > milliseconds(1000)) {
      apply();
    } else if (held_since_ < milliseconds(0)) {
      held_since_ = now_;
    }
  }
  void apply() {
    for (Host& host : hosts_) host.is_seen_ejected = host.is_ejected;
    applied_ = now_;
    held_since_ = milliseconds(-1);
  }

  OutlierPolicy policy_;
  std::array<Host, kHosts.size()> hosts_;
  milliseconds now_{0};
  milliseconds applied_{-1};
  milliseconds held_since_{-1};
  int refused_ = 0;
};

struct Step {
  const char* name;
  std::size_t host;
  int status;  // 0: wait
  milliseconds time;
};
constexpr std::array kSteps = {
    Step{"500 at 1", 0, 500, {}},
    Step{"503 at 1", 0, 503, {}},
    Step{"200 at 1", 0, 200, {}},
    Step{"503 at 2", 1, 503, {}},
    Step{"wait 300 ms", 0, 0, milliseconds(300)},
    Step{"wait 1.4 s", 0, 0, milliseconds(1400)},
};
constexpr std::size_t kDepth = 6;

std::string state_of(OutlierDetector& detector, int& refused) {
  for (const auto& event : detector.take_events()) {
    refused += event.kind == OutlierDetector::Event::Kind::suppressed ? 1 : 0;
  }
  std::string text;
  for (const HostKey host : kHosts) {
    const OutlierDetector::Ejection* ejection = detector.ejection(host);
    text += ejection != nullptr ? 'E' + std::to_string(ejection->times) : std::string("-");
    text += detector.is_ejected_for_balancer(host) ? "! " : " ";
  }
  return text + std::to_string(refused);
}

void explore(const OutlierDetector& detector, const Model& model, int refused, const std::string& path,
             std::size_t depth) {
  if (depth == 0 || testing::Test::HasFailure()) return;
  for (const Step& step : kSteps) {
    OutlierDetector next = detector;
    Model next_model = model;
    int next_refused = refused;
    const std::string next_path = path + step.name + "; ";
    if (step.status == 0) {
      next_model.wait(step.time);
      next.advance(t0 + next_model.now());
    } else {
      next_model.respond(step.host, step.status);
      next.on_response(kHosts[step.host], static_cast<std::uint16_t>(step.status), t0 + next_model.now());
    }
    ASSERT_EQ(state_of(next, next_refused), next_model.state()) << next_path;
    explore(next, next_model, next_refused, next_path, depth - 1);
  }
}

void explore(const OutlierPolicy& policy) {
  OutlierDetector detector(policy, t0);
  detector.update(policy, kHosts, t0);
  explore(detector, Model(policy), 0, "", kDepth);
}

OutlierPolicy policy_of(std::uint32_t errors, std::uint32_t gateway_errors, std::uint32_t percent,
                        milliseconds interval, milliseconds base) {
  OutlierPolicy policy;
  policy.consecutive_5xx = errors;
  policy.consecutive_gateway = gateway_errors;
  policy.max_ejection_percent = percent;
  policy.interval = interval;
  policy.base_ejection_time = base;
  return policy;
}

TEST(OutlierModel, OneErrorEjectsAndEverybodyMayGo) {
  explore(policy_of(1, 0, 100, milliseconds(500), milliseconds(700)));
}
TEST(OutlierModel, TwoErrorsAndTwoGatewayErrors) {
  explore(policy_of(2, 2, 100, milliseconds(200), milliseconds(300)));
}
TEST(OutlierModel, GatewayErrorsAloneWithRoomForOne) {
  explore(policy_of(0, 1, 34, milliseconds(700), milliseconds(700)));
}
TEST(OutlierModel, NobodyMayGo) { explore(policy_of(1, 2, 10, milliseconds(500), milliseconds(700))); }
TEST(OutlierModel, OneAlwaysMayGo) {
  OutlierPolicy policy = policy_of(1, 1, 10, milliseconds(300), milliseconds(100));
  policy.always_ejects_one_host = true;
  explore(policy);
}

}  // namespace
}  // namespace proxy::policy
