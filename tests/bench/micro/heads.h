#pragma once

#include <string_view>

namespace bench {

// As a program behind a browser sends them, traced.
inline constexpr std::string_view kRequest =
    "GET /api/v1/orders/4711?expand=items&currency=EUR HTTP/1.1\r\n"
    "Host: shop.default.svc.cluster.local\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: application/json, text/plain;q=0.9, */*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Cookie: session=6f1e1a9c5b0b4f0c9f6d; theme=dark\r\n"
    "X-Forwarded-For: 10.1.2.3\r\n"
    "X-Request-Id: 3f2c1b4a-9d8e-4f7a-b6c5-d4e3f2a1b0c9\r\n"
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
    "x-b3-traceid: 463ac35c9f6413ad48485a3953bb6124\r\n"
    "x-b3-spanid: a2fb4a1d1a96d312\r\n"
    "x-b3-sampled: 1\r\n"
    "Connection: keep-alive\r\n"
    "\r\n";

inline constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 1024\r\n"
    "Cache-Control: no-store\r\n"
    "ETag: \"5d41402abc4b2a76b9719d911017c592\"\r\n"
    "Vary: Accept-Encoding\r\n"
    "Date: Mon, 23 Nov 2026 13:41:19 GMT\r\n"
    "Server: shop/2.4\r\n"
    "\r\n";

}  // namespace bench
