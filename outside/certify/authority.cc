// SPDX-License-Identifier: Apache-2.0
#include "outside/certify/authority.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/format.h"
#include "outside/certify/issuing.h"
#include "outside/verify/x509/owned.h"

namespace casemate::certify {
namespace {

using OwnedKey = verify::Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedBio = verify::Owned<BIO, BIO_free>;

// A random number: nobody counts here.
ByteArray<16> random_number() {
  ByteArray<16> number;
  system_random().fill(number);
  return number;
}

// Only its owner may read it, and nothing is written over.
Status write_new(const std::string& path, BIO* content) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(content, &data);
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid() || ::write(fd.number(), data, static_cast<size_t>(size)) != size)
    return errno_error("writing " + path);
  return {};
}

Result<std::string> read_text(const std::string& path, bool secret) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0) return errno_error("opening " + path);
  if (secret && (facts.st_mode & 077) != 0)
    return Error{Code::kDenied, formatted("{}: others can read this key: chmod 600 it", path)};
  std::string text(64 << 10, '\0');
  const ssize_t size = ::read(fd.number(), text.data(), text.size());
  if (size < 0) return errno_error("reading " + path);
  text.resize(static_cast<size_t>(size));
  return text;
}

}  // namespace

Status Authority::found(const std::string& name, const std::string& key_path,
                        const std::string& certificate_path, int64_t now_unix) {
  const SigningKey key = TRY(SigningKey::generate());
  const OwnedCertificate made =
      TRY(blank_certificate(name, nullptr, key.native(), random_number(), now_unix - 3600,
                            now_unix + kYears * 365 * 24 * 3600));
  TRY(extend(made.get(), made.get(),
             {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
              {NID_key_usage, "critical,keyCertSign,cRLSign"},
              {NID_subject_key_identifier, "hash"}}));
  TRY(sign_certificate(made.get(), key.native(), EVP_sha384()));
  const OwnedBio key_text(BIO_new(BIO_s_secmem()));
  const OwnedBio text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.native(), nullptr, nullptr, 0, nullptr,
                                    nullptr) != 1 ||
      PEM_write_bio_X509(text.get(), made.get()) != 1)
    return issuing_failed("writing PEM");
  TRY(write_new(key_path, key_text.get()));
  return write_new(certificate_path, text.get());
}

Result<Authority> Authority::open(const std::string& key_path,
                                  const std::string& certificate_path) {
  std::string text = TRY(read_text(key_path, true));
  const OwnedBio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const OwnedKey parsed(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  unsigned char* der = nullptr;
  const int size = parsed ? i2d_PrivateKey(parsed.get(), &der) : -1;
  clear_secret({static_cast<uint8_t*>(static_cast<void*>(text.data())), text.size()});
  ERR_clear_error();
  if (size <= 0)
    return Error{Code::kInvalid, formatted("{}: is no private key in PEM form", key_path)};
  auto key = SigningKey::from_der({der, static_cast<size_t>(size)});
  OPENSSL_clear_free(der, static_cast<size_t>(size));
  if (!key) return Error{Code::kInvalid, formatted("{}: {}", key_path, key.error().text)};
  auto certificates = TRY(verify::certificates_in_pem(TRY(read_text(certificate_path, false))));
  if (certificates.empty() || certificates[0].key() != key->public_der()) {
    return Error{Code::kInvalid,
                 formatted("{}: is no certificate of the key {}", certificate_path, key_path)};
  }
  return Authority(std::move(*key), std::move(certificates[0]));
}

Result<std::vector<uint8_t>> Authority::certify(Bytes spki, const std::string& subject,
                                                int64_t now_unix, int64_t until_unix) const {
  const uint8_t* at = spki.data();
  const OwnedKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  if (!key) return issuing_failed("reading the key");
  X509* issuer = certificate_.native();
  const OwnedCertificate made =
      TRY(blank_certificate(subject, X509_get_subject_name(issuer), key.get(), random_number(),
                            now_unix - 3600, until_unix));
  TRY(extend(made.get(), issuer,
             {{NID_basic_constraints, "critical,CA:FALSE"},
              {NID_key_usage, "critical,digitalSignature"},
              {NID_ext_key_usage, "2.23.133.8.3"},
              {NID_subject_key_identifier, "hash"},
              {NID_authority_key_identifier, "keyid:always"}}));
  return sign_certificate(made.get(), key_.native(), EVP_sha384());
}

}  // namespace casemate::certify
