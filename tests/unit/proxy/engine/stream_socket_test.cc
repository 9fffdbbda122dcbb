#include "proxy/engine/stream_socket.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/proxy/engine/home.h"
#include "tests/unit/proxy/engine/socket_pair.h"

namespace proxy::engine {
namespace {

// As if by a connection; what is sent stays at the far end until the test reads it.
class StreamSocketTest : public ::testing::Test {
 protected:
  StreamSocketTest() {
    const int small = 4096;
    EXPECT_EQ(::setsockopt(pair_.near.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    socket_.open(std::move(pair_.near), home_, lender_.buffers, lender_.account);
  }

  IoStatus send(std::vector<std::string> parts) {
    std::vector<iovec> vectors;
    vectors.reserve(parts.size());
    for (std::string& part : parts) vectors.push_back({part.data(), part.size()});
    return socket_.send(vectors);  // `parts` ends here: what is queued must be a copy
  }
  // Reads at the far end and flushes in turn.
  std::string drain() {
    std::string all = read_all(pair_.far.get());
    for (IoStatus status = IoStatus::blocked; status == IoStatus::blocked;) {
      status = socket_.flush();
      EXPECT_NE(status, IoStatus::failed);
      all += read_all(pair_.far.get());
    }
    return all;
  }

  IoStatus hold(std::string text) {
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    return socket_.send_at_end_of_turn({&part, 1});
  }
  std::string arrived() { return read_all(pair_.far.get()); }
  void end_turn() { home_.loop->sends().send_all(); }

  Lender lender_;
  Home home_;
  SocketPair pair_;
  StreamSocket socket_;
};

// Bytes of which no two stretches are the same.
std::string numbered(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  text.resize(size);
  return text;
}

TEST_F(StreamSocketTest, WhatTheKernelDoesNotTakeIsOnTheAccountUntilItIsSent) {
  EXPECT_EQ(send({numbered(200'000)}), IoStatus::blocked);
  EXPECT_GT(socket_.queued_bytes(), 0U);
  EXPECT_EQ(lender_.account.kept_here(), socket_.queued_bytes());
  static_cast<void>(read_all(pair_.far.get()));
  EXPECT_NE(socket_.flush(), IoStatus::failed);
  EXPECT_EQ(lender_.account.kept_here(), socket_.queued_bytes());
  drain();
  EXPECT_EQ(lender_.total, 0U);
  send({numbered(200'000)});
  socket_.close();
  EXPECT_EQ(lender_.total, 0U) << "with the connection";
}

TEST_F(StreamSocketTest, SendsAllPartsInTheirOrderAndKeepsNothing) {
  EXPECT_TRUE(socket_.has_sent_nothing());
  EXPECT_EQ(send({"head\r\n", "", "body"}), IoStatus::done);
  EXPECT_EQ(read_all(pair_.far.get()), "head\r\nbody");
  EXPECT_EQ(socket_.queued_bytes(), 0U);
  EXPECT_EQ(socket_.sent_bytes(), 10U);
  EXPECT_FALSE(socket_.has_sent_nothing());
}

TEST_F(StreamSocketTest, SendsSmallAndLargePartsAlike) {
  const std::string all = numbered(6'000);
  for (const std::size_t size : {2UL, 1'300UL, 4'095UL, 4'096UL, 4'097UL, 6'000UL}) {
    for (const std::size_t first : {0UL, 1UL, size / 2, size - 1, size}) {
      EXPECT_EQ(send({all.substr(0, first), all.substr(first, size - first)}), IoStatus::done);
      EXPECT_TRUE(read_all(pair_.far.get()) == all.substr(0, size)) << first << " of " << size;
    }
  }
}

TEST_F(StreamSocketTest, KeepsWhatTheKernelDoesNotTakeWhereverItIsCut) {
  const std::string all = numbered(300'000);
  for (const std::size_t part : {1'000UL, 4'096UL, 70'000UL, 299'999UL}) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < all.size(); at += part) parts.push_back(all.substr(at, part));
    const std::uint64_t before = socket_.sent_bytes();
    EXPECT_EQ(send(parts), IoStatus::blocked) << part;
    EXPECT_EQ(socket_.queued_bytes(), all.size() - (socket_.sent_bytes() - before)) << part;
    EXPECT_LT(socket_.queued_bytes(), all.size()) << part;
    EXPECT_TRUE(drain() == all) << part;
    EXPECT_EQ(socket_.queued_bytes(), 0U);
    EXPECT_EQ(socket_.sent_bytes() - before, all.size());
  }
}

TEST_F(StreamSocketTest, WhatComesLaterWaitsBehindWhatIsQueued) {
  const std::string first = numbered(200'000);
  ASSERT_EQ(send({first}), IoStatus::blocked);
  std::string arrived = read_all(pair_.far.get());  // there is room again, but the queue goes first
  EXPECT_EQ(send({"second"}), IoStatus::blocked);
  EXPECT_TRUE(read_all(pair_.far.get()).empty());
  arrived += drain();
  EXPECT_TRUE(arrived == first + "second");
  EXPECT_EQ(send({"third"}), IoStatus::done);
}

// A slow peer of a long body: the queue is never empty, and what has gone out is not kept.
TEST_F(StreamSocketTest, AQueueThatNeverEmptiesLosesNothing) {
  const std::string chunk = numbered(50'000);
  std::string sent, arrived;
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(send({chunk}), IoStatus::blocked);
    sent += chunk;
    while (socket_.queued_bytes() > 10'000) {
      arrived += read_all(pair_.far.get());
      ASSERT_EQ(socket_.flush(), IoStatus::blocked);
    }
    ASSERT_GT(socket_.queued_bytes(), 0U);
  }
  arrived += drain();
  EXPECT_TRUE(arrived == sent);
}

TEST_F(StreamSocketTest, FlushingNothingIsDone) { EXPECT_EQ(socket_.flush(), IoStatus::done); }

TEST_F(StreamSocketTest, TellsBytesFromNothingThereFromTheEnd) {
  std::array<char, 8> into{};
  errno = 0;
  EXPECT_EQ(socket_.receive(into.data(), into.size()), -1);
  EXPECT_EQ(errno, EAGAIN);
  pair_.write_from_far("hello, world");
  EXPECT_EQ(socket_.receive(into.data(), into.size()), 8);
  EXPECT_EQ(socket_.receive(into.data(), into.size()), 4);
  pair_.far.reset();
  EXPECT_EQ(socket_.receive(into.data(), into.size()), 0);
}

TEST_F(StreamSocketTest, EndsItsOwnBytesAndStillHearsThePeer) {
  ASSERT_EQ(send({"request"}), IoStatus::done);
  socket_.shutdown_send();
  std::array<char, 16> into{};
  EXPECT_EQ(::recv(pair_.far.get(), into.data(), into.size(), 0), 7);
  EXPECT_EQ(::recv(pair_.far.get(), into.data(), into.size(), 0), 0);
  pair_.write_from_far("answer");
  EXPECT_EQ(socket_.receive(into.data(), into.size()), 6);
}

TEST_F(StreamSocketTest, SendsOnAfterThePeerHasEndedItsBytes) {
  ::shutdown(pair_.far.get(), SHUT_WR);
  std::array<char, 16> into{};
  EXPECT_EQ(socket_.receive(into.data(), into.size()), 0);
  EXPECT_EQ(send({"answer"}), IoStatus::done);
  EXPECT_EQ(read_all(pair_.far.get()), "answer");
}

TEST_F(StreamSocketTest, TheEndWaitsForWhatIsQueued) {
  const std::string body = numbered(200'000);
  ASSERT_EQ(send({body}), IoStatus::blocked);
  socket_.shutdown_send();
  std::string arrived = read_all(pair_.far.get());
  std::array<char, 1> into{};
  EXPECT_EQ(::recv(pair_.far.get(), into.data(), into.size(), 0), -1) << "an end in the middle of the body";
  arrived += drain();
  EXPECT_TRUE(arrived == body);
  EXPECT_EQ(::recv(pair_.far.get(), into.data(), into.size(), 0), 0);
}

TEST_F(StreamSocketTest, SendingToAClosedPeerFailsWithoutASignal) {
  const std::string body = numbered(200'000);
  ASSERT_EQ(send({body}), IoStatus::blocked);
  pair_.far.reset();
  EXPECT_EQ(socket_.flush(), IoStatus::failed);

  SocketPair other;
  socket_.open(std::move(other.near), home_, lender_.buffers, lender_.account);
  other.far.reset();
  EXPECT_EQ(send({"x"}), IoStatus::failed);
  EXPECT_TRUE(socket_.has_sent_nothing());
}

TEST_F(StreamSocketTest, AnotherConnectionBeginsWithNothingOfTheLast) {
  ASSERT_EQ(send({numbered(200'000)}), IoStatus::blocked);
  socket_.shutdown_send();
  socket_.close();
  EXPECT_FALSE(socket_.is_open());
  EXPECT_EQ(socket_.queued_bytes(), 0U);

  SocketPair next;
  socket_.open(std::move(next.near), home_, lender_.buffers, lender_.account);
  EXPECT_TRUE(socket_.has_sent_nothing());
  EXPECT_EQ(send({"first"}), IoStatus::done);
  EXPECT_EQ(socket_.flush(), IoStatus::done);
  EXPECT_EQ(send({" second"}), IoStatus::done) << "the last connection's end must not end this one";
  EXPECT_EQ(read_all(next.far.get()), "first second");
}

TEST_F(StreamSocketTest, ASmallMessageWaitsForTheEndOfTheTurn) {
  EXPECT_EQ(hold("first"), IoStatus::done);
  EXPECT_TRUE(socket_.is_holding());
  EXPECT_TRUE(socket_.has_sent_nothing());
  EXPECT_EQ(arrived(), "");
  end_turn();
  EXPECT_EQ(arrived(), "first");
  EXPECT_FALSE(socket_.is_holding());
  EXPECT_EQ(socket_.sent_bytes(), 5U);
  end_turn();
  EXPECT_EQ(arrived(), "") << "once";
}

TEST_F(StreamSocketTest, WhatIsHeldGoesBeforeAllThatFollows) {
  hold("first ");
  hold("second ");
  EXPECT_EQ(send({"third "}), IoStatus::done);
  hold("fourth ");
  EXPECT_EQ(arrived(), "first second third ");
  const std::string large = numbered(SendBatch::kMaxMessageBytes + 1);
  EXPECT_EQ(hold(large), IoStatus::done) << "not small: at once";
  EXPECT_EQ(arrived(), "fourth " + large);
  hold("fifth");
  socket_.shutdown_send();
  EXPECT_EQ(arrived(), "fifth");
}

TEST_F(StreamSocketTest, WhatIsHeldIsSentBeforeTheSocketCloses) {
  hold("last words");
  socket_.close();
  EXPECT_EQ(arrived(), "last words");
}

TEST_F(StreamSocketTest, WhatIsDroppedIsNeverSent) {
  hold("no");
  socket_.drop_held();
  end_turn();
  EXPECT_EQ(arrived(), "");
  EXPECT_TRUE(socket_.has_sent_nothing());
}

TEST_F(StreamSocketTest, WhatTheKernelDoesNotTakeAtTheEndOfTheTurnIsQueued) {
  const std::string body = numbered(SendBatch::kMaxMessageBytes);
  std::string all;
  while (socket_.queued_bytes() == 0) {
    hold(body);
    all += body;
    end_turn();
  }
  EXPECT_EQ(lender_.account.kept_here(), socket_.queued_bytes());
  EXPECT_EQ(hold("behind it"), IoStatus::blocked);
  EXPECT_FALSE(socket_.is_holding());
  EXPECT_TRUE(drain() == all + "behind it");
}

TEST_F(StreamSocketTest, TheOwnerHearsThatWhatWasHeldCouldNotBeSent) {
  hold("x");
  pair_.far.reset();
  home_.loop->run();
  EXPECT_EQ(home_.calls, 1);
  EXPECT_TRUE(socket_.has_failed());
  SocketPair next;
  socket_.open(std::move(next.near), home_, lender_.buffers, lender_.account);
  EXPECT_FALSE(socket_.has_failed());
}

TEST(SendBatch, SendsWhatWaitsWhenThereIsNoMoreRoom) {
  Lender lender;
  Home home;
  std::array<SocketPair, SendBatch::kMaxMessages + 1> pairs;
  std::array<StreamSocket, SendBatch::kMaxMessages + 1> sockets;
  std::string text(SendBatch::kMaxMessageBytes, 'x');
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    sockets[i].open(std::move(pairs[i].near), home, lender.buffers, lender.account);
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    EXPECT_EQ(sockets[i].send_at_end_of_turn({&part, 1}), IoStatus::done);
  }
  EXPECT_EQ(read_all(pairs.front().far.get()), text);
  EXPECT_EQ(read_all(pairs.back().far.get()), "");
  home.loop->sends().send_all();
  EXPECT_EQ(read_all(pairs.back().far.get()), text);
}

// TCP, because a unix socket knows no reset.
struct TcpPair {
  TcpPair() {
    const base::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), generic, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), generic, &size), 0);
    client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    EXPECT_EQ(::connect(client.get(), generic, size), 0);
    server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(server);
  }
  base::UniqueFd client;
  base::UniqueFd server;
};

void wait_for_any_event(int fd) {
  pollfd entry{.fd = fd, .events = POLLIN};
  EXPECT_EQ(::poll(&entry, 1, 10'000), 1);
}

TEST(StreamSocket, SeesTheResetOfThePeer) {
  TcpPair pair;
  Lender lender;
  Home home;
  StreamSocket socket;
  socket.open(std::move(pair.client), home, lender.buffers, lender.account);
  close_with_reset(std::move(pair.server));
  wait_for_any_event(socket.fd());
  std::array<char, 8> into{};
  EXPECT_EQ(socket.receive(into.data(), into.size()), -1);
  EXPECT_EQ(errno, ECONNRESET);
  std::array<char, 1> byte{'x'};
  std::array<iovec, 1> parts{{{byte.data(), byte.size()}}};
  EXPECT_EQ(socket.send(parts), IoStatus::failed);
}

TEST(StreamSocket, AnOrdinaryCloseIsAnEndForThePeer) {
  TcpPair pair;
  Lender lender;
  Home home;
  StreamSocket socket;
  socket.open(std::move(pair.client), home, lender.buffers, lender.account);
  socket.close();
  wait_for_any_event(pair.server.get());
  std::array<char, 8> into{};
  EXPECT_EQ(::recv(pair.server.get(), into.data(), into.size(), 0), 0);
}

TEST(KeptBytes, GivesBackWhatItWasGivenInItsOrder) {
  Lender lender;
  KeptBytes kept;
  kept.open(lender.buffers, lender.account);
  const std::string all = numbered(10'000);
  std::string seen;
  for (std::size_t at = 0; at < all.size(); at += 100) {
    kept.append(all.data() + at, 100);
    if (at % 300 != 0) continue;
    const std::size_t some = kept.size() / 2;
    seen.append(kept.data(), some);
    kept.drop_front(some);
    EXPECT_EQ(lender.total, kept.size());
  }
  std::string rest(kept.size(), ' ');
  EXPECT_EQ(kept.move_to(rest.data()), rest.size());
  EXPECT_EQ(seen + rest, all);
  EXPECT_TRUE(kept.is_empty());
  EXPECT_EQ(lender.total, 0U);
}

// Two pods of a node, each as two workers see it.
class ByteAccountTest : public ::testing::Test {
 protected:
  std::atomic<std::uint64_t> of_pod_{0}, of_neighbour_{0}, of_node_{0};
  std::uint64_t most_of_pod_ = 100'000, most_of_node_ = 1'000'000;
  ByteAccount one_{{of_pod_, most_of_pod_}, {of_node_, most_of_node_}};
  ByteAccount other_{{of_pod_, most_of_pod_}, {of_node_, most_of_node_}};
  ByteAccount neighbour_{{of_neighbour_, most_of_pod_}, {of_node_, most_of_node_}};
};

TEST_F(ByteAccountTest, GivesSmallSharesWhenHalfOfItIsUsedAndRefusesBeyondAll) {
  EXPECT_EQ(one_.share_of(65'536), 65'536U);
  one_.add(50'000);
  EXPECT_EQ(other_.share_of(65'536), 65'536U);
  other_.add(1);
  EXPECT_EQ(one_.share_of(65'536), ByteAccount::kTightBytes);
  EXPECT_EQ(one_.share_of(100), 100U);
  EXPECT_TRUE(other_.has_room(49'999));
  EXPECT_FALSE(other_.has_room(50'000));
  EXPECT_TRUE(other_.has_room_on_node(50'000)) << "it is the pod's own limit";
  EXPECT_TRUE(neighbour_.has_room(100'000));
  one_.remove(50'000);
  EXPECT_EQ(one_.kept_here(), 0U);
  EXPECT_EQ(other_.kept_here(), 1U);
  EXPECT_EQ(of_node_, 1U);
}

TEST_F(ByteAccountTest, LeavesToEachPodALittleWhenTheNodesIsUsedUp) {
  most_of_node_ = 80'000;
  one_.add(70'000);
  EXPECT_EQ(one_.share_of(65'536), ByteAccount::kTightBytes);
  EXPECT_EQ(neighbour_.share_of(65'536), 65'536U) << "who has kept little is as fast as ever";
  EXPECT_FALSE(one_.has_room(20'000));
  EXPECT_FALSE(one_.has_room_on_node(20'000));
  EXPECT_TRUE(neighbour_.has_room(ByteAccount::kGuaranteedBytes));
  EXPECT_FALSE(neighbour_.has_room(ByteAccount::kGuaranteedBytes + 1));
}

TEST(BufferPool, LendsTheSameBufferAgainEmptyWithItsCapacity) {
  BufferPool pool;
  const std::string* first = nullptr;
  {
    const Buffer buffer = pool.take();
    buffer->append(10'000, 'x');
    first = buffer.get();
  }
  const Buffer again = pool.take();
  EXPECT_EQ(again.get(), first);
  EXPECT_TRUE(again->empty());
  EXPECT_GE(again->capacity(), 10'000U);
  EXPECT_NE(pool.take().get(), first) << "lent out already";
}

TEST(BufferPool, GivesALargeBufferBackToTheHeap) {
  BufferPool pool;
  pool.take()->append(1 << 20, 'x');
  EXPECT_LT(pool.take()->capacity(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace proxy::engine
