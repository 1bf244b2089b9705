// SPDX-License-Identifier: Apache-2.0
#include "outside/certify/development_pki.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/fd.h"
#include "base/format.h"
#include "outside/certify/issuing.h"
#include "outside/verify/development/development_chain.h"
#include "wire/evidence/evidence.h"

namespace casemate::certify {
namespace {

using KeyContext = verify::Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DerivedKey = verify::Owned<EVP_PKEY, EVP_PKEY_free>;

// DeriveKeyPair of RFC 9180, section 7.1.3, from 64 bytes of the seed that are this key's alone.
Result<SigningKey> key_of_seed(const SecretKey& seed, std::string_view name, Curve curve) {
  ByteArray<64> material;
  for (const std::string_view half : {"first half", "second half"}) {
    SecretKey part = derive_key(seed, bytes_of(name), bytes_of(half));
    std::ranges::copy(part, material.begin() + (half == "first half" ? 0 : 32));
    clear_secret(part);
  }
  std::string group = curve == Curve::kP384 ? "P-384" : "P-256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_DHKEM_IKM, material.data(),
                                        material.size()),
      OSSL_PARAM_END};
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* made = nullptr;
  const bool good = EVP_PKEY_keygen_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_params(context.get(), parameters) == 1 &&
                    EVP_PKEY_generate(context.get(), &made) == 1;
  clear_secret(material);
  const DerivedKey key(made);
  unsigned char* der = nullptr;
  const int size = good ? i2d_PrivateKey(key.get(), &der) : -1;
  if (size <= 0) return issuing_failed("deriving a key");
  auto signing = SigningKey::from_der({der, static_cast<size_t>(size)}, curve);
  OPENSSL_clear_free(der, static_cast<size_t>(size));
  return signing;
}

// A number that is nobody else's: of a hash of the key.
ByteArray<16> number_of(const SigningKey& key) {
  return load<ByteArray<16>>(sha256(key.public_der()));
}

// The certificate of the key in that place, by the one behind it.
Result<OwnedCertificate> certificate_of(size_t place, const SigningKey& key, X509* issuer,
                                        std::initializer_list<Extension> extensions) {
  auto made = TRY(blank_certificate(std::string(verify::kDevelopmentNames[place]),
                                    issuer == nullptr ? nullptr : X509_get_subject_name(issuer),
                                    key.native(), number_of(key), DevelopmentPki::kValidFrom,
                                    DevelopmentPki::kValidUntil));
  TRY(extend(made.get(), issuer == nullptr ? made.get() : issuer, extensions));
  return made;
}

Result<std::vector<uint8_t>> chain_of_keys(const DevelopmentPki& pki) {
  const auto root = TRY(certificate_of(2, pki.root, nullptr,
                                       {{NID_basic_constraints, "critical,CA:TRUE,pathlen:1"},
                                        {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                        {NID_subject_key_identifier, "hash"}}));
  const auto platform = TRY(certificate_of(1, pki.platform, root.get(),
                                           {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                            {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                            {NID_subject_key_identifier, "hash"},
                                            {NID_authority_key_identifier, "keyid:always"}}));
  const auto leaf = TRY(certificate_of(0, pki.attestation, platform.get(),
                                       {{NID_basic_constraints, "critical,CA:FALSE"},
                                        {NID_key_usage, "critical,digitalSignature"},
                                        {NID_subject_key_identifier, "hash"},
                                        {NID_authority_key_identifier, "keyid:always"}}));
  auto chain = TRY(sign_certificate(leaf.get(), pki.platform.native(), EVP_sha256()));
  for (X509* authority : {platform.get(), root.get()}) {
    const auto der = TRY(sign_certificate(authority, pki.root.native(), EVP_sha256()));
    chain.insert(chain.end(), der.begin(), der.end());
  }
  return chain;
}

bool lies_at(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

// A whole file that only its owner can read, by a name of our own; the caller gives it the right
// one, so a crash leaves either no file or a whole one. Containers that share the folder count
// processes alike, so no number of a process is in the name.
Result<std::string> write_beside(const std::string& path, Bytes content) {
  std::string half = path + ".XXXXXX";
  const Fd fd(::mkostemp(half.data(), O_CLOEXEC));
  if (fd.valid() &&
      ::write(fd.number(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()) &&
      ::fsync(fd.number()) == 0)
    return half;
  const Error error = errno_error(formatted("writing {}", path));
  if (fd.valid()) ::unlink(half.c_str());
  return error;
}

// So that a name is still there after a power cut.
Status keep_names(const std::string& folder) {
  const Fd place(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (place.valid() && ::fsync(place.number()) == 0) return {};
  return errno_error(formatted("keeping what is in {}", folder));
}

Status put(const std::string& path, Bytes content) {
  const std::string half = TRY(write_beside(path, content));
  if (::rename(half.c_str(), path.c_str()) == 0) return {};
  const Error error = errno_error(formatted("writing {}", path));
  ::unlink(half.c_str());
  return error;
}

// Whoever is first makes the seed of all: a link is never put over a file.
Status make_seed(const std::string& path, Random& random) {
  SecretKey seed;
  random.fill(seed);
  std::string text = to_hex(seed) + "\n";
  clear_secret(seed);
  const auto half = write_beside(path, bytes_of(std::string_view(text)));
  clear_secret({static_cast<uint8_t*>(static_cast<void*>(text.data())), text.size()});
  if (!half) return half.error();
  const bool made = ::link(half->c_str(), path.c_str()) == 0 || errno == EEXIST;
  const Status done = made ? Status() : errno_error(formatted("writing {}", path));
  ::unlink(half->c_str());
  return done;
}

Result<SecretKey> read_seed(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0)
    return errno_error(formatted("opening {}", path));
  if (!S_ISREG(facts.st_mode) || (facts.st_mode & 077) != 0 || facts.st_uid != ::geteuid()) {
    return Error{Code::kDenied,
                 formatted("{}: must be a file that only its owner can read: chmod 600 it", path)};
  }
  ByteArray<128> content;
  const ssize_t size = ::read(fd.number(), content.data(), content.size());
  std::string_view text = text_of(Bytes(content).first(static_cast<size_t>(std::max(size, 0l))));
  if (text.ends_with('\n')) text.remove_suffix(1);
  auto bytes = from_hex(text);
  clear_secret(content);
  if (!bytes || bytes->size() != sizeof(SecretKey)) {
    return Error{Code::kInvalid, formatted("{}: must have 64 hexadecimal digits; correct it, or "
                                           "remove it to have a new root made",
                                           path)};
  }
  const auto seed = load<SecretKey>(*bytes);
  clear_secret(*bytes);
  return seed;
}

// Nothing where the file is longer than ours are.
std::vector<uint8_t> content_of(const Fd& fd) {
  std::vector<uint8_t> content((8 << 10) + 1);
  const ssize_t size = ::read(fd.number(), content.data(), content.size());
  const bool good = size > 0 && size < static_cast<ssize_t>(content.size());
  content.resize(good ? static_cast<size_t>(size) : 0);
  return content;
}

// Whether the certificate is the key's: of two that were made of two seeds each lies there whole.
// What cannot be opened is left for the monitor to refuse, with the reason.
bool fit(const std::string& key_file, const std::string& chain_file) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const Fd key_fd(::open(key_file.c_str(), kFlags));
  const Fd chain_fd(::open(chain_file.c_str(), kFlags));
  if (!key_fd.valid() || !chain_fd.valid()) return true;
  std::vector<uint8_t> der = content_of(key_fd);
  const auto key = SigningKey::from_der(der);
  clear_secret(der);
  const std::vector<uint8_t> bytes = content_of(chain_fd);
  const auto chain = verify::read_development_chain(bytes);
  return key && chain && std::ranges::equal(chain->front().key, key->public_der());
}

}  // namespace

Result<DevelopmentPki> DevelopmentPki::make(const SecretKey& seed) {
  DevelopmentPki pki{TRY(key_of_seed(seed, verify::kDevelopmentNames[2], Curve::kP256)),
                     TRY(key_of_seed(seed, verify::kDevelopmentNames[1], Curve::kP256)),
                     TRY(key_of_seed(seed, verify::kDevelopmentNames[0], Curve::kP384)),
                     {}};
  pki.chain = TRY(chain_of_keys(pki));
  return pki;
}

Status install_development_pki(const std::string& state_folder, Random& random) {
  const std::string key = formatted("{}/{}", state_folder, kSoftwareKeyFile);
  const std::string chain = formatted("{}/{}", state_folder, kSoftwareChainFile);
  if (lies_at(key) && lies_at(chain) && fit(key, chain)) return {};
  const std::string seed_file = formatted("{}/{}", state_folder, DevelopmentPki::kSeedFile);
  if (!lies_at(seed_file)) {
    TRY(make_seed(seed_file, random));
    TRY(keep_names(state_folder));  // before anything that is made of it
  }
  SecretKey seed = TRY(read_seed(seed_file));
  const auto pki = DevelopmentPki::make(seed);
  clear_secret(seed);
  if (!pki) return pki.error();
  auto der = TRY(pki->attestation.to_der());
  const Status written = put(key, der);
  clear_secret(der);
  TRY(Status(written));
  TRY(put(chain, pki->chain));
  return keep_names(state_folder);
}

}  // namespace casemate::certify
