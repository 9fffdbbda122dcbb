#pragma once

#include "base/random.h"
#include "proxy/demands.h"
#include "proxy/engine/buffer_pool.h"
#include "proxy/engine/event_loop.h"
#include "proxy/engine/object_pool.h"
#include "proxy/telemetry/worker_telemetry.h"
#include "proxy/upstream/connection.h"

namespace proxy {

// What everything on a worker's thread shares. Owned by the worker, outlives all that refers to it.
struct WorkerContext {
  WorkerContext(std::uint32_t worker_index, std::unique_ptr<engine::EventLoop> event_loop,
                telemetry::WorkerTelemetry& worker_telemetry, Demands& demands_of_all)
      : worker(worker_index), loop(std::move(event_loop)), telemetry(worker_telemetry), demands(demands_of_all) {}

  const std::uint32_t worker;  // index
  std::unique_ptr<engine::EventLoop> loop;
  telemetry::WorkerTelemetry& telemetry;
  Demands& demands;  // shared by all workers
  engine::BufferPool buffers;
  base::Random random = base::Random::from_entropy();
  engine::ObjectPool<upstream::Connection> connections;
  bool counts_tcp = true;               // telemetry.tcp
  std::uint64_t pod_buffer_bytes = 0;   // limits.podBufferBytes
  std::uint64_t node_buffer_bytes = 0;  // limits.nodeBufferBytes
  std::string head;                     // scratch for the head that is being written; used within one call
};

}  // namespace proxy
