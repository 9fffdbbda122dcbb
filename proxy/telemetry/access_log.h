#pragma once

#include <cstdint>
#include <string_view>

#include "base/unique_fd.h"
#include "config/model/settings.h"
#include "proxy/telemetry/line_buffer.h"
#include "proxy/telemetry/record.h"
#include "proxy/telemetry/worker_telemetry.h"

namespace proxy::telemetry {

// One worker's access log: lines gather in a buffer that is written when it is full enough, and at each flush(). A sink
// that does not take them makes this drop lines and count them; it never makes the worker wait.
class AccessLog {
 public:
  static constexpr std::size_t kMaxPendingBytes = 64UL * 1024;
  // What a crash may lose. 64 KiB at once would save a hundredth of a request's CPU and lose four times as much.
  static constexpr std::size_t kWriteBytes = 16UL * 1024;

  // Lines are counted in `counters`, which outlives this.
  explicit AccessLog(WorkerTelemetry& counters);
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  ~AccessLog();  // flushes

  // Where lines go from now on; what is pending still goes to the old sink. The agent opens it: O_APPEND, and
  // O_NONBLOCK for all but regular files. No sink: lines are dropped and counted.
  void set_sink(base::UniqueFd sink);

  void write(const RequestRecord& record, config::AccessLogFormat format);
  // Call at every flush interval, and when the worker ends.
  void flush();

 private:
  [[nodiscard]] std::size_t next_chunk() const;
  void count_front(LogResult result, std::size_t bytes);
  void lose_pending(LogResult result);

  WorkerTelemetry& counters_;
  base::UniqueFd sink_;
  bool is_regular_file_ = false;
  bool is_blocked_ = false;          // the sink takes nothing; tried again at the next flush()
  bool is_inside_line_ = false;      // the sink has the first part of a line whose rest is at the front of `pending_`
  bool has_remnant_ = false;         // `pending_` begins with a newline that ends a line whose rest was lost
  std::uint64_t pending_lines_ = 0;  // that end in `pending_`, without the remnant
  LineBuffer pending_;
};

// One line with its newline, appended to `out`. Pure.
void append_text_line(LineBuffer& out, const RequestRecord& record);
void append_json_line(LineBuffer& out, const RequestRecord& record);

}  // namespace proxy::telemetry
