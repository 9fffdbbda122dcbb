#pragma once

#include <memory>

#include "base/socket_address.h"
#include "tests/support/test_certificate.h"

namespace tests::support {

// Makes a plain server speak TLS: each connection to address() is passed on, decrypted, to `server`, and ends with it.
class TlsFront {
 public:
  TlsFront(base::SocketAddress server, const TestCertificate& certificate);
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  [[nodiscard]] base::SocketAddress address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tests::support
