#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "agent/telemetry/label_text.h"
#include "agent/telemetry/node_state.h"
#include "agent/telemetry/page.h"

namespace agent::telemetry {

// Writes the families of what the agent knows.
class NodeWriter {
 public:
  NodeWriter(Page& page, const NodeState& node) : page_(page), node_(node) {}

  void write_istio_build();
  void write_pods();
  void write_services();
  void write_kube_watches();
  void write_node();
  // What nobody measures is left out: a zero would be a claim.
  void write_memory(std::uint64_t series_bytes, std::uint64_t buffered_bytes);
  void write_processes();

 private:
  template <typename Apply>
  static void for_limits(const NodeState::ServiceState& service, Apply apply);
  void one(LabelText& labels) { page_.sample(labels.take(), std::uint64_t{1}); }
  void number(const Family& family, std::uint64_t value);
  template <std::size_t kCount>
  void by(const Family& family, std::string_view name, const std::array<std::string_view, kCount>& values,
          const std::array<std::uint64_t, kCount>& counts);

  Page& page_;
  const NodeState& node_;
};

}  // namespace agent::telemetry
