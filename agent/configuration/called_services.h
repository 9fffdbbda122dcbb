#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/kube/cluster.h"
#include "base/clock.h"
#include "base/socket_address.h"
#include "config/compile/compile.h"
#include "config/documents.h"

namespace agent {

// Which services of a cluster this node enforces: those that its pods have called. A connection to a service that the
// proxy does not know yet waits for the answer, so one that is negative comes at once. On the main thread.
class CalledServices {
 public:
  using Hosts = std::set<std::string, std::less<>>;
  static constexpr std::chrono::minutes kIdle{15};

  // A connection came for this address. False: no service of the cluster has it; otherwise the answer is due when the
  // service can be enforced.
  bool find(const base::IpAddress& address, const kube::ClusterView& cluster, base::TimePoint now);
  // The addresses that were asked for and whose services are enforced by what was compiled last.
  std::vector<base::IpAddress> take_answers();

  // Compiles `documents`, which contain the cluster's, with the services that are called and whose endpoints are there,
  // and all that their routes lead to: one whose endpoints are not read yet would answer 503. `want` is told the hosts
  // whose endpoints are needed from now on.
  config::CompileResult compile(config::Documents& documents, const kube::ClusterView& cluster,
                                const std::function<void(Hosts)>& want);

  // The proxy uses these. Those that it has not used for kIdle are not enforced any more, as if nobody had called them.
  // True: there are such, and it is to be compiled again.
  bool forget_idle(base::TimePoint now, std::span<const std::string> in_use);

  // A proxy enforces these already: until their endpoints are known here too, it keeps what it has, but not for long.
  void adopt(const std::vector<std::string>& hosts, base::TimePoint now);
  // After compile(): whether the proxy is still better off with what it has; it is to be looked at again then.
  [[nodiscard]] bool is_adopting(base::TimePoint now) const { return now < adopts_until_ && ready_ != called(); }
  [[nodiscard]] base::TimePoint adopts_until() const { return adopts_until_; }

 private:
  [[nodiscard]] Hosts called() const;

  std::map<std::string, base::TimePoint, std::less<>> last_used_;  // of all that are called
  Hosts ready_;                                                    // of these, what was last compiled
  std::vector<std::pair<base::IpAddress, std::string>> asked_;     // without an answer, and their hosts
  base::TimePoint adopts_until_;
};

}  // namespace agent
