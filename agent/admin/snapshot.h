#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/datapath/datapath.h"
#include "agent/node_view.h"
#include "base/clock.h"
#include "config/model/status.h"

namespace agent::admin {

// What one answer of the admin endpoint is made of. Collected by the main thread on request, then read by the admin
// thread alone.
struct Snapshot {
  std::shared_ptr<const NodeView> view;
  base::WallTime taken_at;
  std::optional<std::vector<config::BackendStatus>> backends;  // none: no proxy answers
  std::vector<Datapath::Verdict> verdicts;                     // empty without redirection
  std::vector<Datapath::MapUse> maps;
  std::vector<Datapath::ProgramUse> programs;
  std::vector<Datapath::TcpUse> tcp;
};

// Asks the main thread; `answer` is called there. Callable from any thread.
using Ask = std::function<void(std::function<void(Snapshot)> answer)>;

}  // namespace agent::admin
