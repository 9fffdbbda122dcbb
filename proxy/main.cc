#include <cstdio>
#include <string_view>

#include "base/build_info.h"
#include "proxy/control/control.h"
#include "proxy/keeper.h"

// fairlead-proxy is started by fairlead-agent, never by hand; its options are theirs alone.
int main(int argc, char** argv) {
  proxy::ControlOptions options;
  bool keeps_running = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument == "--agent-socket" && i + 1 < argc) {
      options.agent_socket = argv[++i];
    } else if (argument == "--ends-with-agent") {
      options.ends_with_agent = true;
    } else if (argument == "--keep-running") {
      keeps_running = options.waits_for_agent = true;
    } else if (argument == "--version") {
      std::printf("fairlead-proxy %.*s\n", static_cast<int>(base::kVersion.size()), base::kVersion.data());
      return 0;
    } else {
      std::fprintf(stderr, "fairlead-proxy: unknown option %s; use `fairlead run`, which starts it\n", argv[i]);
      return 2;
    }
  }
  if (options.agent_socket.empty()) {
    std::fprintf(stderr, "fairlead-proxy: started by fairlead-agent; use `fairlead run`\n");
    return 2;
  }
  const auto serve = [&options] {
    auto ended = proxy::run_control(options);
    if (!ended) std::fprintf(stderr, "fairlead-proxy: %s\n", ended.error().message.c_str());
    return ended ? 0 : 1;
  };
  return keeps_running ? proxy::keep_running(serve) : serve();
}
