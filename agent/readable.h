#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>

namespace agent {

// Calls `on_readable` whenever `fd` is readable, on the thread of `context`, for as long as what is returned exists.
// `fd` stays the caller's.
std::unique_ptr<boost::asio::posix::stream_descriptor> watch_readable(boost::asio::io_context& context, int fd,
                                                                      std::function<void()> on_readable);

}  // namespace agent
