#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/kube/reflector_state.h"
#include "agent/kube/watch_status.h"
#include "base/clock.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Asio's own
}

namespace agent::kube {

struct ApiTimeouts;
class Credentials;

// Who wants to know about the objects of one resource. What was known stays until it is told otherwise, whatever
// happens to the API server.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  // A whole list begins: once replaced() is called, what was not upserted since the last replacing() is gone. A list
  // that breaks off begins again with another replacing().
  virtual void replacing() = 0;
  virtual void replaced() = 0;
  // `object` is as the API server sent it: checked to be an object with metadata, nothing more.
  virtual void upsert(const boost::json::object& object) = 0;
  virtual void erase(const boost::json::object& object) = 0;
};

// Keeps `sink` equal to a resource of the API server, from start() until it is destroyed. Lists in pages, watches from
// there on, and goes on after whatever happens: see ReflectorState. REQUIRES: all of it on the thread of `context`, and
// both `context` and `sink` outlive it; a call to
// the sink does not destroy it.
class Reflector {
 public:
  Reflector(boost::asio::io_context& context, std::shared_ptr<Credentials> credentials, Resource resource,
            ObjectSink& sink);
  Reflector(boost::asio::io_context& context, std::shared_ptr<Credentials> credentials, Resource resource,
            ObjectSink& sink, const ApiTimeouts& timeouts);
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  void start();

  struct Status {
    ReflectorHealth health = ReflectorHealth::starting;
    bool is_synced = false;                       // a whole list was there once, or the kind does not exist
    std::string error;                            // one line; empty while all is well
    std::optional<base::TimePoint> last_contact;  // what is known is as of then: a minute ago at most while all is well
    std::uint64_t lists = 0;                      // completed
    std::uint64_t watches = 0;                    // accepted
    std::uint64_t events = 0;                     // without bookmarks
    std::uint64_t failures = 0;
    std::uint64_t bytes_received = 0;
    std::array<std::uint64_t, kEventTypeNames.size()> events_by_type{};
    std::array<std::uint64_t, kRestartReasonNames.size()> restarts{};  // of watches
  };
  [[nodiscard]] Status status() const;
  [[nodiscard]] const Resource& resource() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with the coroutine, which may end a little later
};

}  // namespace agent::kube
