#include "tests/support/test_certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace tests::support {
namespace {

constexpr long kDay = 24L * 60 * 60;

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Memory = std::unique_ptr<BIO, Free<BIO_free_all>>;

void require(bool is_done, const char* what) {
  if (!is_done) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

Key make_key() {
  Key key(EVP_EC_gen("P-256"));
  require(key != nullptr, "make a key");
  return key;
}

std::string text(BIO* memory) {
  char* begin = nullptr;
  const long size = BIO_get_mem_data(memory, &begin);
  return {begin, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Memory memory(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(memory.get(), certificate) == 1, "write a certificate");
  return text(memory.get());
}

std::string pem_of(EVP_PKEY* key) {
  const Memory memory(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1, "write a key");
  return text(memory.get());
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

Certificate make_certificate(EVP_PKEY* key, const char* name, long serial, bool is_expired) {
  Certificate certificate(X509_new());
  require(X509_set_version(certificate.get(), 2) == 1, "set the version");
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), is_expired ? -kDay : kDay);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  return certificate;
}

}  // namespace

struct TestAuthority::Impl {
  Key key = make_key();
  Certificate certificate = make_certificate(key.get(), "test authority", 1, false);
};

TestAuthority::TestAuthority() : impl_(std::make_unique<Impl>()) {
  X509* certificate = impl_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  require(X509_sign(certificate, impl_->key.get(), EVP_sha256()) > 0, "sign the authority");
}
TestAuthority::~TestAuthority() = default;

std::string TestAuthority::pem() const { return pem_of(impl_->certificate.get()); }

TestCertificate TestAuthority::issue(const std::string& alternative_name, bool is_expired) const {
  const Key key = make_key();
  const Certificate certificate = make_certificate(key.get(), "test server", 2, is_expired);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(impl_->certificate.get()));
  extend(certificate.get(), impl_->certificate.get(), NID_subject_alt_name, alternative_name);
  require(X509_sign(certificate.get(), impl_->key.get(), EVP_sha256()) > 0, "sign a certificate");
  return {pem_of(certificate.get()), pem_of(key.get())};
}

}  // namespace tests::support
