#include "telemetry/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace telemetry {
namespace {

TEST(SharedMemory, IsTheSameForBothSides) {
  auto agent = SharedMemory::create(2, 100);
  ASSERT_TRUE(agent) << agent.error().message;
  auto proxy = SharedMemory::open(*agent->duplicate_fd());
  ASSERT_TRUE(proxy) << proxy.error().message;
  proxy->row(1, Kind::service, 101)[3].store(7);
  EXPECT_EQ(agent->row(1, Kind::service, 101)[3].load(), 7U);
}

TEST(SharedMemory, CannotBeCutShort) {
  auto memory = SharedMemory::create(1, 100);
  ASSERT_TRUE(memory);
  EXPECT_NE(ftruncate(memory->fd(), 0), 0);
}

TEST(SharedMemory, PartsDoNotOverlap) {
  for (const Layout layout : {Layout{1, 1}, Layout{3, 5000}, Layout{kMaxWorkers, 17}}) {
    std::size_t end = sizeof(Header);
    const auto follows = [&](std::size_t offset, std::size_t bytes) {
      EXPECT_GE(offset, end);
      end = offset + bytes;
    };
    for (std::size_t k = 0; k < kKinds; ++k) {
      follows(layout.slots(static_cast<Kind>(k)), layout.capacity() * sizeof(Slot));
    }
    follows(layout.hosts(), kUnknownHosts * sizeof(HostSlot));
    for (std::uint32_t w = 0; w < layout.workers; ++w) {
      follows(layout.worker(w), sizeof(WorkerCounters));
      for (std::size_t k = 0; k < kKinds; ++k) {
        follows(layout.rows(w, static_cast<Kind>(k)), layout.capacity() * kRowWords[k] * sizeof(Word));
      }
    }
    EXPECT_LE(end, layout.total());
  }
}

TEST(SharedMemory, RefusesSizesThatItCannotHold) {
  EXPECT_FALSE(SharedMemory::create(0, 100));
  EXPECT_FALSE(SharedMemory::create(1, 0));
  EXPECT_FALSE(SharedMemory::create(kMaxWorkers + 1, 100));
  EXPECT_FALSE(SharedMemory::create(1, kMaxSeriesLimit + 1));
}

TEST(SharedMemory, RefusesWhatAnotherProcessMadeUp) {
  base::UniqueFd unsealed(memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(unsealed.get(), 1 << 20), 0);
  EXPECT_FALSE(SharedMemory::open(std::move(unsealed)));

  base::UniqueFd empty(memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(fcntl(empty.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
  EXPECT_FALSE(SharedMemory::open(std::move(empty)));

  auto larger = SharedMemory::create(1, 100);
  larger->header().max_series = 1000;  // more than the file holds
  EXPECT_FALSE(SharedMemory::open(*larger->duplicate_fd()));
}

}  // namespace
}  // namespace telemetry
