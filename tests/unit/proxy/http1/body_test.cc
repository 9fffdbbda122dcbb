#include "proxy/http1/body.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/random.h"

namespace proxy::http1 {
namespace {

struct Decoded {
  std::string payload{};
  std::string rest{};
  bool is_done = false;
  bool is_error = false;
  bool operator==(const Decoded&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Decoded& decoded) {
  return out << '"' << decoded.payload << "\" rest \"" << decoded.rest << "\" done " << decoded.is_done << " error "
             << decoded.is_error;
}

// Feeds `wire` in pieces that end at `cuts`.
Decoded decode(BodyKind kind, std::uint64_t length, std::string_view wire, const std::vector<std::size_t>& cuts = {}) {
  BodyDecoder decoder;
  decoder.start(kind, length);
  Decoded decoded;
  std::size_t from = 0;
  for (std::size_t piece = 0; piece <= cuts.size(); ++piece) {
    const std::size_t to = piece < cuts.size() ? cuts[piece] : wire.size();
    std::string data(wire.substr(from, to - from));
    const BodyDecoder::Step step = decoder.decode(data.data(), data.size());
    EXPECT_LE(step.payload, step.consumed);
    EXPECT_LE(step.consumed, data.size());
    decoded.payload += data.substr(0, step.payload);
    decoded.is_error = step.is_error;
    if (step.is_error) return decoded;
    EXPECT_TRUE(step.consumed == data.size() || decoder.is_done());
    decoded.rest += data.substr(step.consumed);
    from = to;
  }
  decoded.is_done = decoder.is_done();
  return decoded;
}
Decoded decode_chunked(std::string_view wire) { return decode(BodyKind::chunked, 0, wire); }

std::string encode(std::string_view payload, std::size_t chunk) {
  std::string wire;
  char head[kMaxChunkHead];
  for (std::size_t at = 0; at < payload.size(); at += chunk) {
    const std::string_view piece = payload.substr(at, chunk);
    wire.append(head, write_chunk_head(head, piece.size()));
    wire += piece;
    wire += "\r\n";
  }
  return wire + "0\r\n\r\n";
}

TEST(BodyDecoder, WithoutABodyIsDoneAtOnce) {
  for (const auto& [kind, length] : {std::pair{BodyKind::none, 0}, {BodyKind::length, 0}}) {
    EXPECT_EQ(decode(kind, static_cast<std::uint64_t>(length), "GET /"), (Decoded{.rest = "GET /", .is_done = true}));
  }
}

TEST(BodyDecoder, TakesExactlyTheLength) {
  EXPECT_EQ(decode(BodyKind::length, 5, "helloGET /"), (Decoded{.payload = "hello", .rest = "GET /", .is_done = true}));
  EXPECT_EQ(decode(BodyKind::length, 6, "hello"), (Decoded{.payload = "hello"}));
}

TEST(BodyDecoder, ReadsUntilThePeerCloses) {
  BodyDecoder decoder;
  decoder.start(BodyKind::until_close, 0);
  std::string data = "hello";
  EXPECT_EQ(decoder.decode(data.data(), data.size()).payload, 5U);
  EXPECT_FALSE(decoder.is_done());
  EXPECT_TRUE(decoder.finish_on_close());
  EXPECT_TRUE(decoder.is_done());
}

TEST(BodyDecoder, AnEarlyCloseIsNoEnd) {
  for (const BodyKind kind : {BodyKind::length, BodyKind::chunked}) {
    BodyDecoder decoder;
    decoder.start(kind, 5);
    EXPECT_FALSE(decoder.finish_on_close());
  }
}

TEST(BodyDecoder, DecodesChunks) {
  struct {
    std::string_view wire;
    std::string_view payload;
  } const cases[] = {
      {"0\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n1\r\n \r\n00A\r\nworld\r\n\r\n!\r\n0\r\n\r\n", "hello world\r\n\r\n!"},
      {"05\r\nhello\r\n00\r\n\r\n", "hello"},
      {"5;a=\"b\";c\r\nhello\r\n0;x\r\n\r\n", "hello"},
      {"5 \t;a\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5;\x80\xff\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n0\r\nX-Trail: 1\r\nY:\r\n\r\n", "hello"},
  };
  for (const auto& c : cases) {
    const std::string wire = std::string(c.wire) + "GET /";
    EXPECT_EQ(decode_chunked(wire), (Decoded{.payload = std::string(c.payload), .rest = "GET /", .is_done = true}))
        << c.wire;
  }
}

TEST(BodyDecoder, RefusesChunksThatTwoParsersMayReadDifferently) {
  for (const std::string_view wire : {"\r\n",
                                      " 5\r\nhello\r\n",
                                      "g\r\n",
                                      "-5\r\n",
                                      "+5\r\n",
                                      "0x5\r\n",
                                      ";a\r\n",
                                      "5 \r\nhello\r\n",
                                      "5\t\r\n",
                                      "5 5\r\n",
                                      "5\nhello",
                                      "5\r\rhello",
                                      "5\rhello",
                                      "5;a\nhello",
                                      "5;a\x01\r\n",
                                      "5;a\x7f\r\n",
                                      "5;a\rb\r\n",
                                      "fffffffffffffffff\r\n",
                                      "00000000000000005\r\n",
                                      "5\r\nhelloX\r\n",
                                      "5\r\nhello\n0\r\n\r\n",
                                      "5\r\nhello0\r\n",
                                      "5\r\nhello\r0\r\n",
                                      "0\r\n X: 1\r\n\r\n",
                                      "0\r\nX 1\r\n\r\n",
                                      "0\r\nX : 1\r\n\r\n",
                                      "0\r\n: 1\r\n\r\n",
                                      "0\r\nX: 1\n\r\n",
                                      "0\r\nX: a\x01\r\n",
                                      "0\r\nX\r\n\r\n",
                                      "0\r\nX: 1\r\n folded\r\n\r\n",
                                      "0\r\n\rX",
                                      "0\r\n\n"}) {
    EXPECT_TRUE(decode_chunked(wire).is_error) << wire;
  }
}

TEST(BodyDecoder, SaysWhatIsWrongWithTrailers) {
  const auto error_of = [](std::string wire) {
    BodyDecoder decoder;
    decoder.start(BodyKind::chunked, 0);
    EXPECT_TRUE(decoder.decode(wire.data(), wire.size()).is_error);
    return decoder.error();
  };
  EXPECT_EQ(error_of("zz\r\n"), BodyError::framing);
  EXPECT_EQ(error_of("0\r\nno colon\r\n\r\n"), BodyError::framing);
  EXPECT_EQ(error_of("0\r\nx: a\x01\r\n\r\n"), BodyError::invalid_characters);
  EXPECT_EQ(error_of("0\r\nx: " + std::string(70'000, 'a')), BodyError::too_large);
}

TEST(BodyDecoder, BoundsWhatIsNotPayload) {
  EXPECT_TRUE(decode_chunked("5;" + std::string(5000, 'a')).is_error);
  EXPECT_TRUE(decode_chunked("5" + std::string(5000, ' ')).is_error);
  EXPECT_TRUE(decode_chunked("0\r\n" + std::string(70'000, 'a')).is_error);
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += "a: bcde\r\n";
  EXPECT_TRUE(decode_chunked("0\r\n" + lines).is_error);

  // Signed uploads carry an extension with every chunk, however many there are.
  std::string wire;
  for (int i = 0; i < 500; ++i) wire += "1;chunk-signature=" + std::string(64, 'f') + "\r\nx\r\n";
  EXPECT_EQ(decode_chunked(wire + "0\r\n\r\n").payload, std::string(500, 'x'));
}

TEST(BodyDecoder, DecodesTheSameHoweverTheBytesWereCut) {
  const std::string wires[] = {
      "5\r\nhello\r\n6;ext=\"v\"\r\n world\r\n0\r\nX-Trail: 1\r\n\r\nGET /",
      "5 ;x\r\nhello\r\n0\r\n\r\n",
      "5\r\nhello\r\nzz\r\n",
      "5\r\nhelloX",
  };
  for (const std::string& wire : wires) {
    const Decoded whole = decode_chunked(wire);
    std::vector<std::size_t> every_byte;
    for (std::size_t first = 1; first < wire.size(); ++first) {
      every_byte.push_back(first);
      EXPECT_EQ(decode(BodyKind::chunked, 0, wire, {first}), whole) << "cut at " << first;
      for (std::size_t second = first + 1; second < wire.size(); ++second) {
        EXPECT_EQ(decode(BodyKind::chunked, 0, wire, {first, second}), whole) << "cut at " << first << ", " << second;
      }
    }
    EXPECT_EQ(decode(BodyKind::chunked, 0, wire, every_byte), whole);
  }
}

TEST(BodyDecoder, GivesBackWhatWasEncoded) {
  base::Random random(11);
  for (int round = 0; round < 300; ++round) {
    std::string payload(random.below(2000), '\0');
    for (char& c : payload) c = static_cast<char>(random.next());
    const std::string wire = encode(payload, 1 + random.below(300));
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < wire.size();) {
      at += 1 + random.below(200);
      if (at < wire.size()) cuts.push_back(at);
    }
    const Decoded decoded = decode(BodyKind::chunked, 0, wire, cuts);
    ASSERT_EQ(decoded.payload, payload);
    ASSERT_TRUE(decoded.is_done);
  }
}

TEST(ChunkHead, IsTheSizeInHexadecimal) {
  const auto text = [](std::uint64_t size) {
    char head[kMaxChunkHead];
    return std::string(head, write_chunk_head(head, size));
  };
  EXPECT_EQ(text(0), "0\r\n");
  EXPECT_EQ(text(10), "a\r\n");
  EXPECT_EQ(text(16), "10\r\n");
  EXPECT_EQ(text(65536), "10000\r\n");
  EXPECT_EQ(text(std::numeric_limits<std::uint64_t>::max()), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace proxy::http1
