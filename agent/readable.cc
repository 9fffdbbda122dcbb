#include "agent/readable.h"

#include <fcntl.h>

#include <utility>

namespace agent {

namespace asio = boost::asio;

std::unique_ptr<asio::posix::stream_descriptor> watch_readable(asio::io_context& context, int fd,
                                                               std::function<void()> on_readable) {
  auto descriptor = std::make_unique<asio::posix::stream_descriptor>(context, ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const auto wait = [&waiting = *descriptor, on_readable = std::move(on_readable)](const auto& self) -> void {
    waiting.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self, on_readable](const boost::system::error_code& error) {
                         if (error) return;
                         on_readable();
                         self(self);
                       });
  };
  wait(wait);
  return descriptor;
}

}  // namespace agent
