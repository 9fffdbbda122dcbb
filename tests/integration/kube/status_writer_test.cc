#include "agent/kube/status/status_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <mutex>
#include <optional>
#include <vector>

#include "agent/kube/status/event_writer.h"
#include "tests/integration/kube/scripted_api_server.h"

namespace agent::kube {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using tests::support::Exchange;
using tests::support::RecordedRequest;

const std::string kLeases = "/apis/coordination.k8s.io/v1/namespaces/fairlead-system/leases";
const Resource kServices{.group = "networking.istio.io", .version = "v1", .plural = "virtualservices"};
const config::DocumentId kWeb{"VirtualService", "shop", "web"};
const std::string kStatusOfWeb = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/web/status";

// One lease, and answers to patches as they are told.
class Api {
 public:
  void operator()(Exchange& exchange) {
    if (!exchange.read_body()) return;
    const std::lock_guard lock(mutex_);
    const auto& request = exchange.request();
    const auto [status, body] = answer(request.method(), request.target(), request.body.text);
    answered_.push_back(request);
    exchange.respond({.status = status, .body = body});
  }
  // With their bodies, and what they are answered no longer changes.
  std::vector<RecordedRequest> answered() {
    const std::lock_guard lock(mutex_);
    return answered_;
  }
  void set_lease(std::string lease) {
    const std::lock_guard lock(mutex_);
    lease_ = std::move(lease);
  }
  void answer_patches_with(int status) {
    const std::lock_guard lock(mutex_);
    patch_status_ = status;
  }
  void refuse_leases_with(int status) {
    const std::lock_guard lock(mutex_);
    lease_status_ = status;
  }

 private:
  std::pair<int, std::string> answer(const std::string& method, const std::string& target, const std::string& body) {
    if (target.starts_with(kLeases)) {
      if (method == "GET") return lease_ ? std::pair(200, *lease_) : std::pair(404, std::string("{}"));
      if (lease_status_ != 200) return {lease_status_, "{}"};
      json::value stored = json::parse(body);
      stored.at("metadata").as_object()["resourceVersion"] = std::to_string(++version_);
      lease_ = json::serialize(stored);
      return {method == "POST" ? 201 : 200, *lease_};
    }
    if (target.ends_with("/events")) return {201, R"({"metadata":{"name":"event-1"}})"};
    return {patch_status_, "{}"};
  }

  std::mutex mutex_;
  std::vector<RecordedRequest> answered_;
  std::optional<std::string> lease_;
  int version_ = 100;
  int patch_status_ = 200, lease_status_ = 200;
};

class StatusWriterTest : public ::testing::Test {
 protected:
  StatusWriterTest() {
    server_.upstream.set_handler([this](Exchange& exchange) { api_(exchange); });
  }
  void start() {
    events_.emplace(server_.context, server_.credentials());
    writer_.emplace(server_.context, server_.credentials(),
                    StatusWriter::Settings{.name_space = "fairlead-system",
                                           .identity = "n1_a",
                                           .node = "n1",
                                           .election = {.duration = 30s, .renewal = 200ms, .patience = 100ms}},
                    [this](Event event) { events_->add(std::move(event)); });
  }
  static json::object web(int generation, const std::string& version) {
    return json::parse(R"({"metadata":{"name":"web","namespace":"shop","uid":"u","generation":)" +
                       std::to_string(generation) + R"(,"resourceVersion":")" + version + R"("}})")
        .as_object();
  }
  void set(int generation, const std::string& version, const Verdict& verdict = {}) {
    writer_->set(kServices, kWeb, web(generation, version), verdict);
  }
  static Verdict rejected() {
    return {.state = config::DocumentState::rejected,
            .findings = {{.severity = config::Severity::error,
                          .code = std::string(config::kInvalidDocument),
                          .path = "spec.http[0]",
                          .message = "is wrong"}}};
  }
  std::vector<RecordedRequest> requests(const std::string& method, const std::string& prefix) {
    std::vector<RecordedRequest> found;
    for (const RecordedRequest& each : api_.answered()) {
      if (each.method() == method && each.target().starts_with(prefix)) found.push_back(each);
    }
    return found;
  }
  bool run_until(const std::function<bool()>& condition) { return server_.run_until(condition, 20s); }
  // Nothing but time passes: for what must not happen.
  void run_for(std::chrono::milliseconds time) {
    server_.run_until([] { return false; }, time);
  }

  Api api_;
  ScriptedApiServer server_;
  std::optional<EventWriter> events_;
  std::optional<StatusWriter> writer_;
};

TEST_F(StatusWriterTest, LeadsWritesAndTellsOfWhatIsWrong) {
  start();
  set(2, "7", rejected());
  ASSERT_TRUE(run_until([&] { return !requests("POST", "/apis/events.k8s.io").empty(); }));
  const auto taken = requests("POST", kLeases);
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_THAT(taken[0].body.text, HasSubstr(R"("holderIdentity":"n1_a")"));
  const auto patches = requests("PATCH", kStatusOfWeb);
  ASSERT_THAT(patches, SizeIs(1));
  EXPECT_THAT(patches[0].body.text, HasSubstr(R"("resourceVersion":"7")"));
  EXPECT_THAT(patches[0].body.text, HasSubstr("spec.http[0]: is wrong"));
  const json::value event = json::parse(requests("POST", "/apis/events.k8s.io")[0].body.text);
  EXPECT_EQ(event.at("reason").as_string(), "PolicyRejected");
  EXPECT_EQ(event.at("regarding").at("uid").as_string(), "u");
  EXPECT_TRUE(writer_->counts().is_leading);
}

TEST_F(StatusWriterTest, AsksForNothingWhileEveryStatusIsRight) {
  start();
  json::object right = web(1, "8");
  right["status"] = json::parse(R"({"observedGeneration":1,"conditions":[{"type":"fairlead.dev/Accepted",
    "status":"True","reason":"Accepted","message":"","observedGeneration":1}]})");
  writer_->set(kServices, kWeb, right, {});
  run_for(300ms);
  EXPECT_EQ(server_.upstream.requests().size(), 0U);
}

TEST_F(StatusWriterTest, WritesNothingWhileAnotherAgentHoldsTheLease) {
  api_.set_lease(
      R"({"metadata":{"resourceVersion":"1"},"spec":{"holderIdentity":"n2_b","leaseDurationSeconds":3600}})");
  start();
  set(1, "7");
  ASSERT_TRUE(run_until([&] { return !requests("GET", kLeases).empty(); }));
  run_for(300ms);
  EXPECT_THAT(requests("PATCH", ""), SizeIs(0));
  EXPECT_THAT(requests("PUT", ""), SizeIs(0));
  EXPECT_FALSE(writer_->counts().is_leading);
}

TEST_F(StatusWriterTest, TakesOverALeaseThatNobodyRenews) {
  api_.set_lease(R"({"metadata":{"resourceVersion":"1"},"spec":{"holderIdentity":"n2_b","leaseDurationSeconds":1}})");
  start();
  set(1, "7");
  ASSERT_TRUE(run_until([&] { return !requests("PATCH", kStatusOfWeb).empty(); }));
  EXPECT_THAT(requests("PUT", kLeases)[0].body.text, HasSubstr(R"("resourceVersion":"1")"));
}

TEST_F(StatusWriterTest, WritesNothingWhenTheLeaseIsRefused) {
  api_.refuse_leases_with(403);
  start();
  set(1, "7");
  ASSERT_TRUE(run_until([&] { return writer_->counts().failures > 0; }));
  run_for(500ms);
  EXPECT_THAT(requests("POST", kLeases), SizeIs(1)) << "it would be refused again";
  EXPECT_THAT(requests("PATCH", ""), SizeIs(0));
}

TEST_F(StatusWriterTest, KeepsTheLeaseAfterwards) {
  start();
  set(1, "7");
  ASSERT_TRUE(run_until([&] { return requests("PUT", kLeases).size() >= 3; }));
  EXPECT_TRUE(writer_->counts().is_leading);
  EXPECT_THAT(requests("PATCH", kStatusOfWeb), SizeIs(1));
}

TEST_F(StatusWriterTest, WaitsForTheNextVersionAfterAConflict) {
  api_.answer_patches_with(409);
  start();
  set(1, "7");
  ASSERT_TRUE(run_until([&] { return requests("PATCH", kStatusOfWeb).size() == 1; }));
  api_.answer_patches_with(200);
  set(2, "8");
  ASSERT_TRUE(run_until([&] { return writer_->counts().written == 1; }));
  EXPECT_THAT(requests("PATCH", kStatusOfWeb)[1].body.text, HasSubstr(R"("resourceVersion":"8")"));
}

TEST_F(StatusWriterTest, DoesNotRepeatWhatIsRefused) {
  for (const int status : {403, 422, 400}) {
    api_.answer_patches_with(status);
    start();
    set(1, "7", rejected());
    ASSERT_TRUE(run_until([&] { return writer_->counts().failures > 0; }));
    run_for(300ms);
    EXPECT_EQ(writer_->counts().failures, 1U) << status;
    EXPECT_EQ(writer_->counts().waiting, 1U) << status;
    writer_.reset();
  }
  EXPECT_THAT(requests("POST", "/apis/events.k8s.io"), SizeIs(0));
}

TEST_F(StatusWriterTest, AnswersWhoUndoesItMoreAndMoreSlowly) {
  start();
  set(1, "0");
  ASSERT_TRUE(run_until([&] { return writer_->counts().written == 1; }));
  for (int i = 1; i <= 50; ++i) {
    set(1, std::to_string(i));
    run_for(10ms);
  }
  EXPECT_LE(writer_->counts().written, 2U);
}

TEST_F(StatusWriterTest, MayGoAtAnyTime) {
  start();
  set(1, "7");
  writer_.reset();
  for (std::size_t requests_seen = 1; requests_seen <= 3; ++requests_seen) {
    start();
    set(1, "7", rejected());
    const std::size_t before = server_.upstream.requests().size();
    EXPECT_TRUE(run_until([&] { return server_.upstream.requests().size() >= before + requests_seen; }));
    writer_.reset();
    events_.reset();
  }
}

}  // namespace
}  // namespace agent::kube
