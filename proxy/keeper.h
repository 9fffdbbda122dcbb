#pragma once

#include <functional>

namespace proxy {

// Runs `serve` in a child process and starts it again when it ends by itself: in a container nobody else would do that
// within milliseconds. A child that does not stay up is started again more and more slowly. Passes SIGTERM and SIGINT
// on, and returns the child's exit code once it has ended after one. REQUIRES: there are no other threads.
int keep_running(const std::function<int()>& serve);

}  // namespace proxy
