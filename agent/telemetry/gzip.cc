#include "agent/telemetry/gzip.h"

#include <zlib.h>

#include <array>
#include <new>
#include <utility>

namespace agent::telemetry {

struct GzipWriter::Stream {
  Stream() {
    constexpr int kGzipWindow = 15 + 16;
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  }
  ~Stream() { deflateEnd(&z); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  z_stream z{};
  std::array<char, 32UL * 1024> out;
};

GzipWriter::GzipWriter(std::function<void(std::string_view)> sink)
    : sink_(std::move(sink)), stream_(std::make_unique<Stream>()) {}
GzipWriter::~GzipWriter() = default;

void GzipWriter::write(std::string_view data) { run(data, Z_NO_FLUSH); }
void GzipWriter::finish() { run({}, Z_FINISH); }

void GzipWriter::run(std::string_view data, int flush) {
  z_stream& z = stream_->z;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  int status = Z_OK;
  do {
    z.next_out = reinterpret_cast<Bytef*>(stream_->out.data());
    z.avail_out = static_cast<uInt>(stream_->out.size());
    status = deflate(&z, flush);
    const std::size_t produced = stream_->out.size() - z.avail_out;
    if (produced > 0) sink_({stream_->out.data(), produced});
  } while (z.avail_out == 0 && status != Z_STREAM_END);
}

}  // namespace agent::telemetry
