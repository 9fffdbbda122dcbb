#include "tests/support/tls_front.h"

#include <array>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <thread>
#include <utility>

namespace tests::support {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::awaitable;
using asio::use_awaitable;
using tcp = asio::ip::tcp;

struct Pair {
  Pair(tcp::socket socket, ssl::context& context)
      : downstream(std::move(socket), context), upstream(downstream.get_executor()) {}
  // Either side's end is the other's.
  void close() {
    boost::system::error_code ignored;
    downstream.next_layer().close(ignored);
    upstream.close(ignored);
  }
  ssl::stream<tcp::socket> downstream;
  tcp::socket upstream;
};

template <typename From, typename To>
awaitable<void> pass(std::shared_ptr<Pair> pair, From& from, To& to) {
  std::array<char, 16 * 1024> bytes;
  try {
    for (;;) {
      const std::size_t size = co_await from.async_read_some(asio::buffer(bytes), use_awaitable);
      co_await asio::async_write(to, asio::buffer(bytes, size), use_awaitable);
    }
  } catch (const boost::system::system_error&) {  // one of them has ended
    pair->close();
  }
}

awaitable<void> serve(std::shared_ptr<Pair> pair, tcp::endpoint server) {
  try {
    co_await pair->downstream.async_handshake(ssl::stream_base::server, use_awaitable);
    co_await pair->upstream.async_connect(server, use_awaitable);
    pair->downstream.next_layer().set_option(tcp::no_delay(true));
    pair->upstream.set_option(tcp::no_delay(true));
  } catch (const boost::system::system_error&) {
    pair->close();
    co_return;
  }
  auto executor = pair->upstream.get_executor();
  asio::co_spawn(executor, pass(pair, pair->upstream, pair->downstream), asio::detached);
  co_await pass(pair, pair->downstream, pair->upstream);
}

awaitable<void> accept(tcp::acceptor& acceptor, ssl::context& context, tcp::endpoint server) {
  for (;;) {
    auto pair = std::make_shared<Pair>(co_await acceptor.async_accept(use_awaitable), context);
    asio::co_spawn(acceptor.get_executor(), serve(std::move(pair), server), asio::detached);
  }
}

}  // namespace

struct TlsFront::Impl {
  asio::io_context context{1};
  ssl::context tls{ssl::context::tls_server};
  tcp::acceptor acceptor{context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::thread thread;
};

TlsFront::TlsFront(base::SocketAddress server, const TestCertificate& certificate) : impl_(std::make_unique<Impl>()) {
  impl_->tls.use_certificate_chain(asio::buffer(certificate.certificate));
  impl_->tls.use_private_key(asio::buffer(certificate.key), ssl::context::pem);
  const tcp::endpoint to(asio::ip::make_address(server.ip.to_string()), server.port);
  asio::co_spawn(impl_->context, accept(impl_->acceptor, impl_->tls, to), asio::detached);
  impl_->thread = std::thread([this] { impl_->context.run(); });
}

TlsFront::~TlsFront() {
  impl_->context.stop();
  impl_->thread.join();
}

base::SocketAddress TlsFront::address() const {
  return {.ip = *base::IpAddress::parse("127.0.0.1"), .port = impl_->acceptor.local_endpoint().port()};
}

}  // namespace tests::support
