#include "agent/kube/status/lease.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "agent/kube/api_time.h"
#include "agent/kube/json_node.h"

namespace agent::kube {
namespace {

namespace json = boost::json;

// A holder that says more is as good as none.
constexpr std::int64_t kLongestSeconds = 3600;

}  // namespace

ApiResult<Lease> read_lease(std::string_view body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  const json::object* object = value.if_object();
  if (error || object == nullptr) {
    return tl::unexpected(ApiError{.kind = ApiError::Kind::malformed, .message = "the lease is not an object"});
  }
  Complaint ignored;
  const JsonNode root(*object, ignored);
  const JsonNode spec = root["spec"];
  return Lease{.holder = spec["holderIdentity"].text(),
               .duration = std::chrono::seconds(spec["leaseDurationSeconds"].integer(0, kLongestSeconds)),
               .acquired = spec["acquireTime"].text(),
               .renewed = spec["renewTime"].text(),
               .transitions = spec["leaseTransitions"].integer(0, INT32_MAX - 1),
               .version = root["metadata"]["resourceVersion"].text()};
}

std::string to_json(const Lease& lease, std::string_view name) {
  json::object metadata{{"name", name}};
  if (!lease.version.empty()) metadata["resourceVersion"] = lease.version;
  return json::serialize(json::object{{"apiVersion", "coordination.k8s.io/v1"},
                                      {"kind", "Lease"},
                                      {"metadata", std::move(metadata)},
                                      {"spec", json::object{{"holderIdentity", lease.holder},
                                                            {"leaseDurationSeconds", lease.duration.count()},
                                                            {"acquireTime", lease.acquired},
                                                            {"renewTime", lease.renewed},
                                                            {"leaseTransitions", lease.transitions}}}});
}

void Election::on_read(std::optional<Lease> lease, base::TimePoint now) {
  if (!seen_ || !lease || *seen_ != *lease) seen_at_ = now;
  seen_ = std::move(lease);
  if (seen_ && seen_->holder != identity_) leading_until_.reset();
}

base::TimePoint Election::take_over_at() const {
  if (!seen_ || seen_->holder.empty() || seen_->holder == identity_) return seen_at_;
  return seen_at_ + seen_->duration;
}

std::optional<Lease> Election::claim(base::TimePoint now, base::WallTime wall_now) const {
  if (now < take_over_at()) return std::nullopt;
  const std::string time = api_micro_time(wall_now);
  Lease claimed = seen_.value_or(Lease{});
  if (claimed.holder != identity_) {
    if (seen_) ++claimed.transitions;
    claimed.holder = identity_;
    claimed.acquired = time;
  }
  claimed.duration = std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(times_.duration));
  claimed.renewed = time;
  return claimed;
}

void Election::on_written(Lease lease, base::TimePoint asked_at) {
  seen_ = std::move(lease);
  seen_at_ = written_at_ = asked_at;
  // Somebody whose clock runs faster has still a third of it to wait.
  leading_until_ = asked_at + times_.duration * 2 / 3;
}

void Election::on_lost() {
  seen_.reset();
  leading_until_.reset();
}

}  // namespace agent::kube
