#include "agent/pods/pod_cgroup.h"

#include <algorithm>

namespace agent {
namespace {

constexpr std::size_t kUidSize = 36;   // 8-4-4-4-12
constexpr std::size_t kHashSize = 32;  // of a static pod

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_uid(std::string_view text) {
  if (text.size() == kHashSize) return std::all_of(text.begin(), text.end(), is_hex);
  if (text.size() != kUidSize) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool wants_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (wants_dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

// The uid that one folder's name says, empty for any other folder.
std::string uid_of_segment(std::string_view segment) {
  constexpr std::string_view kPod = "pod", kSlice = ".slice", kSystemdPod = "-pod";
  std::string uid;
  if (segment.ends_with(kSlice)) {
    segment.remove_suffix(kSlice.size());
    const auto start = segment.rfind(kSystemdPod);
    if (start == segment.npos) return {};
    uid = segment.substr(start + kSystemdPod.size());
    std::replace(uid.begin(), uid.end(), '_', '-');
  } else if (segment.starts_with(kPod)) {
    uid = segment.substr(kPod.size());
  }
  return is_uid(uid) ? uid : std::string();
}

}  // namespace

std::optional<PodCgroup> pod_cgroup(std::string_view cgroup) {
  for (std::size_t start = 0; start < cgroup.size();) {
    const std::size_t end = std::min(cgroup.find('/', start), cgroup.size());
    if (std::string uid = uid_of_segment(cgroup.substr(start, end - start)); !uid.empty()) {
      return PodCgroup{std::move(uid), std::string(cgroup.substr(0, end))};
    }
    start = end + 1;
  }
  return std::nullopt;
}

}  // namespace agent
