#include "agent/telemetry/series_registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <thread>

#include "base/random.h"
#include "proxy/telemetry/worker_telemetry.h"

// The writer is the proxy's own, so that both ends of the shared memory are tested together.
namespace agent::telemetry {
namespace {

using namespace std::chrono_literals;
using proxy::telemetry::ConnectionResult;
using proxy::telemetry::RetryOutcome;
using proxy::telemetry::ShardSet;
using proxy::telemetry::WorkerTelemetry;
using ::telemetry::Kind;
using ::telemetry::SeriesKey;
using ::telemetry::SharedMemory;
using ::telemetry::Word;

constexpr std::size_t kRetrySuccess = ::telemetry::row::service::kRetries;

struct SeriesRegistryTest : testing::Test {
  SeriesRegistry make_registry() {
    return {*SharedMemory::open(*memory.duplicate_fd()),
            [this](Kind, const SeriesKey& key) {
              const auto id = std::max(key.service, key.pod);
              return aliases.contains(id) ? std::string("alias") : std::to_string(id);
            },
            [this](Kind, const SeriesKey& key) { return gone.contains(std::max(key.service, key.pod)); }};
  }
  std::optional<std::uint64_t> retries(const std::string& labels) {
    const auto& sets = registry.label_sets(Kind::service);
    const auto found = sets.find(labels);
    if (found == sets.end()) return std::nullopt;
    return found->second.values[kRetrySuccess];
  }
  void scrape() {
    registry.collect(now);
    registry.mark_scraped();
  }
  void tick() {
    for (auto& worker : workers) worker->tick();
  }

  base::TimePoint now = base::TimePoint(1h);
  std::set<std::uint32_t> aliases, gone;
  SharedMemory memory = *SharedMemory::create(2, 50);
  std::unique_ptr<ShardSet> shards = *ShardSet::attach(*memory.duplicate_fd());
  std::vector<std::unique_ptr<WorkerTelemetry>> workers = [this] {
    std::vector<std::unique_ptr<WorkerTelemetry>> all;
    for (std::uint32_t i = 0; i < 2; ++i) all.push_back(std::make_unique<WorkerTelemetry>(*shards, i));
    return all;
  }();
  SeriesRegistry registry = make_registry();
};

TEST_F(SeriesRegistryTest, AddsUpWhatTheWorkersCounted) {
  workers[0]->on_retry(1, RetryOutcome::success);
  workers[1]->on_retry(1, RetryOutcome::success);
  workers[1]->on_retry(2, RetryOutcome::success);
  registry.collect(now);
  EXPECT_EQ(retries("1"), 2U);
  EXPECT_EQ(retries("2"), 1U);
  EXPECT_EQ(registry.label_sets(Kind::service).size(), 2U);
}

TEST_F(SeriesRegistryTest, ShowsSeriesWithTheSameLabelsAsOne) {
  aliases = {1, 2};
  workers[0]->on_retry(1, RetryOutcome::success);
  workers[0]->on_retry(2, RetryOutcome::success);
  registry.collect(now);
  EXPECT_EQ(retries("alias"), 2U);
  EXPECT_EQ(registry.label_sets(Kind::service).size(), 1U);
}

TEST_F(SeriesRegistryTest, RemovesAnIdleSeriesOnlyAfterAScrapeAndAllWorkers) {
  workers[0]->on_retry(1, RetryOutcome::success);
  registry.collect(now);
  now += 16min;
  registry.collect(now);
  tick();
  registry.collect(now);
  EXPECT_EQ(retries("1"), 1U) << "nobody has seen its last value";

  scrape();
  now += 1min;
  registry.collect(now);  // asks the workers
  registry.collect(now);
  EXPECT_EQ(retries("1"), 1U) << "workers may still have handles";
  workers[0]->tick();
  registry.collect(now);
  EXPECT_EQ(retries("1"), 1U) << "the other one has not answered";
  workers[1]->tick();
  registry.collect(now);
  EXPECT_EQ(retries("1"), std::nullopt);
  EXPECT_EQ(registry.expired(Kind::service), 1U);

  workers[0]->on_retry(1, RetryOutcome::success);
  registry.collect(now);
  EXPECT_EQ(retries("1"), 1U) << "it starts again at 0";
}

TEST_F(SeriesRegistryTest, LosesNothingThatIsCountedWhileASeriesRetires) {
  workers[0]->on_retry(1, RetryOutcome::success);
  scrape();
  now += 16min;
  registry.collect(now);                           // retiring
  workers[0]->on_retry(1, RetryOutcome::success);  // with the handle it has
  tick();
  now += 1s;
  registry.collect(now);
  EXPECT_EQ(retries("1"), 2U);

  scrape();
  now += 16min;
  registry.collect(now);  // retiring again
  tick();
  workers[1]->on_retry(1, RetryOutcome::success);  // takes it back after it has let go
  now += 1s;
  registry.collect(now);
  registry.collect(now);
  EXPECT_EQ(retries("1"), 3U);
  EXPECT_EQ(registry.expired(Kind::service), 0U);
}

TEST_F(SeriesRegistryTest, RemovesWhatIsGoneWithoutWaiting) {
  workers[0]->on_retry(1, RetryOutcome::success);
  scrape();
  gone = {1};
  now += 1s;
  registry.collect(now);
  tick();
  now += 1s;
  registry.collect(now);
  EXPECT_EQ(retries("1"), std::nullopt);
}

TEST_F(SeriesRegistryTest, KeepsThePodOfAnOpenConnection) {
  gone = {9};
  workers[0]->on_downstream_opened(9);
  const auto wait = [&] {
    for (int i = 0; i < 3; ++i) {
      scrape();
      now += 16min;
      tick();
    }
  };
  wait();
  EXPECT_EQ(registry.label_sets(Kind::pod).size(), 1U);
  workers[0]->on_downstream_closed(9, ConnectionResult::closed);
  wait();
  EXPECT_EQ(registry.label_sets(Kind::pod).size(), 0U);
}

TEST_F(SeriesRegistryTest, DoesNotCountBackwardsWhenOneOfSeveralWithTheSameLabelsGoes) {
  aliases = {1, 2};
  workers[0]->on_retry(1, RetryOutcome::success);
  workers[0]->on_retry(2, RetryOutcome::success);
  scrape();
  gone = {1};
  now += 1s;
  registry.collect(now);
  tick();
  now += 1s;
  registry.collect(now);
  EXPECT_EQ(registry.expired(Kind::service), 1U);
  EXPECT_EQ(retries("alias"), 2U);
}

TEST_F(SeriesRegistryTest, MakesRoomForNewSeries) {
  for (std::uint32_t id = 1; id <= 50; ++id) workers[0]->on_retry(id, RetryOutcome::success);
  workers[0]->on_retry(51, RetryOutcome::success);
  EXPECT_EQ(memory.worker(0).overflows[static_cast<std::size_t>(Kind::service)].load(), 1U);
  scrape();
  now += 16min;
  registry.collect(now);
  tick();
  registry.collect(now);
  EXPECT_EQ(registry.expired(Kind::service), 50U);
  tick();  // drops the handle of the overflow set
  workers[0]->on_retry(51, RetryOutcome::success);
  now += 1s;
  registry.collect(now);
  EXPECT_EQ(retries("51"), 1U);
  EXPECT_EQ(retries(std::to_string(SeriesKey::kOverflowId)), 1U) << "what it has counted stays";
}

TEST_F(SeriesRegistryTest, GoesOnAfterTheProxyDied) {
  workers[0]->on_retry(1, RetryOutcome::success);
  registry.collect(now);
  workers.clear();
  shards = *ShardSet::attach(*memory.duplicate_fd());
  WorkerTelemetry worker(*shards, 0);
  worker.on_retry(1, RetryOutcome::success);
  registry.collect(now);
  EXPECT_EQ(retries("1"), 2U);
}

TEST_F(SeriesRegistryTest, ANewAgentReadsTheSameAndEndsWhatTheOldOneBegan) {
  workers[0]->on_retry(1, RetryOutcome::success);
  scrape();
  now += 16min;
  registry.collect(now);  // retiring, and then the agent dies
  SeriesRegistry next = make_registry();
  next.collect(now);
  EXPECT_EQ(next.label_sets(Kind::service).at("1").values[kRetrySuccess], 1U);
  next.mark_scraped();
  now += 16min;
  next.collect(now);
  tick();
  next.collect(now);
  EXPECT_EQ(next.expired(Kind::service), 1U);
}

TEST_F(SeriesRegistryTest, NamesUnknownHostsOnlyIfTheyAreHosts) {
  shards->resolve_host("example.org");
  EXPECT_EQ(registry.unknown_host(0), "example.org");
  EXPECT_EQ(registry.unknown_host(1), "");
  EXPECT_EQ(registry.unknown_host(4711), "");
  memory.host(0).text[0].store(0x22'22'22'22'22'22'22'22);  // quotes
  EXPECT_EQ(registry.unknown_host(0), "");
  memory.host(0).size.store(~std::uint64_t{0});
  EXPECT_EQ(registry.unknown_host(0), "");
}

TEST_F(SeriesRegistryTest, SurvivesMemoryFullOfNonsense) {
  base::Random random(42);
  for (int round = 0; round < 20; ++round) {
    auto* const words = reinterpret_cast<Word*>(&memory.header().attached_workers);
    const std::size_t count = (memory.layout().total() - offsetof(::telemetry::Header, attached_workers)) / 8;
    for (std::size_t i = 0; i < count; i += 1 + random.below(3)) words[i].store(random.next());
    now += 10min;
    scrape();
    for (std::uint32_t host = 0; host < 200; ++host) EXPECT_LE(registry.unknown_host(host).size(), 248U);
  }
}

TEST_F(SeriesRegistryTest, ReadsWhileWorkersWrite) {
  std::atomic<bool> is_done = false;
  std::vector<std::thread> threads;
  constexpr std::uint64_t kRounds = 20'000;
  for (auto& worker : workers) {
    threads.emplace_back([&worker] {
      for (std::uint64_t i = 0; i < kRounds; ++i) {
        worker->on_retry(static_cast<std::uint32_t>(1 + i % 10), RetryOutcome::success);
        if (i % 100 == 0) worker->tick();
      }
    });
  }
  std::thread reader([&] {
    // Time flies here, so that series retire while they are written.
    while (!is_done.load()) {
      now += 16min;
      scrape();
    }
  });
  for (std::thread& thread : threads) thread.join();
  is_done = true;
  reader.join();
  // Nothing idle was removed in between that somebody still counted in: no worker was left with a stale handle.
  tick();
  registry.collect(now);
  for (const auto& [labels, set] : registry.label_sets(Kind::service)) {
    EXPECT_LE(set.values[kRetrySuccess], 2 * kRounds / 10) << labels;
  }
}

}  // namespace
}  // namespace agent::telemetry
