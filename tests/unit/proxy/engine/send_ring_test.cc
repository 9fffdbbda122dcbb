#include "proxy/engine/send_ring.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "proxy/engine/stream_socket.h"
#include "tests/unit/proxy/engine/home.h"
#include "tests/unit/proxy/engine/socket_pair.h"

namespace proxy::engine {
namespace {

using ::testing::SizeIs;

std::unique_ptr<SendRing> new_ring() {
  auto ring = SendRing::create();
  EXPECT_TRUE(ring) << ring.error().message;
  return ring ? std::move(*ring) : nullptr;
}

void fill(int socket) {
  const std::string much(65536, 'f');
  while (::send(socket, much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
  }
}

TEST(SendRing, SendsAllThatWasAddedInItsOrder) {
  const SocketPair one, other;
  const auto ring = new_ring();
  for (int round = 0; round < 3; ++round) {
    ring->add(one.near.get(), "a", 7);
    ring->add(other.near.get(), "bc", 8);
    ring->add(one.near.get(), "def", 9);
    const auto sent = ring->send_all();
    ASSERT_THAT(sent, SizeIs(3));
    EXPECT_EQ(sent[0].id, 7U);
    EXPECT_EQ(sent[2].id, 9U);
    EXPECT_EQ(sent[2].result, 3);
    EXPECT_EQ(read_all(one.far.get()), "adef");
    EXPECT_EQ(read_all(other.far.get()), "bc");
  }
  EXPECT_TRUE(ring->send_all().empty());
}

TEST(SendRing, TakesAsManyAsItSays) {
  const SocketPair pair;
  const auto ring = new_ring();
  for (unsigned i = 0; i < SendRing::kEntries; ++i) ring->add(pair.near.get(), "x", i);
  EXPECT_THAT(ring->send_all(), SizeIs(SendRing::kEntries));
  EXPECT_EQ(read_all(pair.far.get()).size(), SendRing::kEntries);
}

TEST(SendRing, TellsWhichWereNotTakenAndWhy) {
  const SocketPair full, good;
  SocketPair gone;
  fill(full.near.get());
  gone.far.reset();
  const auto ring = new_ring();
  ring->add(full.near.get(), "later", 0);
  ring->add(gone.near.get(), "never", 1);
  ring->add(-1, "nowhere", 2);
  ring->add(good.near.get(), "now", 3);
  const auto sent = ring->send_all();
  ASSERT_THAT(sent, SizeIs(4));
  std::array<int, 4> results{};
  for (const SendRing::Sent& each : sent) results.at(each.id) = each.result;
  EXPECT_THAT(results, ::testing::ElementsAre(-EAGAIN, -EPIPE, -EBADF, 3));
  EXPECT_FALSE(ring->is_broken());
}

TEST(SendRing, CanDoNothingElse) {
  io_uring ring{};
  ASSERT_EQ(open_send_ring(8, ring), 0);
  const SocketPair pair;
  char byte = 'x';
  sockaddr address{};
  msghdr message{};
  const std::pair<const char*, std::function<void(io_uring_sqe*)>> attempts[] = {
      {"open", [](io_uring_sqe* entry) { ::io_uring_prep_openat(entry, AT_FDCWD, "/etc/passwd", O_RDONLY, 0); }},
      {"read", [&](io_uring_sqe* entry) { ::io_uring_prep_read(entry, pair.near.get(), &byte, 1, 0); }},
      {"write", [&](io_uring_sqe* entry) { ::io_uring_prep_write(entry, pair.near.get(), &byte, 1, 0); }},
      {"connect", [&](io_uring_sqe* entry) { ::io_uring_prep_connect(entry, pair.near.get(), &address, 0); }},
      {"sendmsg", [&](io_uring_sqe* entry) { ::io_uring_prep_sendmsg(entry, pair.near.get(), &message, 0); }},
      {"socket", [](io_uring_sqe* entry) { ::io_uring_prep_socket(entry, AF_INET, SOCK_STREAM, 0, 0); }},
      {"close", [&](io_uring_sqe* entry) { ::io_uring_prep_close(entry, pair.near.get()); }},
      {"nothing", [](io_uring_sqe* entry) { ::io_uring_prep_nop(entry); }},
      {"send on another thread",
       [&](io_uring_sqe* entry) {
         ::io_uring_prep_send(entry, pair.near.get(), &byte, 1, 0);
         entry->flags |= IOSQE_ASYNC;
       }},
  };
  for (const auto& [what, prepare] : attempts) {
    prepare(::io_uring_get_sqe(&ring));
    ASSERT_EQ(::io_uring_submit(&ring), 1) << what;
    io_uring_cqe* done = nullptr;
    ASSERT_EQ(::io_uring_wait_cqe(&ring, &done), 0) << what;
    EXPECT_EQ(done->res, -EACCES) << what;
    ::io_uring_cqe_seen(&ring, done);
  }
  // Nor can that be undone.
  for (const unsigned what : {IORING_REGISTER_RESTRICTIONS, IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_FILES}) {
    io_uring_restriction all{};
    EXPECT_EQ(::syscall(SYS_io_uring_register, ring.ring_fd, what, &all, 1), -1) << what;
  }
  EXPECT_EQ(read_all(pair.far.get()), "");
  ::io_uring_queue_exit(&ring);
}

// Connections whose messages share a turn.
class Turn {
 public:
  explicit Turn(std::unique_ptr<SendRing> ring) : home_(std::move(ring)) {}

  StreamSocket& connect(SocketPair& pair) {
    StreamSocket& socket = sockets_.emplace_back();
    socket.open(std::move(pair.near), home_, lender_.buffers, lender_.account);
    return socket;
  }
  static void hold(StreamSocket& socket, std::string text) {
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    EXPECT_EQ(socket.send_at_end_of_turn({&part, 1}), IoStatus::done);
  }
  void end() { home_.loop->sends().send_all(); }
  Home& home() { return home_; }

 private:
  Lender lender_;
  Home home_;
  std::deque<StreamSocket> sockets_;
};

class MessagesOfATurn : public ::testing::TestWithParam<bool> {
 protected:
  Turn turn_{GetParam() ? new_ring() : nullptr};
};

TEST_P(MessagesOfATurn, GoOutOrAreKeptOrFailEachForItself) {
  SocketPair good, full, gone, dropped;
  fill(full.near.get());
  StreamSocket& first = turn_.connect(good);
  StreamSocket& second = turn_.connect(full);
  StreamSocket& third = turn_.connect(gone);
  StreamSocket& fourth = turn_.connect(dropped);
  gone.far.reset();
  Turn::hold(first, "now");
  Turn::hold(second, "later");
  Turn::hold(third, "never");
  Turn::hold(fourth, "not any more");
  fourth.drop_held();
  turn_.end();
  EXPECT_EQ(read_all(good.far.get()), "now");
  EXPECT_EQ(first.sent_bytes(), 3U);
  EXPECT_EQ(second.queued_bytes(), 5U);
  EXPECT_FALSE(second.has_failed());
  EXPECT_TRUE(third.has_failed());
  EXPECT_EQ(read_all(dropped.far.get()), "");
  turn_.home().loop->run();  // the owner stops it
  EXPECT_EQ(turn_.home().calls, 1);
  EXPECT_TRUE(read_all(full.far.get()).ends_with("f"));
  EXPECT_EQ(second.flush(), IoStatus::done);
  EXPECT_EQ(read_all(full.far.get()), "later");
}

TEST_P(MessagesOfATurn, OfManyTurnsComeInTheirOrder) {
  std::deque<SocketPair> pairs(10);
  std::vector<StreamSocket*> sockets;
  for (SocketPair& pair : pairs) sockets.push_back(&turn_.connect(pair));
  std::string all;
  for (int i = 0; i < 100; ++i) {
    const std::string text = std::to_string(i) + ",";
    all += text;
    for (StreamSocket* socket : sockets) Turn::hold(*socket, text);
    turn_.end();
  }
  for (const SocketPair& pair : pairs) EXPECT_EQ(read_all(pair.far.get()), all);
}

INSTANTIATE_TEST_SUITE_P(Sending, MessagesOfATurn, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "ByRing" : "OneByOne"; });

// The ring's own descriptor, which nobody closes but this test.
int descriptor_of_ring() {
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    if (std::filesystem::read_symlink(each.path(), ignored) == "anon_inode:[io_uring]")
      return std::stoi(each.path().filename());
  }
  return -1;
}

TEST(SendBatch, SendsOneByOneWhenTheKernelTakesNothingFromTheRing) {
  Turn turn(new_ring());
  SocketPair one, other;
  StreamSocket& first = turn.connect(one);
  StreamSocket& second = turn.connect(other);
  const int ring = descriptor_of_ring();
  ASSERT_EQ(::dup2(one.far.get(), ring), ring);  // something that takes no requests
  for (int i = 0; i < 2; ++i) {
    Turn::hold(first, "a");
    Turn::hold(second, "b");
    turn.end();
  }
  EXPECT_EQ(read_all(one.far.get()), "aa");
  EXPECT_EQ(read_all(other.far.get()), "bb");
}

}  // namespace
}  // namespace proxy::engine
