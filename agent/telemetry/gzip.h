#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace agent::telemetry {

// Compresses what is written, fastest level, and hands pieces on as they come.
class GzipWriter {
 public:
  explicit GzipWriter(std::function<void(std::string_view)> sink);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  void write(std::string_view data);
  void finish();

 private:
  struct Stream;
  void run(std::string_view data, int flush);
  std::function<void(std::string_view)> sink_;
  std::unique_ptr<Stream> stream_;
};

}  // namespace agent::telemetry
