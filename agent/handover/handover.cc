#include "agent/handover/handover.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "base/clock.h"
#include "base/unix_socket.h"
#include "channel/connection.h"

namespace agent {
namespace {

namespace asio = boost::asio;
using base::Errc;
using base::Result;
using base::UniqueFd;

// An agent that asks says who it is with its first frame.
constexpr std::chrono::milliseconds kQuestion{1000};

// Receives until `is_done` or the time is over.
Result<> receive(channel::Connection& connection, std::chrono::milliseconds patience,
                 const std::function<void(channel::Message)>& handle, const std::function<bool()>& is_done) {
  const base::TimePoint deadline = base::now() + patience;
  while (!is_done()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - base::now());
    pollfd waiting{connection.fd(), POLLIN, 0};
    const bool must_wait = !connection.has_arrived();
    if (left.count() <= 0 || (must_wait && ::poll(&waiting, 1, static_cast<int>(left.count())) == 0)) {
      return base::fail(Errc::unavailable, "the other agent does not answer");
    }
    const auto open = connection.receive(handle);
    if (!open) return tl::unexpected(open.error());
    if (!*open && !is_done()) return base::fail(Errc::unavailable, "the other agent has ended");
  }
  return {};
}

}  // namespace

Result<std::vector<channel::AddListener>> take_over(const std::string& socket_path, const std::string& owner,
                                                    std::chrono::milliseconds patience) {
  auto socket = base::connect_unix(socket_path);
  if (!socket) return tl::unexpected(socket.error());
  channel::Connection connection(std::move(*socket));
  if (auto asked = connection.send(channel::TakeOver{owner}); !asked) return tl::unexpected(asked.error());
  std::optional<channel::HandedOver> answer;
  std::vector<channel::AddListener> listeners;
  auto received = receive(
      connection, patience,
      [&](channel::Message message) {
        if (auto* handed = std::get_if<channel::HandedOver>(&message)) answer = *handed;
        if (auto* listener = std::get_if<channel::AddListener>(&message)) listeners.push_back(std::move(*listener));
      },
      [&] { return answer && (!answer->refusal.empty() || listeners.size() == answer->listeners); });
  if (!received) return tl::unexpected(received.error());
  if (!answer->refusal.empty()) return base::fail(Errc::unavailable, answer->refusal);
  return listeners;
}

HandoverServer::HandoverServer(asio::io_context& context, std::string socket_path, std::string owner, Give give)
    : server_(context), socket_path_(std::move(socket_path)), owner_(std::move(owner)), give_(std::move(give)) {}

// The next agent has put a socket of its own there.
HandoverServer::~HandoverServer() {
  if (!has_given_) ::unlink(socket_path_.c_str());
}

Result<std::unique_ptr<HandoverServer>> HandoverServer::start(asio::io_context& context, std::string socket_path,
                                                              std::string owner, Give give) {
  auto socket = base::listen_unix(socket_path);
  if (!socket) return tl::unexpected(socket.error());
  std::unique_ptr<HandoverServer> server(
      new HandoverServer(context, std::move(socket_path), std::move(owner), std::move(give)));
  server->server_.assign(socket->release());
  server->accept();
  return server;
}

void HandoverServer::accept() {
  server_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    UniqueFd socket(::accept4(server_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket) answer(std::move(socket));
    if (!has_given_) accept();
  });
}

// The folder of the socket is root's: whoever comes may do what the agent may do.
void HandoverServer::answer(UniqueFd socket) {
  channel::Connection connection(std::move(socket));
  std::optional<channel::TakeOver> question;
  auto asked = receive(
      connection, kQuestion,
      [&](channel::Message message) {
        if (auto* take = std::get_if<channel::TakeOver>(&message)) question = *take;
      },
      [&] { return question.has_value(); });
  if (!asked) return;
  if (owner_.empty() || question->owner != owner_) {
    const std::string refusal = "this node is served by an agent of " + (owner_.empty() ? "the host" : owner_) +
                                "; one agent serves a node: remove one of the two installations";
    static_cast<void>(connection.send(channel::HandedOver{.listeners = 0, .refusal = refusal}));
    spdlog::warn("an agent of {} wanted this node and was refused", question->owner);
    return;
  }
  has_given_ = true;
  const std::vector<channel::AddListener> listeners = give_();
  auto sent =
      connection.send(channel::HandedOver{.listeners = static_cast<std::uint32_t>(listeners.size()), .refusal = {}});
  for (const channel::AddListener& listener : listeners) {
    if (!sent) break;
    channel::AddListener copy{.id = listener.id, .fixed = listener.fixed, .pod = listener.pod, .sockets = {}};
    for (const UniqueFd& each : listener.sockets) copy.sockets.push_back(each.duplicate());
    sent = connection.send(std::move(copy));
  }
  if (!sent) spdlog::error("handing the node over: {}", sent.error().message);
}

}  // namespace agent
