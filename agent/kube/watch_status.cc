#include "agent/kube/watch_status.h"

#include <algorithm>

namespace agent::kube {

void WatchStatus::add(const WatchStatus& other) {
  if (error.empty()) error = other.error;
  is_synced = is_synced && other.is_synced;
  if (other.last_contact)
    last_contact = last_contact ? std::min(*last_contact, *other.last_contact) : other.last_contact;
  for (std::size_t i = 0; i < events.size(); ++i) events[i] += other.events[i];
  for (std::size_t i = 0; i < restarts.size(); ++i) restarts[i] += other.restarts[i];
  lists += other.lists;
  failures += other.failures;
  bytes_received += other.bytes_received;
}

}  // namespace agent::kube
