#include "agent/telemetry/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "base/random.h"

namespace agent::telemetry {
namespace {

std::string decompress(std::string_view compressed) {
  z_stream z{};
  EXPECT_EQ(inflateInit2(&z, 15 + 16), Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  z.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK) {
    char buffer[4096];
    z.next_out = reinterpret_cast<Bytef*>(buffer);
    z.avail_out = sizeof buffer;
    status = inflate(&z, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - z.avail_out);
  }
  EXPECT_EQ(status, Z_STREAM_END);
  EXPECT_EQ(z.avail_in, 0U);
  inflateEnd(&z);
  return out;
}

TEST(GzipWriter, GivesBackWhatWasWritten) {
  base::Random random(1);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{32 * 1024}, std::size_t{300'000}}) {
    std::string data;
    while (data.size() < size) data += static_cast<char>(random.next());  // incompressible: output fills its buffer
    std::string compressed;
    GzipWriter gzip([&](std::string_view piece) { compressed += piece; });
    for (std::size_t i = 0; i < data.size(); i += 70'000) gzip.write(std::string_view(data).substr(i, 70'000));
    gzip.finish();
    EXPECT_EQ(decompress(compressed), data);
  }
}

}  // namespace
}  // namespace agent::telemetry
