#include "proxy/upstream/socket_stock.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

namespace proxy::upstream {
namespace {

// Anything with a descriptor will do.
std::vector<base::UniqueFd> sockets(std::uint32_t count) {
  std::vector<base::UniqueFd> made;
  for (std::uint32_t i = 0; i < count; ++i) made.emplace_back(::eventfd(0, EFD_CLOEXEC));
  return made;
}

class User final : public SocketUser {
 public:
  void on_socket(base::UniqueFd socket) override { socket_ = std::move(socket); }
  [[nodiscard]] bool has_socket() const { return static_cast<bool>(socket_); }
  void give_up() { stop_waiting(); }

 private:
  base::UniqueFd socket_;
};

class SocketStockTest : public ::testing::Test {
 protected:
  // What has been demanded since the last call.
  std::uint32_t demanded() {
    std::uint32_t sum = 0;
    for (const Demand& demand : demands_->take()) {
      const auto& sockets = std::get<SocketDemand>(demand);
      EXPECT_EQ(sockets.pod, 7U);
      EXPECT_EQ(sockets.worker, 1U);
      EXPECT_EQ(sockets.family, AF_INET6);
      sum += sockets.count;
    }
    return sum;
  }
  // As an agent does: what is demanded comes.
  void deliver() { stock_.add(sockets(demanded())); }

  std::unique_ptr<Demands> demands_ = *Demands::create();
  SocketStock stock_{*demands_, 7, 1, AF_INET6};
};

TEST_F(SocketStockTest, DemandsItsFirstStockOnce) {
  stock_.demand_again();
  EXPECT_EQ(demanded(), SocketStock::kSmallest);
  stock_.add(sockets(SocketStock::kSmallest));
  EXPECT_EQ(stock_.size(), SocketStock::kSmallest);
  EXPECT_EQ(demanded(), 0U);
}

TEST_F(SocketStockTest, DemandsMoreBeforeItIsEmpty) {
  stock_.demand_again();
  deliver();
  User user;
  EXPECT_TRUE(stock_.take(user));
  EXPECT_EQ(demanded(), 0U);
  EXPECT_TRUE(stock_.take(user));
  EXPECT_EQ(demanded(), 2U) << "half of it is gone";
  EXPECT_EQ(stock_.size(), 2U);
}

TEST_F(SocketStockTest, GivesSocketsToThoseWhoWaitInTheirOrder) {
  User first, second;
  EXPECT_FALSE(stock_.take(first));
  EXPECT_FALSE(stock_.take(second));
  EXPECT_GE(demanded(), 2U);
  stock_.add(sockets(1));
  EXPECT_TRUE(first.has_socket());
  EXPECT_FALSE(second.has_socket());
  stock_.add(sockets(1));
  EXPECT_TRUE(second.has_socket());
  EXPECT_EQ(stock_.size(), 0U);
}

TEST_F(SocketStockTest, AUserThatHasGivenUpGetsNothing) {
  User impatient, patient;
  EXPECT_FALSE(stock_.take(impatient));
  EXPECT_FALSE(stock_.take(patient));
  impatient.give_up();
  stock_.add(sockets(1));
  EXPECT_FALSE(impatient.has_socket());
  EXPECT_TRUE(patient.has_socket());
}

TEST_F(SocketStockTest, APodThatConnectsOftenGetsALargerStockWithinALimit) {
  stock_.demand_again();
  deliver();
  for (int i = 0; i < 200; ++i) {
    User user;
    static_cast<void>(stock_.take(user));
  }
  deliver();
  EXPECT_EQ(stock_.size(), SocketStock::kLargest + 1) << "and one for the last that waited";
}

TEST_F(SocketStockTest, AQuietPodGivesItsSocketsBack) {
  for (int i = 0; i < 200; ++i) {
    User user;
    static_cast<void>(stock_.take(user));
  }
  deliver();
  for (int i = 0; i < 1000; ++i) stock_.keep_house();
  EXPECT_EQ(stock_.size(), SocketStock::kSmallest);
  EXPECT_EQ(demanded(), 0U);
}

TEST_F(SocketStockTest, AnotherAgentIsAskedForWhatTheEarlierOneDidNotSend) {
  User user;
  EXPECT_FALSE(stock_.take(user));
  const std::uint32_t first = demanded();
  stock_.demand_again();
  EXPECT_EQ(demanded(), first);
}

}  // namespace
}  // namespace proxy::upstream
