#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/socket_address.h"
#include "cli/admin/node_view.h"
#include "cli/demo/metrics_page.h"
#include "cli/demo/observations.h"
#include "cli/demo/temporary_directory.h"
#include "cli/exec/placement.h"
#include "cli/process.h"
#include "config/model/settings.h"

namespace cli::demo {

struct StageOptions {
  bool uses_bpf = true;
  config::Semantics semantics = config::Semantics::istio;
};

// Everything that runs during the demo: three greeters, helloweb, agent and proxy, with their files in a temporary
// folder. All of it goes with this object.
class Stage {
 public:
  // Returns when the agent is ready and helloweb is listening.
  static base::Result<std::unique_ptr<Stage>> set_up(const StageOptions& options);
  ~Stage();

  // Makes the example the only policy, and waits until the proxy enforces it.
  base::Result<> apply(const std::string& policy);
  // Greeter v1 answers /hello with 503, or no longer.
  void break_greeter(bool is_broken);

  // sum(istio_requests_total{destination_app="greeter-service", reporter="source"}) by (by).
  base::Result<Sums> requests_by(const std::vector<std::string>& by) const;
  // Connections of workloads that the kernel handed to the proxy.
  base::Result<double> redirected_connections() const;
  // What arrived at the greeters since the last call, in order of time.
  std::vector<Arrival> new_arrivals();
  // The greeter's endpoints as helloweb's side sees them.
  base::Result<std::vector<admin::EndpointView>> endpoints() const;

  // A command as it is typed and as it is run.
  struct Command {
    std::string typed;
    std::vector<std::string> arguments;
  };
  // One request to helloweb, with curl when there is one.
  [[nodiscard]] Command call_helloweb(const std::string& target) const;
  // `load` with these arguments, at helloweb or (as the workload `load`) at the greeter.
  [[nodiscard]] Command load_helloweb(const std::vector<std::string>& arguments) const;
  [[nodiscard]] Command load_greeter(const std::vector<std::string>& arguments) const;
  [[nodiscard]] Command analyze() const;

  struct Output {
    int exit_code = 0;
    std::string text;
  };
  // Fails when it was interrupted or takes longer than half a minute.
  base::Result<Output> run(const Command& command) const;

  [[nodiscard]] const base::SocketAddress& admin() const { return admin_; }
  [[nodiscard]] std::string documents() const { return directory_ / "documents"; }
  [[nodiscard]] bool uses_bpf() const { return options_.uses_bpf; }
  // The workloads whose connections are guided, in alphabetical order.
  [[nodiscard]] std::vector<std::string> callers() const;
  // The first program that ended although nobody told it to; its last words.
  std::optional<std::string> casualty();

 private:
  struct Greeter {
    Process process;
    std::uint16_t port = 0;
    std::string log;
    std::size_t read = 0;
  };

  Stage(StageOptions options, TemporaryDirectory directory) : options_(options), directory_(std::move(directory)) {}
  base::Result<> start_greeters();
  base::Result<> start_agent();
  base::Result<> start_helloweb();
  base::Result<> wait_until(const std::string& what, const std::function<base::Result<bool>()>& is_true);
  base::Result<std::uint16_t> wait_for_port(const std::string& name, const std::string& log);
  base::Result<Process> start_program(const std::string& name, ProcessSpec spec);
  [[nodiscard]] std::string documents_of_services() const;
  [[nodiscard]] std::string settings_document() const;

  StageOptions options_;
  TemporaryDirectory directory_;
  base::SocketAddress admin_;
  std::uint16_t listener_port_ = 0;
  std::uint16_t helloweb_port_ = 0;
  // In the order of their start: destroyed from the last to the first.
  std::array<Greeter, 3> greeters_;
  Process agent_;
  std::optional<exec::Placement> placement_;
  Process helloweb_;
};

}  // namespace cli::demo
