#pragma once

#include <memory>
#include <string>

namespace tests::support {

// A certificate of an authority that exists in this test alone, in PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

// Signs for a day; nothing of it is written to a file.
class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  [[nodiscard]] std::string pem() const;
  // `alternative_name` is as OpenSSL writes it: "IP:127.0.0.1" or "DNS:api.test".
  [[nodiscard]] TestCertificate issue(const std::string& alternative_name, bool is_expired = false) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tests::support
