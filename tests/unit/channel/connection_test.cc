#include "channel/connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

namespace channel {
namespace {

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    left_ = base::UniqueFd(ends[0]);
    right_.emplace(base::UniqueFd(ends[1]));
  }

  // All messages that have arrived at the right end.
  std::vector<Message> arrived() {
    std::vector<Message> messages;
    is_open_ = right_->receive([&](Message message) { messages.push_back(std::move(message)); });
    return messages;
  }
  void write_raw(std::string_view bytes) {
    ASSERT_EQ(::write(left_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  base::UniqueFd left_;
  std::optional<Connection> right_;
  base::Result<bool> is_open_ = true;
};

TEST_F(ConnectionTest, HandsOnMessagesInTheirOrder) {
  Connection left(std::move(left_));
  ASSERT_TRUE(left.send(Ping{1}));
  ASSERT_TRUE(left.send(Drain{std::chrono::milliseconds(2)}));
  const auto messages = arrived();
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(std::get<Ping>(messages[0]).sequence, 1U);
  EXPECT_EQ(std::get<Drain>(messages[1]).deadline, std::chrono::milliseconds(2));
  EXPECT_EQ(is_open_, true);
}

TEST_F(ConnectionTest, WaitsForTheRestOfAFrame) {
  std::string frame;
  {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    Connection other{base::UniqueFd(ends[0])};
    const base::UniqueFd reader(ends[1]);
    ASSERT_TRUE(other.send(Ping{77}));
    std::array<char, 64> bytes{};
    const ssize_t size = ::read(reader.get(), bytes.data(), bytes.size());
    ASSERT_GT(size, 0);
    frame.assign(bytes.data(), static_cast<std::size_t>(size));
  }
  for (std::size_t i = 0; i + 1 < frame.size(); ++i) {
    write_raw(frame.substr(i, 1));
    EXPECT_TRUE(arrived().empty());
  }
  write_raw(frame.substr(frame.size() - 1));
  const auto messages = arrived();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(std::get<Ping>(messages[0]).sequence, 77U);
}

// Asio makes a socket non-blocking when it waits for it; a configuration is larger than what the kernel takes at once.
TEST_F(ConnectionTest, ALargeFrameIsSentOnANonBlockingSocketToo) {
  ASSERT_EQ(::fcntl(left_.get(), F_SETFL, O_NONBLOCK), 0);
  Connection left(std::move(left_));
  base::Result<> sent;
  std::thread sender([&] { sent = left.send(Applied{1, std::string(8UL << 20, 'x')}); });
  std::vector<Message> messages;
  while (messages.empty() && is_open_ == true) messages = arrived();
  sender.join();
  EXPECT_TRUE(sent) << sent.error().message;
  ASSERT_EQ(messages.size(), 1U);
}

// Each would fill the other's buffer and wait for room in it.
TEST_F(ConnectionTest, TwoThatSendAtTheSameTimeDoNotWaitForEachOther) {
  static constexpr std::size_t kMessages = 1000;
  Connection left(std::move(left_));
  const auto send_all = [](Connection& from) {
    for (std::size_t i = 0; i < kMessages; ++i) {
      if (!from.send(Applied{i, std::string(1000, 'x')})) return false;
    }
    return true;
  };
  const auto receive_all = [](Connection& to) {
    std::uint64_t next = 0;
    const auto take = [&](const Message& message) { EXPECT_EQ(std::get<Applied>(message).generation, next++); };
    while (next < kMessages && to.receive(take) == true) std::this_thread::yield();
    EXPECT_EQ(next, kMessages);
    EXPECT_FALSE(to.has_arrived());
  };
  std::atomic<bool> has_arrived = false;
  const auto run = [&](Connection& end) {
    EXPECT_TRUE(send_all(end));
    if (end.has_arrived()) has_arrived = true;
    receive_all(end);
  };
  std::thread other([&] { run(left); });
  run(*right_);
  other.join();
  EXPECT_TRUE(has_arrived) << "it was more than the kernel keeps";
}

TEST_F(ConnectionTest, DescriptorsArriveWithTheirFrame) {
  Connection left(std::move(left_));
  const auto an_event = [](std::uint64_t value) {
    return base::UniqueFd(::eventfd(static_cast<unsigned>(value), EFD_CLOEXEC));
  };
  ASSERT_TRUE(left.send(SetAccessLog{an_event(5)}));
  ASSERT_TRUE(left.send(Ping{1}));
  ASSERT_TRUE(left.send(SetAccessLog{}));
  ASSERT_TRUE(left.send(SetAccessLog{an_event(6)}));
  const auto messages = arrived();
  ASSERT_EQ(messages.size(), 4U);
  const auto value_of = [](const Message& message) {
    std::uint64_t value = 0;
    const base::UniqueFd& file = std::get<SetAccessLog>(message).file;
    return ::read(file.get(), &value, sizeof value) == sizeof value ? value : 0;
  };
  EXPECT_EQ(value_of(messages[0]), 5U);
  EXPECT_FALSE(std::get<SetAccessLog>(messages[2]).file);
  EXPECT_EQ(value_of(messages[3]), 6U);
}

TEST_F(ConnectionTest, SeesThatThePeerHasClosed) {
  left_.reset();
  EXPECT_TRUE(arrived().empty());
  EXPECT_EQ(is_open_, false);
}

TEST_F(ConnectionTest, RefusesAFrameThatClaimsTooMuch) {
  write_raw("\xff\xff\xff\xff");
  arrived();
  EXPECT_FALSE(is_open_.has_value());
}

TEST_F(ConnectionTest, RefusesNoise) {
  write_raw(std::string_view("\x03\x00\x00\x00\xff\xff\xff", 7));
  arrived();
  EXPECT_FALSE(is_open_.has_value());
}

TEST_F(ConnectionTest, SendingToNobodyIsAnErrorAndNoSignal) {
  Connection left(std::move(left_));
  right_.reset();
  EXPECT_FALSE(left.send(Ping{1}).has_value());
}

}  // namespace
}  // namespace channel
