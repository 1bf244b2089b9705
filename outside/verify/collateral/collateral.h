// SPDX-License-Identifier: Apache-2.0
#pragma once
// Collateral: what a verifier needs beside the evidence itself, from one folder: certificates,
// revocation lists, vendors' signed JSON, event logs. Each file is known by its content and not by
// its name, so a folder may be filled by hand, by a download, or by `casemate collateral fetch`.
//
//   Owns     its content.
//   Threads  a value; const functions from any thread.
//   Trust    nothing in it is trusted for being there: anchors are named by the policy or this
//            build, all else is signed.
//   Fails    read_folder with the file's name and why it cannot be read; a file of no known kind is
//            kept as it is.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::verify {

class Collateral final {
 public:
  struct File {
    std::string name;  // for people
    std::vector<uint8_t> content;
  };

  static constexpr size_t kFiles = 1024;
  static constexpr size_t kFileBytes = 4 << 20;

  // Every regular file of the folder, in the order of names; folders inside are not entered.
  static Result<Collateral> read_folder(const std::string& path);

  // Sorts one file in by its content: PEM text of any blocks, a certificate or a revocation list
  // in DER, a JSON document, or something else.
  Status add(std::string name, Bytes content);

  void add(X509Certificate certificate) { certificates_.push_back(std::move(certificate)); }
  void add(X509Crl crl) { crls_.push_back(std::move(crl)); }

  [[nodiscard]] std::span<const X509Certificate> certificates() const { return certificates_; }
  [[nodiscard]] std::span<const X509Crl> crls() const { return crls_; }
  // JSON texts, exactly as they were read: signatures are over bytes. Whether one is sound is for
  // its reader to say.
  [[nodiscard]] std::span<const File> documents() const { return documents_; }
  // What is neither X.509 nor JSON: event logs, tables.
  [[nodiscard]] std::span<const File> others() const { return others_; }

 private:
  std::vector<X509Certificate> certificates_;
  std::vector<X509Crl> crls_;
  std::vector<File> documents_;
  std::vector<File> others_;
};

}  // namespace casemate::verify
