#include "proxy/telemetry/shard_set.h"

#include <gtest/gtest.h>

#include <thread>

namespace proxy::telemetry {
namespace {

using ::telemetry::Kind;
using ::telemetry::Reporter;
using ::telemetry::SeriesKey;
using ::telemetry::Slot;
using ::telemetry::slot_generation;
using ::telemetry::slot_tag;
using ::telemetry::SlotState;
using ::telemetry::Word;

constexpr std::uint32_t kMany = 1000;

void set_state(ShardSet& shards, Kind kind, std::uint32_t index, SlotState state) {
  Slot& slot = shards.memory().slot(kind, index);
  slot.tag.store(slot_tag(slot_generation(slot.tag.load()), state));
}
void free_slot(ShardSet& shards, Kind kind, std::uint32_t index) {
  set_state(shards, kind, index, SlotState::free);
  shards.memory().header().freed_sequence.fetch_add(1);
}

TEST(ShardSet, GivesOneSlotToAKeyAndAnotherToTheNext) {
  auto shards = *ShardSet::create_private(2, 10);
  const auto first = shards->resolve(Kind::service, {.service = 1}, kMany);
  const auto again = shards->resolve(Kind::service, {.service = 1}, kMany);
  const auto second = shards->resolve(Kind::service, {.service = 2}, kMany);
  EXPECT_EQ(first.index, again.index);
  EXPECT_EQ(first.generation, again.generation);
  EXPECT_NE(first.index, second.index);
  EXPECT_FALSE(second.is_overflow);
}

TEST(ShardSet, CountsAllKindsAgainstTheLimitAndOverflowsPerReporter) {
  auto shards = *ShardSet::create_private(1, 2);
  EXPECT_FALSE(shards->resolve(Kind::service, {.service = 1}, kMany).is_overflow);
  EXPECT_FALSE(shards->resolve(Kind::request, {.source = 1}, kMany).is_overflow);
  const auto source = shards->resolve(Kind::request, {.source = 2}, kMany);
  const auto other = shards->resolve(Kind::request, {.source = 3}, kMany);
  const auto destination = shards->resolve(Kind::request, {.source = 2, .reporter = Reporter::destination}, kMany);
  EXPECT_TRUE(source.is_overflow);
  EXPECT_EQ(source.index, other.index);
  EXPECT_NE(source.index, destination.index);
  EXPECT_FALSE(shards->resolve(Kind::request, {.source = 1}, kMany).is_overflow);  // known before
}

TEST(ShardSet, ObeysALimitLowerThanItsCapacity) {
  auto shards = *ShardSet::create_private(1, 10);
  EXPECT_FALSE(shards->resolve(Kind::pod, {.pod = 1}, 1).is_overflow);
  EXPECT_TRUE(shards->resolve(Kind::pod, {.pod = 2}, 1).is_overflow);
  EXPECT_FALSE(shards->resolve(Kind::pod, {.pod = 2}, 2).is_overflow);
}

TEST(ShardSet, KeepsARetiringSlotThatIsUsedAgain) {
  auto shards = *ShardSet::create_private();
  const auto handle = shards->resolve(Kind::pod, {.pod = 1}, kMany);
  set_state(*shards, Kind::pod, handle.index, SlotState::retiring);
  const auto again = shards->resolve(Kind::pod, {.pod = 1}, kMany);
  EXPECT_EQ(again.generation, handle.generation);
  EXPECT_EQ(shards->memory().slot(Kind::pod, handle.index).tag.load(), slot_tag(handle.generation, SlotState::active));
}

TEST(ShardSet, ReusesAFreedSlotWithClearedRows) {
  auto shards = *ShardSet::create_private(2, 1);
  const auto old = shards->resolve(Kind::service, {.service = 1}, kMany);
  shards->row(0, Kind::service, old)[1].store(5);
  shards->row(1, Kind::service, old)[1].store(6);
  free_slot(*shards, Kind::service, old.index);

  const auto fresh = shards->resolve(Kind::service, {.service = 2}, kMany);
  EXPECT_FALSE(fresh.is_overflow);
  EXPECT_EQ(fresh.index, old.index);
  EXPECT_GT(fresh.generation, old.generation);
  EXPECT_EQ(shards->row(0, Kind::service, fresh)[1].load(), 0U);
  // The other worker has not touched it yet: its row is not of this generation and counts for nothing.
  EXPECT_NE(shards->memory().row(1, Kind::service, fresh.index)[0].load(), fresh.generation);
}

TEST(ShardSet, ASeriesThatComesBackAfterItWasFreedStartsAtZero) {
  auto shards = *ShardSet::create_private();
  const auto old = shards->resolve(Kind::service, {.service = 1}, kMany);
  shards->row(0, Kind::service, old)[1].store(5);
  free_slot(*shards, Kind::service, old.index);
  const auto back = shards->resolve(Kind::service, {.service = 1}, kMany);
  EXPECT_GT(back.generation, old.generation);
  EXPECT_EQ(shards->row(0, Kind::service, back)[1].load(), 0U);
}

TEST(ShardSet, ANewProcessGoesOnCountingWhereTheLastOneDied) {
  auto memory = *::telemetry::SharedMemory::create(1, 100);
  {
    auto first = *ShardSet::attach(*memory.duplicate_fd());
    first->row(0, Kind::service, first->resolve(Kind::service, {.service = 1}, kMany))[1].store(41);
    first->row(0, Kind::pod, first->resolve(Kind::pod, {.pod = 1}, kMany))[::telemetry::row::pod::kConnections].store(
        3);
    memory.worker(0).connections[0].store(3);
    EXPECT_EQ(first->resolve_host("example.org"), SeriesKey::kHostBit);
    // It died while it wrote the key of a third series.
    const auto half = first->resolve(Kind::service, {.service = 3}, kMany);
    set_state(*first, Kind::service, half.index, SlotState::claimed);
  }
  auto second = *ShardSet::attach(*memory.duplicate_fd());
  const auto service = second->resolve(Kind::service, {.service = 1}, kMany);
  EXPECT_EQ(second->row(0, Kind::service, service)[1].load(), 41U);
  const auto pod = second->resolve(Kind::pod, {.pod = 1}, kMany);
  EXPECT_EQ(second->row(0, Kind::pod, pod)[::telemetry::row::pod::kConnections].load(), 0U);
  EXPECT_EQ(memory.worker(0).connections[0].load(), 0U);
  EXPECT_EQ(second->resolve_host("example.org"), SeriesKey::kHostBit);
  EXPECT_EQ(second->resolve_host("example.net"), SeriesKey::kHostBit | 1U);
  const auto third = second->resolve(Kind::service, {.service = 3}, kMany);
  EXPECT_NE(third.index, service.index);
}

TEST(ShardSet, SurvivesAHeaderFullOfNonsense) {
  auto memory = *::telemetry::SharedMemory::create(1, 10);
  for (Word& mark : memory.header().high_water) mark.store(~std::uint64_t{0});
  auto shards = *ShardSet::attach(*memory.duplicate_fd());
  EXPECT_FALSE(shards->resolve(Kind::service, {.service = 1}, kMany).is_overflow);
}

TEST(ShardSet, NamesAtMostAHundredUnknownHosts) {
  auto shards = *ShardSet::create_private();
  const std::uint32_t first = shards->resolve_host("Example.ORG:8080");
  EXPECT_NE(first, 0U);
  EXPECT_EQ(shards->resolve_host("example.org:8080"), first);
  for (int i = 1; i < 100; ++i) EXPECT_NE(shards->resolve_host("h" + std::to_string(i)), 0U);
  EXPECT_EQ(shards->resolve_host("one-too-many"), 0U);
  EXPECT_EQ(shards->resolve_host("example.org:8080"), first);
}

TEST(ShardSet, RefusesHostsThatALabelShouldNotShow) {
  auto shards = *ShardSet::create_private();
  const std::string long_name(249, 'a');
  for (const std::string_view host :
       {std::string_view(""), std::string_view("a\"b"), std::string_view("a b"), std::string_view("a\nb"),
        std::string_view("\xff"), std::string_view(long_name)}) {
    EXPECT_EQ(shards->resolve_host(host), 0U) << host;
  }
}

TEST(ShardSet, WorkersAgreeOnSlotsThatTheyClaimAtTheSameTime) {
  auto shards = *ShardSet::create_private(4, 200);
  std::vector<std::thread> threads;
  for (std::uint32_t worker = 0; worker < 4; ++worker) {
    threads.emplace_back([&shards, worker] {
      for (std::uint32_t i = 0; i < 200; ++i) {
        const auto handle = shards->resolve(Kind::service, {.service = i}, kMany);
        shards->row(worker, Kind::service, handle)[1].store(i + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto handle = shards->resolve(Kind::service, {.service = i}, kMany);
    EXPECT_FALSE(handle.is_overflow);
    for (std::uint32_t worker = 0; worker < 4; ++worker) {
      EXPECT_EQ(shards->row(worker, Kind::service, handle)[1].load(), i + 1);
    }
  }
}

}  // namespace
}  // namespace proxy::telemetry
