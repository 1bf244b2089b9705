// SPDX-License-Identifier: Apache-2.0
#pragma once
// VendorServer: plays a vendor's service, a cache or a mirror on loopback: HTTPS under an authority
// of its own, answers by path, misbehaviour where a test asks for it.
//
//   Owns     a thread, which serves one connection after another, and its keys.
//   Threads  any.
//   Trust    test code: no shipped program may link this folder.
//   Fails    what cannot be set up stops the process.

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/crypto.h"
#include "base/fd.h"
#include "outside/fetch/what_to_fetch.h"
#include "outside/verify/collateral/collateral.h"

struct ssl_ctx_st;
struct ssl_st;

namespace casemate::fetch::testing {

struct Answer {
  int status = 200;
  std::string body{};
  std::string headers{};  // lines that end with \r\n
  bool endless = false;   // its length is not said, and it does not stop
  bool silent = false;    // nothing comes at all
};

class VendorServer final {
 public:
  // Listens on a free port of 127.0.0.1.
  VendorServer();
  ~VendorServer();
  VendorServer(const VendorServer&) = delete;
  VendorServer& operator=(const VendorServer&) = delete;

  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  // The certificate of its authority, PEM.
  [[nodiscard]] const std::string& authority() const { return authority_; }

  // By path and query, from now on. What has no answer is not found.
  void set(const std::string& target, Answer answer);
  // What set() gave it last.
  [[nodiscard]] Answer answer_to(const std::string& target);
  // What was asked for so far.
  [[nodiscard]] std::vector<std::string> asked();

 private:
  void serve_all();
  void serve(int socket);
  void answer(ssl_st* ssl, const std::string& target);
  // Until there is something to read, or the server is to end.
  void wait_for(int socket) const;
  [[nodiscard]] bool stopping() const;

  Fd listener_;
  Fd stop_;  // readable when it should end
  uint16_t port_ = 0;
  std::string authority_;
  ssl_ctx_st* context_;
  std::mutex mutex_;  // of these two
  std::map<std::string, Answer> answers_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

// Has the server answer what `plan` wants of Intel from `collateral`, as a cache lays it out.
void serve_intel(VendorServer& server, const Plan& plan, const verify::Collateral& collateral);
// The same of AMD: certificates in DER, the list of the authorities' root.
struct AmdFiles {
  std::vector<uint8_t> vcek{};
  std::string authorities{};  // PEM
  std::vector<uint8_t> crl{};
};
void serve_amd(VendorServer& server, const Plan& plan, const AmdFiles& files);

std::string der_text(const verify::X509Crl& crl);

}  // namespace casemate::fetch::testing
