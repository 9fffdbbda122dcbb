#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench {

// One thing that the request path does, once. What it works on outlives it.
struct Body {
  std::string name;
  std::function<void()> run;
};

// What a body found out is used: the compiler must not leave it away.
template <typename T>
void use(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// How often each is run when its instructions are counted.
inline constexpr int kCountedRuns = 1000;

void add_http1(std::vector<Body>& bodies);
void add_policy(std::vector<Body>& bodies);
void add_engine(std::vector<Body>& bodies);
void add_telemetry(std::vector<Body>& bodies);

}  // namespace bench
