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
  if (pending_.size() >= kWriteBytes && !is_blocked_) flush();
}

// Several workers share a sink. A file opened for appending takes a whole buffer as one piece; of a pipe only writes of
// up to PIPE_BUF bytes are never mixed with those of others, so there lines go out in chunks that small.
std::size_t AccessLog::next_chunk() const {
  if (is_regular_file_ || pending_.size() <= PIPE_BUF) return pending_.size();
  const std::size_t last_line_end = pending_.rfind('\n', PIPE_BUF - 1);
  if (last_line_end != std::string::npos) return last_line_end + 1;
  return pending_.find('\n') + 1;  // one line longer than that
}

void AccessLog::flush() {
  is_blocked_ = false;
  while (sink_ && !pending_.empty()) {
    const ssize_t written = ::write(sink_.get(), pending_.data(), next_chunk());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      is_blocked_ = true;
      return;
    }
    if (written <= 0) {
      lose_pending(LogResult::failed);
      return;
    }
    const std::string_view out(pending_.data(), static_cast<std::size_t>(written));
    count(LogResult::written, out);
    is_inside_line_ = out.back() != '\n';
    pending_.erase(0, out.size());
  }
  if (pending_.capacity() > 2 * kMaxPendingBytes) pending_.shrink_to_fit();
}

void AccessLog::count(LogResult result, std::string_view lines) {
  const std::size_t remnant = std::exchange(has_remnant_, false) ? 1 : 0;
  counters_.on_access_log_lines(result, static_cast<std::uint64_t>(std::ranges::count(lines, '\n')) - remnant);
}

// What comes next starts on a line of its own, although the sink has only the first part of the last one.
void AccessLog::lose_pending(LogResult result) {
  if (!pending_.empty()) count(result, pending_);
  has_remnant_ = is_inside_line_;
  pending_.assign(is_inside_line_ ? "\n" : "");
}

}  // namespace proxy::telemetry
