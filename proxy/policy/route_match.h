#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "config/model/node_config.h"

namespace proxy::policy {

// What route matching may look at. Header lookup is a call so that a codec needs no map.
class RequestView {
 public:
  virtual ~RequestView() = default;
  [[nodiscard]] virtual std::string_view method() const = 0;
  [[nodiscard]] virtual std::string_view path() const = 0;  // normalised, with the query
  [[nodiscard]] virtual std::string_view authority() const = 0;
  [[nodiscard]] virtual std::string_view scheme() const = 0;  // "http" or "https"
  // Value of a header (lower-case name), or of ":method", ":path", ":authority" or ":scheme". False: absent. The view
  // lives until the next call. Several lines of one name: of a well-known header (SEMANTICS 2.9) they are joined by ','
  // and are one value; all others are joined by '\n', because a condition is met when one of the lines meets it.
  [[nodiscard]] virtual bool header(std::string_view name, std::string_view& value) const = 0;
};

// One route table, ready to be asked: regular expressions compiled, domains hashed. Immutable, shared by threads.
class RouteTable {
 public:
  // `table` must outlive the result. Fails on a regular expression that RE2 refuses.
  static base::Result<std::unique_ptr<RouteTable>> build(const config::RouteTable& table);
  ~RouteTable();

  // The virtual host for a destination port and Host header: exact, then longest suffix wildcard, then "*".
  // The port of Host is ignored. nullptr: unknown host.
  struct Host;
  [[nodiscard]] const Host* find_host(std::uint16_t port, std::string_view authority) const;
  // First matching route, or nullptr: 404 NR.
  [[nodiscard]] static const config::Route* match(const Host& host, const RequestView& request);
  // Of the last rule, for what has no path: usually the one without conditions. Nullptr when there is none.
  [[nodiscard]] static const config::Route* last_route(const Host& host);
  [[nodiscard]] config::UnknownHostPolicy unknown_hosts() const;

 private:
  RouteTable();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Chosen per request, by weight; stable through the request's retries because the caller keeps the result.
const config::Destination& pick_destination(const config::Route& route, base::Random& random);

}  // namespace proxy::policy
