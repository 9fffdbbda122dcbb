#pragma once

#include "base/random.h"
#include "proxy/engine/buffer_pool.h"
#include "proxy/engine/event_loop.h"
#include "proxy/engine/object_pool.h"
#include "proxy/telemetry/worker_telemetry.h"
#include "proxy/upstream/connection.h"

namespace proxy {

// What everything on a worker's thread shares. Owned by the worker, outlives all that refers to it.
struct WorkerContext {
  explicit WorkerContext(std::unique_ptr<engine::EventLoop> event_loop, telemetry::WorkerTelemetry& worker_telemetry)
      : loop(std::move(event_loop)), telemetry(worker_telemetry) {}

  std::unique_ptr<engine::EventLoop> loop;
  telemetry::WorkerTelemetry& telemetry;
  engine::BufferPool buffers;
  base::Random random = base::Random::from_entropy();
  engine::ObjectPool<upstream::Connection> connections;
  std::string head;  // scratch for the head that is being written; used within one call
};

}  // namespace proxy
