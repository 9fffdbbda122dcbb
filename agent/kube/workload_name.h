#pragma once

#include <string>

#include "agent/kube/objects.h"

namespace agent::kube {

// The workload that a pod belongs to, as Istio names it: the Deployment behind a ReplicaSet, the CronJob behind a Job,
// any other controller by its own name, else the pod. Only names are looked at; nothing is read for it.
std::string workload_name(const ObjectMeta& pod);

// A pod's labels without those that differ between pods of one workload, or between two roll-outs of the same template.
Labels workload_labels(const Labels& pod);

}  // namespace agent::kube
