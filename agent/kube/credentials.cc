#include "agent/kube/credentials.h"

#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <utility>

namespace agent::kube {
namespace {

namespace ssl = boost::asio::ssl;

base::Result<std::string> read(const Secret& secret) {
  if (!secret.text.empty() || secret.file.empty()) return secret.text;
  return read_secret_file(secret.file);
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

// Anything else would be another header of the request.
bool is_token(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return !text.empty();
}

}  // namespace

Credentials::Credentials(ClientConfig config) : config_(std::move(config)) {}

std::string Credentials::bearer_token() {
  // A file wins over a text, as with kubectl: the text may be what it once held.
  auto text =
      config_.token.file.empty() ? base::Result<std::string>(config_.token.text) : read_secret_file(config_.token.file);
  if (!text && token_.empty()) text = config_.token.text;
  if (text) {
    if (std::string token = trimmed(*text); is_token(token)) token_ = std::move(token);
  }
  return token_;
}

base::Result<Credentials::Pems> Credentials::read_pems() const {
  Pems pems;
  for (const auto& [secret, pem] : {std::pair{&config_.authority, &pems.authority},
                                    {&config_.client_certificate, &pems.certificate},
                                    {&config_.client_key, &pems.key}}) {
    auto text = read(*secret);
    if (!text) return tl::unexpected(text.error());
    *pem = std::move(*text);
  }
  return pems;
}

base::Result<std::shared_ptr<ssl::context>> Credentials::tls_context() {
  auto pems = read_pems();
  if (!pems) return tl::unexpected(pems.error());
  if (context_ != nullptr && *pems == pems_) return context_;
  const auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  boost::system::error_code error;
  const auto refuse = [&](std::string_view what) {
    return base::fail(base::Errc::invalid,
                      config_.origin + ": the " + std::string(what) + " cannot be used: " + error.message());
  };
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // Tens of kilobytes less for every watch that is idle.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  context->set_verify_mode(config_.verifies_server ? ssl::verify_peer : ssl::verify_none, error);
  if (pems->authority.empty()) {
    if (context->set_default_verify_paths(error)) return refuse("machine's certificate authorities");
  } else if (context->add_certificate_authority(boost::asio::buffer(pems->authority), error)) {
    return refuse("certificate authority");
  }
  if (!pems->certificate.empty()) {
    if (context->use_certificate_chain(boost::asio::buffer(pems->certificate), error)) {
      return refuse("client certificate");
    }
    if (context->use_private_key(boost::asio::buffer(pems->key), ssl::context::pem, error)) {
      return refuse("client key");
    }
    if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
      error = boost::system::error_code(static_cast<int>(ERR_get_error()), boost::asio::error::get_ssl_category());
      return refuse("client key");
    }
  }
  pems_ = std::move(*pems);
  context_ = context;
  return context_;
}

}  // namespace agent::kube
