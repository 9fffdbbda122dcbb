#include "proxy/telemetry/access_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace proxy::telemetry {

AccessLog::AccessLog(WorkerTelemetry& counters) : counters_(counters) {}

AccessLog::~AccessLog() { flush(); }

void AccessLog::set_sink(base::UniqueFd sink) {
  flush();
  lose_pending(LogResult::dropped);
  pending_.clear();
  is_blocked_ = is_inside_line_ = has_remnant_ = false;
  sink_ = std::move(sink);
  struct stat status{};
  is_regular_file_ = sink_ && fstat(sink_.get(), &status) == 0 && S_ISREG(status.st_mode);
}

void AccessLog::write(const RequestRecord& record, config::AccessLogFormat format) {
  if (format == config::AccessLogFormat::off) return;
  if (!sink_ || pending_.size() >= kMaxPendingBytes) {
    counters_.on_access_log_lines(LogResult::dropped, 1);
    return;
  }
  if (format == config::AccessLogFormat::json) {
    append_json_line(pending_, record);
  } else {
    append_text_line(pending_, record);
  }
  ++pending_lines_;
  if (pending_.size() >= kWriteBytes && !is_blocked_) flush();
}

// Several workers share a sink. A file opened for appending takes a whole buffer as one piece; of a pipe only writes of
// up to PIPE_BUF bytes are never mixed with those of others, so there lines go out in chunks that small.
std::size_t AccessLog::next_chunk() const {
  if (is_regular_file_ || pending_.size() <= PIPE_BUF) return pending_.size();
  const std::size_t last_line_end = pending_.bytes().rfind('\n', PIPE_BUF - 1);
  if (last_line_end != std::string_view::npos) return last_line_end + 1;
  return pending_.bytes().find('\n') + 1;  // one line longer than that
}

void AccessLog::flush() {
  is_blocked_ = false;
  while (sink_ && !pending_.is_empty()) {
    const ssize_t written = ::write(sink_.get(), pending_.bytes().data(), next_chunk());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      is_blocked_ = true;
      return;
    }
    if (written <= 0) {
      lose_pending(LogResult::failed);
      return;
    }
    const auto size = static_cast<std::size_t>(written);
    is_inside_line_ = pending_.bytes()[size - 1] != '\n';
    count_front(LogResult::written, size);
    pending_.drop_front(size);
  }
  if (pending_.capacity() > 2 * kMaxPendingBytes) pending_.shrink_to_fit();
}

void AccessLog::count_front(LogResult result, std::size_t bytes) {
  const std::uint64_t remnant = std::exchange(has_remnant_, false) ? 1 : 0;
  std::uint64_t lines = pending_lines_;
  if (bytes != pending_.size()) {
    const std::string_view front = pending_.bytes().substr(0, bytes);
    lines = static_cast<std::uint64_t>(std::ranges::count(front, '\n')) - remnant;
  }
  counters_.on_access_log_lines(result, lines);
  pending_lines_ -= lines;
}

// What comes next starts on a line of its own, although the sink has only the first part of the last one.
void AccessLog::lose_pending(LogResult result) {
  if (!pending_.is_empty()) count_front(result, pending_.size());
  has_remnant_ = is_inside_line_;
  pending_.clear();
  if (has_remnant_) pending_.append('\n');
}

}  // namespace proxy::telemetry
