#pragma once

#include <memory>
#include <string>

#include "agent/kube/client_config.h"
#include "base/result.h"

namespace boost::asio::ssl {
class context;  // NOLINT(readability-identifier-naming): Asio's own
}

namespace agent::kube {

// What a client shows to the API server and what it wants to be shown. Files are looked at whenever they are needed, a
// small read each: a rotated token is in force with the next request, a rotated certificate with the next connection.
// One thread uses it.
class Credentials {
 public:
  explicit Credentials(ClientConfig config);

  [[nodiscard]] const ClientConfig& config() const { return config_; }

  // Empty when there is none. A file that cannot be read, or holds no token, leaves the last one in force.
  std::string bearer_token();

  // For the next connection; the same one again as long as the files say the same.
  base::Result<std::shared_ptr<boost::asio::ssl::context>> tls_context();

 private:
  struct Pems {
    std::string authority, certificate, key;
    bool operator==(const Pems&) const = default;
  };
  base::Result<Pems> read_pems() const;

  ClientConfig config_;
  std::string token_;
  Pems pems_;  // that context_ was made of
  std::shared_ptr<boost::asio::ssl::context> context_;
};

}  // namespace agent::kube
